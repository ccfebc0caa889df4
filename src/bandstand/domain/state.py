"""The state of a repository's fleet: the fold of its facts.

`apply` only records what a fact says. It decides nothing, and takes every fact that was ever written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from bandstand.domain import events as e
from bandstand.domain.agent import AgentProfile
from bandstand.domain.ask import Answer, Ask, AskKind
from bandstand.domain.ids import AgentName, AskId, RunId, TaskId
from bandstand.domain.live_task import Task
from bandstand.domain.network import HostRule
from bandstand.domain.past import Totals, counted
from bandstand.domain.policy import Policy
from bandstand.domain.progress import doubted, task_after
from bandstand.domain.stage import AgentReview, Cancelled, HumanReview, InQueue, Landed, Queued, Stage, Working

__all__ = ["State", "Task", "apply", "fold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that is known of a repository's fleet at one version of its log.

    `policy` are the rules that were confirmed; `found` are those on the target branch, where they are others.
    `agents` are those that orders brought along. `tasks` are those that are not over; of each in `past`, which is, and
    whose workspace is gone, only whether it landed is kept here. `totals` number what comes next. `opened` is when the
    repository was first seen, `collected` when remains were last cleared away. `allowed` are hosts that a human lets
    all tasks reach beside what the rules name.
    """

    version: int = 0
    policy: Policy | None = None
    found: Policy | None = None
    tasks: Mapping[TaskId, Task] = field(default_factory=dict)
    asks: Mapping[AskId, Ask] = field(default_factory=dict)
    past: Mapping[TaskId, bool] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    path: str = ""
    sandbox: str = "bubblewrap"
    agents: Mapping[AgentName, AgentProfile] = field(default_factory=dict)
    opened: datetime | None = None
    collected: datetime | None = None
    allowed: tuple[HostRule, ...] = ()

    def open_asks(self) -> tuple[Ask, ...]:
        """Asks that still want an answer, in the order in which they were raised."""
        return tuple(ask for ask in self.asks.values() if ask.open)

    def waiting_runs(self) -> frozenset[RunId]:
        """Runs whose agents wait for an answer, or for a slot to go on with it."""
        return frozenset(run for ask in self.asks.values() if (run := ask.keeps_waiting) is not None)

    def has_landed(self, task: TaskId) -> bool:
        """Whether a task that there is, or was, has landed."""
        live = self.tasks.get(task)
        return self.past.get(task, False) if live is None else isinstance(live.stage, Landed)

    def was_cancelled(self, task: TaskId) -> bool:
        """Whether a task that there is, or was, was cancelled."""
        live = self.tasks.get(task)
        return not self.past.get(task, True) if live is None else isinstance(live.stage, Cancelled)

    def has_ended(self, task: TaskId) -> bool:
        """Whether a task that there is, or was, has landed or was cancelled."""
        live = self.tasks.get(task)
        return task in self.past if live is None else live.ended


def fold(state: State, events: Iterable[tuple[datetime, e.Event]]) -> State:
    """The state after more facts, each with the time at which it became known."""
    for at, event in events:
        state = apply(state, event, at=at)
    return state


def apply(state: State, event: e.Event, *, at: datetime) -> State:
    """The state after one more fact."""
    changed = _apply(state, event, at)
    step = event.count if isinstance(event, e.FactsLost) else 1
    return replace(changed, version=state.version + step, totals=counted(state.totals, event))


