"""The event log in memory."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from bandstand.domain.errors import Broken
from bandstand.domain.events import Event
from bandstand.domain.ids import RepositoryId
from bandstand.ports.log import OutOfDate, Recorded


class MemoryLog:
    """An `EventLog` that ends with the process. Each verb lets other tasks go on once, as a real one does."""

    def __init__(self) -> None:
        self._facts: list[Recorded] = []
        self._heads: dict[RepositoryId, int] = {}

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

    async def read_all(self, *, after: int = 0, limit: int = 1000) -> tuple[Recorded, ...]:
        """As the port says."""
        await asyncio.sleep(0)
        return tuple(self._facts[max(0, after) :][: max(0, limit)])

    async def repositories(self) -> tuple[RepositoryId, ...]:
        """As the port says; sorted."""
        await asyncio.sleep(0)
        return tuple(sorted(self._heads))
