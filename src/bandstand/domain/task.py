"""A task: what someone asked for, and what must be true before and after it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bandstand.domain.ids import AgentName, CommitId, TaskId
from bandstand.domain.limits import NO_LIMITS, Limits
from bandstand.domain.network import NetworkPolicy


class Role(StrEnum):
    """The part an agent plays in a task. It shapes the prompt, not what is checked."""

    CODER = "coder"
    TESTER = "tester"
    DOCUMENTER = "documenter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much one task may use before a human is asked: minutes of one turn, and turns in all."""

    minutes: int = 60
    turns: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """What a task begins with that goes on from a checkpoint of another one; 0 is what that one began with.

    `base` is the commit of the target that this one's work is built upon, `head` the last commit of it, and `files` a
    commit of all that its workspace held.
    """

    task: TaskId
    checkpoint: int
    base: CommitId
    head: CommitId
    files: CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """A task as it was submitted; it never changes.

    `scope` are the paths it is meant to touch, as git path patterns; empty means anywhere. It starts when
    everything in `depends_on` has landed. With `stacked_on` it begins on that task's branch before that one has landed,
    and lands after it. `network` is what it says of the network, where it says anything. A `fork` waits for nothing but
    what the task that it goes on from needs.
    """

    id: TaskId
    title: str
    goal: str
    agent: AgentName
    acceptance: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    depends_on: tuple[TaskId, ...] = ()
    stacked_on: TaskId | None = None
    role: Role = Role.CODER
    priority: int = 0
    budget: Budget = field(default_factory=Budget)
    network: NetworkPolicy | None = None
    fork: Fork | None = None
    limits: Limits = NO_LIMITS

    @property
    def needs(self) -> tuple[TaskId, ...]:
        """Every task that must land before this one can."""
        return self.depends_on if self.stacked_on is None else (*self.depends_on, self.stacked_on)


def forked(
    spec: TaskSpec,
    fork: Fork,
    new: TaskId,
    *,
    words: str = "",
    agent: AgentName | None = None,
    without: Collection[TaskId] = (),
) -> TaskSpec:
    """The task that goes on from a checkpoint of another one: it is asked for the same, with some `words` more.

    It needs what that one needs, for its commits may hold work of those; not what that one was let go on `without`.
    """
    below = spec.stacked_on if spec.stacked_on not in without else None
    return replace(
        spec,
        id=new,
        goal=f"{spec.goal.rstrip()}\n\n{words.strip()}" if words.strip() else spec.goal,
        agent=agent or spec.agent,
        depends_on=tuple(need for need in spec.depends_on if need not in without),
        stacked_on=below,
        fork=fork,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with a set of tasks: at which task, in which of its fields, and what."""

    task: TaskId
    field: str
    message: str
    hint: str = ""


def problems(specs: Sequence[TaskSpec], *, known: Iterable[TaskId] = ()) -> tuple[Problem, ...]:
    """What is wrong with submitting these tasks beside those already `known`: nothing, if the answer is empty.

    Ids must be new, what a task needs must exist, no task may need itself, and needs must not go in a circle.
    """
    found: list[Problem] = []
    old = frozenset(known)
    new: dict[TaskId, TaskSpec] = {}
    for spec in specs:
        if spec.id in new:
            found.append(Problem(task=spec.id, field="id", message=f"The id {spec.id!r} is used twice."))
        elif spec.id in old:
            found.append(
                Problem(
                    task=spec.id,
                    field="id",
                    message=f"There is already a task {spec.id!r} in this repository.",
                    hint="Give the new one another id.",
                )
            )
        new.setdefault(spec.id, spec)
    there = old | new.keys()
    for spec in specs:
        found.extend(_missing(spec, there))
    if not found:
        circle = _circle(new)
        if circle:
            path = " -> ".join([*circle, circle[0]])
            found.append(
                Problem(task=circle[0], field="depends_on", message=f"Tasks wait for each other in a circle: {path}.")
            )
    return tuple(found)


def in_the_way(task: TaskId, branches: Iterable[str]) -> str | None:
    """Which of the repository's branches keeps a new task from having a branch `band/<task>` of its own.

    It may be taken already; and git holds no branch below another one.
    """
    own = f"band/{task}"
    return next((one for one in branches if one in ("band", own) or one.startswith(f"{own}/")), None)


def _missing(spec: TaskSpec, known: frozenset[TaskId]) -> Iterable[Problem]:
    fields: list[tuple[str, TaskId]] = [("depends_on", need) for need in spec.depends_on]
    if spec.stacked_on is not None:
        fields.append(("stacked_on", spec.stacked_on))
    for name, need in fields:
        if need == spec.id:
            yield Problem(task=spec.id, field=name, message=f"Task {spec.id!r} cannot wait for itself.")
        elif need not in known:
            yield Problem(
                task=spec.id,
                field=name,
                message=f"Task {spec.id!r} needs {need!r}, and there is no such task.",
                hint="Check the spelling, or add that task.",
            )


def _circle(specs: Mapping[TaskId, TaskSpec]) -> list[TaskId]:
    """Some tasks that need one another in a circle, in order; empty if there are none.

    Depth-first search with three colours (Cormen et al., Introduction to Algorithms, 22.3), without recursion.
    """
    done: set[TaskId] = set()
    for start in specs:
        path: list[TaskId] = []
        stack: list[tuple[TaskId, int]] = [(start, 0)]
        while stack:
            task, index = stack.pop()
            if index == 0:
                if task in done:
                    continue
                if task in path:
                    return path[path.index(task) :]
                path.append(task)
            needs = [need for need in specs[task].needs if need in specs]
            if index < len(needs):
                stack.append((task, index + 1))
                stack.append((needs[index], 0))
            else:
                done.add(task)
                path.pop()
    return []
