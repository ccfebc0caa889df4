"""A machine whose time passes by hand: at work, suspended, off; and whose wall clock may be set."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bandstand.adapters.clock import AwakeClock, Reading

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class HandMachine:
    """It runs one daemon after the other, each with a `clock`, which leaves its reading in the file `kept`."""

    def __init__(self, kept: Path | None = None) -> None:
        self.boot = 1
        self.awake = 5_000_000_000
        self.asleep = 0
        self.wall = NOON
        self.kept = kept
        self.clock = self._clock()

    def _clock(self) -> AwakeClock:
        return AwakeClock(
            wall=lambda: self.wall,
            awake_ns=lambda: self.awake,
            since_boot_ns=lambda: self.awake + self.asleep,
            boot=f"boot {self.boot}",
            earlier=Reading.kept(self.kept) if self.kept is not None else None,
        )

    def works(self, seconds: float) -> None:
        """Some time passes."""
        self.awake += round(seconds * 1e9)
        self.wall += timedelta(seconds=seconds)

    def sleeps(self, seconds: float) -> None:
        """It is suspended for a while."""
        self.asleep += round(seconds * 1e9)
        self.wall += timedelta(seconds=seconds)

    def is_off(self, seconds: float) -> None:
        """It is switched off, and on again after a while, with a new daemon."""
        self.boot += 1
        self.awake, self.asleep = 7_000_000_000, 0
        self.wall += timedelta(seconds=seconds)
        self.restarts()

    def sets_the_wall(self, seconds: float) -> None:
        """Somebody sets the time of day."""
        self.wall += timedelta(seconds=seconds)

    def notes(self) -> None:
        """The daemon keeps what its clock shows, as it does every minute."""
        assert self.kept is not None
        self.clock.reading().save(self.kept)

    def restarts(self) -> None:
        """Another daemon comes, whether the one before could say anything or not."""
        self.clock = self._clock()
        if self.kept is not None:
            self.notes()

    @property
    def shown(self) -> float:
        """What the clock shows: seconds since it began."""
        return (self.clock.now() - NOON).total_seconds()
