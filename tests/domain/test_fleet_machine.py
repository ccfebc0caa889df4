"""The whole life of a fleet in any order: submit, start, turn, ask, check, review, land, cancel, crash, restart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from bandstand.domain import events as e
from bandstand.domain.activities import (
    Activity,
    Author,
    Build,
    GoBack,
    Move,
    Push,
    Retire,
    Reviewing,
    RunChecks,
    activities,
    wake_at,
)
from bandstand.domain.agenda import Agenda
from bandstand.domain.agent import Choice, PermissionRequested, StopReason, ToolKind
from bandstand.domain.asking import Reason, ask_for_agent, block, resume_waiting
from bandstand.domain.change import Change, FileChange
from bandstand.domain.check import CheckCommand, CheckOutcome, CommandResult, Conclusion
from bandstand.domain.gates import ReviewNeed, may_land, review_standing
from bandstand.domain.ids import AgentName, CommitId, SessionId, TaskId, TreeId
from bandstand.domain.policy import Policy, ReviewMode
from bandstand.domain.review import Review, Reviewer, Verdict
from bandstand.domain.run import Cause, EndReason, Part
from bandstand.domain.slots import busy
from bandstand.domain.stage import AgentReview, Moving, Working
from bandstand.domain.standing import Owner, standing
from bandstand.domain.state import State, Task, apply
from bandstand.domain.task import Budget, TaskSpec
from tests.domain.followed import Followed
from tests.domain.steered import Written

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
LUCK = st.sampled_from(["well"] * 10 + ["crash", "lost", "refused", "ask"])
CONCLUSIONS = {
    "crash": Conclusion.FAILURE,
    "lost": Conclusion.TIMED_OUT,
    "refused": Conclusion.COULD_NOT_RUN,
}
YES_OR_NO = (Choice(id="yes", label="Yes", grants=True), Choice(id="no", label="No", grants=False))


class FleetMachine(Followed):
    """Plays the brain, the performers, the agents and the human against the pure domain."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Written] = []
        self.now = START
        self.serial = 0
        self.runs: set[str] = set()
        self.prompted: set[tuple[str, int]] = set()
        self.landed: list[TaskId] = []

    # --- what the program does -------------------------------------------------------------------------------------

    def record(self, *events: e.Event) -> None:
        for event in events:
            self.witness(event)
            self.fold(event)
            self.log.append(Written(self.now, event))

    def witness(self, event: e.Event) -> None:
        """Laws that speak of the moment at which something becomes true."""
        if isinstance(event, e.RunStarted):
            assert event.run.id not in self.runs, "a run starts once"
            self.runs.add(event.run.id)
            task = self.state.tasks[event.run.task]
            live = task.run if event.run.part is Part.AUTHOR else task.review_run
            assert live is None, "at most one live run per task and part"
        if isinstance(event, e.TurnQueued):
            key = (event.task, event.turn.number)
            assert key not in self.prompted, "a turn number is used once"
            self.prompted.add(key)
        if isinstance(event, e.ChangeLanded):
            self.may_land(event)

    def may_land(self, event: e.ChangeLanded) -> None:
        task = self.state.tasks[event.task]
        policy = self.state.policy
        assert policy is not None
        assert isinstance(task.stage, Moving)
        assert may_land(task, policy, task.stage.candidate.tree), "only green and reviewed trees land"
        outcome = task.outcome
        assert outcome is not None and outcome.conclusion is Conclusion.SUCCESS
        assert event.task not in self.landed, "nothing lands twice"
        for need in task.spec.needs:
            assert self.state.has_landed(need) or need in task.waived, "what it needs has landed"
        self.landed.append(event.task)

    def settle(self) -> None:
        for _ in range(10_000):
            facts = self.follows()
            if not facts:
                return
            before = busy(self.state)
            self.record(*facts)
            assert busy(self.state) <= max(self.slots, before), "no more agents work than there are slots"
        raise AssertionError("the plan comes to an end")

    def unique(self, kind: str) -> str:
        self.serial += 1
        return f"{kind}{self.serial}"

    # --- the human -------------------------------------------------------------------------------------------------

    @initialize(data=st.data(), review=st.sampled_from(ReviewMode), tasks=st.integers(1, 3))
    def begin(self, data: st.DataObject, review: ReviewMode, tasks: int) -> None:
        self.confirm_policy(review, "make test")
        for _ in range(tasks):
            self.submit(data, 0, 12)

    @precondition(lambda self: self.rarely())
    @rule(review=st.sampled_from(ReviewMode), command=st.sampled_from(["make test", "pytest", ""]))
    def confirm_policy(self, review: ReviewMode, command: str) -> None:
        checks = (CheckCommand(name="test", command=command),) if command else ()
        policy = Policy(target="main", review=review, checks=checks)
        self.record(e.PolicyConfirmed(policy=policy, by="you"), *resume_waiting(self.state, by="you"))
        self.settle()

    @precondition(lambda self: len(self.state.tasks) < 6)
    @rule(data=st.data(), priority=st.integers(-1, 1), turns=st.integers(2, 12))
    def submit(self, data: st.DataObject, priority: int, turns: int) -> None:
        known = sorted(self.state.tasks)
        needs = data.draw(st.lists(st.sampled_from(known), unique=True, max_size=2)) if known else []
        below = data.draw(st.sampled_from([None, *known]))
        spec = TaskSpec(
            id=TaskId(self.unique("t")),
            title="A task",
            goal="Do it.",
            agent=AgentName("a"),
            depends_on=tuple(needs),
            stacked_on=below,
            priority=priority,
            budget=Budget(minutes=60, turns=turns),
        )
        self.record(e.TaskSubmitted(spec=spec, by="you"))
        self.settle()

    @rule(minutes=st.sampled_from([1, 1, 1, 5, 90, 60 * 30]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.settle()

    @rule()
    def restart(self) -> None:
        """A new daemon folds the log and knows exactly what the old one knew."""
        state = State()
        for written in self.log:
            state = apply(state, written.event, at=written.at)
        assert state == self.state
        self.state, self.agenda = state, Agenda(state)
        self.settle()

    # --- agents and performers -------------------------------------------------------------------------------------

    @rule(data=st.data(), moves=st.lists(st.tuples(st.integers(0, 99), LUCK), min_size=1, max_size=25))
    def the_fleet_plays(self, data: st.DataObject, moves: list[tuple[int, str]]) -> None:
        """Whatever must be going on goes on, one thing at a time, mostly well."""
        for index, luck in moves:
            going = activities(self.state, now=self.now)
            if not going:
                return
            self.perform(data, going[index % len(going)], luck)
            self.settle()

    def perform(self, data: st.DataObject, activity: Activity, luck: str) -> None:  # noqa: C901 - a sum type
        match activity:
            case Author():
                self.author_moves(data, activity, luck)
            case Reviewing():
                self.reviewer_moves(data, activity, luck)
            case RunChecks():
                self.checks_move(data, activity, luck)
            case Build():
                self.merge_is_built(data, activity, luck)
            case Move():
                self.main_moves(data, activity, luck)
            case Push(task=task, commit=commit, remote=remote):
                self.record(e.ChangePushed(task=task, commit=commit, remote=remote))
            case GoBack(task=name, to=to):
                self.goes_back(data, self.state.tasks[name], to.checkpoint)
            case Retire():
                self.record(e.WorkspaceRetired(task=activity.task, rescue=None))

    def author_moves(self, data: st.DataObject, activity: Author, luck: str) -> None:
        task, run = self.state.tasks[activity.task], activity.run
        ends = {"crash": EndReason.CRASHED, "lost": EndReason.LOST, "refused": EndReason.REFUSED}
        if run.stopping is not None:
            self.record(e.RunEnded(run=run.id, task=run.task, reason=run.stopping))
        elif luck in ends:
            self.record(e.RunEnded(run=run.id, task=run.task, reason=ends[luck]))
        elif task.base is None:
            self.record(e.WorkspacePrepared(task=run.task, base=CommitId("base")))
        elif run.session is None:
            self.record(e.SessionOpened(run=run.id, task=run.task, session=SessionId(self.unique("s"))))
        elif isinstance(task.stage, Working) and task.stage.started:
            self.turn_moves(data, task, luck)
        self.settle()

    def turn_moves(self, data: st.DataObject, task: Task, luck: str) -> None:
        assert isinstance(task.stage, Working) and task.run is not None
        if not task.stage.played and luck != "ask" and data.draw(st.booleans()):
            self.record(e.TurnPlayed(task=task.spec.id, number=task.stage.turn.number))
            return
        if luck == "ask" and not task.stage.played:
            request = PermissionRequested(
                request=self.unique("q"), title="May I?", kind=ToolKind.OTHER, choices=YES_OR_NO
            )
            self.record(ask_for_agent(self.state, task, task.run.id, request, now=self.now))
            return
        what = data.draw(st.sampled_from(["new", "new", "new", "new", "same", "nothing"]))
        change = task.change if what == "same" else self.new_change() if what == "new" else None
        self.record(
            e.TurnEnded(
                task=task.spec.id,
                run=task.run.id,
                number=task.stage.turn.number,
                stop=data.draw(st.sampled_from([StopReason.END_TURN] * 4 + list(StopReason))),
                message="Done.",
                change=change,
                own_head=CommitId("own"),
                snapshot=task.snapshots + 1,
                gates=data.draw(st.sampled_from([(), (), (), ("It edits bandstand.toml.",)])),
            )
        )

    def goes_back(self, data: st.DataObject, task: Task, checkpoint: int) -> None:
        assert task.run is None and task.review_run is None, "nobody is at work where files go back"
        self.record(
            e.TaskRewound(
                task=task.spec.id,
                checkpoint=checkpoint,
                saved=task.snapshots + 1,
                change=self.new_change() if data.draw(st.booleans()) else None,
                own_head=CommitId("own"),
            )
        )

    def new_change(self) -> Change:
        return Change(
            base=CommitId("base"),
            head=CommitId(self.unique("c")),
            tree=TreeId(self.unique("tree")),
            files=(FileChange(path="a.py", status="M", added=1),),
            commits=1,
        )

    def reviewer_moves(self, data: st.DataObject, activity: Reviewing, luck: str) -> None:
        run = activity.run
        stage = self.state.tasks[run.task].stage
        if run.stopping is not None:
            self.record(e.RunEnded(run=run.id, task=run.task, reason=run.stopping))
        elif luck in ("crash", "lost", "refused"):
            self.record(e.RunEnded(run=run.id, task=run.task, reason=EndReason.CRASHED))
        elif isinstance(stage, AgentReview) and stage.run == run.id:
            verdict = Verdict.APPROVED if luck == "well" else Verdict.CHANGES_REQUESTED
            review = Review(commit=activity.commit, by=Reviewer.AGENT, name="r", verdict=verdict, summary="Because.")
            self.record(e.ReviewConcluded(task=run.task, review=review))
        self.settle()

    def checks_move(self, data: st.DataObject, activity: RunChecks, luck: str) -> None:
        policy = self.state.policy
        assert policy is not None
        conclusion = CONCLUSIONS.get(luck, Conclusion.SUCCESS)
        results = tuple(
            CommandResult(name=c.name, command=c.command, conclusion=conclusion, code=0, seconds=1, tail="")
            for c in policy.checks
        )
        outcome = CheckOutcome(
            name=activity.name,
            commit=activity.commit,
            tree=activity.tree,
            policy=policy.digest,
            results=results,
        )
        self.record(e.CheckConcluded(task=activity.task, outcome=outcome))
        self.settle()

    def merge_is_built(self, data: st.DataObject, activity: Build, luck: str) -> None:
        task = self.state.tasks[activity.task]
        onto = CommitId(self.unique("main"))
        if luck == "refused":
            cause = Cause.CONFLICT
            self.record(e.LandingReturned(task=activity.task, cause=cause, evidence="a.py", onto=onto))
        elif luck in ("crash", "lost"):
            self.record(e.StepFailed(task=activity.task, step=activity.step, message="No room."))
        else:
            assert task.change is not None
            self.record(
                e.CandidateBuilt(
                    task=activity.task,
                    onto=onto,
                    commit=CommitId(self.unique("m")),
                    tree=task.change.tree if data.draw(st.booleans()) else TreeId(self.unique("tree")),
                    check=f"{activity.task}.{task.checks + 1}",
                )
            )
        self.settle()

    def main_moves(self, data: st.DataObject, activity: Move, luck: str) -> None:
        policy = self.state.policy
        assert policy is not None
        task = self.state.tasks[activity.task]
        if luck == "lost" or not may_land(task, policy, activity.candidate.tree):
            self.record(e.LandingRestarted(task=activity.task, reason="main moved"))
        elif luck == "refused":
            self.record(block(self.state, task, Reason(title="Your edits are in the way."), now=self.now))
        else:
            c = activity.candidate
            remote = data.draw(st.sampled_from(["", "origin"]))
            landed = e.ChangeLanded(
                task=activity.task, commit=c.commit, onto=c.onto, checks="green", reviews="yes", remote=remote
            )
            self.record(landed)
        self.settle()

    # --- the laws --------------------------------------------------------------------------------------------------

    @invariant()
    def every_live_task_has_an_owner_and_a_deadline(self) -> None:
        for task in self.state.tasks.values():
            at = standing(self.state, task)
            if task.ended:
                assert at.owner is Owner.NOBODY
            else:
                assert at.owner is not Owner.NOBODY
                assert at.until is not None
                assert at.words

    @invariant()
    def nothing_waits_in_silence(self) -> None:
        """While a task lives, something goes on, a human is asked or holds one, a timer runs, or no slot is left."""
        live = [task for task in self.state.tasks.values() if not task.ended]
        if not live or any(task.paused for task in live) or self.state.policy is None or not self.slots:
            return
        going = activities(self.state, now=self.now)
        assert going or self.state.open_asks() or wake_at(self.state, now=self.now) is not None

    @invariant()
    def one_change_lands_at_a_time(self) -> None:
        assert sum(task.landing for task in self.state.tasks.values()) <= 1

    @invariant()
    def keys_are_one_of_a_kind(self) -> None:
        keys = [activity.key for activity in activities(self.state, now=self.now)]
        assert len(keys) == len(set(keys))

    @invariant()
    def a_live_run_belongs_to_its_task(self) -> None:
        for task in self.state.tasks.values():
            for run in (task.run, task.review_run):
                assert run is None or run.task == task.spec.id
            if isinstance(task.stage, Working) and task.stage.started and not task.stage.broken:
                assert task.run is not None, "a started turn has a run"

    @invariant()
    def agent_review_is_never_enough_where_a_gate_is_touched(self) -> None:
        policy = self.state.policy
        if policy is None:
            return
        for task in self.state.tasks.values():
            if task.gates and task.change is not None:
                bare = replace(task, reviews=tuple(r for r in task.reviews if r.by is Reviewer.AGENT))
                assert review_standing(bare, policy).need is not ReviewNeed.NOTHING


FleetMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFleet = FleetMachine.TestCase
