"""What must be going on, each thing under a key of its own.

The brain compares this with what is going on, and starts what is missing. An activity looks before it acts, so it may
be started any number of times.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bandstand.domain.check import Conclusion
from bandstand.domain.ids import CommitId, TaskId, TreeId
from bandstand.domain.rewind import Rewind
from bandstand.domain.run import Run
from bandstand.domain.stage import (
    AgentReview,
    Blocked,
    Building,
    Candidate,
    Checking,
    Landed,
    Moving,
    Rewinding,
    Testing,
    Working,
    playing,
)
from bandstand.domain.state import State, Task
from bandstand.domain.stopping import PARK_AFTER, REVIEW_LIMIT

STEP_LIMIT = timedelta(hours=1)
"""How long a step of Bandstand's own may take before it counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Drive the run that makes the change."""

    task: TaskId
    run: Run

    @property
    def key(self) -> str:
        """One for each run."""
        return f"run {self.run.id}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Running the agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """Drive the run that reviews the change."""

    task: TaskId
    run: Run
    commit: CommitId

    @property
    def key(self) -> str:
        """One for each run."""
        return f"run {self.run.id}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Running the reviewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChecks:
    """Check a commit under a name."""

    task: TaskId
    name: str
    commit: CommitId
    tree: TreeId

    @property
    def key(self) -> str:
        """One for each check."""
        return f"check {self.name}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Checking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Build what main would be."""

    task: TaskId

    @property
    def key(self) -> str:
        """One for each task: it lands once."""
        return f"build {self.task}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Building the merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Move main to the candidate."""

    task: TaskId
    candidate: Candidate

    @property
    def key(self) -> str:
        """One for each candidate."""
        return f"move {self.task} {self.candidate.commit}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Landing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Have the remote hold what landed."""

    task: TaskId
    commit: CommitId
    remote: str

    @property
    def key(self) -> str:
        """One for each task: it lands once."""
        return f"push {self.task}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Pushing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Remove the workspace of an ended task, what is not landed kept."""

    task: TaskId

    @property
    def key(self) -> str:
        """One for each task."""
        return f"retire {self.task}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Removing the workspace"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoBack:
    """Take the files of a workspace back to a checkpoint."""

    task: TaskId
    to: Rewind

    @property
    def key(self) -> str:
        """One for each order."""
        return f"rewind {self.task} {self.to.order}"

    @property
    def step(self) -> str:
        """What a person calls it."""
        return "Rewinding"


Activity = Author | Reviewing | RunChecks | Build | Move | Push | GoBack | Retire


def activities(state: State, *, now: datetime) -> tuple[Activity, ...]:
    """Everything that must be going on now. A step that failed waits a while before it is tried again."""
    found: list[Activity] = []
    for task in state.tasks.values():
        waits = not_before(task)
        if waits is None or now >= waits:
            found.extend(activities_of(task))
    return tuple(found)


def activities_of(task: Task) -> list[Activity]:
    """What must be going on for a task, once `not_before` is over."""
    found = _driving(task)
    if isinstance(task.stage, Moving):
        found.append(Move(task=task.spec.id, candidate=task.stage.candidate))
    elif isinstance(task.stage, Rewinding):
        # A human wants it, paused or not. Nobody else may be at work in there.
        found += [] if found else [GoBack(task=task.spec.id, to=task.stage.to)]
    elif task.paused is None and (step := _step(task)) is not None:
        found.append(step)
    elif isinstance(task.stage, Landed) and task.push_to and not found:
        found.append(Push(task=task.spec.id, commit=task.stage.commit, remote=task.push_to))
    elif task.ended and not found:
        found.append(Retire(task=task.spec.id))
    return found


def _driving(task: Task) -> list[Activity]:
    """What drives the live runs of a task, or ends them."""
    found: list[Activity] = []
    # Within a turn of which a step of ours did not work, nothing is tried before the human has answered.
    held = isinstance(task.stage, Blocked) and playing(task.stage) is not None
    if task.run is not None and (task.run.stopping is not None or not held):
        found.append(Author(task=task.spec.id, run=task.run))
    if task.review_run is not None and task.change is not None:
        found.append(Reviewing(task=task.spec.id, run=task.review_run, commit=task.change.head))
    return found


def _step(task: Task) -> Activity | None:
    """What Bandstand itself does for a task before main is moved."""
    name = task.spec.id
    unseen = task.outcome if task.outcome and task.outcome.conclusion is Conclusion.COULD_NOT_RUN else None
    match task.stage:
        case Checking(name=check, commit=commit, tree=tree) if unseen is None or unseen.name != check:
            return RunChecks(task=name, name=check, commit=commit, tree=tree)
        case Testing(candidate=c) if unseen is None or unseen.name != c.check:
            return RunChecks(task=name, name=c.check, commit=c.commit, tree=c.tree)
        case Building():
            return Build(task=name)
        case _:
            return None


def not_before(task: Task) -> datetime | None:
    """When a failed step may be tried again: 1, 2, 4 … seconds after the failure, at most ten minutes.

    What is left of an ended task is in nobody's way: of that it is an hour.
    """
    if task.failed_at is None or task.failures == 0:
        return None
    return task.failed_at + timedelta(seconds=min(3600 if task.ended else 600, 2 ** (task.failures - 1)))


def wake_at(state: State, *, now: datetime) -> datetime | None:
    """The next time at which the plan may be another one although no new fact is known."""
    times = [ask.deadline for ask in state.open_asks()]
    for task in state.tasks.values():
        times.extend(times_of(task))
    later = [time for time in times if time > now]
    return min(later) if later else None


def times_of(task: Task) -> list[datetime]:
    """The times at which something follows for a task although no new fact is known; some may be over."""
    found = [waits] if (waits := not_before(task)) is not None else []
    if task.run is not None and playing(task.stage) is None:
        found.append(task.since + PARK_AFTER)
    match task.stage:
        case Working(started=True):
            found.append(task.since + timedelta(minutes=task.spec.budget.minutes))
        case AgentReview():
            found.append(task.since + REVIEW_LIMIT)
        case _:
            pass
    return found
