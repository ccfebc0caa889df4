"""The fleet of one repository: its facts, what they add up to, and the one gate through which anything changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bandstand.domain.agent import AgentUpdate
from bandstand.domain.events import Event
from bandstand.domain.ids import RepositoryId, RunId, TaskId
from bandstand.domain.state import State, fold
from bandstand.ports.clock import Clock
from bandstand.ports.log import EventLog, OutOfDate, Recorded

Decide = Callable[[State], Sequence[Event]]

_WATCHED = 10_000
"""How many notices may wait for one watcher; one that is slower than that misses agent updates, never facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an agent does right now. It stands in the run's journal; here it is only passed on to who watches."""

    task: TaskId
    run: RunId
    update: AgentUpdate


Notice = Recorded | Told


class Fleet:
    """The state of one repository, kept by folding every fact as it is recorded."""

    def __init__(self, repository: RepositoryId, *, log: EventLog, clock: Clock) -> None:
        self.repository = repository
        self.clock = clock
        self._log = log
        self._state = State()
        self._lock = asyncio.Lock()
        self._bell = asyncio.Condition()
        self._watchers: set[asyncio.Queue[Notice]] = set()

    @property
    def state(self) -> State:
        """What is known now."""
        return self._state

    async def open(self) -> None:
        """Fold all facts that the log has. May be repeated."""
        async with self._lock:
            await self._catch_up()

    async def record(self, decide: Decide) -> tuple[Recorded, ...]:
        """Record what `decide` makes of the state: all of it or nothing, with nothing else in between.

        When someone else wrote in the meantime, `decide` is asked again with the newer state. What it raises is raised.
        """
        async with self._lock:
            while True:
                events = tuple(decide(self._state))
                if not events:
                    return ()
                now = self.clock.now()
                try:
                    recorded = await self._log.append(self.repository, events, expected=self._state.version, at=now)
                except OutOfDate:
                    await self._catch_up()
                    continue
                self._take(recorded)
                break
        await self.ring()
        return recorded

    async def ring(self) -> None:
        """Wake everybody who waits for something to happen."""
        async with self._bell:
            self._bell.notify_all()

    async def until(self, condition: Callable[[State], bool]) -> State:
        """The first state from now on for which `condition` holds."""
        async with self._bell:
            await self._bell.wait_for(lambda: condition(self._state))
        return self._state

    async def since(self, version: int) -> tuple[Recorded, ...]:
        """The facts behind a version, as far as they are known now."""
        return await self._log.read(self.repository, after=version)

    def tell(self, told: Told) -> None:
        """Pass on what an agent does to everybody who watches."""
        self._notify(told)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[Notice]]:
        """Facts and agent updates from now on, in order."""
        queue: asyncio.Queue[Notice] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield _drain(queue)
        finally:
            self._watchers.discard(queue)

    async def _catch_up(self) -> None:
        self._take(await self._log.read(self.repository, after=self._state.version))

    def _take(self, recorded: Sequence[Recorded]) -> None:
        self._state = fold(self._state, ((fact.at, fact.event) for fact in recorded))
        for fact in recorded:
            self._notify(fact)

    def _notify(self, notice: Notice) -> None:
        for queue in self._watchers:
            if isinstance(notice, Recorded) or queue.qsize() < _WATCHED:
                queue.put_nowait(notice)


async def _drain(queue: "asyncio.Queue[Notice]") -> AsyncIterator[Notice]:
    while True:
        yield await queue.get()
