"""The facts: everything that ever happens to a fleet, in the past tense.

A fact is small and says what became true, not what should be done about it. Its fields are written to disk under its
class name; a change of their meaning needs a new version and an upcaster in the codec.
"""

from dataclasses import dataclass, field
from datetime import datetime

from bandstand.domain.agent import AgentProfile, StopReason, Usage
from bandstand.domain.ask import Answer, Ask
from bandstand.domain.change import Change
from bandstand.domain.check import CheckOutcome
from bandstand.domain.ids import AskId, CommitId, RunId, SessionId, TaskId, TreeId
from bandstand.domain.policy import Policy
from bandstand.domain.review import Review
from bandstand.domain.run import Cause, EndReason, Run, Turn
from bandstand.domain.task import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOpened:
    """The repository is at this path."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxChosen:
    """From now on agents and checks of this repository run in this kind of sandbox. `none` is chosen by name only."""

    name: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfigured:
    """An order brought an agent of its own, such as a rehearsal of a score. It stands until one of its name comes."""

    profile: AgentProfile
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfirmed:
    """Somebody lets these rules run commands on this machine: they were shown them, or said yes to them unseen."""

    policy: Policy
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFound:
    """The target branch has other rules than those that were confirmed."""

    policy: Policy


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
    """The task has a workspace, which began at commit `base`."""

    task: TaskId
    base: CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """The agent of a run is ready for prompts."""

    run: RunId
    task: TaskId
    session: SessionId


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
class AskRaised:
    """A human is needed."""

    ask: Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAnswered:
    """The ask has its answer. `task` is whose it is; the first versions did not say."""

    ask: AskId
    answer: Answer
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskWithdrawn:
    """The ask needs no answer any more."""

    ask: AskId
    reason: str
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskReminded:
    """Nobody answered in time, and nothing may be done unasked: the ask stays, with a new deadline."""

    ask: AskId
    deadline: datetime
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBlocked:
    """The task waits for a human to answer `ask`. With `turn`, that is what the agent does next when it goes on.

    `messages` is how many waiting messages that turn's text takes up. `without` are cancelled tasks that it needs:
    going on means going on without them.
    """

    task: TaskId
    ask: Ask
    turn: Turn | None = None
    messages: int = 0
    without: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResumed:
    """The task goes on where it was blocked, with its counts of repairs and failures at zero."""

    task: TaskId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """Something that Bandstand itself does for the task did not work. It is tried again, a few times."""

    task: TaskId
    step: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStarted:
    """The change's own head is being checked under this name."""

    task: TaskId
    name: str
    commit: CommitId
    tree: TreeId


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConcluded:
    """A check has its verdict, be it of the change's head or of what main would be.

    `gates` says in sentences where the change touches what it was judged by, under the rules of that check.
    """

    task: TaskId
    outcome: CheckOutcome
    gates: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewConcluded:
    """A reviewer has a verdict on a commit."""

    task: TaskId
    review: Review


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQueued:
    """The change stands in the merge queue."""

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingStarted:
    """It is the change's turn to land: what main would be with it is being built."""

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateBuilt:
    """What main would be: the change on top of `onto`. `check` names the check of it."""

    task: TaskId
    onto: CommitId
    commit: CommitId
    tree: TreeId
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingApproved:
    """The candidate is green and reviewed: main is being moved to it."""

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingReturned:
    """The change cannot land as it is and goes back, with the evidence. `onto` is the main it did not fit."""

    task: TaskId
    cause: Cause
    evidence: str
    onto: CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeReassessed:
    """On the target as it is, the change would bring more than what was reviewed: no verdict on it counts any more.

    Its own commits are the same; what they add differs, since what they were built upon came to another end.
    """

    task: TaskId
    change: Change
    gates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingRestarted:
    """Main moved in the meantime; the candidate is built anew."""

    task: TaskId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLanded:
    """Main is at the candidate. `checks` and `reviews` say in words what stood for it."""

    task: TaskId
    commit: CommitId
    onto: CommitId
    checks: str
    reviews: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRetired:
    """The workspace is gone; what had not landed is at `rescue`, if there was anything."""

    task: TaskId
    rescue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTaken:
    """An order with a key was carried out: the `facts` facts before this one followed. `digest` tells what it was."""

    key: str
    digest: str
    facts: int


Event = (
    RepositoryOpened
    | SandboxChosen
    | AgentConfigured
    | PolicyConfirmed
    | PolicyFound
    | TaskSubmitted
    | TaskCancelled
    | MessageSent
    | TurnQueued
    | TurnStarted
    | RunStarted
    | WorkspacePrepared
    | SessionOpened
    | TurnEnded
    | RunStopRequested
    | RunEnded
    | AskRaised
    | AskAnswered
    | AskWithdrawn
    | AskReminded
    | TaskBlocked
    | TaskResumed
    | StepFailed
    | CheckStarted
    | CheckConcluded
    | ReviewConcluded
    | ChangeQueued
    | LandingStarted
    | CandidateBuilt
    | LandingApproved
    | LandingReturned
    | LandingRestarted
    | ChangeReassessed
    | ChangeLanded
    | WorkspaceRetired
    | OrderTaken
)
