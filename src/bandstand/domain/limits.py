"""Limits: how much of the machine one task's processes may have, and when a human is asked about it.

Where a task comes near a limit, its agent is held still before anything is ended, and a human says how it goes on. Of
several that set a limit the strictest one holds; only a human's answer raises it, for that task alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

NEAR = 0.9
"""At what part of a limit a human is asked."""

_GIGABYTE = 1_000_000_000
_MEGABYTE = 1_000_000
_MORE = 1.5


class Resource(StrEnum):
    """What is measured of a task while it lives. The values are written to disk."""

    MEMORY = "memory"
    DISK = "disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a process and all that it starts may have together; what is `None` has no limit of ours.

    `open_files` and `file_bytes` are for each process and each file. `cpu_weight` is the share where others want the
    processor too, from 1 to 10,000, with 100 for everybody who has none. `disk_bytes` are those of a task's own
    folders: its workspace and its home.
    """

    memory_bytes: int | None = None
    processes: int | None = None
    open_files: int | None = None
    file_bytes: int | None = None
    cpu_weight: int | None = None
    disk_bytes: int | None = None

    def stricter(self, other: Self) -> Self:
        """Of each limit the smaller one of the two."""
        found: dict[str, int | None] = {}
        for field in fields(self):
            both = [size for size in (getattr(self, field.name), getattr(other, field.name)) if size is not None]
            found[field.name] = min(both, default=None)
        return type(self)(**found)

    def of(self, resource: Resource) -> int | None:
        """The limit of what is measured."""
        return self.memory_bytes if resource is Resource.MEMORY else self.disk_bytes


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a human lets a task have of a resource, in bytes. It is asked about again when it uses `asks_at`."""

    limit: int
    asks_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A task that uses too much. `reached` tells that it is at its limit, and not only near."""

    resource: Resource
    used: int
    limit: int
    reached: bool

    @property
    def raised(self) -> int:
        """A limit with which it could go on for a good while."""
        return max(2 * self.limit, int(self.used * _MORE))

    def in_words(self) -> str:
        """For a person."""
        what = "of memory" if self.resource is Resource.MEMORY else "on the disk"
        return f"uses {in_bytes(self.used)} {what}, and {in_bytes(self.limit)} is its limit"

    def grants(self, limit: int) -> Grant:
        """What is granted where a human lets it have `limit`: for the one it has, nobody is asked before that."""
        return Grant(limit=limit, asks_at=limit if limit == self.limit else int(limit * NEAR))


def excess(
    resource: Resource, used: int, limits: Limits, *, granted: Mapping[Resource, Grant], held: bool
) -> Excess | None:
    """Whether a human is to be asked about what a task uses.

    `held` tells that the kernel itself keeps it within its limit: where somebody was asked, and let it go on as it is,
    nothing more has to be done.
    """
    limit = limits.of(resource)
    grant = granted.get(resource)
    if grant is None and limit is not None:
        grant = Grant(limit=limit, asks_at=int(limit * NEAR))
    if grant is None or used < grant.asks_at or (held and grant.asks_at >= grant.limit):
        return None
    asked = grant.asks_at >= grant.limit
    return Excess(resource=resource, used=used, limit=grant.limit, reached=asked or used >= grant.limit)


def with_grants(limits: Limits, granted: Mapping[Resource, Grant]) -> Limits:
    """The limits as a human has changed them for one task."""
    memory, disk = granted.get(Resource.MEMORY), granted.get(Resource.DISK)
    files = limits.file_bytes
    if files is not None and disk is not None:
        files = max(files, disk.limit)
    return Limits(
        memory_bytes=memory.limit if memory is not None else limits.memory_bytes,
        processes=limits.processes,
        open_files=limits.open_files,
        file_bytes=files,
        cpu_weight=limits.cpu_weight,
        disk_bytes=disk.limit if disk is not None else limits.disk_bytes,
    )


def in_bytes(size: int) -> str:
    """A size for a person."""
    return f"{size / _GIGABYTE:.1f} GB" if size >= _GIGABYTE else f"{size / _MEGABYTE:.0f} MB"
