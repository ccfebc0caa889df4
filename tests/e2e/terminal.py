"""A terminal with a person at it, around one command."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from types import TracebackType
from typing import Self

import pytest

from tests.e2e.stage import PATIENCE_SECONDS, Stage


class Terminal:
    """`band` in a terminal of 80 columns, with colours. It is ended with the `with`, if it has not ended by itself."""

    def __init__(self, stage: Stage, *words: str) -> None:
        self._heard = ""
        self._code: int | None = None
        environment = {name: value for name, value in stage.environment.items() if name != "NO_COLOR"}
        command = stage.command(*words)
        folder = stage.repositories[0].path
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execve(command[0], command, {**environment, "TERM": "xterm-256color"})
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def types(self, text: str) -> None:
        """Press these keys."""
        os.write(self._terminal, text.encode())

    def hears(self, words: str) -> str:
        """All that was written up to these words, which have to come."""
        if not self._read_until(words):
            pytest.fail(f"{words!r} was not written:\n{self._heard}")
        before, _, self._heard = self._heard.partition(words)
        return before

    def ends(self) -> int:
        """The exit code, once it has ended by itself."""
        if self._read_until(None):
            pytest.fail(f"It did not end:\n{self._heard}")
        _, status = os.waitpid(self._pid, 0)
        self._code = os.waitstatus_to_exitcode(status)
        assert "Traceback" not in self._heard, self._heard
        return self._code

    def _read_until(self, words: str | None) -> bool:
        """Whether the words were written. Without words: whether it has not ended in time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words is None or words not in self._heard:
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return words is None
            try:
                self._heard += os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:  # whoever had the other end has gone
                return False
        return True
