"""What commands write: kept in a file of bounded size, and made fit for a person's terminal.

Check commands run code that an agent wrote, so nothing of their output is trusted to be text.
"""

import os
import re
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

MOST_BYTES = 8 * 1024 * 1024
TAIL_CHARACTERS = 4096

# A terminal's control sequences: those with parameters, those with a text up to a bell or a terminator, the rest.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]?"
)
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\r\n])")
# Controls but for tab and line feed, and marks that change the direction in which text is read.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def readable(output: bytes) -> str:
    """Output as plain text: no escape sequences, no control characters, of a line only what was written last."""
    text = _ESCAPE.sub("", output.decode(errors="replace"))
    return _CONTROL.sub("", _OVERWRITTEN.sub("", text.replace("\r\n", "\n")))


class Tail:
    """The end of what one command wrote."""

    def __init__(self) -> None:
        # Escape sequences take room and are taken out later.
        self._most = 4 * TAIL_CHARACTERS
        self._bytes = b""

    def write(self, data: bytes) -> None:
        """Add to the end."""
        self._bytes = (self._bytes + data)[-self._most :]

    def text(self) -> str:
        """The last few thousand characters, readable."""
        return readable(self._bytes)[-TAIL_CHARACTERS:]


class KeptOutput:
    """A file, readable by its owner only, that takes any amount and keeps the first and the last part of it.

    The first half is on disk as it comes, the last half when it is closed; between them a line says what is left out.
    When the disk takes no more, `lost` says why, and what a command does is not disturbed by it.
    """

    def __init__(self, path: Path, *, most: int = MOST_BYTES) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._head_room = most // 2
        self._most_tail = most - most // 2
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._left_out = 0
        self.lost = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Take in some output."""
        head, rest = data[: self._head_room], data[self._head_room :]
        self._head_room -= len(head)
        self._to_disk(head)
        if rest:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail and self._tail_size - self._most_tail >= len(self._tail[0]):
            gone = len(self._tail.popleft())
            self._tail_size -= gone
            self._left_out += gone

    def close(self) -> None:
        """Write down the rest. May be repeated."""
        if self._file < 0:
            return
        rest = b"".join(self._tail)
        over = max(0, len(rest) - self._most_tail)
        left_out = self._left_out + over
        if left_out:
            self._to_disk(f"\n[... {left_out} bytes are left out here ...]\n".encode())
        self._to_disk(rest[over:])
        os.close(self._file)
        self._file = -1

    def _to_disk(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view and not self.lost:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            self.lost = error.strerror or str(error)
