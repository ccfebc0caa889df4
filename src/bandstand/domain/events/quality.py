"""Facts about what stands between a change and main: checks and reviews."""

from dataclasses import dataclass

from bandstand.domain.check import CheckOutcome
from bandstand.domain.ids import CommitId, TaskId, TreeId
from bandstand.domain.review import Review


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
