"""The fleet of one repository: its facts, what they add up to, and the one gate through which anything changes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol, Self

from bandstand.domain import events as e
from bandstand.domain.agenda import Agenda
from bandstand.domain.agent import AgentUpdate
from bandstand.domain.events import Event
from bandstand.domain.history import at_its_end, orphan, summary
from bandstand.domain.ids import RepositoryId, RunId, TaskId
from bandstand.domain.live_task import Task
from bandstand.domain.past import PastTask, subject
from bandstand.domain.progress import task_after
from bandstand.domain.state import State, apply, fold
from bandstand.ports.clock import Clock
from bandstand.ports.log import EventLog, Opening, OutOfDate, Recorded
from bandstand.services.measures import Measures

Decide = Callable[[State], Sequence[Event]]

_WATCHED = 10_000
"""How many notices may wait for one watcher; one that is slower than that misses agent updates, never facts."""
_SUMMARISED_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an agent does right now. It stands in the run's journal; here it is only passed on to who watches."""

    task: TaskId
    run: RunId
    update: AgentUpdate


Notice = Recorded | Told
Hearing = Callable[[RepositoryId, Notice], None]


_log = logging.getLogger(__name__)


def _tell(repository: RepositoryId, facts: Sequence[Recorded]) -> None:
    """Say what happened to who wants to follow everything."""
    if _log.isEnabledFor(logging.DEBUG):
        for fact in facts:
            about = {"repository": repository, "task": subject(fact.event)}
            _log.debug("%s is fact %d", type(fact.event).__name__, fact.sequence, extra=about)


def _nobody_hears(_repository: RepositoryId, _notice: Notice) -> None:
    """For a fleet that is on its own."""


class Recording(Protocol):
    """What an order needs of a fleet: to see how it stands, and to record what follows."""

    @property
    def state(self) -> State:
        """What is known now."""
        ...

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    async def record(self, decide: Decide) -> tuple[Recorded, ...]:
        """Record what `decide` makes of the state: all of it or nothing."""
        ...


