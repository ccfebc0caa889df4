"""The event log in one SQLite file: one thread writes, another one reads.

What stays true:

* when `append` has returned, its facts are on the disk: a process that is killed, or a machine that loses its power,
  loses nothing of them;
* appends that wait at the same time are committed together, and each has its own answer;
* several processes may use one file: the write lock is taken before a version is looked at.

The file must be on a local disk.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from bandstand.adapters.store import projections
from bandstand.adapters.store.codec import Stored, event_codec
from bandstand.adapters.store.database import (
    connect_to_read,
    connect_to_write,
    one_moment,
    transaction,
    troubles_told,
)
from bandstand.adapters.store.shapes import decode_time, encode_time
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.events import Event
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.past import PastTask, Totals, subject
from bandstand.faults import fault
from bandstand.ports.log import Opening, OutOfDate, Recorded

LONGEST_PAYLOAD = 2**27
"""The most characters of one stored fact, so that SQLite's own limit of 10**9 bytes is never met within a group."""

WAIT_SECONDS = 10.0
"""How long a lock of another program is waited for."""

_INSERT = """
    INSERT INTO events (repository, version, at, type, type_version, payload, task) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_SELECT = "SELECT sequence, repository, version, at, type, type_version, payload FROM events "

T = TypeVar("T")


class SqliteLog:
    """The `EventLog` in the SQLite file at `path`. It is used from one event loop, between `open` and `close`.

    Outside of these every verb raises `Unavailable`.
    """

    def __init__(self, path: Path, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._path = path
        self._wait_seconds = wait_seconds
        self._lanes: _Lanes | None = None
        self._turn = asyncio.Lock()
        self._forming: _Group | None = None
        self._unfinished: set[asyncio.Task[list[_Outcome]]] = set()

    async def open(self) -> None:
        """Look whether the file is ours and whole, and bring it up to date; make it if there is none. May be repeated.

        Raises `Refused` if a newer Bandstand wrote it, `Broken` if it is damaged or not ours or cannot be used at all,
        `Unavailable` if it cannot be used now. Then it is as it was.
        """
        if self._lanes is None:
            self._lanes = await _Lanes.opened(self._path, wait_seconds=self._wait_seconds)

    async def close(self) -> None:
        """Write what is waiting, then let go of the file. May be repeated."""
        lanes, self._lanes = self._lanes, None
        if lanes is not None:
            if self._unfinished:
                await asyncio.wait(self._unfinished)
            await lanes.close()

    async def append(
        self, repository: RepositoryId, events: Sequence[Event], *, expected: int, at: datetime
    ) -> tuple[Recorded, ...]:
        """As the port says. An append whose caller is cancelled while it waits may have been written or not."""
        batch = _Batch(
            repository=_storable(repository),
            expected=expected,
            at=encode_time(at),
            events=tuple(events),
            stored=tuple(_encoded(event) for event in events),
        )
        group = self._group()
        group.batches.append(batch)
        place = len(group.batches) - 1
        outcome = (await asyncio.shield(group.written))[place]
        if isinstance(outcome, OutOfDate):
            raise outcome
        return outcome

    async def read(self, repository: RepositoryId, *, after: int = 0) -> tuple[Recorded, ...]:
        """As the port says."""
        condition = "WHERE repository = ? AND version > ? ORDER BY version"
        return await self._selected(condition, _storable(repository), after)

    async def opening(self, repository: RepositoryId) -> Opening:
        """As the port says."""
        name = _storable(repository)

        def select(connection: sqlite3.Connection) -> Opening:
            with one_moment(connection):
                version, totals = projections.head(connection, name)
                return Opening(
                    version=version,
                    totals=totals,
                    past=projections.past(connection, name),
                    numbers=projections.numbers(connection, name),
                    facts=tuple(_recorded(row) for row in projections.open_facts(connection, name)),
                )

        return await self._open_lanes().reader.run(select)

    async def read_task(self, repository: RepositoryId, task: TaskId) -> tuple[Recorded, ...]:
        """As the port says."""
        condition = "WHERE repository = ? AND task = ? ORDER BY version"
        return await self._selected(condition, _storable(repository), task)

    async def summarise(self, repository: RepositoryId, summaries: Sequence[PastTask]) -> None:
        """As the port says."""

        def write(connection: sqlite3.Connection) -> None:
            fault("log.summarise.before")
            with transaction(connection):
                projections.summarise(connection, repository, summaries)
            fault("log.summarise.after")

        if summaries:
            await self._open_lanes().writer.run(write)

    async def unsummarised(self, repository: RepositoryId, *, limit: int) -> tuple[TaskId, ...]:
        """As the port says."""
        return await self._open_lanes().reader.run(
            lambda connection: projections.unsummarised(connection, _storable(repository), limit)
        )

    async def past(self, repository: RepositoryId, *, limit: int, only: Sequence[TaskId] = ()) -> tuple[PastTask, ...]:
        """As the port says."""
        return await self._open_lanes().reader.run(
            lambda connection: projections.summaries(connection, _storable(repository), limit, only)
        )

    async def read_all(self, *, after: int = 0, limit: int = 1000) -> tuple[Recorded, ...]:
        """As the port says."""
        return await self._selected("WHERE sequence > ? ORDER BY sequence LIMIT ?", after, max(0, limit))

    async def latest(self) -> int:
        """As the port says."""

        def select(connection: sqlite3.Connection) -> int:
            return int(connection.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()[0])

        return await self._open_lanes().reader.run(select)

    async def repositories(self) -> tuple[RepositoryId, ...]:
        """As the port says; sorted."""

        def select(connection: sqlite3.Connection) -> tuple[RepositoryId, ...]:
            found = connection.execute("SELECT repository FROM repositories ORDER BY repository")
            return tuple(RepositoryId(name) for (name,) in found)

        return await self._open_lanes().reader.run(select)

    def _open_lanes(self) -> "_Lanes":
        if self._lanes is None:
            raise Unavailable(f"The log {self._path} is not open.")
        return self._lanes

    async def _selected(self, condition: str, *values: str | int) -> tuple[Recorded, ...]:
        def select(connection: sqlite3.Connection) -> tuple[Recorded, ...]:
            return tuple(_recorded(row) for row in connection.execute(_SELECT + condition, values))

        return await self._open_lanes().reader.run(select)

    def _group(self) -> "_Group":
        """The group that is committed next."""
        lanes = self._open_lanes()
        if self._forming is None:
            batches: list[_Batch] = []
            written = asyncio.create_task(self._write(batches, lanes))
            self._unfinished.add(written)
            written.add_done_callback(self._unfinished.discard)
            self._forming = _Group(batches=batches, written=written)
        return self._forming

    async def _write(self, batches: "list[_Batch]", lanes: "_Lanes") -> "list[_Outcome]":
        async with self._turn:
            # The group before this one is on the disk. What comes from here on is for the next one.
            self._forming = None
            return await lanes.writer.run(lambda connection: _append(connection, batches))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """The events of one append, ready to be written."""

    repository: RepositoryId
    expected: int
    at: str
    events: tuple[Event, ...]
    stored: tuple[Stored, ...]


_Outcome = tuple[Recorded, ...] | OutOfDate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Appends that are committed together. `written` has their outcomes, in their order."""

    batches: list[_Batch]
    written: asyncio.Task[list[_Outcome]]