def _apply(state: State, event: e.Event, at: datetime) -> State:  # noqa: C901, PLR0911, PLR0912 - one match over a sum type
    match event:
        case e.RepositoryOpened(path=path):
            return replace(state, path=path, opened=state.opened or at)
        case e.SandboxChosen(name=name):
            return replace(state, sandbox=name)
        case e.AgentConfigured(profile=profile):
            return replace(state, agents={**state.agents, profile.name: profile})
        case e.HostAllowed(host=host, task=task_id):
            if task_id is not None:
                return _on_task(state, task_id, event, at)
            return replace(state, allowed=tuple(dict.fromkeys((*state.allowed, host))))
        case e.HostRevoked(host=host):
            return _revoked(state, host)
        case e.PolicyConfirmed():
            return replace(state, policy=event.policy, found=None)
        case e.PolicyFound():
            return replace(state, found=event.policy)
        case e.TaskSubmitted(spec=spec):
            own = spec.fork.head if spec.fork is not None else None
            task = Task(spec=spec, number=state.totals.submitted + 1, stage=Queued(), since=at, own_head=own)
            return _with_task(state, task)
        case e.AskRaised(ask=ask):
            asked = replace(state, asks={**state.asks, ask.id: ask})
            if ask.kind is AskKind.REVIEW:
                return _moved(asked, ask.task, HumanReview(ask=ask.id), at)
            return asked
        case e.AskAnswered(ask=ask_id, answer=answer):
            return _answered(state, ask_id, answer, at)
        case e.AnswerReleased(ask=ask_id):
            return _released(state, ask_id, at)
        case e.AskWithdrawn(ask=ask_id):
            return replace(state, asks={key: ask for key, ask in state.asks.items() if key != ask_id})
        case e.AskReminded(ask=ask_id, deadline=deadline):
            due = {key: replace(ask, deadline=deadline) for key, ask in state.asks.items() if key == ask_id}
            return replace(state, asks={**state.asks, **due})
        case e.RunStarted(run=run):
            return _on_task(state, run.task, event, at)
        case e.ChangeQueued():
            return _queued(state, event.task, at)
        case e.TaskBlocked():
            blocked = replace(state, asks={**state.asks, event.ask.id: event.ask})
            return _on_task(blocked, event.task, event, at)
        case e.RunEnded():
            kept = {key: ask for key, ask in state.asks.items() if ask.run != event.run}
            return _on_task(replace(state, asks=kept), event.task, event, at)
        case e.WorkspaceRetired(task=task_id):
            return _over(state, task_id)
        case e.RemainsCleared():
            return replace(state, collected=at)
        case e.FactsLost():
            return _doubted(state, event)
        case e.TargetFetched():
            return state
        case e.OrderTaken():
            return state
        case _:
            return _on_task(state, event.task, event, at)


def _answered(state: State, ask_id: AskId, answer: Answer, at: datetime) -> State:
    ask = state.asks.get(ask_id)
    if ask is None:
        return state
    return _time_anew(replace(state, asks={**state.asks, ask_id: replace(ask, answer=answer)}), ask, at)


def _released(state: State, ask_id: AskId, at: datetime) -> State:
    ask = state.asks.get(ask_id)
    if ask is None:
        return state
    return _time_anew(replace(state, asks={**state.asks, ask_id: replace(ask, released=True)}), ask, at)


def _time_anew(state: State, ask: Ask, at: datetime) -> State:
    """The agent waited, for a human or for a slot: its time for the turn begins anew."""
    task = state.tasks.get(ask.task)
    if task is not None and ask.run is not None and isinstance(task.stage, Working | AgentReview):
        return _with_task(state, replace(task, since=at))
    return state


def _revoked(state: State, host: HostRule) -> State:
    """Without what was allowed under this name, for the repository or any task."""
    tasks = {name: replace(task, allowed=_without(task.allowed, host)) for name, task in state.tasks.items()}
    return replace(state, tasks=tasks, allowed=_without(state.allowed, host))


def _without(rules: tuple[HostRule, ...], host: HostRule) -> tuple[HostRule, ...]:
    return tuple(rule for rule in rules if rule.text != host.text)


def _with_task(state: State, task: Task) -> State:
    return replace(state, tasks={**state.tasks, task.spec.id: task})


def _over(state: State, task_id: TaskId) -> State:
    """Without a task that has ended: whether it landed is all that is kept here, and what keeps its id."""
    landed = state.has_landed(task_id)
    tasks = {key: task for key, task in state.tasks.items() if key != task_id}
    asks = {key: ask for key, ask in state.asks.items() if ask.task != task_id}
    return replace(state, tasks=tasks, asks=asks, past={**state.past, task_id: landed})


def _doubted(state: State, lost: e.FactsLost) -> State:
    """Any task that lives may be another one than it seems; of those whose submission was lost the id is kept."""
    tasks = {key: doubted(task, lost) for key, task in state.tasks.items()}
    orphans = {task: task in lost.landed for task in lost.orphans}
    return replace(state, tasks=tasks, past={**state.past, **orphans})


def _moved(state: State, task_id: TaskId, stage: Stage, at: datetime) -> State:
    task = state.tasks.get(task_id)
    return state if task is None else _with_task(state, replace(task, stage=stage, since=at))


def _queued(state: State, task_id: TaskId, at: datetime) -> State:
    position = state.totals.queued + 1
    moved = _moved(state, task_id, InQueue(position=position), at)
    return _with_task(moved, replace(moved.tasks[task_id], position=position)) if task_id in moved.tasks else moved


def _on_task(state: State, task_id: TaskId, event: e.Event, at: datetime) -> State:
    task = state.tasks.get(task_id)
    if task is None:
        return state
    changed = task_after(task, event, at=at)
    if changed.stage != task.stage:
        changed = replace(changed, since=at)
    return _with_task(state, changed)
