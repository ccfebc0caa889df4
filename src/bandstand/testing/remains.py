"""Remains in memory: what a test says is left, of tasks that are over or are not."""

from collections.abc import Mapping

from bandstand.domain.ids import TaskId
from bandstand.domain.remains import RemainsKind, Remnant, ended
from bandstand.ports.remains import Known


class MemoryRemains:
    """`left` are things by their name, each of a task. Those whose task is over may go."""

    def __init__(self, left: Mapping[str, TaskId] | None = None, *, kind: RemainsKind = RemainsKind.RUN) -> None:
        self.left = dict(left or {})
        self._kind = kind

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """What may go."""
        over = {name: ended(known.state, task) for name, task in sorted(self.left.items())}
        return tuple(Remnant(kind=self._kind, name=name, why=why, bytes=1) for name, why in over.items() if why)

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """Remove one thing, if it still may go."""
        if remnant not in await self.find(known):
            return False
        del self.left[remnant.name]
        return True
