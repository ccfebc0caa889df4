"""When daemons began and ended, as a small file of the state keeps it, and what that says about crashes.

    start 1732358400.250 4711        a daemon took over, at that time, under that process id
    end 1732358460.000 4711          it ended by itself, on purpose

A daemon that began and did not end before the next one began has crashed: killed, out of memory, or by a fault. What
does not look like a line is passed over, so a file cut short does no harm.
"""

import os
from pathlib import Path

from bandstand.config.places import Places
from bandstand.domain.errors import Unavailable

MOST, WITHIN_SECONDS = 3, 60.0
"""So many crashes within so many seconds are a loop."""

KEPT = 20
"""How many lines are worth keeping."""

_END_BYTES = 4096
_LAST_WORDS = 3


def line(event: str, *, at: float, pid: int) -> str:
    """One line for a `start` or an `end`, at a time in seconds since 1970."""
    return f"{event} {at:.3f} {pid}\n"


def crashes(text: str, *, now: float) -> int:
    """How many daemons have crashed lately. Asked while none lives: one that has not ended is dead.

    A crash counts from when it was noticed, which is the next start, or now.
    """
    noticed: list[float] = []
    began = ""
    for words in map(str.split, text.splitlines()):
        match words:
            case ["start", at, pid] if _is_time(at):
                noticed += [float(at)] if began else []
                began = pid
            case ["end", _, pid] if pid == began:
                began = ""
    noticed += [now] if began else []
    return sum(0 <= now - at < WITHIN_SECONDS for at in noticed)


def too_many_crashes(places: Places, *, now: float) -> Unavailable | None:
    """Why no daemon should be started but by a person, if so. Asked while none lives."""
    count = crashes(end_of(places.starts), now=now)
    if count < MOST:
        return None
    said = "".join(f"\n  {words}" for words in last_words(end_of(places.daemon_log)))
    return Unavailable(
        f"{count} daemons have died within a minute, so none is started by itself for now.",
        hint=f"`band up` runs one where you can see it. The end of {places.daemon_log}:{said}",
    )


def last_words(log: str) -> tuple[str, ...]:
    """The last lines of a log that say something by themselves: no frame of a traceback does."""
    lines = [words.rstrip() for words in log.splitlines()]
    telling = [words for words in lines if words and not words.startswith((" ", "\t", "Traceback"))]
    return tuple(telling[-_LAST_WORDS:])


def end_of(path: Path) -> str:
    """The last few thousand bytes of a file, as text; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _is_time(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
