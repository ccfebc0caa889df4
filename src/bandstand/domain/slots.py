"""Slots: how many agents may work at once, and who holds one."""

from collections.abc import Collection
from dataclasses import dataclass

from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.stage import AgentReview, Working
from bandstand.domain.state import State, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the machine has for this repository: how many agents may work at once."""

    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What there is room for now: whether one more agent may work, and the task whose change may begin to land."""

    slot: bool
    landing: TaskId | None


def busy(state: State) -> int:
    """How many agents work now, as authors or as reviewers.

    An agent between two turns holds no slot, nor does one that waits for an answer.
    """
    waiting = state.waiting_runs()
    return sum(holds_slot(task, waiting=waiting) for task in state.tasks.values())


def holds_slot(task: Task, *, waiting: Collection[RunId]) -> bool:
    """Whether an agent works at a task, and its run is not one of those `waiting` for an answer."""
    return plays(task) and _player(task) not in waiting


def plays(task: Task) -> bool:
    """Whether an agent has something to do for a task."""
    stage = task.stage
    return (isinstance(stage, Working) and stage.started and not stage.played) or isinstance(stage, AgentReview)


def _player(task: Task) -> RunId | None:
    run = task.review_run if isinstance(task.stage, AgentReview) else task.run
    return run.id if run is not None else None
