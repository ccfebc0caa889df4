"""A run's journal, as its holder writes it: whole records, in files that only ever grow.

It begins in `journal`. A file that has grown long is left as it is, and the next record goes to a new one that has the
record's offset in its name: `journal.0000000004194304`. Offsets count on through all of them, and no line of the agent
begins in one and ends in another. What becomes of those that are left, but for the first, is the daemon's business.
"""
# ruff: noqa: PTH108 - pathlib would be a tenth of the start of a process that every run starts

from __future__ import annotations

import contextlib
import json
import os
import time

from bandstand.adapters.hosts.holder import FULL, SEGMENT

TYPE_CHECKING = False  # see `loop`
if TYPE_CHECKING:
    from typing import Any

RECENT = 1 << 16  # bytes that are at hand for who reads on, at most
PIECE = 8 << 20  # bytes of a line that a record holds at most


def record(kind: bytes, payload: bytes, key: str = "-") -> bytes:
    """One record as it stands in the journal."""
    return b"%s %d %d %s %s\n" % (kind, time.time() * 1000, len(payload), key.encode(), payload)


def name(base: int) -> str:
    """The file whose first byte is the journal's byte `base`."""
    return f"journal.{base:016d}" if base else "journal"


def create(base: int) -> int:
    """That file, new and open."""
    return os.open(name(base), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)


class Journal:
    """Made once, only ever longer. A record that does not fit whole leaves nothing behind."""

    def __init__(self, *, segment: int = SEGMENT) -> None:
        self.size = 0
        self.keys: dict[str, int] = {}
        self.waiting = b""  # what was said and the disk did not take
        self._segment = segment
        self._bases = [0]  # where each file begins
        self._base = 0  # where the last one does
        self._fd = create(0)
        self._parts: list[bytes] = []  # of the agent's present line
        self._held = self._cut = 0  # bytes of it: in `_parts`, in a record already
        self._last = b""  # what was written last, if that is short
        self._full = False  # whether the disk did not take what we last wrote
        self._parted = False  # whether the journal ends within a line

    def append(self, data: bytes) -> bool:
        """Write whole records behind the rest, all of them or nothing: False if the disk does not take them."""
        if self.size - self._base >= self._segment and not self._parted:
            self._turn_over()
        place = self.size - self._base
        try:
            done = os.pwrite(self._fd, data, place)
            while done < len(data):
                done += os.pwrite(self._fd, memoryview(data)[done:], place + done)
        except OSError:
            self._full = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, place)
                os.close(os.open(FULL, os.O_WRONLY | os.O_CREAT, 0o600))
            return False
        self.size += done
        self._last = data if done <= RECENT else b""
        if self._full:
            self._full = False
            with contextlib.suppress(OSError):
                os.unlink(FULL)
        return True

    def _turn_over(self) -> None:
        """Go on in a new file; in the old one while none can be made."""
        with contextlib.suppress(OSError):
            fd = create(self.size)
            os.close(self._fd)
            self._fd, self._base = fd, self.size
            self._bases.append(self.size)

    def send_to(self, socket: int, offset: int) -> int:
        """Give a socket what stands at `offset`, as far as it takes it and the file goes. Raises `OSError`."""
        if self._last and offset == self.size - len(self._last):
            return os.write(socket, self._last)  # at hand: the way through the file costs more
        if offset >= self._base:
            return os.sendfile(socket, self._fd, offset - self._base, self.size - offset)
        number = sum(base <= offset for base in self._bases)
        base, end = self._bases[number - 1 : number + 1]
        # Not kept open: it may be gone, or packed; whoever reads knows where to look.
        old = os.open(name(base), os.O_RDONLY)
        try:
            return os.sendfile(socket, old, offset - base, end - offset)
        finally:
            os.close(old)

    def keep(self, data: bytes = b"") -> None:
        """Write `data` and whatever waits, or let it wait until the disk takes it."""
        data = self.waiting + data if self.waiting else data
        if self.append(data):
            self.waiting, self._parted = b"", self._cut > 0
        else:
            self.waiting = data

    def note(self, name: str, **facts: Any) -> None:
        """Keep a record of the holder's own."""
        self.keep(record(b"!", json.dumps({"note": name, **facts}).encode()))

    def send(self, key: str, line: bytes) -> bool:
        """Keep a line to the agent under its key, and have it on the disk: False if there is no room for it."""
        offset = self.size
        if self.waiting or not self.append(record(b">", line, key)):
            return False
        self.keys[key] = offset
        self.flush()
        return True

    def flush(self) -> None:
        """Have everything on the disk."""
        with contextlib.suppress(OSError):
            os.fdatasync(self._fd)

    def hear(self, data: bytes) -> None:
        """Keep the lines that these bytes of the agent complete; no bytes are its end."""
        head, newline, tail = data.rpartition(b"\n")  # looked for in new bytes only: a line may be huge
        records = []
        if newline:
            lines = b"".join((*self._parts, head)).split(b"\n")
            now = time.time() * 1000
            records = [b"< %d %d - %s\n" % (now, len(line), line) for line in lines]
            self._parts, self._held, self._cut = [], 0, 0
        if tail:
            self._parts.append(tail)
            self._held += len(tail)
        if self._held >= PIECE or (not data and self._held + self._cut):
            records.append(record(b"+" if data else b"~", b"".join(self._parts)))
            self._parts, self._held, self._cut = [], 0, self._held
        if records:
            self.keep(b"".join(records))
