"""The event log in memory."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from bandstand.domain import events as e
from bandstand.domain.errors import Broken
from bandstand.domain.events import Event
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.past import PastTask, Totals, counted, subject
from bandstand.ports.log import Opening, OutOfDate, Recorded


class MemoryLog:
    """An `EventLog` that ends with the process. Each verb lets other tasks go on once, as a real one does."""

    def __init__(self) -> None:
        self._facts: list[Recorded] = []
        self._heads: dict[RepositoryId, int] = {}
        self._summaries: dict[tuple[RepositoryId, TaskId], PastTask] = {}

    async def append(
        self, repository: RepositoryId, events: Sequence[Event], *, expected: int, at: datetime
    ) -> tuple[Recorded, ...]:
        """As the port says."""
        batch = tuple(events)
        if at.tzinfo is None:
            raise Broken(f"The moment {at} has no time zone, so it cannot be recorded.")
        await asyncio.sleep(0)
        head = self._heads.get(repository, 0)
        if head != expected:
            raise OutOfDate(f"Repository {repository} is at version {head}, not {expected}.")
        recorded = tuple(
            Recorded(
                sequence=len(self._facts) + number,
                repository=repository,
                version=head + number,
                at=at.astimezone(UTC),
                event=event,
            )
            for number, event in enumerate(batch, 1)
        )
        self._facts.extend(recorded)
        if recorded:
            self._heads[repository] = recorded[-1].version
        return recorded

    async def read(self, repository: RepositoryId, *, after: int = 0) -> tuple[Recorded, ...]:
        """As the port says."""
        await asyncio.sleep(0)
        return tuple(fact for fact in self._facts if fact.repository == repository and fact.version > after)

    async def opening(self, repository: RepositoryId) -> Opening:
        """As the port says."""
        facts = await self.read(repository)
        totals, numbers, past = Totals(), dict[TaskId, int](), dict[TaskId, bool]()
        for fact in facts:
            totals = counted(totals, fact.event)
            match fact.event:
                case e.TaskSubmitted(spec=spec):
                    numbers.setdefault(spec.id, totals.submitted)
                case e.WorkspaceRetired(task=task) if numbers.pop(task, None) is not None:
                    past[task] = any(isinstance(one.event, e.ChangeLanded) and one.event.task == task for one in facts)
                case _:
                    pass
        return Opening(
            version=self._heads.get(repository, 0),
            totals=totals,
            past=past,
            numbers=numbers,
            facts=tuple(fact for fact in facts if (about := subject(fact.event)) is None or about in numbers),
        )

    async def read_task(self, repository: RepositoryId, task: TaskId) -> tuple[Recorded, ...]:
        """As the port says."""
        return tuple(fact for fact in await self.read(repository) if subject(fact.event) == task)

    async def summarise(self, repository: RepositoryId, summaries: Sequence[PastTask]) -> None:
        """As the port says."""
        await asyncio.sleep(0)
        self._summaries |= {(repository, one.id): one for one in summaries}

    async def unsummarised(self, repository: RepositoryId, *, limit: int) -> tuple[TaskId, ...]:
        """As the port says."""
        past = (await self.opening(repository)).past
        return tuple(task for task in past if (repository, task) not in self._summaries)[:limit]

    async def past(self, repository: RepositoryId, *, limit: int, only: Sequence[TaskId] = ()) -> tuple[PastTask, ...]:
        """As the port says."""
        await asyncio.sleep(0)
        found = [
            one for (name, task), one in self._summaries.items() if name == repository and (not only or task in only)
        ]
        return tuple(sorted(found, key=lambda one: one.number)[-limit:]) if limit > 0 else ()

    async def read_all(self, *, after: int = 0, limit: int = 1000) -> tuple[Recorded, ...]:
        """As the port says."""
        await asyncio.sleep(0)
        return tuple(self._facts[max(0, after) :][: max(0, limit)])

    async def latest(self) -> int:
        """As the port says."""
        await asyncio.sleep(0)
        return len(self._facts)

    async def repositories(self) -> tuple[RepositoryId, ...]:
        """As the port says; sorted."""
        await asyncio.sleep(0)
        return tuple(sorted(self._heads))