def _storable(repository: RepositoryId) -> RepositoryId:
    try:
        repository.encode()
    except UnicodeEncodeError:
        raise Broken(f"{repository!r} cannot be the id of a repository.") from None
    return repository


def _encoded(event: Event) -> Stored:
    stored = event_codec().encode(event)
    if len(stored.payload) > LONGEST_PAYLOAD:
        raise Broken(f"This {stored.type} is too long to be recorded: {len(stored.payload)} characters.")
    return stored


def _append(connection: sqlite3.Connection, batches: Sequence[_Batch]) -> list[_Outcome]:
    fault("log.append.before")
    outcomes = _commit(connection, batches)
    fault("log.append.after")
    return outcomes


def _commit(connection: sqlite3.Connection, batches: Sequence[_Batch]) -> list[_Outcome]:
    heads: dict[RepositoryId, tuple[int, Totals]] = {}
    outcomes: list[_Outcome] = []
    with transaction(connection):
        for batch in batches:
            name = batch.repository
            version, totals = heads[name] if name in heads else projections.head(connection, name)
            if version == batch.expected:
                outcome, totals = _insert(connection, batch, totals)
                outcomes.append(outcome)
                version += len(batch.events)
            else:
                outcomes.append(OutOfDate(f"Repository {name} is at version {version}, not {batch.expected}."))
            heads[name] = version, totals
        for name, (version, totals) in heads.items():
            if version:
                projections.keep_head(connection, name, version, totals)
    return outcomes


