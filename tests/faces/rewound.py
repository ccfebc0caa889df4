"""Facts about going back, as they are told."""

from bandstand.domain import events as e
from bandstand.domain.ids import CommitId, TaskId

T, C = TaskId("docs"), CommitId("0123456789abcdef")
BACK: tuple[e.Event, ...] = (
    e.CheckpointTaken(task=T, number=4, by="ada"),
    e.RewindOrdered(task=T, checkpoint=2, commit=C, by="ada"),
    e.RewindStarted(task=T),
    e.TaskRewound(task=T, checkpoint=2, saved=5, change=None, own_head=C),
)
