"""Holding: what follows when a human pauses tasks, one or all, and lets them go on."""

from bandstand.domain import events as e
from bandstand.domain.errors import Stale
from bandstand.domain.state import State, Task


def pause(task: Task, *, reason: str, by: str) -> tuple[e.Event, ...]:
    """The task is held where it stands: its agent is ended, and it gives way to others in the merge queue.

    A landing that is moving main already comes to its end. Raises `Stale` once the task has ended or is paused.
    """
    name = task.spec.id
    if task.ended:
        raise Stale(f"{name} has ended already.")
    if task.paused is not None:
        raise Stale(f"{name} is paused already.", hint=f"To let it go on: band resume {name}")
    return (e.TaskPaused(task=name, by=by, reason=reason),)


def pause_all(state: State, *, by: str) -> tuple[e.Event, ...]:
    """Every task that is not over is held, with the whole fleet. Those that are paused already stay as they are."""
    held = (task for task in state.tasks.values() if not task.ended and task.paused is None)
    return tuple(e.TaskPaused(task=task.spec.id, by=by, fleet=True) for task in held)


def resume(state: State, task: Task, *, by: str) -> tuple[e.Event, ...]:
    """The task goes on from where it was paused. Raises `Stale` if it is not."""
    name = task.spec.id
    if task.ended:
        raise Stale(f"{name} has ended already.")
    if task.paused is None:
        asks = [ask.id for ask in state.open_asks() if ask.task == name]
        hint = f"It waits for you: band answer {asks[0]}" if asks else f"`band show {name}` tells where it stands."
        raise Stale(f"{name} is not paused.", hint=hint)
    return (e.TaskUnpaused(task=name, by=by),)


def resume_all(state: State, *, by: str) -> tuple[e.Event, ...]:
    """Every task goes on that was stopped with the whole fleet. Those that were paused one by one stay paused."""
    held = (task for task in state.tasks.values() if task.paused is not None and task.paused.fleet)
    return tuple(e.TaskUnpaused(task=task.spec.id, by=by) for task in held)
