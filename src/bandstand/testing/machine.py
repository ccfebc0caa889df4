"""A machine as large as a test says."""

from bandstand.domain.admission import Disk, Memory, Pressure


class FakeMachine:
    """A `Machine` whose memory is set by hand, in bytes. Without any it is one that does not tell."""

    def __init__(self, available: int | None = None, *, total: int = 16_000_000_000) -> None:
        self.available = available
        self.total = total
        self.looks = 0
        self.disks: dict[str, Disk] = {}
        self.pressed: Pressure | None = None

    def memory(self) -> Memory | None:
        """What was set; `looks` counts how often it was asked."""
        self.looks += 1
        return None if self.available is None else Memory(available=self.available, total=self.total)

    def disk(self, path: str) -> Disk | None:
        """What was set for this folder in `disks`."""
        return self.disks.get(path)

    def pressure(self) -> Pressure | None:
        """What was set as `pressed`."""
        return self.pressed
