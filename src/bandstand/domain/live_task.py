"""A live task as it stands: all that its facts add up to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bandstand.domain.change import Change
from bandstand.domain.check import CheckOutcome
from bandstand.domain.events import RunEnded, StepFailed
from bandstand.domain.ids import CommitId, SessionId, TaskId, TreeId
from bandstand.domain.limits import Grant, Resource
from bandstand.domain.network import HostRule
from bandstand.domain.pause import Paused
from bandstand.domain.review import Review
from bandstand.domain.rewind import Rewind, TakenBack
from bandstand.domain.run import Cause, Run
from bandstand.domain.setup import SetupOutcome
from bandstand.domain.stage import Candidate, EndStage, LandingStage, Stage
from bandstand.domain.task import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stands.

    `since` is when its stage began. `number` orders tasks by submission. `run` and `review_run` are the live runs.
    `repairs` counts the turns per cause since a human last said to go on; `crashes` the runs that broke off since a
    turn last ended; `failures` the steps of ours that failed, the last one at `failed_at`. `followed` is how many of
    `reviews` the agent was told of; `committed` that files had to be committed for it. `green` holds the trees that
    passed, each with its policy. `waived` are cancelled tasks that it needs and that a human lets it go on without.
    `position` is its place in the merge queue, if it ever was in it. The first `voided` of `reviews` count no more.
    While it is `paused` nothing is started for it. Main was to be moved to `approved`, and may have been, with the very
    change that it has still.
    `setup` is what came of setting its workspace up last, which was `setup_waived` if a human wants it to go on anyway.
    Into its workspace were copied the `included` files, and `left_out` says which were not.
    `allowed` are hosts that a human lets it reach beside what the rules name.
    `rewind` is where it is to go back to once its turn is over, `rewinds` how often that was ordered; of what was
    `taken_back` its agent hears in its next turn.
    `granted` is what a human lets it have beyond what is set, or without being asked again.
    `doubtful` tells that facts were lost since a human last said to go on, which may have been about this task.
    """

    spec: TaskSpec
    number: int
    stage: Stage
    since: datetime
    run: Run | None = None
    review_run: Run | None = None
    session: SessionId | None = None
    base: CommitId | None = None
    own_head: CommitId | None = None
    committed: bool = False
    change: Change | None = None
    gates: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    leftover_contents: tuple[str, ...] = ()
    outcome: CheckOutcome | None = None
    reviews: tuple[Review, ...] = ()
    followed: int = 0
    voided: int = 0
    green: frozenset[tuple[TreeId, str]] = frozenset()
    messages: tuple[str, ...] = ()
    turns: int = 0
    runs: int = 0
    review_runs: int = 0
    checks: int = 0
    snapshots: int = 0
    repairs: Mapping[Cause, int] = field(default_factory=dict)
    crashes: int = 0
    review_crashes: int = 0
    failures: int = 0
    failed_at: datetime | None = None
    waived: frozenset[TaskId] = frozenset()
    position: int = 0
    last_end: RunEnded | None = None
    last_failure: StepFailed | None = None
    push_to: str = ""
    retired: bool = False
    rescue: str | None = None
    granted: Mapping[Resource, Grant] = field(default_factory=dict)
    paused: Paused | None = None
    approved: Candidate | None = None
    doubtful: bool = False
    included: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    allowed: tuple[HostRule, ...] = ()
    setup: SetupOutcome | None = None
    setup_waived: bool = False
    rewind: Rewind | None = None
    rewinds: int = 0
    taken_back: TakenBack | None = None

    @property
    def ended(self) -> bool:
        """Whether it has landed or was cancelled."""
        return isinstance(self.stage, EndStage)

    @property
    def landing(self) -> bool:
        """Whether it is the one that the merge queue works on."""
        return isinstance(self.stage, LandingStage)
