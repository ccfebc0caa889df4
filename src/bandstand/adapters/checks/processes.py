"""One command with everything it starts: its output as it comes, its exit code, and its end.

Every process of it carries a mark in its environment, the same whenever the check is run, so that also one whose runner
was killed finds its end when the check is run again. Walls of its own end a sandboxed tree at once; where there are
none, the mark finds what left the process group. What erases its environment as well is not found.
"""

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from bandstand.domain.errors import Broken
from bandstand.domain.limits import in_bytes
from bandstand.ports.hosts import Launch
from bandstand.starter.groups import Group
from bandstand.starter.handing import Start
from bandstand.starter.hearing import let_in, made_ready

MARK = "BANDSTAND_CHECK"

_CHUNK = 65536
_MOST_LAST_CHUNKS = 16  # a pipe holds one; somebody who still writes must not keep us
# How long what a command left running may still write after it has ended.
_LAST_WORDS_SECONDS = 0.5
_END_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.02


async def run_to_end(
    launch: Launch,
    *,
    mark: str,
    limit_seconds: float,
    on_output: Callable[[bytes], None],
    prepare: Callable[[int], Awaitable[None]] | None = None,
) -> int | None:
    """Run a command and leave nothing of it: its exit code, or `None` if the limit ended it.

    Output of both kinds goes to `on_output` in the order in which it was written; stdin is empty. The environment has
    to carry `mark` under the name `MARK`. `prepare` comes before the first instruction behind the walls. Cancelling it
    ends all processes too. Raises `OSError` if the program cannot be executed, `Broken` if something of it could not be
    ended, and what `prepare` raises.
    """
    reading, writing = os.pipe()
    group = Group.at(f"band-check-{mark[:24]}")
    group.kill()  # what one of ours left that was killed itself
    with _closing(reading), _removing(group), Start(launch.argv, launch.orders, group=group) as start:
        with _closing(writing):
            await made_ready(start)
            process = await asyncio.create_subprocess_exec(
                *start.argv,
                cwd=launch.cwd,
                env=dict(launch.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
                pass_fds=start.descriptors,
                preexec_fn=start.become,
            )
        ended = _listen(reading, on_output)
        try:
            await let_in(start, prepare)
            return await _wait(process, ended, limit_seconds=limit_seconds)
        finally:
            group.kill()
            _kill_group(process)
            await process.wait()
            await sweep(mark)
            _stop_listening(reading, ended, on_output)
            if starved := group.starved():
                on_output(_starved(starved, launch).encode())
            await _gone(group)


def _starved(count: int, launch: Launch) -> str:
    """What to say behind the output of a check that used up its memory."""
    most = launch.limits.memory_bytes
    size = f"the {in_bytes(most)} of memory" if most is not None else "the memory"
    return f"\n[Its processes had used up {size} that they may have together: the kernel ended {count} of them.]\n"


async def _gone(group: Group) -> None:
    """Take a group away once the last of its processes is buried. One that stays is taken by the next of its name."""
    deadline = time.monotonic() + _END_SECONDS
    while not group.remove():
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


@contextlib.contextmanager
def _removing(group: Group) -> Iterator[None]:
    try:
        yield
    finally:
        group.remove()


@contextlib.contextmanager
def _closing(file: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(file)


async def _wait(process: Process, ended: asyncio.Event, *, limit_seconds: float) -> int | None:
    """The exit code, soon after the output has ended too; `None` at the limit."""
    try:
        async with asyncio.timeout(limit_seconds):
            code = await process.wait()
    except TimeoutError:
        return None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            await ended.wait()
    return code


def _listen(reading: int, on_output: Callable[[bytes], None]) -> asyncio.Event:
    """Hand on what comes out of a pipe. The event tells its end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> None:
        if data := _read(reading):
            on_output(data)
        elif data is not None:
            loop.remove_reader(reading)
            ended.set()

    os.set_blocking(reading, False)
    loop.add_reader(reading, read)
    return ended


def _stop_listening(reading: int, ended: asyncio.Event, on_output: Callable[[bytes], None]) -> None:
    """Take what is left in the pipe; its writers are gone, as far as they could be found."""
    if not ended.is_set():
        asyncio.get_running_loop().remove_reader(reading)
        for _ in range(_MOST_LAST_CHUNKS):
            if data := _read(reading):
                on_output(data)


def _read(reading: int) -> bytes | None:
    """Some bytes, none at the end, `None` if there are none now."""
    try:
        return os.read(reading, _CHUNK)
    except BlockingIOError:
        return None


def _kill_group(process: Process) -> None:
    """End the process with its group, while it is there: afterwards the number could be somebody else's."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


async def sweep(mark: str) -> None:
    """End every process that carries the mark; returns when there is none. Raises `Broken` if some stay."""
    deadline = time.monotonic() + _END_SECONDS
    while left := await asyncio.to_thread(_kill_marked, f"{MARK}={mark}".encode()):
        if time.monotonic() > deadline:
            raise Broken(f"These processes of a check cannot be ended: {', '.join(map(str, sorted(left)))}.")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _kill_marked(entry: bytes) -> list[int]:
    """Kill all processes with this in their environment; those that were alive. None where there is no /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # A process that has ended has no environment any more, also before it is collected.
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
                found.append(int(folder.name))
        except OSError:
            continue
    return found
