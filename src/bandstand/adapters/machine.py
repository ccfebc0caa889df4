"""This machine's memory, as Linux tells it: the least of what the machine and each control group above us have left."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bandstand.domain.admission import Disk, Memory, Pressure

_KILO = 1024
_UNLIMITED = 1 << 60  # version 1 writes a huge number where there is no limit


class LinuxMachine:
    """A `Machine` that reads `proc` and the control groups, of version 2 or 1, each time that it is asked."""

    def __init__(self, *, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc = proc
        self._groups = groups

    def memory(self) -> Memory | None:
        """How much memory there is now; nothing where there is no such `proc`, as on macOS."""
        try:
            whole = self._meminfo()
        except (OSError, ValueError, KeyError):
            return None
        found = [whole, *self._limits()]
        return Memory(
            available=max(0, min(one.available for one in found)),
            total=min(one.total for one in found),
        )

    def disk(self, path: str) -> Disk | None:
        """How much room there is below a folder now; nothing if there is no such folder."""
        try:
            told = os.statvfs(path)
        except OSError:
            return None
        return Disk(path=path, free=told.f_bavail * told.f_frsize, total=told.f_blocks * told.f_frsize)

    def pressure(self) -> Pressure | None:
        """How much everything stands still, as PSI tells it; nothing for a kernel without."""
        try:
            return Pressure(memory=self._full("memory"), disk=self._full("io"))
        except (OSError, ValueError, KeyError):
            return None

    def _full(self, what: str) -> float:
        lines = (self._proc / "pressure" / what).read_text(encoding="ascii").splitlines()
        told = {
            name: dict(pair.split("=") for pair in rest.split())
            for name, _, rest in (one.partition(" ") for one in lines)
        }
        return float(told["full"]["avg10"])

    def _meminfo(self) -> Memory:
        lines = (self._proc / "meminfo").read_text(encoding="ascii").splitlines()
        sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return Memory(available=sizes["MemAvailable"] * _KILO, total=sizes["MemTotal"] * _KILO)

    def _limits(self) -> Iterator[Memory]:
        """What each group that this process is in may have, and has left. One that does not tell sets no limit."""
        try:
            lines = (self._proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
        except OSError:
            return
        for line in lines:
            _, controllers, path = line.split(":", 2)
            version_1 = "memory" in controllers.split(",")
            if controllers and not version_1:
                continue
            top = self._groups / "memory" if version_1 else self._groups
            names = _VERSION_1 if version_1 else _VERSION_2
            folder = top / path.lstrip("/")
            for group in (folder, *folder.parents):
                if not group.is_relative_to(top):
                    break
                with contextlib.suppress(OSError, ValueError):
                    yield from _limit(group, *names)


_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def _limit(group: Path, most: str, used: str, idle: str) -> Iterator[Memory]:
    """What a group has left. Pages of files that nobody used for a while count as free: the kernel takes them back."""
    said = (group / most).read_text(encoding="ascii").strip()
    if said == "max" or int(said) >= _UNLIMITED:
        return
    pages = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    taken = int((group / used).read_text(encoding="ascii")) - int(pages.get(idle, 0))
    yield Memory(available=int(said) - taken, total=int(said))
