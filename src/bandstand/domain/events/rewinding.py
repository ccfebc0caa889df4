"""Facts about checkpoints that somebody asked for, and about going back to one."""

from dataclasses import dataclass

from bandstand.domain.change import Change
from bandstand.domain.ids import CommitId, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointTaken:
    """Somebody had the files of a task's workspace kept as they were at that moment."""

    task: TaskId
    number: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindOrdered:
    """The task is to go back to a checkpoint: once its turn is over, or `at_once` by ending that turn."""

    task: TaskId
    checkpoint: int
    commit: CommitId
    by: str
    at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindStarted:
    """No turn is live: the files are being taken back. Whatever the task waited for, it waits for it no more."""

    task: TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRewound:
    """The workspace holds what it held at the checkpoint, and so does the task's branch.

    What there was before is checkpoint `saved`. The other fields are as those of a turn that ended. No verdict that was
    given before counts any more.
    """

    task: TaskId
    checkpoint: int
    saved: int
    change: Change | None
    own_head: CommitId
    leftovers: tuple[str, ...] = ()
    leftover_contents: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
