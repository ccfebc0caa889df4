"""A run in memory: a journal, channels to it, and an agent as a coroutine at the other end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from bandstand.domain.errors import Unavailable
from bandstand.ports.agents import AgentProtocol, TranscriptEntry
from bandstand.ports.hosts import Record, RecordKind


class AgentEnd:
    """The agent's stdin and stdout."""

    def __init__(self, run: "MemoryRun") -> None:
        self._run = run
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def read(self) -> bytes | None:
        """The next line from us; `None` at the end."""
        return await self.inbox.get()

    def write(self, line: bytes) -> None:
        """Say one line."""
        self._run.append(RecordKind.FROM_AGENT, line)


class MemoryRun:
    """The journal is a list; `at` maps a number of records to what shall happen when the journal has that many."""

    def __init__(self, agent: Callable[[AgentEnd], Awaitable[None]]) -> None:
        self.records: list[Record] = []
        self.at: dict[int, Callable[[], None]] = {}
        self.repeats: list[str] = []
        self.epoch = 0
        self.ended = False
        self._agent = agent
        self._end = AgentEnd(self)
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (trouble := self._task.exception()) is not None:
            raise trouble

    def attach(self) -> "MemoryChannel":
        """A channel; from now on older ones cannot write."""
        self.epoch += 1
        self.append(RecordKind.NOTE, b'{"note": "attach"}')
        return MemoryChannel(self)

    @property
    def size(self) -> int:
        """How long the journal is."""
        return self.records[-1].end if self.records else 0

    def append(self, kind: RecordKind, payload: bytes, key: str = "-") -> None:
        """Add a record."""
        start = self.size
        end = start + len(payload) + len(key) + 20
        at_ms = 1_000 + len(self.records)
        self.records.append(Record(offset=start, end=end, kind=kind, at_ms=at_ms, key=key, payload=payload))
        self.wake()
        if event := self.at.pop(len(self.records), None):
            event()

    def take(self, key: str, line: bytes) -> None:
        """Journal a line to the agent and hand it over, once."""
        if key in self.keys():
            self.repeats.append(key)
            return
        self.append(RecordKind.TO_AGENT, line, key)
        self._end.inbox.put_nowait(line)

    def keys(self) -> list[str]:
        """The keys of what was sent to the agent, in order."""
        return [record.key for record in self.records if record.kind is RecordKind.TO_AGENT]

    def end(self) -> None:
        """The agent's process ends."""
        self.ended = True
        self._end.inbox.put_nowait(None)
        self.append(RecordKind.NOTE, b'{"note": "exit"}')

    def wake(self) -> None:
        """Have every reader look again."""
        self._grown.set()
        self._grown = asyncio.Event()

    async def grown(self) -> None:
        """Wait until something is appended."""
        await self._grown.wait()

    async def has_sent(self, key: str) -> None:
        """Wait until `key` was sent to the agent."""
        while key not in [record.key for record in self.records]:
            await self.grown()

    async def _live(self) -> None:
        await self._agent(self._end)
        if not self.ended:
            self.end()


class MemoryChannel:
    """A channel to a `MemoryRun`."""

    def __init__(self, run: MemoryRun) -> None:
        self._run = run
        self._epoch = run.epoch
        self._size = run.size
        self._closed = False

    async def records(self, *, after: int = 0) -> AsyncIterator[Record]:
        """Every record, and those to come, until the run ends."""
        number = 0
        while not self._closed:
            while number < len(self._run.records):
                if self._run.records[number].offset >= after:
                    yield self._run.records[number]
                number += 1
            if self._run.ended:
                return
            await self._run.grown()

    def recall(self) -> AsyncIterator[Record]:
        """Every record: nothing of the past was put away."""
        return self.records()

    async def caught_up(self) -> int:
        """The journal's size when this channel was made."""
        return self._size

    async def write(self, key: str, line: bytes) -> None:
        """Send a line, once."""
        await asyncio.sleep(0)
        if self._closed or self._epoch != self._run.epoch:
            raise Unavailable("Another channel has taken over.")
        if self._run.ended:
            raise Unavailable("The run has ended.")
        assert b"\n" not in line, "a line has no line break in it"
        assert key.isascii() and key.isprintable() and " " not in key, f"{key!r} is no key for a journal"
        self._run.take(key, line)

    async def close(self) -> None:
        """Let go."""
        self._closed = True
        self._run.wake()


def transcript(protocol: AgentProtocol, records: Sequence[Record]) -> list[TranscriptEntry]:
    """What these records say, all of it."""
    reading = protocol.transcript()
    return [*(entry for record in records for entry in reading.take(record)), *reading.rest()]
