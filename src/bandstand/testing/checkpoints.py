"""Checkpoints in memory: the snapshots of workspaces in memory, compared with each other."""

from bandstand.domain.errors import Unknown
from bandstand.domain.ids import CommitId
from bandstand.ports.checkpoints import Checkpoint
from bandstand.ports.workspaces import Snapshot
from bandstand.testing.workspaces import MemoryWorkspaces


class MemoryCheckpoints:
    """The checkpoints of some workspaces."""

    def __init__(self, workspaces: MemoryWorkspaces) -> None:
        self._workspaces = workspaces
        self._repository = workspaces.repository

    async def of(self, name: str) -> tuple[Checkpoint, ...]:
        """All of one workspace, in their order."""
        found = []
        for before, one in self._pairs(name):
            change = await self._repository.change(base=before, head=one.commit)
            at = self._repository.at(one.commit).at
            found.append(Checkpoint(number=one.number, at=at, commit=one.commit, head=one.head, files=change.files))
        return tuple(found)

    async def commit(self, name: str, number: int) -> CommitId:
        """The commit of all files at one of them."""
        for _, one in self._pairs(name):
            if one.number == number:
                return one.commit
        raise Unknown(f"There is no checkpoint {number} of {name}.")

    async def patch(self, name: str, number: int) -> str:
        """What one of them changed since the one before."""
        for before, one in self._pairs(name):
            if one.number == number:
                return await self._repository.diff(base=before, head=one.commit)
        raise Unknown(f"There is no checkpoint {number} of {name}.")

    def _pairs(self, name: str) -> list[tuple[CommitId, Snapshot]]:
        if name not in self._workspaces.held:
            return []
        kept = self._workspaces.snapshots.get(name, [])
        before = [self._workspaces.held[name].base, *(one.commit for one in kept)]
        return list(zip(before, kept, strict=False))
