"""The daemon's own record of its start and its end, and what keeps a woken one down.

Only the daemon that holds the lock writes here. What is written survives the death of the process; that of the machine
does not matter, for it ends every agent too.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bandstand.config.places import Places
from bandstand.config.starts import KEPT, end_of, line, too_many_crashes
from bandstand.domain.errors import BandstandError, Unavailable
from bandstand.faults import fault

_PROBE_SECONDS, _LOOK_AGAIN_SECONDS = 0.3, 0.01


def take(lock: IO[bytes]) -> None:
    """Lock the daemon's file. Raises `Unavailable` if another one has it for longer than it takes to look at it."""
    deadline = time.monotonic() + _PROBE_SECONDS
    while not _locked(lock.fileno()):
        if time.monotonic() > deadline:
            raise Unavailable("A daemon is running already.", hint="`band down` stops it.")
        time.sleep(_LOOK_AGAIN_SECONDS)


def keeps_down(places: Places) -> BandstandError | None:
    """Why a daemon that a holder rang for should end at once, if so."""
    if places.down.exists():
        return Unavailable("The last one was ended on purpose.", hint="The next command starts one.")
    return too_many_crashes(places, now=time.time())


def stay_down(places: Places) -> None:
    """Have holders start no daemon until a person does."""
    with contextlib.suppress(FileNotFoundError):  # the state may be gone
        places.down.touch(mode=0o600)


@contextlib.contextmanager
def on_record(places: Places) -> Iterator[None]:
    """Record that a daemon begins, and that it ends unless an error ends it. Meanwhile holders start no other one."""
    wake_lock = os.open(places.wake_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _locked(wake_lock)  # if a holder rang for this daemon it has inherited it locked
        places.down.unlink(missing_ok=True)
        fault("daemon.record.before")
        _begin(places.starts)
        fault("daemon.record.after")
        yield
        _note(places.starts, "end")
    finally:
        os.close(wake_lock)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _begin(starts: Path) -> None:
    lines = end_of(starts).splitlines(keepends=True)
    if len(lines) > KEPT:
        draft = starts.with_suffix(".new")
        with contextlib.suppress(OSError):
            draft.write_text("".join(lines[-KEPT:]))
            draft.replace(starts)
    _note(starts, "start")


def _note(starts: Path, event: str) -> None:
    """Add a line; an end only to a file that is still there. A daemon without a record is better than none."""
    flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT if event == "start" else 0)
    with contextlib.suppress(OSError), os.fdopen(os.open(starts, flags, 0o600), "w") as file:
        file.write(line(event, at=time.time(), pid=os.getpid()))
