"""The event log: facts in the order in which they became known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bandstand.domain.events import Event
from bandstand.domain.ids import RepositoryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A fact in the log. `sequence` is daemon-wide, `version` counts the facts of one repository from 1."""

    sequence: int
    repository: RepositoryId
    version: int
    at: datetime
    event: Event


class OutOfDate(Exception):
    """The repository has more facts than the writer knew of. Nothing was written; read on and decide anew."""


class EventLog(Protocol):
    """Facts in the order in which they became known. What is appended stays, and is never changed."""

    async def append(
        self, repository: RepositoryId, events: Sequence[Event], *, expected: int, at: datetime
    ) -> tuple[Recorded, ...]:
        """Write all of `events` or none, durably, behind version `expected` of the repository.

        Raises `OutOfDate` if the repository is not at that version, `Unavailable` if the disk does not take it.
        """
        ...

    async def read(self, repository: RepositoryId, *, after: int = 0) -> tuple[Recorded, ...]:
        """The facts of one repository with a version greater than `after`, in order."""
        ...

    async def read_all(self, *, after: int = 0, limit: int = 1000) -> tuple[Recorded, ...]:
        """The first `limit` facts of all repositories with a sequence greater than `after`, in order.

        A fact that becomes known later has a greater sequence: who goes on behind the last one misses nothing.
        """
        ...

    async def repositories(self) -> tuple[RepositoryId, ...]:
        """Every repository with at least one fact."""
        ...
