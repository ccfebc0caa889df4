"""A SQLite file of ours: made, looked at before anything is changed, brought up to date, its troubles in words.

What stays true: a file that is no database and holds no fact of ours, belongs to another program, or was written by a
newer program is left as it is. A file made here can be read by its owner only, as can the folder if it is made here.
"""

import contextlib
import errno
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bandstand.adapters.store import backups, digests, projections, recovery, schema, tally
from bandstand.adapters.store.codec import event_codec
from bandstand.adapters.store.examination import damage, is_damage, missing
from bandstand.adapters.store.schema import APPLICATION_ID, MIGRATIONS, number
from bandstand.adapters.store.troubles import KEEP_A_COPY, read_only, troubles_told
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable

OLDEST_SQLITE = (3, 38, 0)
LOOKED_THROUGH_BYTES = 32 * 2**20
"""A database up to this size is looked through whole when it is opened and was not closed in order.

It takes about 10 ms per MiB. A larger one is looked through while it is used already.
"""

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A connection that writes, and what is kept beside it. `unseen` tells that nobody looked at all of it yet."""

    connection: sqlite3.Connection
    keeping: tally.Keeping
    unseen: bool


def connect_to_write(path: Path, *, wait_seconds: float, now: datetime) -> Opened:
    """A connection for the calling thread to the database at `path`, made if there is none and brought up to date.

    A lock of another program is waited for that long. A damaged file gives way to a new one with all that can be read
    in it. Raises `Refused` for a database of a newer program, `Broken` for one of which nothing can be read, which is
    not ours or cannot be used at all, `Unavailable` for one that cannot be used now.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Broken(
            f"This Python brings SQLite {sqlite3.sqlite_version}, which is too old.",
            hint="Use a Python with SQLite 3.38 or newer.",
        )
    with troubles_told(path):
        _make_folder(path)
        recovery.finish(path)
        said = tally.read(path) if path.exists() else None
        _make(path)
        look = _looked_at(path, said, wait_seconds)
        if look.damage:
            _log.error("the database %s is damaged, and what can be read of it is saved: %s", path, look.damage)
            _recover(path, said, look, now)
        connection = _attached(path, "rw", wait_seconds)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(connection.close)
            _set_up(connection, path, wait_seconds, now)
            if look.through or look.damage:
                _remake(connection)
            keeping = tally.Keeping(path, _tallied(connection))
            on_failure.pop_all()
        return Opened(connection=connection, keeping=keeping, unseen=look.unseen)


def connect_to_read(path: Path, *, wait_seconds: float) -> sqlite3.Connection:
    """A connection for the calling thread that reads a database which one that writes is connected to."""
    with troubles_told(path):
        connection = _attached(path, "rw", wait_seconds)
        connection.execute("PRAGMA query_only = ON")
        digests.register(connection)
        return connection


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unmakable(path, error) from error


def _make(path: Path) -> None:
    try:
        # Never opened when it exists: closing it would drop the locks that this process has on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        # SQLite would be content to read it.
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            raise read_only(path) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise Broken(f"{path} cannot be written.", hint="Make it and its folder writable.") from None
    except OSError as error:
        raise _unmakable(path, error) from error


def _unmakable(path: Path, error: OSError) -> BandstandError:
    if error.errno == errno.EROFS:
        return read_only(path)
    kind = Unavailable if error.errno in (errno.ENOSPC, errno.EDQUOT) else Broken
    return kind(f"{path} cannot be made: {error.strerror}.", hint="Make its folder writable.")


def _attached(path: Path, mode: str, wait_seconds: float) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=wait_seconds, isolation_level=None)


