"""What follows for an ask that is open: from where its task stands, the time, and the rules."""

from datetime import datetime, timedelta
from typing import assert_never

from bandstand.domain import events as e
from bandstand.domain.ask import Answer, Ask, AskKind
from bandstand.domain.asking import DEADLINE, answer
from bandstand.domain.egress import still_refused
from bandstand.domain.left_behind import stuck
from bandstand.domain.stage import AgentReview, Blocked, HumanReview, Working
from bandstand.domain.state import State


def ask_facts(state: State, ask: Ask, *, now: datetime) -> tuple[e.Event, ...]:
    """What follows for an open ask; nothing while it waits for its answer, and there is time."""
    if not _wanted(state, ask):
        return (e.AskWithdrawn(ask=ask.id, reason="The task went on without it.", task=ask.task),)
    if now < ask.deadline:
        return ()
    if ask.kind is AskKind.LIMIT:
        return answer(state, ask, Answer(choice=ask.otherwise, text="", by=DEADLINE))
    if ask.run is not None or ask.kind is AskKind.NETWORK:
        unanswered = Answer(choice=ask.otherwise, text="", by=DEADLINE)
        return (e.AskAnswered(ask=ask.id, answer=unanswered, task=ask.task),)
    hours = state.policy.ask_hours if state.policy is not None else 24
    return (e.AskReminded(ask=ask.id, deadline=now + timedelta(hours=hours), task=ask.task),)


def _wanted(state: State, ask: Ask) -> bool:
    """Whether an answer would still matter."""
    stage = state.tasks[ask.task].stage
    match ask.kind:
        case AskKind.PERMISSION | AskKind.QUESTION:
            return isinstance(stage, AgentReview) or (isinstance(stage, Working) and stage.started)
        case AskKind.LIMIT:
            task = state.tasks[ask.task]
            runs = (run for run in (task.run, task.review_run) if run is not None)
            return any(run.id == ask.run and run.stopping is None for run in runs)
        case AskKind.REVIEW:
            return isinstance(stage, HumanReview) and stage.ask == ask.id
        case AskKind.NETWORK:
            return still_refused(state, ask)
        case AskKind.LEFT_BEHIND:
            return stuck(state.tasks[ask.task])
        case AskKind.BLOCKED | AskKind.POLICY:
            return isinstance(stage, Blocked) and stage.ask == ask.id
        case _:
            assert_never(ask.kind)
