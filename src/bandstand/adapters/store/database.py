"""A SQLite file of ours: made, looked at before anything is changed, brought up to date, and its troubles in words.

What stays true: a file that is no database, belongs to another program, is damaged, or was written by a newer program
is left as it is. A file made here can be read by its owner only, as can the folder if it is made here.
"""

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bandstand.adapters.store import projections
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable

APPLICATION_ID = 0x42414E44
"""What the header of every database of Bandstand says: the letters BAND."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            repository TEXT NOT NULL,
            version INTEGER NOT NULL,
            at TEXT NOT NULL,
            type TEXT NOT NULL,
            type_version INTEGER NOT NULL,
            payload TEXT NOT NULL,
            UNIQUE (repository, version)
        ) STRICT
        """,
    ),
    (
        "ALTER TABLE events ADD COLUMN task TEXT",
        """
        UPDATE events SET task = CASE type
            WHEN 'TaskSubmitted' THEN json_extract(payload, '$.spec.id')
            WHEN 'RunStarted' THEN json_extract(payload, '$.run.task')
            WHEN 'AskRaised' THEN json_extract(payload, '$.ask.task')
            ELSE json_extract(payload, '$.task')
        END
        """,
        "CREATE INDEX events_of_tasks ON events (repository, task, version)",
        *projections.SCHEMA,
        *projections.REBUILD,
    ),
)
"""What makes the schema of one version that of the next, from an empty file on. What stands here is never changed."""

OLDEST_SQLITE = (3, 38, 0)
LOOKED_THROUGH_BYTES = 32 * 2**20
"""A database up to this size is looked through whole when it is opened, which takes about 2 ms per MiB."""

_KEEP_A_COPY = (
    "Keep a copy of it, with the files `-wal` and `-shm` beside it. `sqlite3 FILE .recover` saves what can still be "
    "read; or move it away to begin a new one: branches and commits are in your repositories and stay."
)
_TROUBLES: Mapping[int, tuple[type[BandstandError], str, str]] = {
    sqlite3.SQLITE_BUSY: (Unavailable, "Another program is writing to {path}.", "Try again; `fuser` names it."),
    sqlite3.SQLITE_LOCKED: (Unavailable, "Another program is writing to {path}.", "Try again; `fuser` names it."),
    sqlite3.SQLITE_FULL: (Unavailable, "There is no room on the disk for {path}.", "Make room, and try again."),
    sqlite3.SQLITE_IOERR: (Unavailable, "The disk fails with {path}: {error}.", "Look at the disk, and try again."),
    sqlite3.SQLITE_NOMEM: (Unavailable, "There is no memory left to use {path}.", "Try again."),
    sqlite3.SQLITE_READONLY: (Broken, "{path} cannot be written.", "Make it and its folder writable."),
    sqlite3.SQLITE_CANTOPEN: (Broken, "{path} cannot be opened.", "Make it and its folder readable and writable."),
    sqlite3.SQLITE_PERM: (Broken, "{path} may not be opened.", "Make it and its folder readable and writable."),
    sqlite3.SQLITE_CORRUPT: (Broken, "The database {path} is damaged: {error}.", _KEEP_A_COPY),
    sqlite3.SQLITE_NOTADB: (Broken, "{path} is not a database.", "Look at what it is, and move it away."),
}


