"""The event log: facts in the order in which they became known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bandstand.domain.events import Event
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.past import PastTask, Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A fact in the log. `sequence` is daemon-wide, `version` counts the facts of one repository from 1.

    In the place of facts that could not be read any more stands one `FactsLost`, at the version of the last of them.
    """

    sequence: int
    repository: RepositoryId
    version: int
    at: datetime
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the state of a repository is made of at `version`, without the facts of tasks that are over.

    `facts` are those about the repository and about live tasks, in order. `past` are the tasks that are over, each with
    whether it landed. `numbers` are the numbers of live tasks in the order of submission.
    """

    version: int = 0
    totals: Totals = field(default_factory=Totals)
    past: Mapping[TaskId, bool] = field(default_factory=dict)
    numbers: Mapping[TaskId, int] = field(default_factory=dict)
    facts: tuple[Recorded, ...] = ()


class OutOfDate(Exception):
    """The repository has more facts than the writer knew of. Nothing was written; read on and decide anew."""


class EventLog(Protocol):
    """Facts in the order in which they became known. What is appended stays, and is never changed."""

    async def append(
        self, repository: RepositoryId, events: Sequence[Event], *, expected: int, at: datetime
    ) -> tuple[Recorded, ...]:
        """Write all of `events` or none, durably, behind version `expected` of the repository.

        Their versions and their sequences follow one another without a gap.
        Raises `OutOfDate` if the repository is not at that version, `Unavailable` if the disk does not take it.
        """
        ...

    async def read(self, repository: RepositoryId, *, after: int = 0) -> tuple[Recorded, ...]:
        """The facts of one repository with a version greater than `after`, in order."""
        ...

    async def opening(self, repository: RepositoryId) -> Opening:
        """What the state is made of now. It takes time by the number of live tasks, not by the length of the log."""
        ...

    async def read_task(self, repository: RepositoryId, task: TaskId) -> tuple[Recorded, ...]:
        """The facts that speak of one task, in order."""
        ...

    async def summarise(self, repository: RepositoryId, summaries: Sequence[PastTask]) -> None:
        """Keep summaries of tasks that are over. They can be made again from the facts, so they may be lost."""
        ...

    async def unsummarised(self, repository: RepositoryId, *, limit: int) -> tuple[TaskId, ...]:
        """Tasks that are over and have no summary, at most `limit`."""
        ...

    async def past(self, repository: RepositoryId, *, limit: int, only: Sequence[TaskId] = ()) -> tuple[PastTask, ...]:
        """The summaries of the last `limit` tasks that are over, or of those of `only`, in the order of submission."""
        ...

    async def read_all(self, *, after: int = 0, limit: int = 1000) -> tuple[Recorded, ...]:
        """The first `limit` facts of all repositories with a sequence greater than `after`, in order.

        A fact that becomes known later has a greater sequence: who goes on behind the last one misses nothing.
        """
        ...

    async def latest(self) -> int:
        """The greatest sequence of a fact; 0 if there is none."""
        ...

    async def repositories(self) -> tuple[RepositoryId, ...]:
        """Every repository with at least one fact."""
        ...
