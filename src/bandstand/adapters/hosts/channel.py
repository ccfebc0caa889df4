"""The way to one live run: a connection to its holder for commands, and one for each reader of its journal.

That the run is over is told by the holder's pidfd, never by the end of a connection: that comes milliseconds too early,
with processes of the run still alive. Each exchange has a deadline; one cut short takes its connection with it, and the
next one makes another, under the same epoch, so that it is refused if a newer channel has taken over meanwhile.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Self

from bandstand.adapters.hosts import holder
from bandstand.adapters.hosts.journal import RecordStream, ends, scan, written_key
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import RunId
from bandstand.ports.hosts import Record

ANSWER_SECONDS = 10.0
KILL_SECONDS = 30.0  # a holder that ends may have to wait for a busy disk
LOOK_AGAIN_SECONDS = 0.005  # for what tells nobody: a lock that becomes free
_CALL_AGAIN_SECONDS = 0.05  # for a holder that hung up on a reader and is not dead
_CHUNK = 1 << 16  # bytes read at once: short lines of so many take the event loop some 20 ms
_BATCH = 256  # records that wait for who reads them, before no more are taken in
_REFUSALS = {
    "ended": "Run {run} has ended.",
    "fenced": "Another channel has taken over run {run}.",
    "journal-full": "The journal of run {run} cannot grow: its disk is full.",
    "stdin-closed": "The agent of run {run} does not listen any more.",
    "stdin-full": "The agent of run {run} does not read what was sent to it.",
}


def locked(folder: Path) -> bool:
    """Whether the run of this folder has a holder, or one whose namespace is still dying. Only for one that began."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


async def released(folder: Path, *, within: float) -> bool:
    """Wait until nothing of a run is left whose holder is known to be dead, at most so many seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while locked(folder):
        if loop.time() > deadline:
            return False
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    return True


def _connected(folder: Path) -> socket.socket:
    """A socket to the holder of that folder, whatever the length of its path."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{place}/sock")
        if _peer(sock)[1] != os.geteuid():
            raise PermissionError("The holder belongs to another user.")
    except OSError:
        sock.close()
        raise
    finally:
        os.close(place)
    return sock


def _peer(sock: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end."""
    pid, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def _resolve(answer: asyncio.Future[bool], value: object) -> None:
    if not answer.done():
        answer.set_result(bool(value))


class HolderProcess:
    """A process known by its pidfd, so that no other one is ever taken for it."""

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd
        self._waiting: set[asyncio.Future[bool]] = set()

    async def gone(self, *, within: float) -> bool:
        """Wait until it is gone, at most so many seconds. False also once this is closed."""
        if self._pidfd < 0:
            return False
        loop = asyncio.get_running_loop()
        over: asyncio.Future[bool] = loop.create_future()
        own = os.dup(self._pidfd)  # a loop knows a file descriptor once only
        self._waiting.add(over)
        loop.add_reader(own, _resolve, over, True)
        try:
            async with asyncio.timeout(within):
                return await over
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(over)
            loop.remove_reader(own)
            os.close(own)

    def kill(self) -> None:
        """Send it SIGKILL; nothing if it is gone."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Wait no more. May be repeated."""
        for over in self._waiting:
            _resolve(over, False)
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


class Connection:
    """One connection to a holder: commands and answers, one by one."""

    def __init__(self, run: RunId, *, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._run = run
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, run: RunId, folder: Path) -> "Connection":
        """Connect to the holder of that folder. Raises `Unavailable` if there is none, or not one of our own user."""
        try:
            sock = _connected(folder)
            reader, writer = await asyncio.open_unix_connection(sock=sock, limit=_CHUNK)
        except OSError as error:
            raise Unavailable(f"Run {run} has no holder that answers.") from error
        return cls(run, reader=reader, writer=writer)

    def process(self) -> HolderProcess:
        """The holder. Trust it after an answer only: by then it was alive when its pidfd was taken."""
        pid, _ = _peer(self._writer.get_extra_info("socket"))
        try:
            return HolderProcess(os.pidfd_open(pid))
        except OSError as error:
            raise Unavailable(f"The holder of run {self._run} is not there any more.") from error

    async def send(self, command: dict[str, Any], payload: bytes = b"") -> None:
        """Send a command. Raises `Unavailable` when the holder does not take it."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._writer.write(json.dumps(command).encode() + b"\n" + payload)
                await self._writer.drain()
        except OSError as error:
            raise Unavailable(f"The holder of run {self._run} does not listen.") from error

    async def ask(self, op: str, payload: bytes = b"", **facts: Any) -> dict[str, Any]:
        """Send a command and wait for its answer. Raises `Unavailable` when none comes, or when it is a refusal."""
        await self.send({"op": op, "n": len(payload), **facts}, payload)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                line = await self._reader.readline()
        except OSError as error:
            raise Unavailable(f"The holder of run {self._run} does not answer.") from error
        if not line.endswith(b"\n"):
            raise Unavailable(f"Run {self._run} is over: its holder hung up.")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            known = _REFUSALS.get(answer["error"], "The holder of run {run} does not understand a command.")
            raise Unavailable(known.format(run=self._run))
        return answer

    async def hello(self, **facts: Any) -> dict[str, Any]:
        """Take the run over. Raises `Unavailable` if it is ending, `Broken` if its holder is not of our time.

        A holder that we cannot speak to is left to whoever can: nothing is taken over before its version is known.
        """
        status = await self.ask("status")
        if not holder.VERSION - 1 <= status["version"] <= holder.VERSION:
            age = "a newer" if status["version"] > holder.VERSION else "a much older"
            raise Broken(
                f"The holder of run {self._run} was started by {age} Bandstand, which this one cannot speak to.",
                hint="The agent goes on. Use that version until the run has ended.",
            )
        return await self.ask("hello", version=holder.VERSION, **facts)

    async def close(self) -> None:
        """Hang up. May be repeated."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Tail(asyncio.BufferedProtocol):
    """One connection to a holder that gets its journal as it grows, read in batches: all that has come since the last.

    All share one buffer, since what is in it is taken out before anybody else gets a turn.
    """

    _buffer = memoryview(bytearray(_CHUNK))

    def __init__(self, *, after: int) -> None:
        self._stream = RecordStream(after=after)
        self._records: list[Record] = []
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._over = False
        self._trouble: Broken | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, run: RunId, folder: Path, *, after: int) -> Self:
        """Connect to the holder of that folder. Raises `Unavailable` if there is none, or not one of our own user."""
        loop = asyncio.get_running_loop()
        try:
            sock = _connected(folder)
            _, tail = await loop.create_unix_connection(lambda: cls(after=after), sock=sock)
        except OSError as error:
            raise Unavailable(f"Run {run} has no holder that answers.") from error
        return tail

    async def next(self) -> list[Record]:
        """The records that have come, at least one; none once the holder has hung up. Raises `Broken` for damage."""
        while not self._records and not self._over:
            self._news.clear()
            await self._news.wait()
        records, self._records = self._records, []
        if not records and self._trouble:
            raise self._trouble
        if self._transport and not self._over:
            self._transport.resume_reading()
        return records

    async def close(self) -> None:
        """Hang up. May be repeated."""
        self._hang_up()
        await self._gone.wait()

    def _hang_up(self) -> None:
        self._over = True
        self._news.set()
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say from where on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(json.dumps({"op": "tail", "from": self._stream.offset}).encode() + b"\n")

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Some have come."""
        try:
            self._records += self._stream.feed(bytes(self._buffer[:nbytes]))
        except Broken as error:
            self._trouble = error
            self._hang_up()
        if self._records:
            self._news.set()
            if len(self._records) > _BATCH and self._transport:
                self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The holder has hung up, or we have."""
        self._over = True
        self._news.set()
        self._gone.set()


