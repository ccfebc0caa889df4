"""Steering: what follows from a human's order on one task. What cannot be followed is refused, and nothing changes.

Until main is being moved, a change can be taken out of its landing; then the next one in the queue goes on.
"""

from bandstand.domain import events as e
from bandstand.domain.ask import APPROVE, Answer, AskKind
from bandstand.domain.asking import SHORT, answer, human_review, moved
from bandstand.domain.errors import Refused, Stale
from bandstand.domain.stage import (
    AgentReview,
    Building,
    Checked,
    Checking,
    HumanReview,
    InQueue,
    Moving,
    Tested,
    Testing,
)
from bandstand.domain.state import State, Task

_REVIEWABLE = Checking | Checked | AgentReview | HumanReview | InQueue | Building | Testing | Tested
_LEAST_NAME = 7
"""How many characters of a commit's name must be given."""


def cancel(task: Task, *, reason: str, by: str) -> tuple[e.Event, ...]:
    """The task stops for good. Raises `Refused` once it has ended, and while main is being moved to its change."""
    if task.ended:
        raise Stale(f"{task.spec.id} has ended already.")
    if isinstance(task.stage, Moving):
        raise Stale(f"{task.spec.id} is landing right now.", hint="Wait a moment; what landed can be reverted.")
    return (e.TaskCancelled(task=task.spec.id, by=by, reason=reason),)


def send(task: Task, text: str, *, by: str) -> tuple[e.Event, ...]:
    """The task's agent is told something, in a turn of its own.

    Raises `Refused` once the task has ended, while main is being moved to its change, and when there is no text.
    """
    if not text.strip():
        raise Refused("There is nothing to send.", hint='Say it: band send TASK "…"')
    if task.ended:
        raise Stale(f"{task.spec.id} has ended.", hint="Submit a new task with `band run`.")
    if isinstance(task.stage, Moving):
        raise Stale(f"{task.spec.id} is landing right now.", hint="Wait a moment, then submit a new task.")
    return (e.MessageSent(task=task.spec.id, text=text, by=by),)


def review(state: State, task: Task, given: Answer, *, commit: str = "") -> tuple[e.Event, ...]:
    """A human's verdict on the task's change: an answer to the open review ask, or one that was not asked for.

    `commit` names what the human saw, by its first characters at least. Without it the open ask says what it was; who
    approves unasked has to name it. Raises `Refused` when there is no change to review, or when it is another one now.
    """
    name = task.spec.id
    if task.change is None or not isinstance(task.stage, _REVIEWABLE):
        raise Stale(f"{name} has no change to review now.", hint=f"`band show {name}` tells more.")
    head = task.change.head
    if commit and not (commit == head or (len(commit) >= _LEAST_NAME and head.startswith(commit))):
        raise moved(task, commit)
    asked = [ask for ask in state.open_asks() if ask.task == name and ask.kind is AskKind.REVIEW]
    if asked:
        return answer(state, asked[0], given)
    if given.choice == APPROVE.id and not commit:
        raise Refused(
            f"{name} asks for no review now: an approval has to say of which commit it is.",
            hint=f"Look at it with `band review {name}`, then approve it: --approve --commit {head[:SHORT]}",
        )
    return (human_review(task, given, seen=None),)