def _insert(connection: sqlite3.Connection, batch: _Batch, totals: Totals) -> tuple[tuple[Recorded, ...], Totals]:
    recorded = []
    at, name = decode_time(batch.at), batch.repository
    for version, (event, stored) in enumerate(zip(batch.events, batch.stored, strict=True), batch.expected + 1):
        row = (name, version, batch.at, stored.type, stored.version, stored.payload, subject(event))
        sequence = connection.execute(_INSERT, row).lastrowid
        assert sequence is not None
        totals = projections.index(connection, name, version, event, totals)
        recorded.append(Recorded(sequence=sequence, repository=name, version=version, at=at, event=event))
    return tuple(recorded), totals


def _recorded(row: projections.Row) -> Recorded:
    sequence, repository, version, at, kind, type_version, payload = row
    try:
        event = event_codec().decode(Stored(type=kind, version=type_version, payload=payload))
        moment = decode_time(at)
    except (Broken, ValueError) as error:
        hint = error.hint if isinstance(error, Broken) else "Something else wrote to the log: take it from a copy."
        raise Broken(f"Fact {version} of repository {repository} cannot be read. {error}", hint=hint) from error
    return Recorded(sequence=sequence, repository=RepositoryId(repository), version=version, at=moment, event=event)


class _Lane:
    """A connection and the one thread that ever touches it."""

    def __init__(self, name: str, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"bandstand-log-{name}")
        self._connection: sqlite3.Connection | None = None

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Connect."""

        def begin() -> None:
            self._connection = connect()

        await asyncio.get_running_loop().run_in_executor(self._thread, begin)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the connection."""

        def told() -> T:
            if self._connection is None:
                raise Unavailable(f"The log {self._path} is not open.")
            with troubles_told(self._path):
                return work(self._connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, told)

    async def close(self) -> None:
        """Disconnect behind what is still to be done, and end the thread."""

        def end() -> None:
            connection, self._connection = self._connection, None
            if connection is not None:
                with troubles_told(self._path):
                    connection.close()

        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, end)
        finally:
            self._thread.shutdown(wait=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lanes:
    """The two lanes of an open log."""

    writer: _Lane
    reader: _Lane

    @classmethod
    async def opened(cls, path: Path, *, wait_seconds: float) -> "_Lanes":
        """Both lanes connected, or none."""
        lanes = cls(writer=_Lane("writer", path), reader=_Lane("reader", path))
        async with contextlib.AsyncExitStack() as on_failure:
            on_failure.push_async_callback(lanes.close)
            # One after the other: the writer makes the file.
            await lanes.writer.open(lambda: connect_to_write(path, wait_seconds=wait_seconds))
            await lanes.reader.open(lambda: connect_to_read(path, wait_seconds=wait_seconds))
            on_failure.pop_all()
        return lanes

    async def close(self) -> None:
        """Disconnect both."""
        await self.reader.close()
        await self.writer.close()
