"""Archives of what git does not keep, made before a workspace goes: of any size, as long as the disk has room.

<root>/archive.d/<name>.tar.gz     only the user can read it
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from bandstand.adapters.git.capture import Capture
from bandstand.adapters.git.command import TooMuch, execute, stream
from bandstand.adapters.git.layout import ARCHIVE
from bandstand.domain.errors import Broken, Unavailable
from bandstand.faults import fault
from bandstand.ports.hosts import Launch

REBUILT = ("node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache", ".pytest_cache", ".ruff_cache")
"""Folders that tools fill anew from what is in git."""

DEADLINE_SECONDS = 1800.0
SLOWEST = 4 * 1024 * 1024  # bytes in a second
_MOST_NAMED = 3
_DONE, _FILE_CHANGED = 0, 1


def usable_bytes(folder: Path) -> int:
    """How much a folder can take, with something left for others on this machine."""
    return shutil.disk_usage(folder).free * 9 // 10


class Archives:
    """The archives of the workspaces of one repository, below `root`."""

    def __init__(self, root: Path, *, usable: Callable[[Path], int] = usable_bytes) -> None:
        self._folder = root / ARCHIVE
        self._usable = usable

    async def keep(self, capture: Capture, name: str, others: Sequence[str]) -> Path | None:
        """Archive some names of a workspace, without what tools fill anew; `None` if there are none.

        An archive that was made under this name before is replaced. Raises `Unavailable` where there is no room.
        """
        others = [one for one in others if Path(one).name not in REBUILT]
        if not others:
            return None
        names = b"".join(os.fsencode(f"./{one}") + b"\0" for one in others)
        return await self._make(capture, name, names, without=REBUILT)

    async def keep_as_they_are(self, capture: Capture, name: str, others: Sequence[str]) -> Path:
        """Archive some names of a workspace with nothing left out of them. Otherwise as above."""
        names = b"".join(os.fsencode(f"./{one}") + b"\0" for one in others)
        return await self._make(capture, name, names, without=())

    async def keep_all(self, capture: Capture, name: str) -> Path:
        """Archive a whole workspace, its git dir too; only what was copied in is left out. Otherwise as above."""
        whole = await capture.withholding.for_archive((".",), rebuilt=())
        names = b".\0" if whole == (".",) else b"".join(os.fsencode(f"./{one}") + b"\0" for one in whole)
        return await self._make(capture, name, names, without=())

    async def _make(self, capture: Capture, name: str, names: bytes, *, without: Collection[str]) -> Path:
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, exist_ok=True)
        # Only GNU's tools know of files with holes and of folders to be left out.
        gnu = b"GNU tar" in (await execute(capture.reading("tar", "--version"))).out
        needed = await _room_for(capture, names, without=without if gnu else (), nul=gnu)
        usable = self._usable(self._folder)
        if needed > usable:
            raise await self._no_room(capture, name, needed)
        making = self._folder / f".{name}.making"
        try:
            await _fill(_archiving(capture, without=without, gnu=gnu), making, names, needed=needed, most=usable)
            fault("rescue.archive.before")
            made = making.rename(self._folder / f"{name}.tar.gz")
            fault("rescue.archive.after")
        except TooMuch as error:
            raise await self._no_room(capture, name, usable) from error
        finally:
            making.unlink(missing_ok=True)
        return made

    async def _no_room(self, capture: Capture, name: str, needed: int) -> Unavailable:
        largest = ", ".join(await _largest(capture))
        return Unavailable(
            f"There is no room in {self._folder} for what workspace {name} holds beside git, "
            f"{-(-needed // 1024 // 1024)} MB or more; nothing was removed.",
            hint="Make room on that disk, or remove files from the workspace."
            + (f" The largest there: {largest}." if largest else ""),
        )


def _archiving(capture: Capture, *, without: Collection[str], gnu: bool) -> Launch:
    """The command that makes a compressed archive of the names it is given on stdin, NUL between them."""
    left_out = [f"--exclude={name}" for name in without]
    special = ["-S", *(["--exclude-caches-all"] if without else [])] if gnu else []
    return capture.reading("tar", "-c", "-z", *special, *left_out, "-f", "-", "--null", "-T", "-")


async def _room_for(capture: Capture, names: bytes, *, without: Collection[str], nul: bool) -> int:
    """The bytes that names take on the disk; NUL between them, and if it is said so between the answers."""
    special = ["-0"] if nul else []
    argv = ("xargs", "-0", "du", "-s", "-k", *special, *(f"--exclude={name}" for name in without), "--")
    said = await execute(capture.reading(*argv), stdin=names, deadline_seconds=DEADLINE_SECONDS)
    sizes = (line.partition(b"\t")[0] for line in said.out.split(b"\0" if nul else b"\n"))
    return sum(int(size) for size in sizes if size.isdigit()) * 1024


async def _largest(capture: Capture) -> list[str]:
    """The files that take the most room, with their size, for a person to read."""
    argv = ("find", ".", "-type", "f", "-size", "+1024k", "-exec", "du", "-k", "{}", "+")
    said = await execute(capture.reading(*argv), deadline_seconds=DEADLINE_SECONDS)
    pairs = (line.partition("\t")[::2] for line in said.text.splitlines())
    found = sorted(((int(size), name) for size, name in pairs if size.isdigit()), reverse=True)
    return [f"{name.removeprefix('./')} ({size // 1024} MB)" for size, name in found[:_MOST_NAMED]]


async def _fill(launch: Launch, file: Path, names: bytes, *, needed: int, most: int) -> None:
    """Write an archive to the disk, to last. Raises `Broken` if it is not whole, `TooMuch` past `most` bytes."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    async def write(piece: bytes) -> None:
        await asyncio.to_thread(_write, descriptor, piece)

    try:
        deadline = DEADLINE_SECONDS + needed / SLOWEST
        said = await stream(launch, write, stdin=names, deadline_seconds=deadline, limit=most)
        if said.code not in (_DONE, _FILE_CHANGED):
            raise Broken(f"What git left out could not be archived; nothing was removed. {said.complaint}".strip())
        await asyncio.to_thread(os.fsync, descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]
