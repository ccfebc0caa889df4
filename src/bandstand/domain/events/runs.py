"""Facts about runs and their turns, from the first start of an agent to the end of its workspace."""

from dataclasses import dataclass, field

from bandstand.domain.agent import StopReason, Usage
from bandstand.domain.change import Change
from bandstand.domain.ids import CommitId, RunId, SessionId, TaskId
from bandstand.domain.run import EndReason, Run, Turn
from bandstand.domain.setup import SetupOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnQueued:
    """There is something for the agent to do. `messages` is how many waiting messages its text takes up."""

    task: TaskId
    turn: Turn
    messages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """The turn has a slot: from now on an agent may be prompted with it."""

    task: TaskId
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """An agent is to be started. It is live until `RunEnded`."""

    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspacePrepared:
    """The task has a workspace, which began at commit `base`.

    `included` are files that git ignores, copied from the user's checkout; `left_out` says what was not, and why.
    """

    task: TaskId
    base: CommitId
    included: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupConcluded:
    """The set-up commands of the rules were run in the task's workspace."""

    task: TaskId
    outcome: SetupOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupWaived:
    """The task goes on in a workspace that could not be set up, and so do its checks."""

    task: TaskId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """The agent of a run is ready for prompts."""

    run: RunId
    task: TaskId
    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPlayed:
    """The agent is done with a turn, and what it left is being taken in: from now on it needs no slot."""

    task: TaskId
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """The agent is done with a turn, and what its workspace holds was kept.

    `change` is what its branch adds to the target, or nothing; `own_head` the last commit that it made itself.
    `leftovers` are paths that it did not commit, `leftover_contents` name what stands in each; `committed_for_agent`
    tells that a commit was made of them since it had made none. `gates` says in sentences where the change touches what
    it is to be judged by.
    """

    task: TaskId
    run: RunId
    number: int
    stop: StopReason
    message: str
    change: Change | None
    own_head: CommitId
    snapshot: int
    leftovers: tuple[str, ...] = ()
    leftover_contents: tuple[str, ...] = ()
    committed_for_agent: bool = False
    gates: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopRequested:
    """The run is to end."""

    run: RunId
    task: TaskId
    reason: EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """Nothing of the run is left on the machine. `code` is its exit status where there is one."""

    run: RunId
    task: TaskId
    reason: EndReason
    code: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRetired:
    """The workspace is gone; what had not landed is at `rescue`, if there was anything."""

    task: TaskId
    rescue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueGivenUp:
    """Somebody gives up what was kept of a task: these refs and archives. `nowhere_else` files are then lost."""

    task: TaskId
    refs: tuple[str, ...]
    archives: tuple[str, ...]
    nowhere_else: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPurged:
    """Somebody removes what is kept of an ended task: so many `things`, which take `bytes`. Its facts stay."""

    task: TaskId
    things: int
    bytes: int
    by: str
