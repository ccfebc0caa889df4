"""What is left of a task that has ended, when it cannot be cleared away: a human is asked, once."""

from collections.abc import Iterator
from datetime import datetime

from bandstand.domain import events as e
from bandstand.domain.asking import Reason, ask_left_behind
from bandstand.domain.repairs import FAILURES
from bandstand.domain.state import State, Task


def stuck(task: Task) -> bool:
    """Whether a task has ended, and what is left of it cannot be cleared away."""
    return task.ended and task.failures >= FAILURES


def settled(state: State, task: Task) -> bool:
    """Whether a task has ended and nothing of it goes on by itself.

    One that is stuck is not settled before a human was asked: who waits for its end would leave and not see the ask.
    """
    return task.retired or (stuck(task) and _asked(state, task))


def _asked(state: State, task: Task) -> bool:
    return any(ask.task == task.spec.id for ask in state.open_asks())


def left_behind(state: State, task: Task, now: datetime) -> Iterator[e.Event]:
    """What follows for a task that has ended: nothing, or a human is asked about what is left of it."""
    if stuck(task) and not _asked(state, task):
        yield ask_left_behind(state, task, failure(task, "does"), now=now)


def failure(task: Task, verb: str) -> Reason:
    """The step of ours that failed last, and what it said was in the way."""
    last = task.last_failure
    assert last is not None
    return Reason(title=f"{last.step} {verb} not work.", detail=f"{last.message} {last.hint}".strip())
