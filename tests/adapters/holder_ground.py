"""Real holders: a host with short-lived agents of a few lines, and what a test sees of them from outside."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

from bandstand.adapters.hosts.channel import LocalChannel
from bandstand.adapters.hosts.local import LocalHost, Tree
from bandstand.domain.ids import RunId
from bandstand.ports.hosts import Channel, Launch, Record, RecordKind
from tests.contracts.host_stage import clear, everything, play

RUN = RunId("t.1")
PATIENCE_SECONDS = 30.0


class Ground:
    """A host in a folder of its own, and one run on it."""

    def __init__(self, folder: Path, *, trees: Sequence[Tree] = ()) -> None:
        self.root = folder / "runs"
        self.place = self.root / RUN
        self.channels: list[Channel] = []
        self.host = LocalHost(self.root, sys.executable, trees=trees)

    async def start(self, *argv: str, cwd: Path = Path("/")) -> LocalChannel:
        """Start the run with this program, and attach to it."""
        await self.host.start(RUN, Launch(argv=argv, cwd=cwd, environment={"PATH": os.environ["PATH"]}))
        return await self.attach()

    async def attach(self) -> LocalChannel:
        """A channel to the run, which is closed when the test ends."""
        self.channels.append(channel := await self.host.attach(RUN))
        return channel

    def play(self, test: Coroutine[Any, Any, None]) -> None:
        """Run the body of a test."""
        play(test, self.channels)

    async def perform(self, code: str, *words: str) -> LocalChannel:
        """Start the run with a program in Python, and attach to it."""
        return await self.start(sys.executable, "-I", "-S", "-c", code, *words)

    async def whole(self, *argv: str) -> list[Record]:
        """Start the run with a program that ends by itself; what its journal holds then."""
        await self.host.start(RUN, Launch(argv=argv, cwd=Path("/"), environment={"PATH": os.environ["PATH"]}))
        await eventually((self.place / "exit").exists, "the run ends")
        return await self.journal()

    async def journal(self) -> list[Record]:
        """What the journal holds now."""
        return await everything(self.host.journal(RUN))

    def exit(self) -> dict[str, Any]:
        """What the exit file says."""
        found: dict[str, Any] = json.loads((self.place / "exit").read_text())
        return found


@contextlib.contextmanager
def grounded(folder: Path, *, trees: Sequence[Tree] = ()) -> Iterator[Ground]:
    """A ground on which nothing is left running."""
    ground = Ground(folder, trees=trees)
    try:
        yield ground
    finally:
        asyncio.run(clear(ground.host))


def trees() -> list[Tree]:
    """The ways of owning a tree that leave nothing over, as far as this user may take them."""
    return [Tree.NAMESPACE, Tree.USER_NAMESPACE] if os.geteuid() == 0 else [Tree.USER_NAMESPACE]


def said(records: list[Record]) -> list[bytes]:
    """The agent's lines."""
    return [record.payload for record in records if record.kind is RecordKind.FROM_AGENT]


def notes(records: list[Record]) -> list[dict[str, Any]]:
    """What the holder noted."""
    return [json.loads(record.payload) for record in records if record.kind is RecordKind.NOTE]


def naming(word: str) -> list[int]:
    """The processes whose command line has this word in it, the dead ones aside."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


async def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, for as long as patience lasts."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while not condition():
        assert loop.time() < deadline, f"It never came true that {what}."
        await asyncio.sleep(0.01)


class Raw:
    """A connection to a holder, without the manners of a channel."""

    def __init__(self, place: Path) -> None:
        folder = os.open(place, os.O_PATH)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_SECONDS)
        self.sock.connect(f"/proc/self/fd/{folder}/sock")
        os.close(folder)

    def send(self, data: bytes) -> None:
        """Send any bytes."""
        self.sock.sendall(data)

    def ask(self, op: str, payload: bytes = b"", **facts: object) -> dict[str, Any]:
        """Send a command and read the answer."""
        self.send(json.dumps({"op": op, "n": len(payload), **facts}).encode() + b"\n" + payload)
        with self.sock.makefile("rb") as file:
            answer: dict[str, Any] = json.loads(file.readline())
        return answer

    def hung_up(self) -> bool:
        """Wait until the holder hangs up, or says something."""
        with contextlib.suppress(ConnectionResetError):
            return self.sock.recv(1) == b""
        return True

    def close(self) -> None:
        """Hang up."""
        self.sock.close()
