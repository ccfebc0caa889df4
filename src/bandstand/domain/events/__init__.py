"""The facts: everything that ever happens to a fleet, in the past tense.

A fact is small and says what became true, not what should be done about it. Its fields are written to disk under its
class name; a change of their meaning needs a new version and an upcaster in the codec.
"""

from bandstand.domain.events.asks import (
    AnswerReleased,
    AskAnswered,
    AskRaised,
    AskReminded,
    AskWithdrawn,
)
from bandstand.domain.events.landing import (
    CandidateBuilt,
    ChangeLanded,
    ChangePushed,
    ChangeQueued,
    ChangeReassessed,
    LandingApproved,
    LandingRestarted,
    LandingReturned,
    LandingStarted,
    PushGivenUp,
)
from bandstand.domain.events.log import FactsLost
from bandstand.domain.events.quality import (
    CheckConcluded,
    CheckStarted,
    ReviewConcluded,
)
from bandstand.domain.events.rewinding import (
    CheckpointTaken,
    RewindOrdered,
    RewindStarted,
    TaskRewound,
)
from bandstand.domain.events.rules import (
    AgentConfigured,
    HostAllowed,
    HostRevoked,
    OrderTaken,
    PolicyConfirmed,
    PolicyFound,
    RemainsCleared,
    RepositoryOpened,
    SandboxChosen,
    TargetFetched,
)
from bandstand.domain.events.runs import (
    RescueGivenUp,
    RunEnded,
    RunStarted,
    RunStopRequested,
    SessionOpened,
    SetupConcluded,
    SetupWaived,
    TaskPurged,
    TurnEnded,
    TurnPlayed,
    TurnQueued,
    TurnStarted,
    WorkspacePrepared,
    WorkspaceRetired,
)
from bandstand.domain.events.tasks import (
    LimitGranted,
    MessageSent,
    StepFailed,
    StepRetried,
    TaskBlocked,
    TaskCancelled,
    TaskPaused,
    TaskResumed,
    TaskSubmitted,
    TaskUnpaused,
)

__all__ = [
    "AgentConfigured",
    "AnswerReleased",
    "AskAnswered",
    "AskRaised",
    "AskReminded",
    "AskWithdrawn",
    "CandidateBuilt",
    "ChangeLanded",
    "ChangePushed",
    "ChangeQueued",
    "ChangeReassessed",
    "CheckConcluded",
    "CheckStarted",
    "CheckpointTaken",
    "Event",
    "FactsLost",
    "HostAllowed",
    "HostRevoked",
    "LandingApproved",
    "LandingRestarted",
    "LandingReturned",
    "LandingStarted",
    "LimitGranted",
    "MessageSent",
    "OrderTaken",
    "PolicyConfirmed",
    "PolicyFound",
    "PushGivenUp",
    "RemainsCleared",
    "RepositoryOpened",
    "RescueGivenUp",
    "ReviewConcluded",
    "RewindOrdered",
    "RewindStarted",
    "RunEnded",
    "RunStarted",
    "RunStopRequested",
    "SandboxChosen",
    "SessionOpened",
    "SetupConcluded",
    "SetupWaived",
    "StepFailed",
    "StepRetried",
    "TargetFetched",
    "TaskBlocked",
    "TaskCancelled",
    "TaskPaused",
    "TaskPurged",
    "TaskResumed",
    "TaskRewound",
    "TaskSubmitted",
    "TaskUnpaused",
    "TurnEnded",
    "TurnPlayed",
    "TurnQueued",
    "TurnStarted",
    "WorkspacePrepared",
    "WorkspaceRetired",
]

Event = (
    RepositoryOpened
    | SandboxChosen
    | AgentConfigured
    | HostAllowed
    | HostRevoked
    | PolicyConfirmed
    | PolicyFound
    | TaskSubmitted
    | TaskCancelled
    | LimitGranted
    | MessageSent
    | TurnQueued
    | TurnStarted
    | RunStarted
    | WorkspacePrepared
    | SetupConcluded
    | SetupWaived
    | SessionOpened
    | TurnPlayed
    | TurnEnded
    | RunStopRequested
    | RunEnded
    | AskRaised
    | AskAnswered
    | AnswerReleased
    | AskWithdrawn
    | AskReminded
    | TaskBlocked
    | TaskResumed
    | TaskPaused
    | TaskUnpaused
    | StepFailed
    | StepRetried
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
    | ChangePushed
    | PushGivenUp
    | TargetFetched
    | CheckpointTaken
    | RewindOrdered
    | RewindStarted
    | TaskRewound
    | WorkspaceRetired
    | RescueGivenUp
    | TaskPurged
    | OrderTaken
    | RemainsCleared
    | FactsLost
)
