"""Questions: frozen read models of the fleet, the same for every face."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bandstand.domain.admission import Wait
from bandstand.domain.ask import Ask, AskKind
from bandstand.domain.change import Change
from bandstand.domain.check import CheckOutcome, CommandResult
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.gates import checks_in_words
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.left_behind import settled
from bandstand.domain.merge_queue import landing, queue
from bandstand.domain.network import Traffic, together
from bandstand.domain.past import PastTask
from bandstand.domain.review import LineComment
from bandstand.domain.run import Part, run_id
from bandstand.domain.standing import Mark, Owner, ended, held_up, standing
from bandstand.domain.state import State, Task
from bandstand.ports.agents import AgentProtocol
from bandstand.ports.git import Repository
from bandstand.ports.hosts import Host
from bandstand.services.fleet import Fleet
from bandstand.services.transcripts import TaskTranscript

RECENT = 20
"""How many tasks that are over are listed beside those that are not."""


def _none_of(runs: Collection[RunId]) -> frozenset[RunId]:
    """No run waits for room."""
    return frozenset()


_RANK = {kind: rank for rank, kind in enumerate(AskKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One task in a list. It is `over` when it has ended and nothing of it goes on by itself."""

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
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """The fleet at a glance. `walled` is false where no sandbox keeps the agents in.

    `omitted` is how many tasks that are over are not among `tasks`.
    """

    repository: str
    target: str
    sandbox: str
    walled: bool
    tasks: tuple[TaskRow, ...]
    asks: int
    omitted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """The merge queue, in the order in which it lands: first the change that it works on, if there is one.

    `landing` tells whether there is. `target` is the branch that changes land on.
    """

    target: str
    landing: bool
    entries: tuple[TaskRow, ...]


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
    """One task, whole. `walled` is false where no sandbox keeps its agents in.

    `forked_from` is the checkpoint of another task that it began with, `forks` are live tasks that began with one of
    its own. `traffic` is that of all its runs.
    """

    row: TaskRow
    walled: bool
    goal: str
    acceptance: tuple[str, ...]
    depends_on: tuple[TaskId, ...]
    stacked_on: TaskId | None
    forked_from: str
    forks: tuple[TaskId, ...]
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
    included: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    traffic: tuple[Traffic, ...] = ()
    setup: tuple[CommandResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The questions of one repository.

    `waits` tells what a start waits for, `held_up` which of some runs wait for room on the disk.
    """

    fleet: Fleet
    repository: Repository
    host: Host
    protocol: AgentProtocol
    waits: Callable[[], Wait] = Wait
    held_up: Callable[[Collection[RunId]], frozenset[RunId]] = _none_of

    async def list_tasks(self, named: Collection[TaskId] = (), *, past: int = RECENT) -> FleetView:
        """Every task but those that were over before the last `past` ones were; or those named. Raises `Unknown`.

        They come in the order of submission.
        """
        rows = await self.rows(named) if named else await self._recent(past)
        state = self.fleet.state
        for name in named:
            if name not in state.tasks and name not in state.past:
                raise never(name)
        return FleetView(
            repository=str(self.repository.path),
            target=state.policy.target if state.policy is not None else "",
            sandbox=state.sandbox,
            walled=_walled(state),
            tasks=tuple(sorted(rows, key=lambda row: row.submitted)),
            asks=len(state.open_asks()),
            omitted=0 if named else len(state.tasks) + len(state.past) - len(rows),
        )

    async def _recent(self, past: int) -> tuple[TaskRow, ...]:
        gone = await self._gone(lambda _: past, only=lambda _: ())
        return (*(_past_row(one) for one in gone), *self._live_rows(self.fleet.state.tasks.values()))

    async def rows(self, tasks: Collection[TaskId]) -> tuple[TaskRow, ...]:
        """The rows of some tasks, over or not; those that never were are left out."""

        def over(state: State) -> list[TaskId]:
            return [name for name in tasks if name in state.past]

        gone = await self._gone(lambda state: len(over(state)), only=over)
        state = self.fleet.state
        return (
            *(_past_row(one) for one in gone),
            *self._live_rows([state.tasks[name] for name in tasks if name in state.tasks]),
        )

    def _live_rows(self, tasks: Collection[Task]) -> list[TaskRow]:
        """The rows of tasks that are in the state now."""
        state, waits = self.fleet.state, self.waits()
        full = self.held_up([run.id for task in tasks for run in (task.run, task.review_run) if run is not None])
        return [_row(state, task, waits, full) for task in tasks]

    async def _gone(
        self, limit: Callable[[State], int], *, only: Callable[[State], Sequence[TaskId]]
    ) -> tuple[PastTask, ...]:
        """Tasks that are over, as they go with the state at the moment when this returns.

        A task may leave the state while the log is read: then it would be found neither there nor here.
        """
        while True:
            state = self.fleet.state
            gone = await self.fleet.past(limit=limit(state), only=only(state)) if limit(state) else ()
            if len(self.fleet.state.past) == len(state.past):
                return gone

    async def show_task(self, task_id: TaskId) -> TaskView:
        """One task with its change and the evidence for it. Raises `Unknown`."""
        task = await self._task(task_id)
        view = _task_view(self.fleet.state, task, self._live_rows([task])[0])
        traffic = [one for run in (*view.runs, *view.review_runs) for one in await self.host.traffic(run)]
        return replace(view, traffic=together(traffic))

    async def _task(self, task_id: TaskId) -> Task:
        task = await self.fleet.task(task_id)
        if task is None:
            raise never(task_id)
        return task

    def queue(self) -> QueueView:
        """What lands next."""
        state = self.fleet.state
        first = landing(state)
        entries = (*([first] if first is not None else []), *queue(state))
        return QueueView(
            target=state.policy.target if state.policy is not None else "",
            landing=first is not None,
            entries=tuple(self._live_rows(entries)),
        )

    def list_asks(self) -> tuple[Ask, ...]:
        """What needs a human: first what an agent waits for, then by age."""
        return tuple(sorted(self.fleet.state.open_asks(), key=lambda ask: (_RANK[ask.kind], ask.raised)))

    async def look(self, task_id: TaskId) -> tuple[TaskView, str]:
        """A task and the patch of exactly the change that it is shown with. Raises what `diff` does."""
        task = await self._task(task_id)
        return _task_view(self.fleet.state, task, self._live_rows([task])[0]), await self._patch(task)

    async def diff(self, task_id: TaskId) -> str:
        """A task's change as a patch: what landed, if it has. Raises `Unknown`, and `Refused` if there is none yet."""
        return await self._patch(await self._task(task_id))

    async def _patch(self, task: Task) -> str:
        if task.change is None:
            name = task.spec.id
            raise Refused(f"{name} has no change yet.", hint=f"`band log {name}` shows what its agent does.")
        return await self.repository.diff(base=task.change.base, head=task.change.head)

    async def transcript(self, task_id: TaskId) -> TaskTranscript:
        """What was said and done in all runs of a task, reviews included. Raises `Unknown`."""
        task = await self._task(task_id)

        def runs() -> list[RunId]:
            return _runs(self.fleet.state.tasks.get(task_id, task))

        return TaskTranscript(runs, host=self.host, protocol=self.protocol)


def never(task_id: TaskId) -> Unknown:
    """What to raise for a task that there never was."""
    return Unknown(f"There is no task {task_id!r} in this repository.", hint="`band ps` shows the tasks.")


def _runs(task: Task) -> list[RunId]:
    counts = ((Part.AUTHOR, task.runs), (Part.REVIEWER, task.review_runs))
    return [run_id(task.spec.id, part, number) for part, count in counts for number in range(1, count + 1)]


def _walled(state: State) -> bool:
    return state.sandbox != "none"


def _row(state: State, task: Task, waits: Wait, full: frozenset[RunId]) -> TaskRow:
    at = standing(state, task, waits=waits)
    if at.owner is Owner.AGENT and any(run is not None and run.id in full for run in (task.run, task.review_run)):
        at = held_up(at)
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
        over=settled(state, task),
    )


