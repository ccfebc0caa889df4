"""States made of facts, in the words of the domain: for tables of what follows from them."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bandstand.domain import events as e
from bandstand.domain.agent import StopReason
from bandstand.domain.ask import Ask
from bandstand.domain.change import Change, FileChange
from bandstand.domain.check import CheckCommand, CheckOutcome, CommandResult, Conclusion
from bandstand.domain.ids import AgentName, CommitId, SessionId, TaskId, TreeId
from bandstand.domain.policy import Policy
from bandstand.domain.review import Review, Reviewer, Verdict
from bandstand.domain.scheduling import decide
from bandstand.domain.slots import Limits
from bandstand.domain.stage import Stage
from bandstand.domain.state import State, Task, apply
from bandstand.domain.task import TaskSpec

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
POLICY = Policy(target="main", checks=(CheckCommand(name="test", command="make test"),))


def spec(name: str, **fields: Any) -> TaskSpec:
    """A plain task."""
    plain = {"id": TaskId(name), "title": f"Do {name}", "goal": f"Do {name}.", "agent": AgentName("coder")}
    return TaskSpec(**{**plain, **fields})


def change(head: str = "head") -> Change:
    """A change of one file."""
    files = (FileChange(path="a.py", status="M", added=2, deleted=1),)
    return Change(base=CommitId("base"), head=CommitId(head), tree=TreeId(f"tree of {head}"), files=files, commits=1)


def result(conclusion: Conclusion = Conclusion.SUCCESS, **fields: Any) -> CommandResult:
    """How `make test` ended."""
    code = {Conclusion.SUCCESS: 0, Conclusion.FAILURE: 1}.get(conclusion)
    plain = {"name": "test", "command": "make test", "conclusion": conclusion, "code": code, "seconds": 1.0, "tail": ""}
    return CommandResult(**{**plain, **fields})


def outcome(
    conclusion: Conclusion = Conclusion.SUCCESS, *, head: str = "head", policy: Policy = POLICY, name: str = "one.1"
) -> CheckOutcome:
    """The verdict on a change."""
    made = change(head)
    results = (result(conclusion),)
    return CheckOutcome(name=name, commit=made.head, tree=made.tree, policy=policy.digest, results=results)


def review(by: Reviewer, verdict: Verdict, *, head: str = "head", summary: str = "Because.") -> Review:
    """A verdict."""
    name = "ada" if by is Reviewer.HUMAN else "critic"
    return Review(commit=CommitId(head), by=by, name=name, verdict=verdict, summary=summary)


@dataclass(slots=True, kw_only=True)
class Story:
    """A state that grows by facts. What they are about is `one` unless it is said."""

    state: State = field(default_factory=State)
    now: datetime = NOW
    slots: int = 8

    def __post_init__(self) -> None:
        self.record(e.PolicyConfirmed(policy=POLICY, by="ada"))

    def record(self, *facts: e.Event) -> "Story":
        """Record facts, and nothing that follows."""
        for fact in facts:
            self.state = apply(self.state, fact, at=self.now)
        return self

    def follows(self) -> tuple[e.Event, ...]:
        """What follows next."""
        return decide(self.state, now=self.now, limits=Limits(slots=self.slots))

    def settle(self) -> list[e.Event]:
        """Record all that follows, and say what it was."""
        found: list[e.Event] = []
        while facts := self.follows():
            self.record(*facts)
            found.extend(facts)
        return found

    def submit(self, *specs: TaskSpec) -> "Story":
        """Submit tasks."""
        return self.record(*(e.TaskSubmitted(spec=one, by="ada") for one in specs or (spec("one"),)))

    def task(self, name: str = "one") -> Task:
        """A task as it stands."""
        return self.state.tasks[TaskId(name)]

    def put(self, name: str, stage: Stage, **fields: Any) -> "Story":
        """Let a task stand somewhere, however it came there."""
        task = replace(self.task(name), stage=stage, since=self.now, **fields)
        self.state = replace(self.state, tasks={**self.state.tasks, task.spec.id: task})
        return self

    def asked(self, ask: Ask) -> "Story":
        """Let an ask be there."""
        self.state = replace(self.state, asks={**self.state.asks, ask.id: ask})
        self.state = replace(self.state, totals=replace(self.state.totals, asked=self.state.totals.asked + 1))
        return self

    def session(self, name: str = "one") -> "Story":
        """The agent of a task's run is ready."""
        run = self.task(name).run
        assert run is not None
        return self.record(e.SessionOpened(run=run.id, task=run.task, session=SessionId("s1")))

    def turn_ends(self, name: str = "one", *, head: str | None = "head", **fields: Any) -> "Story":
        """The agent ends its turn, with a change or without."""
        task = self.task(name)
        assert task.run is not None
        plain = {
            "task": task.spec.id,
            "run": task.run.id,
            "number": task.turns,
            "stop": StopReason.END_TURN,
            "message": "Done.",
            "change": change(head) if head is not None else None,
            "own_head": CommitId(head or "base"),
            "snapshot": task.snapshots + 1,
        }
        return self.record(e.TurnEnded(**{**plain, **fields}))

    def checked(self, conclusion: Conclusion = Conclusion.SUCCESS, name: str = "one", head: str = "head") -> "Story":
        """The checks of a task's change are over."""
        stage = self.task(name).stage
        check = getattr(stage, "name", "") or stage.candidate.check  # type: ignore[union-attr]
        return self.record(e.CheckConcluded(task=TaskId(name), outcome=outcome(conclusion, head=head, name=check)))
