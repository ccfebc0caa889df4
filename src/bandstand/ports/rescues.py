"""What was kept of work that did not land."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bandstand.domain.ids import CommitId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueRef:
    """One commit that was kept: of all files as they were, with what else nothing would have kept as its parents."""

    number: int
    ref: str
    commit: CommitId
    at: datetime
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueArchive:
    """One archive of what git does not take: ignored files, mostly. `path` is where it lies."""

    name: str
    path: str
    at: datetime
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """All that was kept of one task, the newest last."""

    task: TaskId
    refs: tuple[RescueRef, ...] = ()
    archives: tuple[RescueArchive, ...] = ()

    @property
    def at(self) -> datetime:
        """When something of it was kept last."""
        return max([one.at for one in self.refs] + [one.at for one in self.archives])

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum([one.bytes for one in self.refs] + [one.bytes for one in self.archives])


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of a rescue in a folder: so many files, and what was left out or has another name now, in words."""

    files: int
    notes: tuple[str, ...] = ()


class Rescues(Protocol):
    """What was kept of the tasks of one repository."""

    async def all(self) -> tuple[Rescue, ...]:
        """Every rescue, by task."""
        ...

    async def listing(self, archive: RescueArchive, *, most: int) -> tuple[str, ...]:
        """The names in an archive, the first `most` of them."""
        ...

    async def to_branch(self, ref: RescueRef, branch: str) -> None:
        """Have a new branch begin at what was kept. Raises `Refused` if there is one, or it cannot be one's name."""
        ...

    async def to_folder(self, rescue: Rescue, ref: RescueRef | None, folder: Path) -> Restored:
        """Write the files of one ref, and of every archive, to a folder that is made for it: all of them or none.

        Archives hold what an agent left, so nothing of them gets out of that folder, by name or by link, nothing of
        git's that could run is put where git would find it, and no file takes another one's place. Raises `Refused` if
        there is something at its place already, `Unavailable` if there is no room.
        """
        ...

    async def only_there(self, rescue: Rescue) -> tuple[str, ...]:
        """The files, and archives, that are nowhere else: in no branch, tag or other rescue of the repository."""
        ...

    async def drop(self, rescue: Rescue) -> None:
        """Give up a rescue for good: exactly the refs and archives that it names. May be repeated.

        Raises what git's refusal means if a ref points elsewhere now.
        """
        ...
