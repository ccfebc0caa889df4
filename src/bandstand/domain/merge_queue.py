"""The merge queue: which change lands next. One at a time, and always the same one for the same state."""

from bandstand.domain.stage import InQueue
from bandstand.domain.state import State, Task


def queue(state: State) -> tuple[Task, ...]:
    """The changes in the queue: by priority, then in the order in which they came."""
    waiting = [(task, task.stage.position) for task in state.tasks.values() if isinstance(task.stage, InQueue)]
    waiting.sort(key=lambda entry: (-entry[0].spec.priority, entry[1]))
    return tuple(task for task, _ in waiting)


def landing(state: State) -> Task | None:
    """The change that the queue works on now, if there is one."""
    return next((task for task in state.tasks.values() if task.landing), None)


def next_to_land(state: State) -> Task | None:
    """The first in the queue whose needs have landed and that is not paused; nobody while another one is landing."""
    if landing(state) is not None:
        return None
    return next((task for task in queue(state) if task.paused is None and _needs_landed(state, task)), None)


def _needs_landed(state: State, task: Task) -> bool:
    return all(state.has_landed(need) or need in task.waived for need in task.spec.needs)
