"""Questions: frozen read models of the fleet, the same for every face."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime

from bandstand.domain.ask import Ask, AskKind
from bandstand.domain.change import Change
from bandstand.domain.check import CheckOutcome, CommandResult
from bandstand.domain.errors import Refused
from bandstand.domain.gates import checks_in_words
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.review import LineComment
from bandstand.domain.run import Part, run_id
from bandstand.domain.standing import Mark, Owner, standing
from bandstand.domain.state import State, Task
from bandstand.ports.agents import AgentProtocol, TranscriptEntry
from bandstand.ports.git import Repository
from bandstand.ports.hosts import Host
from bandstand.services.commands import known
from bandstand.services.fleet import Fleet

_RANK = {kind: rank for rank, kind in enumerate(AskKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One task in a list."""

    id: TaskId
    title: str
    agent: str
    mark: Mark
    words: str
    owner: Owner
    until: datetime | None
    since: datetime
    submitted: int
    files: int
    added: int
    deleted: int
    turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """The fleet at a glance. `walled` is false where no sandbox keeps the agents in."""

    repository: str
    target: str
    sandbox: str
    walled: bool
    tasks: tuple[TaskRow, ...]
    asks: int
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView:
    """One verdict. `current` tells whether it speaks of the change as it stands."""

    name: str
    by: str
    verdict: str
    summary: str
    comments: tuple[LineComment, ...]
    commit: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task, whole. `walled` is false where no sandbox keeps its agents in."""

    row: TaskRow
    walled: bool
    goal: str
    acceptance: tuple[str, ...]
    depends_on: tuple[TaskId, ...]
    stacked_on: TaskId | None
    branch: str
    runs: tuple[RunId, ...]
    review_runs: tuple[RunId, ...]
    change: Change | None
    checks: tuple[CommandResult, ...]
    checked: str
    policy_checks: str
    policy_review: str
    reviews: tuple[ReviewView, ...]
    gates: tuple[str, ...]
    leftovers: tuple[str, ...]
    asks: tuple[Ask, ...]
    landed: str | None
    rescue: str | None
    trouble: str = field(default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The questions of one repository."""

    fleet: Fleet
    repository: Repository
    host: Host
    protocol: AgentProtocol

    def list_tasks(self, named: Collection[TaskId] = ()) -> FleetView:
        """Every task, or those named, in the order of submission."""
        state = self.fleet.state
        shown = [task for task in state.tasks.values() if not named or task.spec.id in named]
        return FleetView(
            repository=str(self.repository.path),
            target=state.policy.target if state.policy is not None else "",
            sandbox=state.sandbox,
            walled=_walled(state),
            tasks=tuple(_row(state, task) for task in sorted(shown, key=lambda task: task.number)),
            asks=len(state.open_asks()),
        )

    def show_task(self, task_id: TaskId) -> TaskView:
        """One task with its change and the evidence for it. Raises `Unknown`."""
        state = self.fleet.state
        return _task_view(state, known(state, task_id))

    def list_asks(self) -> tuple[Ask, ...]:
        """What needs a human: first what an agent waits for, then by age."""
        return tuple(sorted(self.fleet.state.open_asks(), key=lambda ask: (_RANK[ask.kind], ask.raised)))

    async def diff(self, task_id: TaskId) -> str:
        """A task's change as a patch: what landed, if it has. Raises `Unknown`, and `Refused` if there is none yet."""
        task = known(self.fleet.state, task_id)
        if task.change is None:
            raise Refused(f"{task_id} has no change yet.", hint=f"`band log {task_id}` shows what its agent does.")
        return await self.repository.diff(base=task.change.base, head=task.change.head)

    async def transcript(self, task_id: TaskId) -> AsyncIterator[tuple[RunId, TranscriptEntry]]:
        """What was said and done in all runs of a task, reviews included, run by run in the order of their starts."""
        task = known(self.fleet.state, task_id)
        runs = [run_id(task_id, Part.AUTHOR, number) for number in range(1, task.runs + 1)]
        runs += [run_id(task_id, Part.REVIEWER, number) for number in range(1, task.review_runs + 1)]
        entries: list[tuple[RunId, TranscriptEntry]] = []
        for run in runs:
            async for entry in self.protocol.transcript(self.host.journal(run)):
                entries.append((run, entry))
        entries.sort(key=lambda pair: pair[1].at_ms)
        for pair in entries:
            yield pair


def _walled(state: State) -> bool:
    return state.sandbox != "none"


def _row(state: State, task: Task) -> TaskRow:
    at = standing(state, task)
    change = task.change
    return TaskRow(
        id=task.spec.id,
        title=task.spec.title,
        agent=task.spec.agent,
        mark=at.mark,
        words=at.words,
        owner=at.owner,
        until=at.until,
        since=task.since,
        submitted=task.number,
        files=len(change.files) if change is not None else 0,
        added=change.added if change is not None else 0,
        deleted=change.deleted if change is not None else 0,
        turns=task.turns,
    )


def _task_view(state: State, task: Task) -> TaskView:
    head = task.change.head if task.change is not None else ""
    policy = state.policy
    commit = getattr(task.stage, "commit", None) if task.ended else None
    return TaskView(
        row=_row(state, task),
        walled=_walled(state),
        goal=task.spec.goal,
        acceptance=task.spec.acceptance,
        depends_on=task.spec.depends_on,
        stacked_on=task.spec.stacked_on,
        branch=f"band/{task.spec.id}",
        runs=tuple(run_id(task.spec.id, Part.AUTHOR, number) for number in range(1, task.runs + 1)),
        review_runs=tuple(run_id(task.spec.id, Part.REVIEWER, number) for number in range(1, task.review_runs + 1)),
        change=task.change,
        checks=task.outcome.results if task.outcome is not None else (),
        checked=_checked(task.outcome),
        policy_checks=checks_in_words(policy) if policy is not None else "",
        policy_review=policy.review.value if policy is not None else "",
        reviews=tuple(
            ReviewView(
                name=review.name,
                by=review.by.value,
                verdict=review.verdict.value,
                summary=review.summary,
                comments=review.comments,
                commit=review.commit,
                current=review.commit == head,
            )
            for review in task.reviews
        ),
        gates=task.gates,
        leftovers=task.leftovers,
        asks=tuple(ask for ask in state.open_asks() if ask.task == task.spec.id),
        landed=commit,
        rescue=task.rescue,
        trouble=task.last_end.detail if task.last_end is not None and task.crashes else "",
    )


def _checked(outcome: CheckOutcome | None) -> str:
    return outcome.conclusion.value if outcome is not None else ""
