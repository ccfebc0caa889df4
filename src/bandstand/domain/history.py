"""Tasks that are over, made again from their own facts."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from bandstand.domain import events as e
from bandstand.domain.ids import AgentName, TaskId
from bandstand.domain.live_task import Task
from bandstand.domain.past import PastTask
from bandstand.domain.progress import task_after
from bandstand.domain.stage import Cancelled, Landed
from bandstand.domain.state import State, apply


def at_its_end(facts: Iterable[tuple[datetime, e.Event]]) -> Task | None:
    """A task as it was when it left the state, from the facts that speak of it; none if it never did.

    Its number and its place in the queue are among these facts only, not what they were in the fleet.
    """
    state = State()
    over: Task | None = None
    for at, event in facts:
        if over is not None and isinstance(event, e.RescueGivenUp):
            over = task_after(over, event, at=at)
        elif isinstance(event, e.WorkspaceRetired) and event.task in state.tasks:
            over = _ended(task_after(state.tasks[event.task], event, at=at))
        elif over is None:
            state = apply(state, event, at=at)
    return over


def _ended(task: Task) -> Task:
    """A task that left the state. One whose end cannot be read any more is not told to have landed."""
    return task if task.ended else replace(task, stage=Cancelled(reason="how it ended was lost with facts of the log"))


def orphan(task: TaskId, *, at: datetime) -> PastTask:
    """A task of which nothing is known but that there was one: its submission was lost with facts of the log."""
    return PastTask(id=task, number=0, title="(lost)", agent=AgentName("?"), ended=at, reason="its submission was lost")


def summary(task: Task) -> PastTask:
    """A task that has ended, in short."""
    change = task.change
    return PastTask(
        id=task.spec.id,
        number=task.number,
        title=task.spec.title,
        agent=task.spec.agent,
        ended=task.since,
        landed=task.stage.commit if isinstance(task.stage, Landed) else None,
        reason=task.stage.reason if isinstance(task.stage, Cancelled) else "",
        turns=task.turns,
        files=len(change.files) if change is not None else 0,
        added=change.added if change is not None else 0,
        deleted=change.deleted if change is not None else 0,
        rescue=task.rescue,
    )
