"""Facts that this program does not know, as a newer one would leave them behind."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from bandstand.adapters.store.digests import digest
from bandstand.domain.ids import RepositoryId


def make_unreadable(database: Path, repository: RepositoryId) -> None:
    """Have the facts of a repository say something that nobody knows. Each of them is as it was written."""
    _rewrite(
        database, repository, lambda said: said.replace("{", '{"unknown":1,' if said != "{}" else '{"unknown":1', 1)
    )


def make_readable(database: Path, repository: RepositoryId) -> None:
    """Have them say what they said before."""
    _rewrite(database, repository, lambda said: said.replace('"unknown":1,', "", 1).replace('"unknown":1', "", 1))


def _rewrite(database: Path, repository: RepositoryId, change: Callable[[str], str]) -> None:
    columns = "sequence, repository, version, at, type, type_version, payload, task"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        rows = connection.execute(f"SELECT {columns} FROM events WHERE repository = ?", (repository,)).fetchall()
        for sequence, name, version, at, kind, type_version, payload, task in rows:
            new = change(payload)
            row = (sequence, name, version, at, kind, type_version, new, task)
            connection.execute(
                "UPDATE events SET payload = ?, digest = ? WHERE sequence = ?", (new, digest(*row), sequence)
            )
