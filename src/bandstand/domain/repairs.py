"""Repairs: turns that send a change back to its agent with the evidence, a bounded number of times for each cause."""

from dataclasses import replace
from datetime import datetime

from bandstand.domain import asking
from bandstand.domain import events as e
from bandstand.domain.asking import Reason
from bandstand.domain.check import CheckOutcome, Conclusion
from bandstand.domain.policy import Policy, Rounds
from bandstand.domain.review import Review, Reviewer
from bandstand.domain.run import Cause, Turn
from bandstand.domain.state import State, Task

FAILURES = 3
"""How often a run may crash, or a step of ours fail, in a row before a human is asked."""

_UNBOUNDED = frozenset({Cause.GOAL, Cause.MESSAGE})


def repair(state: State, task: Task, turn: Turn, *, now: datetime, messages: int = 0) -> e.Event:
    """The turn, queued; or a human asked when the rounds for its cause or the task's turns are used up.

    `messages` is how many waiting messages the turn takes up.
    """
    reason = _exhausted(task, turn, state.policy)
    if reason is not None:
        return replace(asking.block(state, task, reason, now=now, turn=turn), messages=messages)
    return e.TurnQueued(task=task.spec.id, turn=turn, messages=messages)


def _exhausted(task: Task, turn: Turn, policy: Policy | None) -> Reason | None:
    if turn.number > task.spec.budget.turns:
        return Reason(title=f"{task.spec.id} used up its {task.spec.budget.turns} turns.", detail=turn.text)
    if turn.cause in _UNBOUNDED:
        return None
    done = task.repairs.get(turn.cause, 0)
    bound = _bound(turn.cause, policy.rounds if policy is not None else Rounds())
    if done < bound:
        return None
    title = {
        Cause.NOTHING_CHANGED: f"{task.spec.agent} says that {task.spec.id} is done, but nothing changed.",
        Cause.CHECK_FAILED: f"The checks of {task.spec.id} still fail after {done} repairs.",
        Cause.CHANGES_REQUESTED: f"The review of {task.spec.id} still asks for changes after {done} rounds.",
        Cause.CONFLICT: f"{task.spec.id} still conflicts after {done} repairs.",
        Cause.QUEUE_RED: f"{task.spec.id} still breaks the target branch after {done} repairs.",
    }
    return Reason(title=title[turn.cause], detail=turn.text)


def _bound(cause: Cause, rounds: Rounds) -> int:
    bounds = {
        Cause.NOTHING_CHANGED: 1,
        Cause.CHECK_FAILED: rounds.check,
        Cause.CHANGES_REQUESTED: rounds.review,
        Cause.CONFLICT: rounds.conflict,
        Cause.QUEUE_RED: rounds.queue,
    }
    return bounds[cause]


def changes_requested(state: State, task: Task, review: Review, *, now: datetime) -> e.Event:
    """What a review asks for, as the agent's next turn. A human's requests are not bounded."""
    lines = [review.summary] if review.summary else []
    lines.extend(f"{comment.path}:{comment.line}: {comment.body}" for comment in review.comments)
    turn = Turn(number=task.turns + 1, cause=Cause.CHANGES_REQUESTED, text="\n".join(lines))
    if review.by is Reviewer.HUMAN and turn.number <= task.spec.budget.turns:
        return e.TurnQueued(task=task.spec.id, turn=turn)
    return repair(state, task, turn, now=now)


def evidence(outcome: CheckOutcome) -> str:
    """What failed, with the end of its output: what an agent needs to mend it."""
    failed = outcome.failed
    if failed is None:
        return ""
    ended = (
        f"took longer than its limit ({failed.seconds:.0f} s)"
        if failed.conclusion is Conclusion.TIMED_OUT
        else f"ended with exit code {failed.code}"
    )
    return f"$ {failed.command}\n{failed.tail.rstrip()}\n[{ended}]"