class LocalChannel:
    """A way to a run of this machine; see the port."""

    def __init__(
        self, run: RunId, *, folder: Path, connection: Connection, process: HolderProcess, size: int, epoch: int
    ) -> None:
        self._run = run
        self._folder = folder
        self._connection: Connection | None = connection
        self._process = process
        self._size = size
        self._epoch = epoch
        self._turn = asyncio.Lock()
        self._tails: set[Tail] = set()
        self._closed = asyncio.Event()

    async def records(self, *, after: int = 0) -> AsyncIterator[Record]:
        """Every record from offset `after` on, those to come too; see the port."""
        offset = after
        while not self._closed.is_set():
            async with contextlib.aclosing(self._tail(offset)) as tail:
                async for records in tail:
                    offset = records[-1].end
                    for record in records:
                        yield record
                    if ends(records[-1]):
                        return
            if await self._process.gone(within=_CALL_AGAIN_SECONDS):
                await released(self._folder, within=KILL_SECONDS)
                for record in scan(self._folder / "journal", after=offset):
                    yield record
                return

    async def _tail(self, offset: int) -> AsyncGenerator[list[Record], None]:
        """What the holder sends of its journal until it hangs up; nothing if it does not take the call."""
        try:
            tail = await Tail.open(self._run, self._folder, after=offset)
        except Unavailable:
            return
        self._tails.add(tail)
        try:
            while not self._closed.is_set() and (records := await tail.next()):
                yield records
        finally:
            self._tails.discard(tail)
            await tail.close()

    async def caught_up(self) -> int:
        """The size of the journal when this channel attached."""
        return self._size

    async def write(self, key: str, line: bytes) -> None:
        """Send one line to the agent, once; see the port. Raises `Refused` for what is not one line of fair length."""
        line = line.removesuffix(b"\n")
        if b"\n" in line or len(line) > holder.STDIN_LIMIT or not key:
            raise Refused(f"What run {self._run} is to be sent is not one line of at most 16 MB with a key.")
        async with self._turn:
            if self._closed.is_set():
                raise Unavailable(f"This channel to run {self._run} was closed.")
            connection = self._connection or await self._again()
            # It is kept only behind a whole exchange: the answer to a broken one would be taken for the next one's.
            self._connection = None
            try:
                await connection.ask("write", line, key=written_key(key))
                self._connection = None if self._closed.is_set() else connection
            finally:
                if self._connection is None:
                    await connection.close()

    async def _again(self) -> Connection:
        connection = await Connection.open(self._run, self._folder)
        try:
            await connection.hello(epoch=self._epoch)
        except Unavailable:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Let go of the run; it goes on. May be repeated."""
        self._closed.set()
        self._process.close()
        for tail in tuple(self._tails):
            await tail.close()
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()
