"""The plan: from what is, to what should be recorded and done next. Pure, deterministic, and without a model.

`decide` answers with the facts that follow from the state and the time; the brain records them and asks again until
there are none. `activities` then answers with what must be going on, each thing under a key: what is missing is
started, and it looks before it acts. So the first beat after a crash is recovery.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from bandstand.domain import asking
from bandstand.domain import events as e
from bandstand.domain.agent import StopReason
from bandstand.domain.ask import Ask
from bandstand.domain.asking import Reason
from bandstand.domain.check import CheckOutcome, Conclusion
from bandstand.domain.gates import ReviewNeed, may_land, review_standing
from bandstand.domain.ids import TaskId
from bandstand.domain.left_behind import failure, left_behind, stuck
from bandstand.domain.merge_queue import next_to_land
from bandstand.domain.open_asks import ask_facts
from bandstand.domain.policy import Policy
from bandstand.domain.repairs import FAILURES, changes_requested, evidence, repair
from bandstand.domain.run import Cause, EndReason, Part, Run, Turn, run_id
from bandstand.domain.slots import Limits, Room, busy, plays
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
    playing,
)
from bandstand.domain.state import State, Task
from bandstand.domain.stopping import stops

Rank = tuple[bool, bool, int, int]


def decide(state: State, *, now: datetime, limits: Limits) -> tuple[e.Event, ...]:
    """The next facts that follow, or none. They concern one task or ask at a time, in a fixed order.

    This says what the plan is, and looks at everything. The brain asks an `Agenda`, which answers the same.
    """
    for ask in state.open_asks():
        facts = ask_facts(state, ask, now=now)
        if facts:
            return facts
    lands = next_to_land(state)
    room = Room(slot=busy(state) < limits.slots, landing=lands.spec.id if lands is not None else None)
    for ask in state.asks.values():
        if facts := answer_facts(state, ask, room=room):
            return facts
    for task in sorted((task for task in state.tasks.values() if concerned(task)), key=rank):
        facts = task_facts(state, task, now=now, room=room)
        if facts:
            return facts
    return ()


def concerned(task: Task) -> bool:
    """Whether anything may still follow for a task."""
    return not task.ended or task.run is not None or task.review_run is not None or stuck(task)


def rank(task: Task) -> Rank:
    """The order of tasks: those first that are nearest to their end, then by priority, then as they were submitted."""
    return (not task.landing, task.runs == 0, -task.spec.priority, task.number)


def answer_facts(state: State, ask: Ask, *, room: Room) -> tuple[e.Event, ...]:
    """An agent may have its answer: with a slot, or if it did not wait for it and has nothing to do now."""
    if ask.open or ask.keeps_waiting is None or not (room.slot or not plays(state.tasks[ask.task])):
        return ()
    return (e.AnswerReleased(ask=ask.id, task=ask.task),)


def task_facts(state: State, task: Task, *, now: datetime, room: Room) -> tuple[e.Event, ...]:
    """What follows for a task: from where it, its asks and the tasks that it needs stand, the rules, time and room."""
    return tuple(_following(state, task, now, room))


def _following(state: State, task: Task, now: datetime, room: Room) -> Iterator[e.Event]:
    first = stops(state, task, now) or _goes_back(task)
    if first:
        yield from first
        return
    if task.ended:
        yield from left_behind(state, task, now)
        return
    if task.doubtful:
        if not _doubt_is_asked(state, task):
            yield asking.ask_doubtful(state, task, now=now)
        return
    if state.policy is None:
        return
    if task.failures >= FAILURES and not isinstance(task.stage, Blocked) and task.last_failure is not None:
        yield asking.block(state, task, failure(task, "did"), now=now)
        return
    if task.paused is None:
        yield from _stage_facts(state, task, state.policy, now, room)


def _goes_back(task: Task) -> list[e.Event]:
    """What a human wants taken back is taken back as soon as no turn is live, paused or not."""
    waits = playing(task.stage) is not None or isinstance(task.stage, Moving) or task.doubtful
    return [] if task.rewind is None or task.ended or waits else [e.RewindStarted(task=task.spec.id)]


def _doubt_is_asked(state: State, task: Task) -> bool:
    """Whether a human is asked about it now; that somebody was asked may be all that is left of an answer."""
    ask = state.asks.get(task.stage.ask) if isinstance(task.stage, Blocked) and task.stage.doubt else None
    return ask is not None and ask.open


def _stage_facts(state: State, task: Task, policy: Policy, now: datetime, room: Room) -> Iterator[e.Event]:  # noqa: C901, PLR0912 - one match over a sum type
    match task.stage:
        case Queued():
            yield from _begin(state, task, now, room)
        case Working() as stage:
            yield from _work(state, task, stage, now, room)
        case Proposed() as stage:
            yield _after_turn(state, task, stage, now)
        case Checking() if task.messages:
            yield _message(state, task, now)
        case Checking(name=name):
            yield from _unseen(state, task, name, now)
        case Checked(outcome=outcome):
            yield from _after_check(state, task, outcome, policy, now, room)
        case InQueue():
            yield from _in_queue(state, task, policy, now, room)
        case Building() | Testing() | Tested() if (taken := _taken_back(state, task, policy, now)) is not None:
            yield taken
        case Testing(candidate=candidate):
            if may_land(task, policy, candidate.tree):
                yield e.LandingApproved(task=task.spec.id)
            else:
                yield from _unseen(state, task, candidate.check, now)
        case Tested() as stage:
            yield _after_candidate(task, stage, policy)
        case Returned(cause=cause, evidence=evidence, onto=onto):
            turn = Turn(number=task.turns + 1, cause=cause, text=evidence, onto=onto)
            yield repair(state, task, turn, now=now)
        case HumanReview() if task.messages:
            yield _message(state, task, now)
        case AgentReview() | HumanReview() | Building() | Moving() | Rewinding() | Blocked() | Landed() | Cancelled():
            return
        case _:
            assert_never(task.stage)


def _gone(state: State, task: Task) -> list[TaskId]:
    """Tasks that this one needs and that were cancelled."""
    return [need for need in task.spec.needs if state.was_cancelled(need) and need not in task.waived]


def _without(state: State, task: Task, gone: list[TaskId], now: datetime) -> e.TaskBlocked:
    title = f"{', '.join(gone)}, which {task.spec.id} needs, was cancelled."
    turn = None
    if task.change is not None and task.spec.stacked_on in gone:
        # Its branch holds work that nobody reviewed as its own: it goes round once more, with all that it then has.
        text = f"{task.spec.stacked_on}, on whose branch yours began, was cancelled. Take its work out of your branch."
        turn = Turn(number=task.turns + 1, cause=Cause.MESSAGE, text=text)
    reason = Reason(title=title, detail="Trying again goes on without it.")
    return replace(asking.block(state, task, reason, now=now, turn=turn), without=tuple(gone))


def shown(task: Task | None) -> tuple[object, ...]:
    """All of a task that what follows for others depends on: for those that need it."""
    return (type(task.stage), task.outcome, task.change is None) if task is not None else ()


def ready(state: State, task: Task) -> bool:
    """Whether a queued task could start if there were a slot. Of others it goes by what is `shown` of them."""
    if not all(state.has_landed(need) or need in task.waived for need in task.spec.depends_on):
        return False
    below = state.tasks.get(task.spec.stacked_on) if task.spec.stacked_on is not None else None
    if below is None:
        return True
    seen = below.outcome is not None and below.outcome.conclusion is Conclusion.SUCCESS
    return below.ended or (below.change is not None and seen and not isinstance(below.stage, Working))


def _begin(state: State, task: Task, now: datetime, room: Room) -> Iterator[e.Event]:
    gone = _gone(state, task)
    if gone:
        yield _without(state, task, gone, now)
    elif room.slot and ready(state, task):
        turn = Turn(number=task.turns + 1, cause=Cause.GOAL)
        yield e.TurnQueued(task=task.spec.id, turn=turn)
        yield e.TurnStarted(task=task.spec.id, number=turn.number)
        yield _start(task, Part.AUTHOR, None)


def _start(task: Task, part: Part, policy: Policy | None) -> e.RunStarted:
    """A run that takes up the task's session if it is the author's."""
    if part is Part.AUTHOR:
        number, agent, resume = task.runs + 1, task.spec.agent, task.session
    else:
        reviewer = policy.reviewer if policy is not None else None
        number, agent, resume = task.review_runs + 1, reviewer or task.spec.agent, None
    run = Run(id=run_id(task.spec.id, part, number), task=task.spec.id, part=part, agent=agent, resume=resume)
    return e.RunStarted(run=run)


def _work(state: State, task: Task, stage: Working, now: datetime, room: Room) -> Iterator[e.Event]:
    if stage.broken:
        yield _broken(state, task, stage, now)
    elif not stage.started and room.slot and (task.run is None or task.run.stopping is None):
        yield e.TurnStarted(task=task.spec.id, number=stage.turn.number)
        if task.run is None:
            yield _start(task, Part.AUTHOR, None)


def _broken(state: State, task: Task, stage: Working, now: datetime) -> e.Event:
    """What follows when a run ended within a turn: the turn again in a new run, or a human."""
    old = stage.turn
    turn = Turn(number=task.turns + 1, cause=old.cause, text=old.text, onto=old.onto, again=True)
    end = task.last_end
    if end is not None and end.reason is EndReason.BUDGET:
        title = f"{task.spec.id} used up the {task.spec.budget.minutes} minutes of a turn."
        return asking.block(state, task, Reason(title=title, detail="Its work is kept."), now=now, turn=turn)
    if end is not None and end.reason in (EndReason.LIMIT, EndReason.MEMORY):
        title = f"{task.spec.agent} was stopped: it used too much." if end.reason is EndReason.LIMIT else ""
        reason = Reason(title=title or f"{task.spec.agent} used up its memory.", detail=end.detail)
        return asking.block(state, task, reason, now=now, turn=turn)
    if end is not None and (end.reason is EndReason.REFUSED or task.crashes >= FAILURES):
        title = f"The agent {task.spec.agent} does not run."
        return asking.block(state, task, Reason(title=title, detail=end.detail), now=now, turn=turn)
    return e.TurnQueued(task=task.spec.id, turn=turn)


def _after_turn(state: State, task: Task, stage: Proposed, now: datetime) -> e.Event:
    number = task.turns + 1
    if task.messages:
        return _message(state, task, now)
    match stage.stop:
        case StopReason.REFUSAL:
            reason = Reason(title=f"{task.spec.agent} refuses to go on.", detail=stage.message)
            turn = replace(stage.turn, number=number, again=False)
            return asking.block(state, task, reason, now=now, turn=turn)
        case StopReason.MAX_TOKENS | StopReason.MAX_TURN_REQUESTS:
            turn = Turn(number=number, cause=Cause.MESSAGE, text="You stopped at a limit. Please go on.")
            return repair(state, task, turn, now=now)
        case StopReason.END_TURN | StopReason.CANCELLED | StopReason.UNKNOWN:
            if not stage.changed and task.taken_back is not None:
                return repair(state, task, Turn(number=number, cause=Cause.GOAL), now=now)
            if not stage.changed:
                turn = Turn(number=number, cause=Cause.NOTHING_CHANGED, text=stage.message)
                return repair(state, task, turn, now=now)
        case _:
            assert_never(stage.stop)
    return _check(task)


def _message(state: State, task: Task, now: datetime) -> e.Event:
    """Everything that a human has said since the last turn, as the next one."""
    turn = Turn(number=task.turns + 1, cause=Cause.MESSAGE, text="\n\n".join(task.messages))
    return repair(state, task, turn, now=now, messages=len(task.messages))


def _check(task: Task) -> e.Event:
    if task.change is None:
        raise AssertionError("Only a change is checked.")
    name = f"{task.spec.id}.{task.checks + 1}"
    return e.CheckStarted(task=task.spec.id, name=name, commit=task.change.head, tree=task.change.tree)


def _unseen(state: State, task: Task, name: str, now: datetime) -> Iterator[e.Event]:
    """A check that could not look is not green, and no agent can mend it: a human is asked."""
    outcome = task.outcome
    if outcome is None or outcome.name != name or outcome.failed is None:
        return
    title = f"The checks of {task.spec.id} could not run: {outcome.failed.command}"
    yield asking.block(state, task, Reason(title=title, detail=outcome.failed.tail), now=now)


def _after_check(
    state: State, task: Task, outcome: CheckOutcome, policy: Policy, now: datetime, room: Room
) -> Iterator[e.Event]:
    if outcome.policy != policy.digest:
        yield _check(task)
        return
    if outcome.failed is not None:
        turn = Turn(number=task.turns + 1, cause=Cause.CHECK_FAILED, text=evidence(outcome))
        yield repair(state, task, turn, now=now)
        return
    if task.messages:
        yield _message(state, task, now)
        return
    standing = review_standing(task, policy)
    match standing.need:
        case ReviewNeed.AGENT:
            if room.slot and task.review_run is None:
                yield _start(task, Part.REVIEWER, policy)
        case ReviewNeed.HUMAN:
            reason = Reason(title=f"Review the change of {task.spec.id}: {task.spec.title}", detail=standing.why)
            yield asking.ask_review(state, task, reason, now=now)
        case ReviewNeed.CHANGES if standing.review is not None:
            yield changes_requested(state, task, standing.review, now=now)
        case _:
            yield e.ChangeQueued(task=task.spec.id)


def _taken_back(state: State, task: Task, policy: Policy, now: datetime) -> e.Event | None:
    """What follows when a human has something to say to a change that is about to land: its agent hears it first."""
    if task.messages:
        return _message(state, task, now)
    standing = review_standing(task, policy)
    if standing.review is not None and standing.need is ReviewNeed.CHANGES:
        return changes_requested(state, task, standing.review, now=now)
    return None


def _in_queue(state: State, task: Task, policy: Policy, now: datetime, room: Room) -> Iterator[e.Event]:
    gone = _gone(state, task)
    taken = _taken_back(state, task, policy, now)
    if gone:
        yield _without(state, task, gone, now)
    elif taken is not None:
        yield taken
    elif task.outcome is not None and task.outcome.policy != policy.digest:
        yield _check(task)
    elif room.landing == task.spec.id:
        yield e.LandingStarted(task=task.spec.id)


def _after_candidate(task: Task, stage: Tested, policy: Policy) -> e.Event:
    if stage.outcome.policy != policy.digest or review_standing(task, policy).need is not ReviewNeed.NOTHING:
        # The rules changed in the meantime: by the new ones it may need a review, and others land until it has it.
        return _check(task)
    if stage.outcome.failed is None:
        return e.LandingApproved(task=task.spec.id)
    return e.LandingReturned(
        task=task.spec.id, cause=Cause.QUEUE_RED, evidence=evidence(stage.outcome), onto=stage.candidate.onto
    )
