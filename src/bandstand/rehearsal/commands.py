"""Commands of the workspace. Only a turn that runs one loads this module: it is the slow part of the standard library.

A command is the head of a process group of its own. If waiting for it is given up, by a cancellation or because the
client has gone or by SIGTERM, the whole group is ended first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

LONGEST_OUTPUT = 64 * 1024
_SHOW_EVERY = 0.25
_GRACE = 0.5


class Output:
    """The end of what a command wrote, `LONGEST_OUTPUT` bytes of it, and how much of it was left out."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        """Take more of it."""
        self._kept += data
        excess = len(self._kept) - LONGEST_OUTPUT
        if excess > 0:
            del self._kept[:excess]
            self._dropped += excess

    def text(self) -> str:
        """It as text; bytes that are none are shown as such."""
        note = f"[{self._dropped} bytes left out]\n" if self._dropped else ""
        return note + self._kept.decode("utf-8", "replace")


def run(
    argv: Sequence[str],
    *,
    cwd: str,
    wait: Callable[..., list[int]],
    show: Callable[[str], None],
) -> tuple[int, str]:
    """Run a command to its end; returns its exit code (negative: a signal) and its output, both streams in one.

    `wait(seconds, *files)` says which files can be read, and may raise to give up. `show` gets the output so far, at
    once and then four times a second at most. Processes that the command leaves behind go on. Raises `OSError`.
    """
    with _woken_by_children() as alarm:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output = _follow(process, alarm=alarm, wait=wait, show=show)
        finally:
            if process.returncode is None:
                _end(process)
        return process.returncode, output.text()


def _follow(
    process: subprocess.Popen[bytes], *, alarm: int, wait: Callable[..., list[int]], show: Callable[[str], None]
) -> Output:
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    output = Output()
    files = [pipe, alarm]
    shown, due = 0.0, False
    while process.poll() is None:
        ready = wait(_SHOW_EVERY if due else None, *files)
        if alarm in ready:
            os.read(alarm, 4096)
        if pipe in ready:
            data = os.read(pipe, LONGEST_OUTPUT)
            output.add(data)
            due = due or bool(data)
            if not data:
                files.remove(pipe)
        if due and time.monotonic() - shown >= _SHOW_EVERY:
            show(output.text())
            shown, due = time.monotonic(), False
    # What the command wrote last is in the pipe; what it left behind may write into it for ever.
    with contextlib.suppress(BlockingIOError):
        for _ in range(64):
            output.add(os.read(pipe, LONGEST_OUTPUT))
    process.stdout.close()
    return output


@contextlib.contextmanager
def _woken_by_children() -> Iterator[int]:
    """A file that can be read when a child has ended. Meanwhile SIGTERM ends this process the orderly way."""
    alarm, bell = os.pipe()
    os.set_blocking(alarm, False)
    os.set_blocking(bell, False)
    old_child = signal.signal(signal.SIGCHLD, lambda *_: None)
    old_term = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    old_bell = signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    try:
        yield alarm
    finally:
        signal.set_wakeup_fd(old_bell)
        signal.signal(signal.SIGCHLD, old_child)
        signal.signal(signal.SIGTERM, old_term)
        os.close(alarm)
        os.close(bell)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