# --- looking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What was seen of a file before anything is changed.

    `damage` says what is wrong with it, `otherwise` what to tell if no fact of ours can be read in it. It was looked at
    `through` and through, or is `unseen`: too large for that, and not as it was closed.
    """

    damage: str = ""
    otherwise: BandstandError | None = None
    through: bool = False
    unseen: bool = False


def _looked_at(path: Path, said: tally.Tally | None, wait_seconds: float) -> _Look:
    if said is not None and said.sequence and not path.stat().st_size:
        # SQLite would take it for a new one, and remove the write-ahead log.
        what = Broken(f"{path} is empty, and {said.sequence} facts were in it.", hint=KEEP_A_COPY)
        return _Look(damage="it is empty", otherwise=what)
    # A connection that may only read changes nothing, not even by closing.
    try:
        with contextlib.closing(_attached(path, "ro", wait_seconds)) as looking:
            looking.execute("BEGIN")  # One moment of it: another process may be making it just now.
            return _look(looking, path, said)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        what = Broken(f"{path} is not a database.", hint=KEEP_A_COPY)
        return _Look(damage=str(error), otherwise=what)


def _look(connection: sqlite3.Connection, path: Path, said: tally.Tally | None) -> _Look:
    """Tell whether a database is ours, not newer than we are, and whole as far as that can be told quickly."""
    owner = number(connection, "PRAGMA application_id")
    version = schema.version(connection)
    tables = number(connection, "SELECT count(*) FROM sqlite_master")
    if (owner, version, tables) == (0, 0, 0):
        return _Look(damage="it is empty" if said is not None and said.sequence else "")
    if owner != APPLICATION_ID:
        what = Broken(f"{path} is the database of another program.", hint="Move it away, or use another folder.")
        return _Look(damage="its header is not ours", otherwise=what)
    if version > len(MIGRATIONS):
        raise _newer(path, f"its schema is {version}, and this one knows {len(MIGRATIONS)}")
    if said is not None and tally.as_closed(path, said):
        return _Look()
    size = number(connection, "PRAGMA page_count") * number(connection, "PRAGMA page_size")
    through = size <= LOOKED_THROUGH_BYTES or (said is not None and (said.suspect or said.checksum is not None))
    found = damage(connection) if through else ""
    if not found and said is not None:
        found = missing(connection, said.heads)
    return _Look(damage=found, through=bool(through), unseen=not through)


def _newer(path: Path, how: str) -> Refused:
    return Refused(
        f"{path} was written by a newer Bandstand: {how}.",
        hint="Upgrade this Bandstand, or use another folder for its state. Copies from before are in `backups` beside "
        "the file.",
    )


def _recover(path: Path, said: tally.Tally | None, look: _Look, now: datetime) -> None:
    try:
        recovery.recover(path, said, why=look.damage, now=now)
    except Broken:
        if look.otherwise is not None:
            raise look.otherwise from None
        what = f"The database {path} is damaged, and nothing in it can be read: {look.damage}."
        raise Broken(what, hint=KEEP_A_COPY) from None


# --- bringing up to date --------------------------------------------------------------------------------------------


def _set_up(connection: sqlite3.Connection, path: Path, wait_seconds: float, now: datetime) -> None:
    _write_ahead(connection, path, wait_seconds)
    # FULL waits for the disk at every commit; on macOS only a full flush reaches it.
    for setting in ("synchronous = FULL", "fullfsync = ON", "journal_size_limit = 67108864"):
        connection.execute(f"PRAGMA {setting}")
    digests.register(connection)
    if schema.known_kinds(connection) != event_codec().versions:
        _upgrade(connection, path, now)
    if connection.execute(projections.BEHIND).fetchone() is not None:
        _remake(connection)


def _upgrade(connection: sqlite3.Connection, path: Path, now: datetime) -> None:
    """Let this program go on with the file of another one, which is kept as it is if there is anything in it."""
    if schema.version(connection) and connection.execute("SELECT 1 FROM events LIMIT 1").fetchone() is not None:
        if (unknown := schema.unknown_kind(connection)) is not None:
            raise _newer(path, f"facts of the kind {unknown} are not known here")
        _log.info("the database is kept as it was before the upgrade: %s", backups.back_up(connection, path, now=now))
    with transaction(connection):
        schema.migrate(connection)
        schema.keep_known_kinds(connection)


def _remake(connection: sqlite3.Connection) -> None:
    """Make what is kept beside the facts again from them."""
    with transaction(connection):
        for statement in projections.REBUILD:
            connection.execute(statement)


def _tallied(connection: sqlite3.Connection) -> tally.Tally:
    last = number(connection, "SELECT coalesce(max(sequence), 0) FROM events")
    heads = dict(connection.execute("SELECT repository, version FROM repositories").fetchall())
    return tally.Tally(sequence=last, heads=heads)


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
