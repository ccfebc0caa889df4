"""A task's progress: where it stands, and what each fact that speaks of it makes of that.

As in the fold of the whole fleet, nothing is decided here, and every fact that was ever written is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from bandstand.domain import events as e
from bandstand.domain.change import Change
from bandstand.domain.check import CheckOutcome, Conclusion
from bandstand.domain.ids import CommitId, RunId, SessionId, TaskId, TreeId
from bandstand.domain.network import HostRule
from bandstand.domain.pause import Paused
from bandstand.domain.review import Review
from bandstand.domain.run import Cause, EndReason, Part, Run
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
    Stage,
    Tested,
    Testing,
    Working,
)
from bandstand.domain.task import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stands.

    `since` is when its stage began. `number` orders tasks by submission. `run` and `review_run` are the live runs.
    `repairs` counts the turns per cause since a human last said to go on; `crashes` the runs that broke off since a
    turn last ended; `failures` the steps of ours that failed, the last one at `failed_at`. `followed` is how many of
    `reviews` the agent was told of; `committed` that files had to be committed for it. `green` holds the trees that
    passed, each with its policy. `waived` are cancelled tasks that it needs and that a human lets it go on without.
    `position` is its place in the merge queue, if it ever was in it. The first `voided` of `reviews` count no more.
    While it is `paused` nothing is started for it. Main was to be moved to `approved`, and may have been, with the very
    change that it has still.
    Into its workspace were copied the `included` files, and `left_out` says which were not.
    `allowed` are hosts that a human lets it reach beside what the rules name.
    `doubtful` tells that facts were lost since a human last said to go on, which may have been about this task.
    """

    spec: TaskSpec
    number: int
    stage: Stage
    since: datetime
    run: Run | None = None
    review_run: Run | None = None
    session: SessionId | None = None
    base: CommitId | None = None
    own_head: CommitId | None = None
    committed: bool = False
    change: Change | None = None
    gates: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    leftover_contents: tuple[str, ...] = ()
    outcome: CheckOutcome | None = None
    reviews: tuple[Review, ...] = ()
    followed: int = 0
    voided: int = 0
    green: frozenset[tuple[TreeId, str]] = frozenset()
    messages: tuple[str, ...] = ()
    turns: int = 0
    runs: int = 0
    review_runs: int = 0
    checks: int = 0
    snapshots: int = 0
    repairs: Mapping[Cause, int] = field(default_factory=dict)
    crashes: int = 0
    review_crashes: int = 0
    failures: int = 0
    failed_at: datetime | None = None
    waived: frozenset[TaskId] = frozenset()
    position: int = 0
    last_end: e.RunEnded | None = None
    last_failure: e.StepFailed | None = None
    push_to: str = ""
    retired: bool = False
    rescue: str | None = None
    paused: Paused | None = None
    approved: Candidate | None = None
    doubtful: bool = False
    included: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    allowed: tuple[HostRule, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether it has landed or was cancelled."""
        return isinstance(self.stage, EndStage)

    @property
    def landing(self) -> bool:
        """Whether it is the one that the merge queue works on."""
        return isinstance(self.stage, LandingStage)


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
        case e.TaskBlocked():
            return _blocked(task, event)
        case e.TaskResumed():
            return _resumed(task)
        case e.TaskCancelled():
            return replace(task, stage=Cancelled(reason=event.reason), failures=0, paused=None)
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
        case e.RescueGivenUp():
            return replace(task, rescue=None if task.rescue in event.refs else task.rescue)
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
    )
    if not isinstance(task.stage, Working) or task.stage.turn.number != event.number:
        return ended
    stage = Proposed(turn=task.stage.turn, stop=event.stop, message=event.message, changed=event.change is not None)
    return replace(ended, stage=stage)


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


_BROKE_OFF = frozenset({EndReason.CRASHED, EndReason.LOST, EndReason.REFUSED, EndReason.BUDGET})


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
