"""The folders of repositories in the state, where the repository itself has gone from its place."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bandstand.adapters.git.layout import ARCHIVE, VAULT
from bandstand.adapters.git.retiring import destroy
from bandstand.domain.ids import RepositoryId
from bandstand.faults import fault


class StateFolders:
    """One folder for each repository, below `root`. All of them are ours."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def size(self, repository: RepositoryId) -> int | None:
        """What a repository's folder takes on the disk; `None` if there is none."""
        folder = self._root / repository
        return await asyncio.to_thread(disk_usage, folder) if folder.is_dir() else None

    async def holds(self, repository: RepositoryId) -> tuple[str, ...]:
        """What is in it that is nowhere else, now that its repository is gone: workspaces, checkpoints, archives."""
        return await asyncio.to_thread(lambda: tuple(self._holds(self._root / repository / "workspaces")))

    async def remove(self, repository: RepositoryId) -> None:
        """Remove a repository's folder: only where it holds nothing."""
        if not await self.holds(repository):
            fault("remains.abandon.before")
            await destroy(self._root / repository)
            fault("remains.abandon.after")

    def _holds(self, root: Path) -> Iterator[str]:
        for path in sorted(root.iterdir()) if root.is_dir() else ():
            if path.name == ARCHIVE:
                yield from (f"archive {file.name}" for file in sorted(path.iterdir()))
            elif path.name == VAULT:
                # A ref of git's is a file below `refs`, or a line in `packed-refs`.
                loose = any(file.is_file() for file in (path / "refs").rglob("*"))
                packed = path / "packed-refs"
                if loose or (packed.exists() and any(not line.startswith("#") for line in packed.open())):
                    yield "checkpoints"
            elif "." not in path.name:
                yield f"workspace {path.name}"


def disk_usage(path: Path) -> int:
    """What a file, or a folder with all that is in it, takes on the disk. Links are not followed.

    What vanishes meanwhile takes nothing.
    """
    total = 0
    with suppress(FileNotFoundError):
        total += path.lstat().st_blocks * 512
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            with suppress(FileNotFoundError):
                total += (Path(folder) / name).lstat().st_blocks * 512
    return total