class Fleet:
    """The state of one repository, kept by folding every fact as it is recorded, and what follows from it."""

    def __init__(
        self,
        repository: RepositoryId,
        *,
        log: EventLog,
        clock: Clock,
        heard: Hearing = _nobody_hears,
        measures: Measures | None = None,
    ) -> None:
        self.repository = repository
        self._measures = measures or Measures()
        self._heard = heard
        self.clock = clock
        self._log = log
        self._state = State()
        self._agenda = Agenda(self._state)
        self._lock = asyncio.Lock()
        self._writing: asyncio.Task[tuple[Recorded, ...]] | None = None
        self._bell = asyncio.Condition()
        self._watchers: set[asyncio.Queue[Notice]] = set()

    @property
    def state(self) -> State:
        """What is known now."""
        return self._state

    @property
    def agenda(self) -> Agenda:
        """What follows from what is known now."""
        return self._agenda

    async def open(self) -> None:
        """Take up what the log has. May be repeated."""
        async with self._lock:
            if self._state.version == 0:
                self._state = _restored(await self._log.opening(self.repository))
                self._agenda = Agenda(self._state)
            else:
                await self._catch_up()

    async def record(self, decide: Decide) -> tuple[Recorded, ...]:
        """Record what `decide` makes of the state: all of it or nothing, with nothing else in between.

        When someone else wrote in the meantime, `decide` is asked again with the newer state. What it raises is raised.
        Whoever gives up waiting may find it recorded or not; what is written is known here in either case.
        """
        await self._lock.acquire()
        writing = self._writing = asyncio.create_task(self._write(decide))
        writing.add_done_callback(self._written)
        await asyncio.wait([writing])
        return writing.result()

    async def _write(self, decide: Decide) -> tuple[Recorded, ...]:
        seen = self._state.version
        try:
            while events := tuple(decide(self._state)):
                now = self.clock.now()
                try:
                    recorded = await self._log.append(self.repository, events, expected=self._state.version, at=now)
                except OutOfDate:
                    await self._catch_up()
                else:
                    _tell(self.repository, recorded)
                    self._measures.recorded(recorded)
                    over = self._take(recorded)
                    if over:
                        await self._log.summarise(self.repository, over)
                    return recorded
            return ()
        finally:
            if self._state.version != seen:
                await self.ring()

    def _written(self, writing: "asyncio.Task[tuple[Recorded, ...]]") -> None:
        """The next one may write. What went wrong is news only to whoever still waits for it."""
        self._lock.release()
        if not writing.cancelled():
            writing.exception()

    async def ring(self) -> None:
        """Wake everybody who waits for something to happen."""
        async with self._bell:
            self._bell.notify_all()

    async def until(self, condition: Callable[[State], bool]) -> State:
        """The first state from now on for which `condition` holds."""
        async with self._bell:
            await self._bell.wait_for(lambda: condition(self._state))
        return self._state

    async def task(self, task_id: TaskId) -> Task | None:
        """A task as it stands, or stood at its end; none if there never was one of that id."""
        if task_id not in self._state.past:
            return self._state.tasks.get(task_id)
        facts = await self._log.read_task(self.repository, task_id)
        return at_its_end((fact.at, fact.event) for fact in facts)

    async def history(self, task_id: TaskId) -> tuple[Recorded, ...]:
        """Every fact that speaks of a task, in order."""
        return await self._log.read_task(self.repository, task_id)

    async def past(self, *, limit: int, only: Sequence[TaskId] = ()) -> tuple[PastTask, ...]:
        """The last `limit` tasks that are over, or those of `only`, in short. Summaries that are missing are made."""
        while missing := await self._log.unsummarised(self.repository, limit=_SUMMARISED_AT_ONCE):
            ended = [(name, await self.task(name)) for name in missing]
            now = self.clock.now()
            short = [summary(task) if task is not None else orphan(name, at=now) for name, task in ended]
            await self._log.summarise(self.repository, short)
        return await self._log.past(self.repository, limit=limit, only=only)

    async def facts(self, task_id: TaskId | None = None) -> AsyncIterator[Recorded]:
        """Every fact that there is now, in order, or every one that speaks of a task."""
        if task_id is not None:
            for fact in await self._log.read_task(self.repository, task_id):
                yield fact
            return
        last, after = await self._log.latest(), 0
        while after < last and (page := await self._log.read_all(after=after)):
            after = page[-1].sequence
            for fact in page:
                if fact.repository == self.repository:
                    yield fact

    async def since(self, version: int) -> tuple[Recorded, ...]:
        """The facts behind a version, as far as they are known now."""
        return await self._log.read(self.repository, after=version)

    def tell(self, told: Told) -> None:
        """Pass on what an agent does to everybody who watches."""
        self._notify(told)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator["Notices"]:
        """Facts and agent updates from now on, in order."""
        queue: asyncio.Queue[Notice] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield Notices(queue)
        finally:
            self._watchers.discard(queue)

    async def _catch_up(self) -> None:
        self._take(await self._log.read(self.repository, after=self._state.version))

    def _take(self, recorded: Sequence[Recorded]) -> list[PastTask]:
        """Fold facts, and tell them to who watches: the tasks that left the state with them."""
        over = []
        for fact in recorded:
            if isinstance(fact.event, e.WorkspaceRetired) and (task := self._state.tasks.get(fact.event.task)):
                over.append(summary(task_after(task, fact.event, at=fact.at)))
            self._state = apply(self._state, fact.event, at=fact.at)
            self._agenda.follow(fact.event, self._state)
        for fact in recorded:
            self._notify(fact)
        return over

    def _notify(self, notice: Notice) -> None:
        self._heard(self.repository, notice)
        for queue in self._watchers:
            if isinstance(notice, Recorded) or queue.qsize() < _WATCHED:
                queue.put_nowait(notice)


def _restored(opening: Opening) -> State:
    """The state as it was left: the past in short, and the fold of what is not over."""
    state = fold(State(past=opening.past), ((fact.at, fact.event) for fact in opening.facts))
    tasks = {name: replace(task, number=opening.numbers[name]) for name, task in state.tasks.items()}
    return replace(state, tasks=tasks, version=opening.version, totals=opening.totals)


class Notices:
    """What is told to one watcher, in order. It never ends by itself."""

    def __init__(self, queue: "asyncio.Queue[Notice]") -> None:
        self._queue = queue

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notice:
        return await self._queue.get()

    def skip(self) -> None:
        """Let go of what has been told already: for who now looks at everything that it may have been about."""
        while not self._queue.empty():
            self._queue.get_nowait()
