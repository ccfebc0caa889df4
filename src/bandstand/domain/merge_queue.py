"""The merge queue: which change lands next. One at a time, and always the same one for the same state."""

from collections.abc import Iterable

from bandstand.domain.stage import InQueue
from bandstand.domain.state import State, Task


def queue(state: State) -> tuple[Task, ...]:
    """The changes in the queue: by priority, then in the order in which they came."""
    return tuple(sorted((task for task in state.tasks.values() if isinstance(task.stage, InQueue)), key=_place))


def landing(state: State) -> Task | None:
    """The change that the queue works on now, if there is one."""
    return next((task for task in state.tasks.values() if task.landing), None)


def next_to_land(state: State) -> Task | None:
    """The first in the queue whose needs have landed and that is not paused; nobody while another one is landing."""
    if landing(state) is not None:
        return None
    return foremost(state, (task for task in state.tasks.values() if isinstance(task.stage, InQueue)))


def foremost(state: State, queued: Iterable[Task]) -> Task | None:
    """The first of the changes in the queue whose needs have landed and that is not paused."""
    ready = (task for task in queued if task.paused is None and _needs_landed(state, task))
    return min(ready, key=_place, default=None)


def _place(task: Task) -> tuple[int, int]:
    return (-task.spec.priority, task.stage.position if isinstance(task.stage, InQueue) else 0)


def _needs_landed(state: State, task: Task) -> bool:
    return all(state.has_landed(need) or need in task.waived for need in task.spec.needs)
