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
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from bandstand.adapters.hosts import holder
from bandstand.adapters.hosts.journal import AS_WRITTEN, TO_GO_ON, Forms, as_written_from, scan
from bandstand.adapters.hosts.records import ends, written_key
from bandstand.adapters.hosts.tail import Tail, Tails, connected, peer
from bandstand.adapters.hosts.upkeep import Upkeep
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import RunId
from bandstand.ports.hosts import Record

ANSWER_SECONDS = 10.0
KILL_SECONDS = 30.0  # a holder that ends may have to wait for a busy disk
LOOK_AGAIN_SECONDS = 0.005  # for what tells nobody: a lock that becomes free
_CALL_AGAIN_SECONDS = 0.05  # for a holder that hung up on a reader and is not dead
_CHUNK = 1 << 16  # bytes of an answer, at most
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
            sock = connected(folder)
            reader, writer = await asyncio.open_unix_connection(sock=sock, limit=_CHUNK)
        except OSError as error:
            raise Unavailable(f"Run {run} has no holder that answers.") from error
        return cls(run, reader=reader, writer=writer)

    def process(self) -> HolderProcess:
        """The holder. Trust it after an answer only: by then it was alive when its pidfd was taken."""
        pid, _ = peer(self._writer.get_extra_info("socket"))
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


class LocalChannel:
    """A way to a run of this machine; see the port."""

    def __init__(
        self,
        run: RunId,
        *,
        folder: Path,
        connection: Connection,
        process: HolderProcess,
        upkeep: Upkeep,
        tails: Tails,
        size: int,
        epoch: int,
    ) -> None:
        self._run = run
        self._folder = folder
        self._connection: Connection | None = connection
        self._process = process
        self._size = size
        self._epoch = epoch
        self._turn = asyncio.Lock()
        self._tails = tails
        self._own: set[Tail] = set()
        self._closed = asyncio.Event()
        self._journal = folder / "journal"
        self._upkeep = upkeep
        self._look_at = upkeep.segment  # the offset behind which there is something new to look after
        self._seen = 0  # how far it was read by who looks after it
        self._looking: asyncio.Task[None] | None = None

    def records(self, *, after: int = 0) -> AsyncGenerator[Record, None]:
        """Every record from offset `after` on, those to come too; see the port."""
        return self._read(after, AS_WRITTEN)

    def recall(self) -> AsyncGenerator[Record, None]:
        """What one needs of the past, then every record; see the port. Who reads this looks after the journal."""
        return self._read(0, TO_GO_ON)

    async def _read(self, offset: int, prefer: Forms) -> AsyncGenerator[Record, None]:
        """The parts that are there in another form than they were written, then what the holder sends, to the end."""
        while not self._closed.is_set():
            start = as_written_from(self._journal, offset, prefer)
            for record in scan(self._journal, after=offset, until=start, prefer=prefer):
                yield record
            offset = start
            async with contextlib.aclosing(self._tail(offset)) as tail:
                async for records in tail:
                    offset = records[-1].end
                    self._grown(offset, prefer)
                    for record in records:
                        yield record
                    if ends(records[-1]):
                        return
            if await self._process.gone(within=_CALL_AGAIN_SECONDS):
                await released(self._folder, within=KILL_SECONDS)
                for record in scan(self._journal, after=offset, prefer=prefer):
                    yield record
                return

    def _grown(self, offset: int, prefer: Forms) -> None:
        """Look after the journal once it may have a new part; one reader is enough for that."""
        if prefer is not TO_GO_ON:
            return
        self._seen = offset
        if offset >= self._look_at and (not self._looking or self._looking.done()):
            self._looking = asyncio.create_task(self._look_after())

    async def _look_after(self) -> None:
        looked = 0  # as long as more was read meanwhile there may be more to look after
        while max(looked + 1, self._look_at) <= self._seen and not self._closed.is_set():
            looked = self._seen
            self._look_at = await self._upkeep.look_after(self._journal)

    async def _tail(self, offset: int) -> AsyncGenerator[list[Record], None]:
        """What the holder sends of its journal until it hangs up; nothing if it does not take the call."""
        try:
            tail = self._tails.open(self._run, self._folder, after=offset)
        except Unavailable:
            return
        self._own.add(tail)
        try:
            while not self._closed.is_set() and (records := await tail.next()):
                yield records
        finally:
            self._own.discard(tail)
            tail.close()

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
        for tail in tuple(self._own):
            tail.close()
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()
        if self._looking:
            await self._looking
