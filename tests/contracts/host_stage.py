"""The kinds of hosts that the contract is held against, little agents for them, and how a test drives them."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from bandstand.adapters.hosts.local import LocalHost, Tree
from bandstand.domain.ids import RunId
from bandstand.domain.network import Traffic
from bandstand.egress.account import Account
from bandstand.egress.files import TRAFFIC
from bandstand.egress.rules import Rules
from bandstand.ports.hosts import Channel, Host, Launch, Record, RecordKind
from bandstand.testing.hosts import MemoryHost, Script

KINDS = ("memory", "local", "subreaper")
RUN = RunId("add-dark-mode.1")
OTHER = RunId("add-dark-mode.2")
PATIENCE_SECONDS = 60.0

# The same little agents, as programs and as scripts.
ECHO = """
import sys
for line in sys.stdin.buffer:
    if line == b"leave\\n":
        sys.exit(7)
    sys.stdout.buffer.write(b"echo " + line)
    sys.stdout.buffer.flush()
"""
STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
sys.stdin.read()
while True:
    signal.pause()
"""


async def echo(lines: AsyncIterator[bytes], emit: Callable[[bytes], None]) -> int:
    """Repeats each line; leaves with 7 when it is told to, else with 0 at the end of its input."""
    async for line in lines:
        if line == b"leave":
            return 7
        emit(b"echo " + line)
    return 0


async def stubborn(lines: AsyncIterator[bytes], emit: Callable[[bytes], None]) -> int:
    """Says that it is there, and does not care for the end of its input."""
    emit(b"here")
    async for _ in lines:
        pass
    await asyncio.Event().wait()
    return 0


SCRIPTS: dict[str, Script] = {"echo": echo, "stubborn": stubborn}
PROGRAMS = {"echo": ECHO, "stubborn": STUBBORN}


class Stage:
    """A host, and what a test does around it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder / "runs"
        self.memory = MemoryHost(SCRIPTS) if kind == "memory" else None
        trees = (Tree.SUBREAPER,) if kind == "subreaper" else ()
        self.channels: list[Channel] = []
        self.host: Host = self.memory or LocalHost(self.folder, sys.executable, trees=trees)

    def reaches(self, host: str) -> bool:
        """Whether what is behind the proxy of the run may reach a host now."""
        if self.memory:
            return self.memory.reaches(RUN, host, 443)
        return Rules(str(self.folder / RUN)).rule(host, 443) is not None

    def moves(self, traffic: Traffic) -> None:
        """Have the proxy of the run count this."""
        if self.memory:
            return self.memory.moves(RUN, traffic)
        account = Account(lambda *_: None, str(self.folder / RUN / TRAFFIC))
        account.moved(traffic.host, up=traffic.up, down=traffic.down)
        return None

    def launch(self, program: str) -> Launch:
        """How one of the little agents is started on this host; any other name is a program that is not there."""
        argv: tuple[str, ...] = (program,)
        if not self.memory and program in PROGRAMS:
            argv = (sys.executable, "-I", "-S", "-c", PROGRAMS[program])
        return Launch(argv=argv, cwd=Path("/"), environment={"PATH": os.defpath})

    async def attach(self, run: RunId) -> Channel:
        """A channel that is closed when the test ends."""
        self.channels.append(channel := await self.host.attach(run))
        return channel

    def play(self, test: Coroutine[Any, Any, None]) -> None:
        """Run the body of a test."""
        play(test, self.channels)

    def kill_holder(self, run: RunId) -> None:
        """End the holder of a run without a warning."""
        if self.memory:
            self.memory.kill(run)
        else:
            os.kill(holder_pid(self.folder / run), signal.SIGKILL)

    def crash_agent(self, run: RunId) -> None:
        """End the process of a run without a warning."""
        if self.memory:
            self.memory.crash(run)
        else:
            (agent,) = (pid for pid, parent in parents().items() if parent == holder_pid(self.folder / run))
            os.kill(agent, signal.SIGKILL)


def holder_pid(folder: Path) -> int:
    """The process that listens in the folder of a run."""
    place = os.open(folder, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"/proc/self/fd/{place}/sock")
        os.close(place)
        pid, _, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def parents() -> dict[int, int]:
    """Every process of this machine, with its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[int(folder.name)] = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return found


async def clear(host: LocalHost) -> None:
    """End every run that the host still has."""
    for run in await host.live():
        await host.stop(run, grace_seconds=0)


@contextlib.contextmanager
def staged(kind: str, folder: Path) -> Iterator[Stage]:
    """A host of that kind, empty; whatever it still runs afterwards is ended."""
    stage = Stage(kind, folder)
    try:
        yield stage
    finally:
        if isinstance(stage.host, LocalHost):
            asyncio.run(clear(stage.host))


def play(test: Coroutine[Any, Any, None], channels: list[Channel]) -> None:
    """Run the body of a test, with an end to its patience. Its channels are closed; no task of theirs may be left."""

    async def watched() -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await test
        finally:
            for channel in channels:
                await channel.close()
        names = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
        assert not [name for name in names if not name.startswith("run ")]

    asyncio.run(watched())


async def read_until(channel: Channel, payload: bytes, *, after: int = 0) -> list[Record]:
    """The records up to the first line from the agent that is `payload`."""
    seen = []
    records = channel.records(after=after)
    async for record in records:
        seen.append(record)
        if record.kind is RecordKind.FROM_AGENT and record.payload == payload:
            break
    assert isinstance(records, AsyncGenerator)
    await records.aclose()
    return seen


async def everything(records: AsyncIterator[Record]) -> list[Record]:
    """All of them."""
    return [record async for record in records]


def descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def lines(records: list[Record]) -> list[bytes]:
    """What was said in both directions."""
    return [record.payload for record in records if record.kind is not RecordKind.NOTE]
