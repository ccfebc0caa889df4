"""What is left of checks whose task is over: their output."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bandstand.domain.remains import Aged, RemainsKind, Remnant, ended, spent, task_of
from bandstand.ports.remains import Known


class OutputRemains:
    """The files of outputs in `root`. `destroy` removes one."""

    def __init__(self, root: Path, *, destroy: Callable[[Path], Awaitable[None]]) -> None:
        self._root = root
        self._destroy = destroy

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """The outputs that are kept no longer."""
        return tuple(await asyncio.to_thread(lambda: [*self._find(known)]))

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """Remove one output, if it still may go."""
        if all((one.kind, one.name) != (remnant.kind, remnant.name) for one in await self.find(known)):
            return False
        await self._destroy(self._root / remnant.name)
        return True

    def _find(self, known: Known) -> Iterator[Remnant]:
        files = sorted(self._root.iterdir()) if self._root.is_dir() else []
        over = [file for file in files if ended(known.state, task_of(file.stem))]
        for aged, why in spent([_aged(file) for file in over], known.retention.checks, now=known.now):
            words = f"{ended(known.state, task_of(aged.name))}; {why}"
            yield Remnant(kind=RemainsKind.CHECK, name=aged.name, why=words, bytes=aged.bytes)


def _aged(file: Path) -> Aged:
    seen = file.lstat()
    return Aged(name=file.name, last=datetime.fromtimestamp(seen.st_mtime, UTC), bytes=seen.st_blocks * 512)
