"""Where a task stands, for a person: a mark, a few words, who has to act, and until when.

No state waits in silence: this function has an answer for each.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from bandstand.domain.activities import STEP_LIMIT, not_before
from bandstand.domain.admission import Wait
from bandstand.domain.ask import Ask, AskKind
from bandstand.domain.gates import ReviewNeed, review_standing
from bandstand.domain.ids import CommitId
from bandstand.domain.left_behind import stuck
from bandstand.domain.merge_queue import queue
from bandstand.domain.pause import Paused
from bandstand.domain.run import Cause, Turn
from bandstand.domain.scheduling import ready
from bandstand.domain.stage import (
    AgentReview,
    Blocked,
    Building,
    Cancelled,
    Checked,
    Checking,
    HumanReview,
    InQueue,
    Landed,
    Moving,
    Proposed,
    Queued,
    Returned,
    Rewinding,
    Tested,
    Testing,
    Working,
)
from bandstand.domain.state import State, Task
from bandstand.domain.stopping import REVIEW_LIMIT


class Mark(StrEnum):
    """What a person sees first. One word, one glyph, one colour each, given by the faces."""

    NEEDS_YOU = "needs-you"
    WORKING = "working"
    WAITING = "waiting"
    PAUSED = "paused"
    CHECKING = "checking"
    REVIEW = "review"
    LANDING = "landing"
    LANDED = "landed"
    STOPPED = "stopped"


class Owner(StrEnum):
    """Who has to act next."""

    AGENT = "agent"
    BANDSTAND = "bandstand"
    HUMAN = "human"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a task stands. At `until` at the latest something happens by itself; it is `None` only for an ended task.

    Who waits for others has no deadline but theirs: then `until` is when it is worth another look.
    """

    mark: Mark
    words: str
    owner: Owner
    until: datetime | None


_DOING = {
    Cause.GOAL: "working on the goal",
    Cause.MESSAGE: "working on your message",
    Cause.NOTHING_CHANGED: "asked again: nothing had changed",
    Cause.CHECK_FAILED: "repairing failed checks",
    Cause.CHANGES_REQUESTED: "working on review comments",
    Cause.CONFLICT: "repairing a conflict",
    Cause.QUEUE_RED: "repairing what broke together with the target",
}


_ANY_SLOT = Wait()


def standing(state: State, task: Task, *, waits: Wait = _ANY_SLOT) -> Standing:
    """Where a task stands in the fleet, in which a start waits for what `waits` says.

    What it tried to reach and may not is said beside that: nothing waits for the answer.
    """
    at = _standing(state, task, waits)
    tried = [ask for ask in state.open_asks() if ask.task == task.spec.id and ask.kind is AskKind.NETWORK]
    if not tried or task.ended:
        return at
    more = f" and {len(tried) - 1} more" if len(tried) > 1 else ""
    return replace(at, words=f"{at.words}; {tried[0].id}: {tried[0].title.removesuffix('.')}{more}")


def _standing(state: State, task: Task, waits: Wait) -> Standing:
    if task.paused is not None and not task.ended and not isinstance(task.stage, Moving):
        return _paused(state, task, task.paused)
    own = [ask for ask in state.open_asks() if ask.task == task.spec.id]
    asks = [ask for ask in own if ask.kind is not AskKind.NETWORK]
    if asks and not task.ended:
        return _needs_you(asks[0])
    retry = not_before(task)
    if task.failures and retry is not None and task.last_failure is not None and not task.ended:
        words = f"{task.last_failure.step} did not work, trying again: {task.last_failure.message}"
        return Standing(mark=Mark.WAITING, words=words, owner=Owner.BANDSTAND, until=max(retry, task.since))
    if not task.ended and any(ask.task == task.spec.id and ask.keeps_waiting for ask in state.asks.values()):
        return _ours(Mark.WAITING, f"waits for {waits.slot}: to go on with the answer", task.since + STEP_LIMIT)
    at = _of_stage(state, task, waits)
    if task.rewind is not None:
        at = replace(at, words=f"{at.words}; then back to checkpoint {task.rewind.checkpoint}")
    if stuck(task) and task.last_failure is not None:
        ask = f" ({asks[0].id})" if asks else ""
        return replace(at, words=f"{at.words}; {task.last_failure.step.lower()} does not work{ask}")
    return at


def _paused(state: State, task: Task, paused: Paused) -> Standing:
    hours = state.policy.ask_hours if state.policy is not None else 24
    until = paused.since + timedelta(hours=hours)
    if task.run is not None or task.review_run is not None:
        return Standing(mark=Mark.PAUSED, words="its agent is being ended", owner=Owner.BANDSTAND, until=until)
    what = "stopped with the whole fleet" if paused.fleet else "paused"
    why = f": {paused.reason}" if paused.reason else ""
    return Standing(mark=Mark.PAUSED, words=f"{what} by {paused.by}{why}", owner=Owner.HUMAN, until=until)


