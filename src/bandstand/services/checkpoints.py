"""The checkpoints of a task: what was kept after each turn, and how it differs from what was before."""

from dataclasses import dataclass
from datetime import datetime

from bandstand.domain import events as e
from bandstand.domain.change import FileChange
from bandstand.domain.ids import CommitId, TaskId
from bandstand.ports.checkpoints import Checkpoints
from bandstand.services.fleet import Fleet
from bandstand.services.views import never


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView:
    """One checkpoint in a list. `turns` ended with just this; there is none where its agent was ended in a turn."""

    number: int
    at: datetime
    turns: tuple[int, ...]
    files: tuple[FileChange, ...]
    commit: CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointList:
    """All of a task. `rescue` is what was kept where the workspace is gone, and its checkpoints with it."""

    task: TaskId
    over: bool
    landed: str | None
    rescue: str | None
    checkpoints: tuple[CheckpointView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpointing:
    """The checkpoints of one repository."""

    fleet: Fleet
    checkpoints: Checkpoints

    async def all(self, task_id: TaskId) -> CheckpointList:
        """Every checkpoint of a task. Raises `Unknown`."""
        task = await self.fleet.task(task_id)
        if task is None:
            raise never(task_id)
        turns: dict[int, list[int]] = {}
        for fact in await self.fleet.history(task_id):
            if isinstance(fact.event, e.TurnEnded):
                turns.setdefault(fact.event.snapshot, []).append(fact.event.number)
        return CheckpointList(
            task=task_id,
            over=task.retired,
            landed=getattr(task.stage, "commit", None) if task.ended else None,
            rescue=task.rescue,
            checkpoints=tuple(
                CheckpointView(
                    number=one.number,
                    at=one.at,
                    turns=tuple(turns.get(one.number, ())),
                    files=one.files,
                    commit=one.commit,
                )
                for one in await self.checkpoints.of(task_id)
            ),
        )

    async def patch(self, task_id: TaskId, number: int) -> str:
        """What one checkpoint changed since the one before. Raises `Unknown`."""
        if await self.fleet.task(task_id) is None:
            raise never(task_id)
        return await self.checkpoints.patch(task_id, number)
