"""What SQLite and the disk say of a database, in words: who has to act, and how."""

import contextlib
import errno
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from bandstand.domain.errors import BandstandError, Broken, Unavailable

RECOVERS = "The next daemon saves what can be read: band down, then any command."
KEEP_A_COPY = (
    "Move it away, with the files beside it that begin with its name, to begin a new one: branches and commits are in "
    "your repositories and stay. Copies from before upgrades are in the folder `backups` beside it."
)
_NO_TEXT = "Could not decode to UTF-8"  # how Python begins, and goes on with all that stands there
_TROUBLES: Mapping[int, tuple[type[BandstandError], str, str]] = {
    sqlite3.SQLITE_BUSY: (Unavailable, "Another program is writing to {path}.", "Try again; `fuser` names it."),
    sqlite3.SQLITE_LOCKED: (Unavailable, "Another program is writing to {path}.", "Try again; `fuser` names it."),
    sqlite3.SQLITE_FULL: (Unavailable, "There is no room on the disk for {path}.", "Make room, and try again."),
    sqlite3.SQLITE_IOERR: (Unavailable, "The disk fails with {path}: {error}.", "Look at the disk, and try again."),
    sqlite3.SQLITE_NOMEM: (Unavailable, "There is no memory left to use {path}.", "Try again."),
    sqlite3.SQLITE_READONLY: (Broken, "{path} cannot be written.", "Make it and its folder writable."),
    sqlite3.SQLITE_CANTOPEN: (Broken, "{path} cannot be opened.", "Make it and its folder readable and writable."),
    sqlite3.SQLITE_PERM: (Broken, "{path} may not be opened.", "Make it and its folder readable and writable."),
    sqlite3.SQLITE_CORRUPT: (Broken, "The database {path} is damaged: {error}.", RECOVERS),
    sqlite3.SQLITE_NOTADB: (Broken, "{path} is not a database.", KEEP_A_COPY),
}


@contextlib.contextmanager
def troubles_told(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say of the database at `path` into `Unavailable` or `Broken`, in words."""
    try:
        yield
    except sqlite3.Error as error:
        if str(error).startswith(_NO_TEXT):
            raise Broken(f"The database {path} is damaged: what should be text is none.", hint=RECOVERS) from error
        # The low byte is the kind of trouble; the rest are its details.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        kind, message, hint = _TROUBLES.get(code, (Broken, "The database {path} fails: {error}.", RECOVERS))
        raise kind(message.format(path=path, error=error), hint=hint) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Unavailable(f"There is no room on the disk for {path}.", hint="Make room, and try again.") from error
        if error.errno == errno.EROFS:
            raise read_only(path) from error
        hint = "Look at the disk, and make the folder writable."
        raise Broken(f"{error.filename or path} cannot be used: {error.strerror}.", hint=hint) from error


def read_only(path: Path) -> Unavailable:
    """What is said of a disk that cannot be written now."""
    return Unavailable(f"The disk of {path} can only be read.", hint="See why, and make it writable: `findmnt` tells.")
