"""A run's journal, as its holder writes it: one file that only ever grows, of whole records."""

import contextlib
import json
import os
import time
from typing import Any

PIECE = 8 << 20  # bytes of a line that a record holds at most


def record(kind: bytes, payload: bytes, key: str = "-") -> bytes:
    """One record as it stands in the journal."""
    return b"%s %d %d %s %s\n" % (kind, time.time() * 1000, len(payload), key.encode(), payload)


class Journal:
    """Made once, only ever longer. A record that does not fit whole leaves nothing behind."""

    def __init__(self) -> None:
        self.fd = os.open("journal", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self.size = 0
        self.keys: dict[str, int] = {}
        self.waiting = b""  # what was said and the disk did not take
        self._parts: list[bytes] = []  # of the agent's present line
        self._held = self._cut = 0  # bytes of it: in `_parts`, in a record already

    def append(self, data: bytes) -> bool:
        """Write all of `data` behind the rest, or nothing: False if the disk does not take it."""
        try:
            done = os.pwrite(self.fd, data, self.size)
            while done < len(data):
                done += os.pwrite(self.fd, memoryview(data)[done:], self.size + done)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self.fd, self.size)
            return False
        self.size += done
        return True

    def keep(self, data: bytes = b"") -> None:
        """Write `data` and whatever waits, or let it wait until the disk takes it."""
        data = self.waiting + data if self.waiting else data
        self.waiting = b"" if self.append(data) else data

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
            os.fdatasync(self.fd)

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
        self.keep(b"".join(records))
