"""A run: one attempt of one agent at one task, and the prompt turns that it takes."""

from dataclasses import dataclass
from enum import StrEnum

from bandstand.domain.ids import AgentName, CommitId, RunId, SessionId, TaskId


class Part(StrEnum):
    """What a run is for: making the change, or reviewing it. Each has a workspace of its own."""

    AUTHOR = "author"
    REVIEWER = "reviewer"


class EndReason(StrEnum):
    """Why a run is over."""

    FINISHED = "finished"  # there was nothing more to do
    PARKED = "parked"  # it waited for a human; its session can be taken up again
    CANCELLED = "cancelled"  # its task was cancelled
    PAUSED = "paused"  # its task was paused; its session can be taken up again
    REWOUND = "rewound"  # its task's files are taken back; its session can be taken up again
    RETRIED = "retried"  # a human wants its turn or its review to begin anew
    BUDGET = "budget"  # its turn took longer than the task allows
    LIMIT = "limit"  # it used more of the machine than it may, and somebody stopped it
    MEMORY = "memory"  # it had used up the memory it may have, and the kernel ended it
    CRASHED = "crashed"  # the agent ended by itself
    LOST = "lost"  # its holder is gone, and the agent with it
    REFUSED = "refused"  # the agent would not start or open a session


class Cause(StrEnum):
    """Why there is a turn. The value stands in the prompt as its reason."""

    GOAL = "goal"
    MESSAGE = "message"
    NOTHING_CHANGED = "nothing-changed"
    CHECK_FAILED = "check-failed"
    CHANGES_REQUESTED = "changes-requested"
    CONFLICT = "conflict"
    QUEUE_RED = "queue-red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One prompt to an agent. `number` counts the turns of a task from 1 and is never used twice.

    `text` is the evidence or the message behind the cause. `onto` is a commit of the target that the agent needs to
    see. `again` marks a turn that stands in for one that broke off.
    """

    number: int
    cause: Cause
    text: str = ""
    onto: CommitId | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A live run.

    `resume` is the session it is to take up, `session` the one it has, `stopping` why it is being ended.
    """

    id: RunId
    task: TaskId
    part: Part
    agent: AgentName
    resume: SessionId | None = None
    session: SessionId | None = None
    stopping: EndReason | None = None


def run_id(task: TaskId, part: Part, number: int) -> RunId:
    """The name of the `number`th run of a task in this part. It names a folder."""
    return RunId(f"{task}.{number}" if part is Part.AUTHOR else f"{task}.review.{number}")
