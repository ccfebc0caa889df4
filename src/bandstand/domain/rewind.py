"""Going back: what a human ordered, and what the agent is told of it in its next turn."""

from dataclasses import dataclass

from bandstand.domain.ids import CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """An order to take a task's files back to a checkpoint, which is `commit`. `order` counts those of the task.

    A turn that is live then comes to its end first; `at_once` it is ended.
    """

    order: int
    checkpoint: int
    commit: CommitId
    by: str
    at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """What was taken back and the agent has not been told yet: what there was is checkpoint `saved`."""

    checkpoint: int
    saved: int
