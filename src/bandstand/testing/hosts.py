"""A host in memory, whose processes are coroutines: for tests that need agents and no machine.

It keeps the promises of the port `Host` with journals that live as long as it does; so it may stand for a machine on
which a daemon dies and another one comes. Nothing of it takes time: a grace is some turns of the event loop.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import RunId
from bandstand.domain.network import HostRule, Traffic
from bandstand.ports.hosts import Launch, Record, RecordKind, RunState, RunStatus, Usage
from bandstand.ports.walls import Limits

Script = Callable[[AsyncIterator[bytes], Callable[[bytes], None]], Awaitable[int | None]]
"""A process: it gets the lines that come in, and a function that says a line. What it returns is its exit code."""

_HEADER_SIZE = 24  # records lie apart as in a file, so that an offset is no count
_GRACE_PASSES = 50  # turns of the event loop that a script gets to end by itself


@dataclass(slots=True, kw_only=True)
class _Run:
    """A run of the host: its journal, its process and who may write to it."""

    launch: Launch
    clock: Callable[[], int]
    records: list[Record] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    status: RunStatus = field(default_factory=lambda: RunStatus(state=RunState.LIVE))
    epoch: int = 0
    lines: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    task: asyncio.Task[None] | None = None
    errors: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def size(self) -> int:
        return self.records[-1].end if self.records else 0

    @property
    def live(self) -> bool:
        return self.status.state is RunState.LIVE

    def append(self, kind: RecordKind, payload: bytes, *, key: str = "") -> None:
        """Add a record, unless the run is over."""
        if self.live:
            end = self.size + len(payload) + _HEADER_SIZE
            record = Record(offset=self.size, end=end, kind=kind, at_ms=self.clock(), key=key, payload=payload)
            self.records.append(record)
            self.wake()

    def note(self, name: str, **facts: object) -> None:
        self.append(RecordKind.NOTE, json.dumps({"note": name, **facts}).encode())

    def wake(self) -> None:
        """Let every reader look again."""
        self.changed.set()
        self.changed = asyncio.Event()

    def end(self, *, code: int, reason: str) -> None:
        """Let the run be over in good order, if it is not."""
        if self.live:
            self.note("exit", code=code, reason=reason)
            self.status = RunStatus(state=RunState.EXITED, code=code, reason=reason)
            self.vanish()

    def vanish(self) -> None:
        """Take the process away."""
        if self.task is not None and not self.task.done() and self.task is not asyncio.current_task():
            self.task.cancel()
        self.wake()

    def say(self, line: bytes) -> None:
        """What the process says."""
        self.append(RecordKind.FROM_AGENT, line.removesuffix(b"\n"))

    async def said(self) -> AsyncGenerator[bytes, None]:
        """The lines that come in, to their end."""
        while (line := await self.lines.get()) is not None:
            yield line

    async def perform(self, script: Script) -> None:
        """The process itself. A script that fails ends with 1, and its failure is the event loop's to report."""
        code = 1
        try:
            async with contextlib.aclosing(self.said()) as lines:
                code = await script(lines, self.say) or 0
        except asyncio.CancelledError:
            code = -15
            raise
        finally:
            self.end(code=code, reason="exited")


class MemoryChannel:
    """A way to a run in memory; see the port."""

    def __init__(self, run: RunId, held: _Run) -> None:
        self._run = run
        self._held = held
        self._epoch = held.epoch
        self._size = held.size
        self._closed = asyncio.Event()

    async def records(self, *, after: int = 0) -> AsyncIterator[Record]:
        """Every record from offset `after` on, those to come too; see the port."""
        seen = 0
        while not self._closed.is_set():
            changed = self._held.changed
            while seen < len(self._held.records):
                record = self._held.records[seen]
                seen += 1
                if record.offset >= after:
                    yield record
            if not self._held.live:
                return
            if changed is self._held.changed:
                await changed.wait()

    def recall(self) -> AsyncIterator[Record]:
        """Every record: nothing of the past was put away."""
        return self.records()

    async def caught_up(self) -> int:
        """The size of the journal when this channel attached."""
        return self._size

    async def write(self, key: str, line: bytes) -> None:
        """Send one line to the agent, once; see the port."""
        line = line.removesuffix(b"\n")
        if b"\n" in line or not key:
            raise Refused(f"What run {self._run} is to be sent is not one line with a key.")
        if self._closed.is_set():
            raise Unavailable(f"This channel to run {self._run} was closed.")
        if not self._held.live:
            raise Unavailable(f"Run {self._run} has ended.")
        if self._epoch < self._held.epoch:
            raise Unavailable(f"Another channel has taken over run {self._run}.")
        if key not in self._held.keys:
            self._held.keys.add(key)
            self._held.append(RecordKind.TO_AGENT, line, key=key)
            self._held.lines.put_nowait(line)

    async def close(self) -> None:
        """Let go of the run; it goes on. May be repeated."""
        self._closed.set()
        self._held.wake()


