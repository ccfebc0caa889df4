"""A task's progress: where it stands, and what each fact that speaks of it makes of that.

As in the fold of the whole fleet, nothing is decided here, and every fact that was ever written is taken.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from bandstand.domain import events as e
from bandstand.domain.agent import StopReason
from bandstand.domain.check import Conclusion
from bandstand.domain.ids import RunId, SessionId
from bandstand.domain.limits import Grant
from bandstand.domain.live_task import Task
from bandstand.domain.pause import Paused
from bandstand.domain.rewind import Rewind, TakenBack
from bandstand.domain.run import Cause, EndReason, Part, Turn
from bandstand.domain.stage import (
    AgentReview,
    Blocked,
    Building,
    Cancelled,
    Candidate,
    Checked,
    Checking,
    EndStage,
    HumanReview,
    InQueue,
    Landed,
    LandingStage,
    Moving,
    Proposed,
    Returned,
    Rewinding,
    Stage,
    Tested,
    Testing,
    Working,
)


def task_after(task: Task, event: e.Event, *, at: datetime) -> Task:  # noqa: C901, PLR0911, PLR0912 - one match over a sum type
    """The task after a fact that speaks of it."""
    match event:
        case e.HostAllowed():
            return replace(task, allowed=tuple(dict.fromkeys((*task.allowed, event.host))))
        case e.MessageSent():
            return replace(task, messages=(*task.messages, event.text))
        case e.TurnQueued():
            return _turn_queued(task, event)
        case e.TurnStarted():
            stage = task.stage
            return replace(task, stage=replace(stage, started=True)) if isinstance(stage, Working) else task
        case e.TurnPlayed():
            return _turn_played(task, event)
        case e.TurnEnded():
            return _turn_ended(task, event)
        case e.RunStarted() | e.SessionOpened() | e.RunStopRequested() | e.RunEnded():
            return _run_changed(task, event)
        case e.WorkspacePrepared():
            return replace(task, base=event.base, included=event.included, left_out=event.left_out, failures=0)
        case e.SetupConcluded():
            return replace(task, setup=event.outcome, failures=0)
        case e.SetupWaived():
            return replace(task, setup_waived=True)
        case e.TaskBlocked():
            return _blocked(task, event)
        case e.TaskResumed():
            return _resumed(task)
        case e.TaskCancelled():
            return replace(task, stage=Cancelled(reason=event.reason), failures=0, paused=None, rewind=None)
        case e.TaskPaused():
            return _paused(task, event, at)
        case e.TaskUnpaused():
            return replace(task, paused=None)
        case e.StepFailed():
            return replace(task, failures=task.failures + 1, failed_at=at, last_failure=event)
        case e.StepRetried():
            return replace(task, failures=0)
        case e.CheckStarted():
            stage = Checking(name=event.name, commit=event.commit, tree=event.tree)
            return replace(task, stage=stage, checks=task.checks + 1)
        case e.CheckConcluded():
            return _check_concluded(task, event)
        case e.ReviewConcluded():
            reviewed = replace(task, reviews=(*task.reviews, event.review), review_crashes=0)
            return _back_to_checked(reviewed)
        case e.WorkspaceRetired():
            return replace(task, retired=True, rescue=event.rescue)
        case e.TaskPurged():
            return task
        case e.LimitGranted(resource=resource, limit=limit, asks_at=asks_at):
            return replace(task, granted={**task.granted, resource: Grant(limit=limit, asks_at=asks_at)})
        case e.RescueGivenUp():
            return replace(task, rescue=None if task.rescue in event.refs else task.rescue)
        case e.CheckpointTaken() | e.RewindOrdered() | e.RewindStarted() | e.TaskRewound():
            return _rewinding(task, event)
        case _:
            return _landing_changed(task, event, at)


def _landing_changed(task: Task, event: e.Event, at: datetime) -> Task:  # noqa: C901, PLR0911 - one match over a sum type
    match event:
        case e.LandingRestarted() if task.paused is not None:
            return replace(task, stage=InQueue(position=task.position))
        case e.LandingStarted() | e.LandingRestarted():
            return replace(task, stage=Building())
        case e.CandidateBuilt():
            candidate = Candidate(onto=event.onto, commit=event.commit, tree=event.tree, check=event.check)
            return replace(task, stage=Testing(candidate=candidate), checks=task.checks + 1, failures=0)
        case e.LandingApproved():
            if isinstance(task.stage, Testing | Tested):
                candidate = task.stage.candidate
                return replace(task, stage=Moving(candidate=candidate), approved=candidate)
            return task
        case e.ChangeReassessed():
            stage = task.stage if task.outcome is None else Checked(outcome=task.outcome)
            return replace(task, stage=stage, change=event.change, gates=event.gates, voided=len(task.reviews))
        case e.LandingReturned():
            return replace(task, stage=Returned(cause=event.cause, evidence=event.evidence, onto=event.onto))
        case e.ChangeLanded():
            return replace(task, stage=Landed(commit=event.commit, at=at), failures=0, push_to=event.remote)
        case e.ChangePushed() | e.PushGivenUp():
            return replace(task, push_to="", failures=0)
        case _:
            return task


def _paused(task: Task, event: e.TaskPaused, at: datetime) -> Task:
    """Held where it stands. It gives way to others in the merge queue, unless main is being moved to it already."""
    if task.ended:
        return task
    given_way = isinstance(task.stage, Building | Testing | Tested)
    stage = InQueue(position=task.position) if given_way else task.stage
    paused = Paused(by=event.by, since=at, reason=event.reason, fleet=event.fleet)
    return replace(task, stage=stage, paused=paused)


def doubted(task: Task, lost: e.FactsLost) -> Task:
    """The task after facts were lost that may have been about it. Numbers that may be taken are passed over."""
    return replace(
        task,
        doubtful=True,
        turns=task.turns + lost.count,
        runs=task.runs + lost.count,
        review_runs=task.review_runs + lost.count,
        checks=task.checks + lost.count,
        snapshots=task.snapshots + lost.count,
    )


def _blocked(task: Task, event: e.TaskBlocked) -> Task:
    was = task.stage.was if isinstance(task.stage, Blocked) else task.stage
    if isinstance(was, EndStage):
        return task
    if isinstance(was, AgentReview | HumanReview) and task.outcome is not None:
        # That run or ask does not outlive the block: whether a review is wanted is decided anew.
        was = Checked(outcome=task.outcome)
    if event.doubt and event.turn is not None:
        # Where it really stands is not known. No turn of it goes on, and none of what it waited for is waited for.
        was = Working(turn=event.turn)
    if isinstance(was, LandingStage):
        # Others land while it waits: when it goes on, it does so from its place in the queue.
        was = InQueue(position=task.position)
    stage = Blocked(ask=event.ask.id, was=was, turn=event.turn, without=event.without, doubt=event.doubt)
    return replace(task, stage=stage, messages=task.messages[event.messages :])


def _turn_queued(task: Task, event: e.TurnQueued) -> Task:
    turn = event.turn
    repairs = dict(task.repairs)
    if not turn.again:
        repairs[turn.cause] = repairs.get(turn.cause, 0) + 1
    return replace(
        task,
        stage=Working(turn=turn),
        turns=max(task.turns, turn.number),
        repairs=repairs,
        messages=task.messages[event.messages :],
        followed=len(task.reviews) if turn.cause is Cause.CHANGES_REQUESTED else task.followed,
    )


def _turn_played(task: Task, event: e.TurnPlayed) -> Task:
    stage = task.stage
    if not isinstance(stage, Working) or not stage.started or stage.turn.number != event.number:
        return task
    return replace(task, stage=replace(stage, played=True))


def _turn_ended(task: Task, event: e.TurnEnded) -> Task:
    ended = replace(
        task,
        change=event.change,
        own_head=event.own_head,
        committed=task.committed or event.committed_for_agent,
        gates=event.gates,
        approved=task.approved if event.change == task.change else None,
        leftovers=event.leftovers,
        leftover_contents=event.leftover_contents,
        snapshots=max(task.snapshots, event.snapshot),
        crashes=0,
        failures=0,
        taken_back=None,
    )
    if not isinstance(task.stage, Working) or task.stage.turn.number != event.number:
        return ended
    stage = Proposed(turn=task.stage.turn, stop=event.stop, message=event.message, changed=event.change is not None)
    return replace(ended, stage=stage)


def _rewinding(task: Task, event: e.CheckpointTaken | e.RewindOrdered | e.RewindStarted | e.TaskRewound) -> Task:
    match event:
        case e.CheckpointTaken(number=number):
            return replace(task, snapshots=max(task.snapshots, number))
        case e.RewindOrdered():
            order = task.rewinds + 1
            to = Rewind(
                order=order,
                checkpoint=event.checkpoint,
                commit=event.commit,
                by=event.by,
                at_once=event.at_once,
            )
            return replace(task, rewind=to, rewinds=order)
        case e.RewindStarted():
            if task.rewind is None or task.ended:
                return task
            stage = Rewinding(to=task.rewind)
            return replace(task, stage=stage, rewind=None, failures=0, messages=(*_unheard(task.stage), *task.messages))
        case e.TaskRewound():
            return _rewound(task, event)
        case _:
            assert_never(event)


def _unheard(stage: Stage) -> tuple[str, ...]:
    """What a human said and no agent was told yet: it waits in a turn that is given up."""
    turn = stage.turn if isinstance(stage, Blocked) else None
    was = stage.was if isinstance(stage, Blocked) else stage
    if turn is None and isinstance(was, Working) and not (was.started or was.broken):
        turn = was.turn
    return (turn.text,) if turn is not None and turn.cause is Cause.MESSAGE and not turn.again else ()


def _rewound(task: Task, event: e.TaskRewound) -> Task:
    """What the task was at the checkpoint, but for its counts: numbers are never used twice."""
    rewound = replace(
        task,
        change=event.change,
        own_head=event.own_head,
        leftovers=event.leftovers,
        leftover_contents=event.leftover_contents,
        gates=event.gates,
        snapshots=max(task.snapshots, event.saved),
        approved=task.approved if event.change == task.change else None,
        outcome=None,
        voided=len(task.reviews),
        repairs={},
        crashes=0,
        review_crashes=0,
        failures=0,
        taken_back=TakenBack(checkpoint=event.checkpoint, saved=event.saved),
    )
    if not isinstance(task.stage, Rewinding):
        return rewound
    turn = Turn(number=task.turns, cause=Cause.GOAL)
    stage = Proposed(turn=turn, stop=StopReason.END_TURN, message="", changed=event.change is not None)
    return replace(rewound, stage=stage)


def _check_concluded(task: Task, event: e.CheckConcluded) -> Task:
    outcome = event.outcome
    task = task if event.gates is None else replace(task, gates=event.gates)
    if outcome.conclusion is Conclusion.COULD_NOT_RUN:
        # It has seen nothing: where the task stands is unchanged.
        return replace(task, outcome=outcome)
    passed = {(outcome.tree, outcome.policy)} if outcome.conclusion is Conclusion.SUCCESS else set()
    checked = replace(task, outcome=outcome, green=task.green | passed, failures=0)
    match task.stage:
        case Testing(candidate=candidate):
            return replace(checked, stage=Tested(candidate=candidate, outcome=outcome))
        case Checking():
            return replace(checked, stage=Checked(outcome=outcome))
        case _:
            return checked


def _back_to_checked(task: Task) -> Task:
    if task.outcome is None or not isinstance(task.stage, AgentReview | HumanReview):
        return task
    return replace(task, stage=Checked(outcome=task.outcome))


def _resumed(task: Task) -> Task:
    if not isinstance(task.stage, Blocked):
        return task
    turn = task.stage.turn
    stage: Stage = task.stage.was if turn is None else Working(turn=turn)
    unseen = task.outcome is not None and task.outcome.conclusion is Conclusion.COULD_NOT_RUN
    return replace(
        task,
        stage=stage,
        turns=task.turns if turn is None else max(task.turns, turn.number),
        followed=len(task.reviews) if turn is not None and turn.cause is Cause.CHANGES_REQUESTED else task.followed,
        repairs={},
        crashes=0,
        review_crashes=0,
        failures=0,
        doubtful=task.doubtful and not task.stage.doubt,
        waived=task.waived.union(task.stage.without),
        outcome=None if unseen else task.outcome,
    )


def _run_changed(task: Task, event: e.RunStarted | e.SessionOpened | e.RunStopRequested | e.RunEnded) -> Task:  # noqa: PLR0911 - one match over a sum type
    match event:
        case e.RunStarted(run=run):
            if run.part is Part.REVIEWER:
                return replace(task, review_run=run, review_runs=task.review_runs + 1, stage=AgentReview(run=run.id))
            return replace(task, run=run, runs=task.runs + 1)
        case e.SessionOpened(run=run_id, session=session):
            if task.run is not None and task.run.id == run_id:
                return replace(task, run=replace(task.run, session=session), session=session)
            return _on_review_run(task, run_id, session=session)
        case e.RunStopRequested(run=run_id, reason=reason):
            if task.run is not None and task.run.id == run_id:
                return replace(task, run=replace(task.run, stopping=reason))
            return _on_review_run(task, run_id, stopping=reason)
        case e.RunEnded():
            return _run_ended(task, event)
        case _:
            assert_never(event)


def _on_review_run(
    task: Task, run_id: RunId, *, session: SessionId | None = None, stopping: EndReason | None = None
) -> Task:
    run = task.review_run
    if run is None or run.id != run_id:
        return task
    return replace(task, review_run=replace(run, session=session or run.session, stopping=stopping or run.stopping))


_BROKE_OFF = frozenset(
    {EndReason.CRASHED, EndReason.LOST, EndReason.REFUSED, EndReason.BUDGET, EndReason.LIMIT, EndReason.MEMORY}
)


def _run_ended(task: Task, event: e.RunEnded) -> Task:
    broke = event.reason in _BROKE_OFF
    if task.review_run is not None and task.review_run.id == event.run:
        ended = replace(task, review_run=None, last_end=event, review_crashes=task.review_crashes + (1 if broke else 0))
        if isinstance(task.stage, AgentReview) and task.stage.run == event.run:
            return _back_to_checked(ended)
        return ended
    if task.run is None or task.run.id != event.run:
        return task
    stage, was = task.stage, task.stage.was if isinstance(task.stage, Blocked) else task.stage
    if isinstance(was, Working) and was.started:
        off = replace(was, started=False, played=False, broken=True)
        stage = replace(stage, was=off) if isinstance(stage, Blocked) else off
    return replace(task, run=None, last_end=event, stage=stage, crashes=task.crashes + (1 if broke else 0))
