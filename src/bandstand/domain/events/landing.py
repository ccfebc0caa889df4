"""Facts about the merge queue, up to the change that is part of main."""

from dataclasses import dataclass

from bandstand.domain.change import Change
from bandstand.domain.ids import CommitId, TaskId, TreeId
from bandstand.domain.run import Cause


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
    """Main is at the candidate. `checks` and `reviews` say in words what stood for it; `remote` is where it goes next,
    if it is to be pushed.
    """

    task: TaskId
    commit: CommitId
    onto: CommitId
    checks: str
    reviews: str
    remote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushGivenUp:
    """Somebody sees to the remote by hand: what landed is not pushed any more."""

    task: TaskId
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePushed:
    """The target's branch on a remote holds what landed."""

    task: TaskId
    commit: CommitId
    remote: str