def _past_row(task: PastTask) -> TaskRow:
    at = ended(landed=task.landed, reason=task.reason)
    return TaskRow(
        id=task.id,
        title=task.title,
        agent=task.agent,
        mark=at.mark,
        words=at.words,
        owner=at.owner,
        until=at.until,
        since=task.ended,
        submitted=task.number,
        files=task.files,
        added=task.added,
        deleted=task.deleted,
        turns=task.turns,
        over=True,
    )


def _task_view(state: State, task: Task, row: TaskRow) -> TaskView:
    head = task.change.head if task.change is not None else ""
    policy = state.policy
    commit = getattr(task.stage, "commit", None) if task.ended else None
    return TaskView(
        row=row,
        walled=_walled(state),
        goal=task.spec.goal,
        acceptance=task.spec.acceptance,
        depends_on=task.spec.depends_on,
        stacked_on=task.spec.stacked_on,
        forked_from=f"{fork.task}@{fork.checkpoint}" if (fork := task.spec.fork) is not None else "",
        forks=tuple(
            one.spec.id for one in state.tasks.values() if one.spec.fork and one.spec.fork.task == task.spec.id
        ),
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
        included=task.included,
        left_out=task.left_out,
        setup=task.setup.results if task.setup is not None else (),
    )


def _checked(outcome: CheckOutcome | None) -> str:
    return outcome.conclusion.value if outcome is not None else ""
