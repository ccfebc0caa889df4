"""What the record of a daemon's starts and ends says about crashes."""

from pathlib import Path

import pytest

from bandstand.config.places import Places
from bandstand.config.starts import crashes, end_of, last_words, line, too_many_crashes

NOW = 1_800_000_000.0


def record(*events: tuple[str, float, int]) -> str:
    """Lines of these events, each so many seconds ago."""
    return "".join(line(event, at=NOW - ago, pid=pid) for event, ago, pid in events)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (record(("start", 50, 1), ("end", 40, 1)), 0),
        (record(("start", 50, 1)), 1),
        (record(("start", 90_000, 1)), 1),
        (record(("start", 50, 1), ("start", 40, 2), ("start", 30, 3), ("end", 20, 3)), 2),
        (record(("start", 50, 1), ("start", 40, 2), ("start", 30, 3)), 3),
        (record(("start", 100, 1), ("start", 80, 2), ("start", 30, 3)), 2),
        (record(("start", 50, 1), ("end", 45, 1), ("start", 40, 2), ("end", 35, 2), ("start", 30, 3)), 1),
        (record(("start", -3600, 1), ("start", -3590, 2), ("start", -3580, 3)), 1),
        (record(("start", 50, 1)) + "start 18000", 1),
        ("start now 1\nstart 1e5 2\nend\n\0\n start\n" + record(("start", 50, 1)), 1),
    ],
    ids=["none", "clean", "dead", "long", "ended", "loop", "slow", "mixed", "clock", "torn", "garbage"],
)
def test_a_daemon_that_did_not_end_has_crashed(text: str, count: int) -> None:
    """It counts for a minute from when the next one began, or from now; a wall clock that was set back does no harm."""
    assert crashes(text, now=NOW) == count


def test_three_crashes_within_a_minute_are_too_many(tmp_path: Path) -> None:
    """The reason names the log, its last words and what to do; it is gone when the minute is over."""
    places = Places(state=tmp_path, runtime=tmp_path, settings=tmp_path, cache=tmp_path)
    assert too_many_crashes(places, now=NOW) is None
    places.starts.write_text(record(("start", 50, 1), ("start", 40, 2), ("start", 30, 3)))
    places.daemon_log.write_text("one\ntwo\nTraceback (most recent call last):\n  File x\nMemoryError\nthree\n")
    reason = too_many_crashes(places, now=NOW)
    assert reason is not None
    assert reason.message == "3 daemons have died within a minute, so none is started by itself for now."
    assert reason.hint == (
        f"`band up` runs one where you can see it. The end of {places.daemon_log}:\n  two\n  MemoryError\n  three"
    )
    assert too_many_crashes(places, now=NOW + 21) is None


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    """Whatever bytes it begins with."""
    log = tmp_path / "log"
    log.write_bytes("é".encode() * 100_000 + b"\nthe last\n")
    assert len(end_of(log)) < 5000
    assert last_words(end_of(log))[-1] == "the last"
