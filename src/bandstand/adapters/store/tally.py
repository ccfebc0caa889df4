"""What a log says of itself in a small file beside it: how far it has come, and how it was closed.

A database that has lost its last transactions looks whole, and so does one in which bytes were exchanged where only
facts stand. The tally tells: behind every commit it says up to which version each repository has facts, and when the
log is closed in order, it has the checksum of the whole file. What stays true: it never says more than is on the disk,
since it is written behind the facts, and it is never needed: without it the log is looked through whole.
"""

import json
import logging
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

_BLOCK = 2**20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far a log had come: its last sequence, and the version of each repository.

    `checksum` and `size` are those of the file as it was closed, if it was. `suspect` says why the file has to be
    looked through whole, if it has.
    """

    sequence: int = 0
    heads: Mapping[str, int] = field(default_factory=dict)
    size: int = 0
    checksum: int | None = None
    suspect: str = ""


def place(database: Path) -> Path:
    """Where the tally of a database is."""
    return database.with_name(database.name + ".tally")


def read(database: Path) -> Tally | None:
    """What is said of a database; nothing if nothing was said, or if it cannot be trusted."""
    try:
        line = place(database).read_bytes().split(b"\n", 1)[0]
        checksum, text = line.split(b" ", 1)
        return Tally(**json.loads(text)) if int(checksum) == zlib.crc32(text) else None
    except (OSError, ValueError, TypeError):
        return None


def write(database: Path, said: Tally) -> None:
    """Say something else of a database. On a disk that does not take it, what was said before stays."""
    text = json.dumps(
        {
            "sequence": said.sequence,
            "heads": dict(said.heads),
            "size": said.size,
            "checksum": said.checksum,
            "suspect": said.suspect,
        }
    ).encode()
    file = os.open(place(database), os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        # In place and at once: there is room for it already, and a process that is killed leaves one or the other.
        os.pwrite(file, b"%d %s\n" % (zlib.crc32(text), text), 0)
    finally:
        os.close(file)


class Keeping:
    """Keeps the tally of a log that is open. It is used by the thread that writes the log."""

    def __init__(self, database: Path, said: Tally) -> None:
        self._database = database
        self._said = replace(said, size=0, checksum=None)
        write(database, self._said)

    def advance(self, sequence: int, heads: Mapping[str, int]) -> None:
        """There are more facts on the disk. It may fail to say so: then the tally is behind, and does no harm."""
        self._said = replace(self._said, sequence=sequence, heads={**self._said.heads, **heads})
        self._say()

    def suspect(self, why: str) -> None:
        """The file has to be looked through whole when it is opened next."""
        self._said = replace(self._said, suspect=why)
        self._say()

    def close(self) -> None:
        """The log was closed, in order as far as that can be seen: nothing waits in a file beside it."""
        if not self._said.suspect and not _waiting(self._database):
            size, checksum = checksum_of(self._database)
            self._said = replace(self._said, size=size, checksum=checksum)
            self._say()

    def _say(self) -> None:
        try:
            write(self._database, self._said)
        except OSError as error:
            _log.warning("the tally of %s stays behind: %s", self._database, error)


def as_closed(database: Path, said: Tally) -> bool:
    """Whether a database is, byte by byte, what it was when it was last closed in order."""
    if said.checksum is None or said.suspect or _waiting(database) or database.stat().st_size != said.size:
        return False
    return checksum_of(database) == (said.size, said.checksum)


def _waiting(database: Path) -> bool:
    return database.with_name(database.name + "-wal").exists()


def checksum_of(path: Path) -> tuple[int, int]:
    """The size of a file and the CRC-32 of all of it: a gigabyte takes about a quarter of a second."""
    size = checksum = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            size += len(block)
            checksum = zlib.crc32(block, checksum)
    return size, checksum