class MemoryProxies:
    """The proxies of runs in memory: what each lets through, and what went there."""

    def __init__(self) -> None:
        self._reach: dict[RunId, tuple[HostRule, ...]] = {}
        self._traffic: dict[RunId, tuple[Traffic, ...]] = {}

    def moves(self, run: RunId, *traffic: Traffic) -> None:
        """From now on so much has gone through the proxy of a run."""
        self._traffic[run] = traffic

    async def let_reach(self, run: RunId, rules: Sequence[HostRule]) -> None:
        """From now on these hosts may be reached, and no others."""
        self._reach[run] = tuple(rules)

    async def traffic(self, run: RunId) -> Sequence[Traffic]:
        """What was said to have gone to other hosts."""
        return self._traffic.get(run, ())


class MemoryHost(MemoryProxies):
    """Runs in memory. `scripts` names the programs that there are: the first word of a launch is looked up there.

    `clock` tells the milliseconds since the epoch that stand in the records, `allowed` what runs were given since.
    """

    def __init__(self, scripts: Mapping[str, Script], *, clock: Callable[[], int] = lambda: 0) -> None:
        self._scripts = scripts
        self._clock = clock
        super().__init__()
        self._runs: dict[RunId, _Run] = {}
        self._weights: dict[RunId, int] = {}
        self._frozen: set[RunId] = set()
        self.allowed: dict[RunId, Limits] = {}

    def reaches(self, run: RunId, host: str, port: int) -> bool:
        """Whether what runs there may reach a host now. One that may not is told of by the holder, as always."""
        if any(rule.covers(host, port) for rule in self._reach.get(run, ())):
            return True
        if run in self._runs:
            self._runs[run].note("refused", host=host, port=port, why="not-listed")
        return False

    def weigh(self, run: RunId, size: int) -> None:
        """From now on the process of a run holds so many bytes in memory."""
        self._weights[run] = size

    def kill(self, run: RunId) -> None:
        """The holder of a run dies, and the process with it: the run is lost."""
        held = self._runs[run]
        if held.live:
            held.status = RunStatus(state=RunState.LOST)
            held.vanish()

    def crash(self, run: RunId) -> None:
        """The process of a run dies of SIGKILL; its holder tells so."""
        self._runs[run].end(code=-9, reason="exited")

    def complain(self, run: RunId, text: str) -> None:
        """The process of a run writes this to its standard error."""
        self._runs[run].errors += text

    def launch(self, run: RunId) -> Launch:
        """What a run was started with."""
        return self._runs[run].launch

    async def start(self, run: RunId, launch: Launch) -> None:
        """Have the script of `run` started, once; see the port."""
        if run in self._runs:
            return
        script = self._scripts.get(launch.argv[0] if launch.argv else "")
        if script is None:
            raise Refused(f"The program of run {run} cannot be executed: there is no script of that name.")
        held = self._runs[run] = _Run(launch=launch, clock=self._clock)
        held.note("start", argv=launch.argv, cwd=str(launch.cwd))
        held.task = asyncio.create_task(held.perform(script), name=f"run {run}")

    async def attach(self, run: RunId) -> MemoryChannel:
        """A channel to a live run; see the port."""
        held = self._runs.get(run)
        if held is None or not held.live:
            raise Unavailable(f"Run {run} is not live.")
        held.epoch += 1
        held.note("attach", epoch=held.epoch)
        return MemoryChannel(run, held)

    async def status(self, run: RunId) -> RunStatus:
        """What is known of the run's process."""
        held = self._runs.get(run)
        return held.status if held else RunStatus(state=RunState.ABSENT)

    async def stop(self, run: RunId, *, grace_seconds: float = 3.0) -> RunStatus:
        """End the process; see the port. With a grace, it may end by itself when no more lines come."""
        held = self._runs.get(run)
        if held is None:
            return RunStatus(state=RunState.ABSENT)
        held.epoch += 1
        held.lines.put_nowait(None)
        for _ in range(_GRACE_PASSES if grace_seconds > 0 else 0):
            if held.live:
                await asyncio.sleep(0)
        held.end(code=-9, reason="stopped")
        return held.status

    async def errors(self, run: RunId) -> str:
        """What the process complained of."""
        held = self._runs.get(run)
        return held.errors.strip() if held else ""

    async def live(self) -> frozenset[RunId]:
        """Every run whose process is running."""
        return frozenset(run for run, held in self._runs.items() if held.live)

    async def memory(self) -> Mapping[RunId, int]:
        """What each live run was said to weigh."""
        return {run: size for run, size in self._weights.items() if self._runs[run].live}

    async def usage(self, runs: Collection[RunId]) -> Mapping[RunId, Usage]:
        """What each of these runs that lives was said to weigh; see the port."""
        live = [run for run in runs if run in self._runs and self._runs[run].live]
        return {run: Usage(memory=self._weights.get(run), held=False, frozen=run in self._frozen) for run in live}

    async def freeze(self, run: RunId) -> None:
        """Hold a run still, as far as anybody can tell: its script goes on."""
        self._frozen.add(run)

    async def thaw(self, run: RunId) -> None:
        """Let a run go on."""
        self._frozen.discard(run)

    async def allow(self, run: RunId, limits: Limits, *, asked: bool) -> None:
        """From now on a run may have this; see the port."""
        self.allowed[run] = limits

    async def journal(self, run: RunId, *, after: int = 0) -> AsyncIterator[Record]:
        """The records that the journal of a run holds now; see the port."""
        held = self._runs.get(run)
        for record in tuple(held.records) if held else ():
            if record.offset >= after:
                yield record
