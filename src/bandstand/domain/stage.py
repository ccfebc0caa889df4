"""Where a task stands. Each stage carries just what is true in it.

Queued -> Working -> Proposed -> Checking -> Checked -> AgentReview, HumanReview -> InQueue
             ^           |                      |                |                     |
             |  (nothing)|                 (red)|       (changes)|                  Building
             +-----------+----------------------+----------------+                     |
             |                                                                      Testing
             +---------------------------- Returned <------- (conflict, red) ----------+
                                                                                    Tested -> Moving -> Landed

From anywhere: Blocked, where a human is asked, and back; Rewinding, and then Proposed; Cancelled. Paused is no stage:
it holds a task where it is.
"""

from dataclasses import dataclass
from datetime import datetime

from bandstand.domain.agent import StopReason
from bandstand.domain.check import CheckOutcome
from bandstand.domain.ids import AskId, CommitId, RunId, TaskId, TreeId
from bandstand.domain.rewind import Rewind
from bandstand.domain.run import Cause, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Waiting for what it needs, and for a slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """The agent has a turn. Until `started` it waits for a slot; `broken` tells that the run ended within it.

    Once it is `played` the agent has no more to do for it, and what it left is being taken in.
    """

    turn: Turn
    started: bool = False
    played: bool = False
    broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A turn ended; what comes next is to be decided."""

    turn: Turn
    stop: StopReason
    message: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """The project's checks run on the head of the change."""

    name: str
    commit: CommitId
    tree: TreeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The checks of the head are over; also where a reviewed change comes back to for what is still missing."""

    outcome: CheckOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReview:
    """An agent reviews."""

    run: RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanReview:
    """A human is asked for a verdict."""

    ask: AskId


@dataclass(frozen=True, slots=True, kw_only=True)
class InQueue:
    """In the merge queue. `position` only orders; it is no index."""

    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What main would be with the change on it."""

    onto: CommitId
    commit: CommitId
    tree: TreeId
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """What main would be is being built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Testing:
    """What main would be is being checked."""

    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The check of the candidate is over."""

    candidate: Candidate
    outcome: CheckOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """Main is being moved to the candidate."""

    candidate: Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The merge queue gave it back."""

    cause: Cause
    evidence: str
    onto: CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewinding:
    """Its files are being taken back to a checkpoint. No agent of it works meanwhile."""

    to: Rewind


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """Part of main. An end."""

    commit: CommitId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Given up. An end."""

    reason: str


Unblocked = (
    Queued
    | Working
    | Proposed
    | Checking
    | Checked
    | AgentReview
    | HumanReview
    | InQueue
    | Building
    | Testing
    | Tested
    | Moving
    | Returned
    | Rewinding
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A human is asked how to go on. `was` is where it stood, `turn` what the agent does next if there is one.

    `without` are cancelled tasks that it then goes on without. `doubt` tells that facts about it may be lost.
    """

    ask: AskId
    was: Unblocked
    turn: Turn | None = None
    without: tuple[TaskId, ...] = ()
    doubt: bool = False


Stage = Unblocked | Blocked | Landed | Cancelled
LandingStage = Building | Testing | Tested | Moving
EndStage = Landed | Cancelled


def playing(stage: Stage) -> Turn | None:
    """The turn that an agent was given and that is not over, also while the task is blocked within it."""
    was = stage.was if isinstance(stage, Blocked) else stage
    return was.turn if isinstance(was, Working) and was.started else None
