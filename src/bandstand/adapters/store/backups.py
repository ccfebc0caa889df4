"""Copies of a database as an older program left it, made before this one changes it: the way back from an upgrade."""

import asyncio
import contextlib
import os
import sqlite3
from datetime import datetime
from pathlib import Path

from bandstand.adapters.store import schema
from bandstand.adapters.store.troubles import troubles_told

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


async def remove(copy: Path) -> None:
    """Remove one copy. Raises `Broken` or `Unavailable` if that cannot be."""
    with troubles_told(copy):
        await asyncio.to_thread(copy.unlink, missing_ok=True)


def is_copy(name: str) -> bool:
    """Whether a name in the folder of copies is that of a whole one."""
    return not name.startswith(".")


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