@contextlib.contextmanager
def troubles_told(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the database at `path` into `Unavailable` or `Broken`, in words."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the kind of trouble; the rest are its details.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        kind, message, hint = _TROUBLES.get(code, (Broken, "The database {path} fails: {error}.", _KEEP_A_COPY))
        raise kind(message.format(path=path, error=error), hint=hint) from error


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock from the beginning; commit at the end, or take everything back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """See the database as it is at one moment, however many questions are asked."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def connect_to_write(path: Path, *, wait_seconds: float) -> sqlite3.Connection:
    """A connection for the calling thread to the database at `path`, made if there is none and brought up to date.

    A lock of another program is waited for that long. Raises `Refused` for a database of a newer program, `Broken` for
    one that is damaged or not ours or cannot be used at all, `Unavailable` for one that cannot be used now.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Broken(
            f"This Python brings SQLite {sqlite3.sqlite_version}, which is too old.",
            hint="Use a Python with SQLite 3.38 or newer.",
        )
    _make(path)
    with troubles_told(path):
        # A connection that may only read changes nothing, not even by closing.
        with contextlib.closing(_attached(path, "ro", wait_seconds)) as looking:
            _look(looking, path)
        connection = _attached(path, "rw", wait_seconds)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(connection.close)
            _set_up(connection, path, wait_seconds)
            on_failure.pop_all()
        return connection


def connect_to_read(path: Path, *, wait_seconds: float) -> sqlite3.Connection:
    """A connection for the calling thread that reads a database which one that writes is connected to."""
    with troubles_told(path):
        connection = _attached(path, "rw", wait_seconds)
        connection.execute("PRAGMA query_only = ON")
        return connection


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never opened when it exists: closing it would drop the locks that this process has on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        # SQLite would be content to read it.
        if not os.access(path, os.R_OK | os.W_OK):
            raise Broken(f"{path} cannot be written.", hint="Make it and its folder writable.") from None
    except OSError as error:
        kind = Unavailable if error.errno in (errno.ENOSPC, errno.EDQUOT) else Broken
        raise kind(f"{path} cannot be made: {error.strerror}.", hint="Make its folder writable.") from error


def _attached(path: Path, mode: str, wait_seconds: float) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=wait_seconds, isolation_level=None)


def _number(connection: sqlite3.Connection, question: str) -> int:
    return int(connection.execute(question).fetchone()[0])


def _look(connection: sqlite3.Connection, path: Path) -> None:
    """Tell whether a database is ours, not newer than we are, and whole as far as that can be told quickly."""
    connection.execute("BEGIN")  # One moment of it: another process may be making it just now.
    owner = _number(connection, "PRAGMA application_id")
    schema = _number(connection, "PRAGMA user_version")
    if owner != APPLICATION_ID and (owner, schema, _number(connection, "SELECT count(*) FROM sqlite_master")) != (
        0,
        0,
        0,
    ):
        raise Broken(f"{path} is the database of another program.", hint="Move it away, or use another folder.")
    if schema > len(MIGRATIONS):
        raise Refused(
            f"{path} was written by a newer Bandstand: its schema is {schema}, and this one knows {len(MIGRATIONS)}.",
            hint="Upgrade this Bandstand, or use another folder for its state.",
        )
    size = _number(connection, "PRAGMA page_count") * _number(connection, "PRAGMA page_size")
    if size <= LOOKED_THROUGH_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise Broken(f"The database {path} is damaged: {found}.", hint=_KEEP_A_COPY)


def _set_up(connection: sqlite3.Connection, path: Path, wait_seconds: float) -> None:
    _write_ahead(connection, path, wait_seconds)
    # FULL waits for the disk at every commit; on macOS only a full flush reaches it.
    for setting in ("synchronous = FULL", "fullfsync = ON", "journal_size_limit = 67108864"):
        connection.execute(f"PRAGMA {setting}")
    if _number(connection, "PRAGMA user_version") < len(MIGRATIONS):
        with transaction(connection):
            _migrate(connection)
    if connection.execute(projections.BEHIND).fetchone() is not None:
        with transaction(connection):
            for statement in projections.REBUILD:
                connection.execute(statement)


def _write_ahead(connection: sqlite3.Connection, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while (mode := _mode_after_asking_for_wal(connection)) is None:
        if time.monotonic() > deadline:
            raise Unavailable(f"Another program is making {path}.", hint="Try again; `fuser` names it.")
        time.sleep(0.01)
    if mode != "wal":
        raise Broken(f"{path} is on a disk that cannot share memory.", hint="Use a folder on a local disk.")


def _mode_after_asking_for_wal(connection: sqlite3.Connection) -> str | None:
    """The journal mode; nothing while another process is asking too, for SQLite does not wait for that lock."""
    try:
        return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return None


def _migrate(connection: sqlite3.Connection) -> None:
    # Another process may have been first.
    there = _number(connection, "PRAGMA user_version")
    for statements in MIGRATIONS[there:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {max(there, len(MIGRATIONS))}")
