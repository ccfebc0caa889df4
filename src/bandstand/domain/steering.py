"""Steering: what follows from a human's order on one task. What cannot be followed is refused, and nothing changes.

Until main is being moved, a change can be taken out of its landing; then the next one in the queue goes on.
"""

from dataclasses import dataclass
from enum import StrEnum

from bandstand.domain import events as e
from bandstand.domain.ask import APPROVE, RETRY, Answer, AskKind
from bandstand.domain.asking import SHORT, answer, human_review, moved
from bandstand.domain.errors import Refused, Stale
from bandstand.domain.ids import CommitId
from bandstand.domain.left_behind import stuck
from bandstand.domain.run import EndReason
from bandstand.domain.stage import (
    AgentReview,
    Blocked,
    Building,
    Checked,
    Checking,
    HumanReview,
    InQueue,
    Moving,
    Rewinding,
    Tested,
    Testing,
    Working,
    playing,
)
from bandstand.domain.state import State, Task


class Live(StrEnum):
    """What becomes of a turn that is live when the task is to go back: a human says so, or it is not done."""

    ASK = "ask"
    WAIT = "wait"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A checkpoint to go back to."""

    checkpoint: int
    commit: CommitId


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


def checkpoint(task: Task, number: int, *, by: str) -> tuple[e.Event, ...]:
    """The files of the task were kept as a checkpoint, as somebody asked."""
    return () if task.retired else (e.CheckpointTaken(task=task.spec.id, number=number, by=by),)


def rewind(task: Task, to: Destination, text: str, *, live: Live, by: str) -> tuple[e.Event, ...]:
    """The task goes back to a checkpoint, and on from there; with `text` its agent is told that, too.

    Raises `Stale` once it has ended, while main is being moved to its change and while it is going back already,
    `Refused` in the middle of a turn of which it is not said what becomes of it.
    """
    name, place = task.spec.id, f"{task.spec.id}@{to.checkpoint}"
    if task.ended:
        raise Stale(f"{name} has ended.", hint=f"To go on from there in a new task: band fork {place}")
    if isinstance(task.stage, Moving):
        raise Stale(f"{name} is landing right now.", hint="Wait a moment; what landed can be reverted.")
    if task.rewind is not None or (isinstance(task.stage, Rewinding) and not task.failures):
        raise Stale(f"{name} is going back already.", hint=f"`band show {name}` tells where it stands.")
    if task.doubtful:
        raise Refused(f"Facts about {name} may be lost.", hint=f"Say first how it goes on: `band show {name}`")
    turn = playing(task.stage) is not None
    if turn and live is Live.ASK:
        raise Refused(
            f"The agent of {name} is in the middle of a turn.",
            hint=f"Go back behind it: band rewind {place} --after-turn\nOr end it now, what it wrote is kept: --now",
        )
    ordered = e.RewindOrdered(
        task=name, checkpoint=to.checkpoint, commit=to.commit, by=by, at_once=turn and live is Live.END
    )
    said = [e.MessageSent(task=name, text=text, by=by)] if text.strip() else []
    return (ordered, *([] if turn else [e.RewindStarted(task=name)]), *said)


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


def retry(state: State, task: Task, *, by: str) -> tuple[e.Event, ...]:
    """What goes on for the task, or keeps it from going on, is tried anew.

    That is a step of ours that failed, what a human was asked about, the turn of an agent, its review, or the checks.
    Raises `Stale` once it has ended or while it is paused, `Refused` where there is nothing to try anew.
    """
    name = task.spec.id
    if stuck(task):
        return (e.StepRetried(task=name, by=by),)
    if task.ended:
        raise Stale(f"{name} has ended.", hint="Submit it as a new task with `band run`; its work is kept.")
    if task.paused is not None:
        raise Stale(f"{name} is paused.", hint=f"To let it go on: band resume {name}")
    if isinstance(task.stage, Blocked):
        return _unblocked(state, task, task.stage, by=by)
    if task.failures:
        return (e.StepRetried(task=name, by=by),)
    anew = _anew(task, by=by)
    if anew is None:
        raise Refused(
            f"There is nothing of {name} to try again now.", hint=f"`band show {name}` tells where it stands."
        )
    return (anew,)


def _anew(task: Task, *, by: str) -> e.Event | None:
    """What makes that begin anew which goes on for the task; nothing if it only waits."""
    name = task.spec.id
    match task.stage:
        case Working(started=True) | AgentReview():
            run = task.run if isinstance(task.stage, Working) else task.review_run
            if run is not None and run.stopping is None:
                return e.RunStopRequested(run=run.id, task=name, reason=EndReason.RETRIED)
        case Checking(commit=commit, tree=tree):
            return e.CheckStarted(task=name, name=f"{name}.{task.checks + 1}", commit=commit, tree=tree)
        case Building() | Testing() | Tested():
            return e.LandingRestarted(task=name, reason=f"{by} asked for it")
        case _:
            pass
    return None


def _unblocked(state: State, task: Task, stage: Blocked, *, by: str) -> tuple[e.Event, ...]:
    ask = state.asks[stage.ask]
    if ask.kind is AskKind.POLICY:
        raise Refused(
            f"{task.spec.id} waits for you to confirm new rules.", hint=f"Look at them, then: band answer {ask.id}"
        )
    return answer(state, ask, Answer(choice=RETRY.id, text="", by=by))
