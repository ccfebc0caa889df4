"""Facts about tasks: what was asked for, what a human says to it, and what keeps it from going on."""

from dataclasses import dataclass

from bandstand.domain.ask import Ask
from bandstand.domain.ids import TaskId
from bandstand.domain.limits import Resource
from bandstand.domain.run import Turn
from bandstand.domain.task import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSubmitted:
    """Someone asked for something."""

    spec: TaskSpec
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled:
    """The task will not go on. Its work is kept."""

    task: TaskId
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent:
    """A human has something to say to the task's agent.

    It becomes a turn once the present one, or a reviewing agent, has come to its end. Checks and a landing of the
    change give way to it.
    """

    task: TaskId
    text: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBlocked:
    """The task waits for a human to answer `ask`. With `turn`, that is what the agent does next when it goes on.

    `messages` is how many waiting messages that turn's text takes up. `without` are cancelled tasks that it needs:
    going on means going on without them. With `doubt` it waits because facts that may be about it were lost.
    """

    task: TaskId
    ask: Ask
    turn: Turn | None = None
    messages: int = 0
    without: tuple[TaskId, ...] = ()
    doubt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResumed:
    """The task goes on where it was blocked, with its counts of repairs and failures at zero."""

    task: TaskId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPaused:
    """A human holds the task: what runs for it is ended, and nothing is started. Its work and its session are kept.

    `fleet` tells that all tasks of all repositories were stopped together.
    """

    task: TaskId
    by: str
    reason: str = ""
    fleet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitGranted:
    """A human lets the task have so many bytes of a resource. They are asked again when it uses `asks_at` of it."""

    task: TaskId
    resource: Resource
    limit: int
    asks_at: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUnpaused:
    """The task goes on from where it was paused."""

    task: TaskId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetried:
    """A step of ours that failed is to be tried again at once: its failures count no more."""

    task: TaskId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """Something that Bandstand itself does for the task did not work. It is tried again, a few times."""

    task: TaskId
    step: str
    message: str
    hint: str = ""
