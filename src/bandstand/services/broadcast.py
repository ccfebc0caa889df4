"""Everything that happens in all repositories, in one order, for whoever listens.

Facts come in the order of their daemon-wide sequence, which is that of the log and not that in which fleets hear of
them: a fact that is heard before one that stands in front of it waits for that to be read. Nobody has a queue of facts.
A listener keeps how far it has come, and asks for what is behind that: from a ring in memory, or from the log if it is
far behind. What agents do is passed on at once and kept by nobody. While nobody listens, nothing is done.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Protocol

from bandstand.domain.errors import BandstandError
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.past import subject
from bandstand.ports.log import EventLog, Recorded
from bandstand.services.fleet import Notice, Told

RING = 1024
"""How many of the last facts are kept in memory for all listeners together."""

PAGE = 256
"""How many facts a listener gets at a time."""

_log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who listens. None of these may take long."""

    def happened(self) -> None:
        """There are new facts behind those that the listener knows."""
        ...

    def stirred(self, repository: RepositoryId, task: TaskId | None) -> None:
        """The state of a task has changed, or that of the repository."""
        ...

    def told(self, repository: RepositoryId, told: Told) -> None:
        """An agent does something."""
        ...

    def ended(self, error: BandstandError | None) -> None:
        """There will be no more, for this reason if there is one to be told."""
        ...


class Broadcast:
    """Passes on what all fleets have to say. `last` is the sequence up to which everything is known in order."""

    def __init__(self, log: EventLog) -> None:
        self.last = 0
        self._log = log
        self._heard = 0
        self._ring: deque[Recorded] = deque(maxlen=RING)
        self._listeners: set[Listener] = set()
        self._tuned = False
        self._tuning = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def latest(self) -> int:
        """The sequence of the last fact that there is."""
        return await self._log.latest()

    def hear(self, repository: RepositoryId, notice: Notice) -> None:
        """Take in what a fleet says. A fact is heard once it is part of the fleet's state."""
        if not self._listeners:
            return
        if isinstance(notice, Told):
            for listener in self._listeners:
                listener.told(repository, notice)
            return
        self._heard = max(self._heard, notice.sequence)
        about = subject(notice.event)
        for listener in self._listeners:
            listener.stirred(repository, about)
        if not self._tuned or notice.sequence <= self.last:
            return
        if notice.sequence == self.last + 1:
            self._take((notice,))
        else:
            self._read_on()

    @contextlib.asynccontextmanager
    async def listen(self, listener: Listener) -> AsyncIterator[int]:
        """Let somebody listen; the last sequence that there is now. Nothing that becomes known later is missed."""
        self._listeners.add(listener)
        try:
            async with self._tuning:
                if not self._tuned:
                    await self._tune_in()
            yield self.last
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._tuned = False

    async def facts(self, *, after: int, limit: int = PAGE) -> Sequence[Recorded]:
        """The first facts behind a sequence, in order. Raises what the log raises."""
        if after >= self.last:
            return ()
        if self._ring and self._ring[0].sequence <= after + 1:
            new = 0
            for fact in reversed(self._ring):
                if fact.sequence <= after:
                    break
                new += 1
            return tuple(islice(self._ring, len(self._ring) - new, len(self._ring) - new + limit))
        found = await self._log.read_all(after=after, limit=limit)
        return tuple(fact for fact in found if fact.sequence <= self.last)

    def close(self, error: BandstandError | None) -> None:
        """Let everybody go, with a reason or without."""
        for listener in tuple(self._listeners):
            listener.ended(error)

    async def _tune_in(self) -> None:
        self._ring.clear()
        self.last = await self._log.latest()
        self._tuned = True
        if self._heard > self.last:
            self._read_on()

    def _take(self, facts: Sequence[Recorded]) -> None:
        self._ring.extend(facts)
        self.last = facts[-1].sequence
        for listener in self._listeners:
            listener.happened()

    def _read_on(self) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="broadcast")

    async def _read(self) -> None:
        """Read what is missing, in order."""
        try:
            while self._tuned and self.last < self._heard:
                found = await self._log.read_all(after=self.last, limit=PAGE)
                # Some may have been heard meanwhile that followed directly.
                facts = [fact for fact in found if fact.sequence > self.last]
                if facts:
                    self._take(facts)
                elif not found:
                    break
        except BandstandError as error:
            _log.warning("what happens cannot be read: %s", error)
            self.close(error)
        finally:
            self._reading = None
