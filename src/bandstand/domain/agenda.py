"""The agenda: what deserves a look at the next beat, so that a beat costs by what has changed.

The plan (`decide`, `activities`, `wake_at`) says what follows, and looks at every live task for it. The agenda answers
the same without that: a task for which nothing follows need not be looked at again until

* a fact speaks of it, or of a task that it needs;
* its time comes, or that of its ask;
* there is a slot, if it waits for one; or the merge queue is free, if it is next;
* the rules change, or whatever else concerns the repository as a whole.

What follows for one task or ask is asked of the plan's own functions. Only which of them are asked is decided here, and
a test compares both answers over random histories. The agenda is made from the state, and kept nowhere.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

from bandstand.domain import events as e
from bandstand.domain.activities import Activity, activities_of, not_before, times_of
from bandstand.domain.ask import Ask
from bandstand.domain.ids import AskId, TaskId
from bandstand.domain.line import Line
from bandstand.domain.merge_queue import foremost
from bandstand.domain.open_asks import ask_facts
from bandstand.domain.past import subject
from bandstand.domain.scheduling import Rank, answer_facts, concerned, rank, shown, task_facts
from bandstand.domain.slots import Limits, Room, holds_slot
from bandstand.domain.stage import InQueue
from bandstand.domain.state import State, Task, fold

_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Agenda:
    """What follows from a state that changes by facts. Each of these is told with `follow`, in order."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._now = _BEGINNING
        self._clear()

    def _clear(self) -> None:
        self._whole = False  # it is made at the next question
        self._asks: Line[AskId, int] = Line()  # that deserve a look, as they were raised
        self._ask_numbers: dict[AskId, int] = {}
        self._numbers = count()
        self._asks_of: dict[TaskId, set[AskId]] = {}
        self._ask_times: Line[AskId, datetime] = Line()
        self._answered: set[AskId] = set()  # whose agents have not got the answer yet
        self._due: Line[TaskId, Rank] = Line()  # tasks that deserve a look
        self._waiting: Line[TaskId, Rank] = Line()  # tasks that only want a slot
        self._task_times: Line[TaskId, datetime] = Line()
        self._needed_by: dict[TaskId, set[TaskId]] = {}
        self._at_work: set[TaskId] = set()
        self._landing: set[TaskId] = set()
        self._queued: set[TaskId] = set()
        self._queue_moved = True
        self._next: TaskId | None = None
        self._going: dict[TaskId, list[Activity]] = {}

    def follow(self, event: e.Event, state: State) -> None:
        """Take in one more fact, and the state after it."""
        before, self._state = self._state, state
        name = subject(event)
        if name is None or not self._whole:
            self._whole = False
            return
        if isinstance(event, e.AskRaised | e.TaskBlocked):
            self._raised(event.ask)
        self._changed(name, before.tasks.get(name), state.tasks.get(name))

    # --- what follows -----------------------------------------------------------------------------------------------

    def decide(self, *, now: datetime, limits: Limits) -> tuple[e.Event, ...]:
        """The next facts that follow, or none. What they are about stays on the agenda until they are recorded."""
        self._pass(now)
        while (ask := self._asks.first()) is not None:
            if facts := ask_facts(self._state, self._state.asks[ask], now=now):
                return facts
            self._asks.drop(ask)
        room = Room(slot=len(self._at_work) < limits.slots, landing=self._next_to_land())
        for ask in sorted(self._answered, key=self._ask_numbers.__getitem__):
            if facts := answer_facts(self._state, self._state.asks[ask], room=room):
                return facts
        while (name := self._first(room)) is not None:
            task = self._state.tasks[name]
            if facts := task_facts(self._state, task, now=now, room=room):
                return facts
            self._due.drop(name)
            self._waiting.drop(name)
            if not room.slot and task_facts(self._state, task, now=now, room=Room(slot=True, landing=room.landing)):
                self._waiting.put(name, rank(task))
        return ()

    def activities(self, *, now: datetime) -> tuple[Activity, ...]:
        """Everything that must be going on now."""
        self._pass(now)
        going = sorted((self._state.tasks[name] for name in self._going), key=lambda task: task.number)
        return tuple(
            activity
            for task in going
            if (waits := not_before(task)) is None or now >= waits
            for activity in self._going[task.spec.id]
        )

    def wake_at(self, *, now: datetime) -> datetime | None:
        """The next time at which something may follow although no new fact is known."""
        self._pass(now)
        times = [line.lowest() for line in (self._ask_times, self._task_times)]
        return min((time for time in times if time is not None), default=None)

    @property
    def busy(self) -> int:
        """How many agents work now."""
        self._pass(self._now)
        return len(self._at_work)

    def busy_after(self, facts: Iterable[e.Event], *, at: datetime) -> int:
        """How many agents work after what follows now."""
        facts = tuple(facts)
        after = fold(self._state, ((at, fact) for fact in facts))
        names = {name for fact in facts if (name := subject(fact)) is not None}
        return self.busy + sum(self._holds_slot(name, after) - (name in self._at_work) for name in names)

    def _holds_slot(self, name: TaskId, state: State) -> bool:
        """Whether an agent works at a task. The asks of a task are known; none that an agent waits for ever follows."""
        task = state.tasks.get(name)
        asks = (state.asks.get(ask) for ask in self._asks_of.get(name, ()))
        waiting = {run for ask in asks if ask is not None and (run := ask.keeps_waiting) is not None}
        return task is not None and holds_slot(task, waiting=waiting)

    def _first(self, room: Room) -> TaskId | None:
        """The first in order of the tasks that deserve a look, and of those that want a slot if there is one."""
        due, waiting = self._due.lowest(), self._waiting.lowest() if room.slot else None
        if waiting is not None and (due is None or waiting < due):
            return self._waiting.first()
        return self._due.first()

    def _next_to_land(self) -> TaskId | None:
        """The task whose change may begin to land: it deserves a look as soon as it is that."""
        if self._queue_moved:
            queued = (self._state.tasks[name] for name in self._queued)
            found = foremost(self._state, queued) if not self._landing else None
            self._next = found.spec.id if found is not None else None
            self._queue_moved = False
            if found is not None:
                self._due.put(found.spec.id, rank(found))
        return self._next

    # --- what has changed -------------------------------------------------------------------------------------------

    def _pass(self, now: datetime) -> None:
        """Time passes, and what waited for it deserves a look."""
        backwards, self._now = now < self._now, now
        if backwards or not self._whole:
            self._make()
        while (ask := self._ask_times.until(now)) is not None:
            self._ask_changed(ask, self._state.asks[ask].task)
        while (name := self._task_times.until(now)) is not None:
            self._task_times.drop(name)
            self._time(self._state.tasks[name])
            self._look(name)

    def _make(self) -> None:
        """Everything deserves a look."""
        self._clear()
        self._whole = True
        for ask in self._state.asks.values():
            self._raised(ask)
        for name, task in self._state.tasks.items():
            self._changed(name, None, task)

    def _changed(self, name: TaskId, before: Task | None, task: Task | None) -> None:
        """A task is another one than before, or has come, or gone; so are its asks."""
        self._link(name, before, task)
        self._sort(name, task)
        for ask in tuple(self._asks_of.get(name, ())):
            self._ask_changed(ask, name)
        if self._holds_slot(name, self._state):
            self._at_work.add(name)
        else:
            self._at_work.discard(name)
        if shown(before) != shown(task):
            for other in self._needed_by.get(name, ()):
                self._look(other)

    def _link(self, name: TaskId, before: Task | None, task: Task | None) -> None:
        """Know who needs whom."""
        if before is None and task is not None:
            for need in task.spec.needs:
                self._needed_by.setdefault(need, set()).add(name)
        if before is not None and task is None:
            for need in before.spec.needs:
                self._needed_by[need].discard(name)

    def _sort(self, name: TaskId, task: Task | None) -> None:
        """Put a task where it belongs as it stands now."""
        self._queue_moved |= name in self._queued or name in self._landing
        for names in (self._landing, self._queued):
            names.discard(name)
        for line in (self._due, self._waiting, self._task_times):
            line.drop(name)
        self._going.pop(name, None)
        if task is None:
            return
        if task.landing:
            self._landing.add(name)
        if isinstance(task.stage, InQueue):
            self._queued.add(name)
        self._queue_moved |= name in self._landing
        if going := activities_of(task):
            self._going[name] = going
        self._time(task)
        self._look(name)

    def _time(self, task: Task) -> None:
        """When a task deserves a look although no fact speaks of it."""
        later = [time for time in times_of(task) if time > self._now]
        if later:
            self._task_times.put(task.spec.id, min(later))

    def _look(self, name: TaskId) -> None:
        """A task deserves a look, if anything may follow for it."""
        task = self._state.tasks[name]
        self._queue_moved |= name in self._queued
        if concerned(task):
            self._due.put(name, rank(task))

    def _raised(self, ask: Ask) -> None:
        self._ask_numbers.setdefault(ask.id, next(self._numbers))
        self._asks_of.setdefault(ask.task, set()).add(ask.id)

    def _ask_changed(self, name: AskId, task: TaskId) -> None:
        """An ask is another one than before, or gone, or its task stands elsewhere, or its time has come."""
        self._asks.drop(name)
        self._ask_times.drop(name)
        self._answered.discard(name)
        ask = self._state.asks.get(name)
        if ask is None:
            del self._ask_numbers[name]
            self._asks_of[task].discard(name)
        elif ask.open:
            self._asks.put(name, self._ask_numbers[name])
            if ask.deadline > self._now:
                self._ask_times.put(name, ask.deadline)
        elif ask.keeps_waiting is not None:
            self._answered.add(name)
