"""What folders take on the disk, counted as `du` does: by blocks, a file with several names once."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

MOST_FILES = 400_000
"""How many files are counted at most: about two seconds of a processor."""

_BLOCK = 512
_DEEPEST = 200  # folders that are open at once


class DiskFolders:
    """The folders below `root`, each under the name of its workspace. At most so many files are counted in each."""

    def __init__(self, root: Path, *, most_files: int = MOST_FILES) -> None:
        self._root = root
        self._most = most_files

    def filled(self) -> int | None:
        """How much is taken on the disk, by anybody; nothing while the folder is not there."""
        try:
            return shutil.disk_usage(self._root).used
        except OSError:
            return None

    async def size(self, name: str) -> int:
        """How much the folders of a workspace take on the disk; 0 if there are none."""
        return await asyncio.to_thread(self._size, name)

    def _size(self, name: str) -> int:
        total, seen = 0, set[tuple[int, int]]()
        for count, entry in enumerate(_files(str(self._root / name))):
            if count >= self._most:
                break
            if entry.st_nlink > 1:
                if (entry.st_dev, entry.st_ino) in seen:
                    continue
                seen.add((entry.st_dev, entry.st_ino))
            total += entry.st_blocks * _BLOCK
        return total


def _files(top: str) -> Iterator[os.stat_result]:
    """Everything below a folder. What goes away meanwhile, and what cannot be read, takes nothing; no link is followed.

    The names are an agent's, so no folder is entered by a path that it could have put a link into: each is opened from
    its parent. What lies deeper than anything sensible does is not counted, for files that are open are ours.
    """
    try:
        descriptors = [os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)]
    except OSError:
        return
    try:
        yield from _below(descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _below(descriptors: list[int]) -> Iterator[os.stat_result]:
    """What is below the last of these open folders, which is closed and taken off in the end."""
    names: list[list[str]] = [[]]
    yield from _listed(descriptors[-1], names[-1])
    while descriptors:
        if not names[-1]:
            names.pop()
            os.close(descriptors.pop())
            continue
        if len(descriptors) >= _DEEPEST:
            names[-1].clear()
            continue
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptors.append(os.open(names[-1].pop(), flags, dir_fd=descriptors[-1]))
        except OSError:
            continue
        names.append([])
        yield from _listed(descriptors[-1], names[-1])


def _listed(folder: int, folders: list[str]) -> Iterator[os.stat_result]:
    """What is in one folder; the folders among it are put in a list."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    yield entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                except OSError:
                    continue
    except OSError:
        return
