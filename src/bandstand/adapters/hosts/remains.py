"""What is left of runs that are over: their folders, with the journal and the socket in them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bandstand.adapters.hosts.channel import locked
from bandstand.domain.remains import Aged, RemainsKind, Remnant, ended, spent, task_of
from bandstand.ports.remains import Known


class RunRemains:
    """The folders of runs below `root`. `destroy` removes one with all that is in it."""

    def __init__(self, root: Path, *, destroy: Callable[[Path], Awaitable[None]]) -> None:
        self._root = root
        self._destroy = destroy

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """The journals that are kept no longer. One that a process still holds is not over."""
        return tuple(await asyncio.to_thread(lambda: [*self._find(known)]))

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """Remove one folder, if it still may go."""
        if all((one.kind, one.name) != (remnant.kind, remnant.name) for one in await self.find(known)):
            return False
        await self._destroy(self._root / remnant.name)
        return True

    def _find(self, known: Known) -> Iterator[Remnant]:
        folders = sorted(self._root.iterdir()) if self._root.is_dir() else []
        over = [folder for folder in folders if ended(known.state, task_of(folder.name))]
        free = [folder for folder in over if not (folder / "lock").exists() or not locked(folder)]
        for aged, why in spent([_aged(folder) for folder in free], known.retention.journals, now=known.now):
            words = f"{ended(known.state, task_of(aged.name))}; {why}"
            yield Remnant(kind=RemainsKind.RUN, name=aged.name, why=words, bytes=aged.bytes)


def _aged(folder: Path) -> Aged:
    seen = [folder.stat(), *(file.lstat() for file in folder.iterdir())]
    last = max(one.st_mtime for one in seen)
    size = sum(one.st_blocks * 512 for one in seen)
    return Aged(name=folder.name, last=datetime.fromtimestamp(last, UTC), bytes=size)
