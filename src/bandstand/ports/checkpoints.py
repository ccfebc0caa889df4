"""The snapshots that are kept of a workspace, one after the other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bandstand.domain.change import FileChange
from bandstand.domain.ids import CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One snapshot of all files: `files` are what it changed since the one before, `head` is the agent's own."""

    number: int
    at: datetime
    commit: CommitId
    head: CommitId
    files: tuple[FileChange, ...]


class Checkpoints(Protocol):
    """The checkpoints of workspaces by their name. They are there as long as the workspace is."""

    async def of(self, name: str) -> tuple[Checkpoint, ...]:
        """All of one workspace, in their order; none if it is gone, or never was."""
        ...

    async def commit(self, name: str, number: int) -> CommitId:
        """The commit of all files at one of them. Raises `Unknown`."""
        ...

    async def patch(self, name: str, number: int) -> str:
        """What one of them changed since the one before, or since the workspace began. Raises `Unknown`."""
        ...