def _needs_you(ask: Ask) -> Standing:
    return Standing(mark=Mark.NEEDS_YOU, words=f"{ask.id}: {ask.title}", owner=Owner.HUMAN, until=ask.deadline)


def _of_stage(state: State, task: Task, waits: Wait) -> Standing:  # noqa: C901, PLR0911, PLR0912 - one match over a sum type
    own = task.since + STEP_LIMIT
    match task.stage:
        case Queued():
            return _queued(state, task, waits)
        case Working(turn=turn, started=started):
            return _working(task, turn) if started else _waiting(task, waits, f": {_DOING[turn.cause]}")
        case Checked():
            return _checked(state, task, waits)
        case Proposed() | Tested() | Returned():
            return _ours(Mark.WAITING, "deciding what comes next", own)
        case Rewinding(to=to):
            return _ours(Mark.WORKING, f"going back to checkpoint {to.checkpoint}", own)
        case Checking(name=name):
            return _ours(Mark.CHECKING, f"checks {name} are running", own)
        case AgentReview():
            reviewer = task.review_run.agent if task.review_run is not None else "an agent"
            until = task.since + REVIEW_LIMIT
            return Standing(mark=Mark.REVIEW, words=f"{reviewer} reviews", owner=Owner.AGENT, until=until)
        case HumanReview() | Blocked():
            return Standing(mark=Mark.NEEDS_YOU, words="waits for you", owner=Owner.HUMAN, until=own)
        case InQueue():
            return _ours(Mark.LANDING, _place(state, task), own)
        case Building():
            return _ours(Mark.LANDING, "being merged on top of the target", own)
        case Testing(candidate=candidate):
            return _ours(Mark.LANDING, f"checks {candidate.check} of the merged result are running", own)
        case Moving():
            return _ours(Mark.LANDING, "the target is being moved", own)
        case Landed(commit=commit):
            return ended(landed=commit)
        case Cancelled(reason=reason):
            return ended(landed=None, reason=reason)
        case _:
            assert_never(task.stage)


def ended(*, landed: CommitId | None, reason: str = "") -> Standing:
    """Where a task stands that landed as a commit, or else was cancelled for a reason."""
    if landed is not None:
        return Standing(mark=Mark.LANDED, words=f"landed as {landed[:10]}", owner=Owner.NOBODY, until=None)
    words = f"cancelled: {reason}" if reason else "cancelled"
    return Standing(mark=Mark.STOPPED, words=words, owner=Owner.NOBODY, until=None)


def held_up(at: Standing) -> Standing:
    """Where a task stands whose agent waits, for the disk does not take what it says. Nothing is lost."""
    words = "its agent waits: there is no room on the disk for what it says; make some, and it goes on"
    return replace(at, mark=Mark.WAITING, words=words, owner=Owner.HUMAN)


def _ours(mark: Mark, words: str, until: datetime) -> Standing:
    return Standing(mark=mark, words=words, owner=Owner.BANDSTAND, until=until)


def _waiting(task: Task, waits: Wait, what: str = "") -> Standing:
    """A turn that the machine has no room for now. The ledger looks again by itself."""
    goes_on = task.run is not None and isinstance(task.stage, Working)
    words, until = (waits.slot, None) if goes_on else (waits.start, waits.until)
    return _ours(Mark.WAITING, f"waits for {words}{what}", until or task.since + STEP_LIMIT)


def _queued(state: State, task: Task, waits: Wait) -> Standing:
    if ready(state, task):
        return _waiting(task, waits)
    needs = [need for need in task.spec.needs if not state.has_landed(need)]
    return _ours(Mark.WAITING, f"waits for {', '.join(needs)} to land", task.since + STEP_LIMIT)


def _working(task: Task, turn: Turn) -> Standing:
    until = task.since + timedelta(minutes=task.spec.budget.minutes)
    words = _DOING[turn.cause]
    if isinstance(task.stage, Working) and task.stage.played:
        return _ours(Mark.WORKING, "the agent is done: what it left is being taken in", task.since + STEP_LIMIT)
    if task.run is None or task.run.session is None:
        words = "the agent is starting"
    return Standing(mark=Mark.WORKING, words=words, owner=Owner.AGENT, until=until)


def _checked(state: State, task: Task, waits: Wait) -> Standing:
    if state.policy is None or review_standing(task, state.policy).need is not ReviewNeed.AGENT:
        return _ours(Mark.WAITING, "deciding what comes next", task.since + STEP_LIMIT)
    reviewer = state.policy.reviewer or task.spec.agent
    return _waiting(task, waits, f": to be reviewed by {reviewer}")


def _place(state: State, task: Task) -> str:
    going = [entry.spec.id for entry in queue(state) if entry.paused is None]
    ahead = going.index(task.spec.id)
    waits = [need for need in task.spec.needs if not state.has_landed(need)]
    if waits:
        return f"in the merge queue, behind {', '.join(waits)} that it needs"
    return "next in the merge queue" if ahead == 0 else f"in the merge queue, {ahead} ahead"
