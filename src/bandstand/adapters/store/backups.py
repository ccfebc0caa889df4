"""Copies of a database as an older program left it, made before this one changes it: the way back from an upgrade."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bandstand.adapters.store import schema
from bandstand.adapters.store.troubles import troubles_told
from bandstand.domain.remains import Aged, RemainsKind, Remnant, spent
from bandstand.ports.remains import Known

KEPT = 3
"""How many copies are kept: the last ones."""


def folder_of(database: Path) -> Path:
    """Where copies of a database are."""
    return database.with_name("backups")


def copies(database: Path) -> list[Path]:
    """The copies that there are, the oldest first."""
    return sorted(folder_of(database).glob(f"{database.stem}-*{database.suffix}"), key=lambda path: path.name)


def back_up(connection: sqlite3.Connection, database: Path, *, now: datetime) -> Path:
    """Copy what a connection sees, at one moment, to the disk. The oldest of too many copies go behind that.

    Raises `OSError` or `sqlite3.Error` if there is no room for it; then nothing of it is left.
    """
    folder = folder_of(database)
    folder.mkdir(mode=0o700, exist_ok=True)
    name = f"{database.stem}-{now:%Y%m%dT%H%M%SZ}-schema{schema.version(connection)}{database.suffix}"
    making = folder / f".{name}.making"
    for left in folder.glob(".*.making"):
        left.unlink(missing_ok=True)
    try:
        os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with contextlib.closing(sqlite3.connect(making, isolation_level=None)) as copy:
            connection.backup(copy)
        _flush(making)
        made = making.replace(folder / name)
    finally:
        making.unlink(missing_ok=True)
    _flush(folder)
    for old in copies(database)[:-KEPT]:
        old.unlink(missing_ok=True)
    return made


class BackupRemains:
    """The copies of a database that are kept no longer. They are those of all repositories, and each may find them."""

    def __init__(self, database: Path) -> None:
        self._database = database

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """The copies that are kept no longer."""
        return tuple(await asyncio.to_thread(lambda: [*self._find(known)]))

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """Remove one copy, if it still may go."""
        if all((one.kind, one.name) != (remnant.kind, remnant.name) for one in await self.find(known)):
            return False
        await asyncio.to_thread(self._remove, folder_of(self._database) / remnant.name)
        return True

    def _find(self, known: Known) -> Iterator[Remnant]:
        things = [_aged(copy) for copy in copies(self._database)]
        for aged, why in spent(things, known.retention.backups, now=known.now):
            words = f"the event log as it was before an upgrade; {why}"
            yield Remnant(kind=RemainsKind.BACKUP, name=aged.name, why=words, bytes=aged.bytes)

    def _remove(self, copy: Path) -> None:
        with troubles_told(copy):
            copy.unlink(missing_ok=True)


def _aged(copy: Path) -> Aged:
    seen = copy.lstat()
    return Aged(name=copy.name, last=datetime.fromtimestamp(seen.st_mtime, UTC), bytes=seen.st_blocks * 512)


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
