"""The event log in one SQLite file: one thread writes, another one reads.

What stays true:

* when `append` has returned, its facts are on the disk: a process that is killed, or a machine that loses its power,
  loses nothing of them;
* appends that wait at the same time are committed together, and each has its own answer;
* several processes may use one file: the write lock is taken before a version is looked at;
* a fact that is read is the one that was written: its digest tells.

The file must be on a local disk.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bandstand.adapters.store import projections
from bandstand.adapters.store.codec import Stored, event_codec
from bandstand.adapters.store.database import one_moment, transaction
from bandstand.adapters.store.digests import digest
from bandstand.adapters.store.lanes import Lanes, Progress
from bandstand.adapters.store.recovery import INSERT
from bandstand.adapters.store.shapes import decode_time, encode_time
from bandstand.adapters.store.troubles import RECOVERS
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

LOOK_AFTER_SECONDS = 5.0
"""How long a log is open before it is looked through, if it was too large for that at its opening."""

_SELECT = "SELECT sequence, repository, version, at, type, type_version, payload, task, digest FROM events "


class SqliteLog:
    """The `EventLog` in the SQLite file at `path`. It is used from one event loop, between `open` and `close`.

    Outside of these every verb raises `Unavailable`.
    """

    def __init__(
        self, path: Path, *, wait_seconds: float = WAIT_SECONDS, look_after: float = LOOK_AFTER_SECONDS
    ) -> None:
        self._path = path
        self._look_after = look_after
        self._wait_seconds = wait_seconds
        self._lanes: Lanes | None = None
        self._turn = asyncio.Lock()
        self._forming: _Group | None = None
        self._unfinished: set[asyncio.Task[list[_Outcome]]] = set()

    async def open(self) -> None:
        """Look whether the file is ours and whole, and bring it up to date; make it if there is none. May be repeated.

        A damaged file gives way to a new one with all that can be read in it, and is kept; see `recovery`.
        Raises `Refused` if a newer Bandstand wrote it, `Broken` if nothing of it can be read, or it is not ours or
        cannot be used at all, `Unavailable` if it cannot be used now. Then it is as it was.
        """
        if self._lanes is None:
            now = datetime.now(UTC)
            self._lanes = await Lanes.opened(
                self._path, wait_seconds=self._wait_seconds, look_after=self._look_after, now=now
            )

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
            await self._open_lanes().change(write)

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

    def _open_lanes(self) -> Lanes:
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

    async def _write(self, batches: "list[_Batch]", lanes: Lanes) -> "list[_Outcome]":
        async with self._turn:
            # The group before this one is on the disk. What comes from here on is for the next one.
            self._forming = None
            return await lanes.write(lambda connection: _append(connection, batches))


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


def _append(connection: sqlite3.Connection, batches: Sequence[_Batch]) -> tuple[list[_Outcome], Progress]:
    fault("log.append.before")
    done = _commit(connection, batches)
    fault("log.append.after")
    return done


def _commit(connection: sqlite3.Connection, batches: Sequence[_Batch]) -> tuple[list[_Outcome], Progress]:
    heads: dict[RepositoryId, tuple[int, Totals]] = {}
    outcomes: list[_Outcome] = []
    with transaction(connection):
        last = _last(connection)
        for batch in batches:
            name = batch.repository
            version, totals = heads[name] if name in heads else projections.head(connection, name)
            if version == batch.expected:
                outcome, totals = _insert(connection, batch, last, totals)
                outcomes.append(outcome)
                version += len(batch.events)
                last += len(batch.events)
            else:
                outcomes.append(OutOfDate(f"Repository {name} is at version {version}, not {batch.expected}."))
            heads[name] = version, totals
        for name, (version, totals) in heads.items():
            if version:
                projections.keep_head(connection, name, version, totals)
    written = {str(name): version for name, (version, _) in heads.items() if version}
    return outcomes, Progress(sequence=last, heads=written)


def _last(connection: sqlite3.Connection) -> int:
    """The greatest sequence that was ever given."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(found[0]) if found is not None else 0


def _insert(
    connection: sqlite3.Connection, batch: _Batch, last: int, totals: Totals
) -> tuple[tuple[Recorded, ...], Totals]:
    recorded = []
    at, name = decode_time(batch.at), batch.repository
    for number, (event, stored) in enumerate(zip(batch.events, batch.stored, strict=True), 1):
        sequence, version = last + number, batch.expected + number
        row = (sequence, name, version, batch.at, stored.type, stored.version, stored.payload, subject(event))
        connection.execute(INSERT, (*row, digest(*row)))
        totals = projections.index(connection, name, version, event, totals)
        recorded.append(Recorded(sequence=sequence, repository=name, version=version, at=at, event=event))
    return tuple(recorded), totals


def _recorded(row: projections.Row) -> Recorded:
    sequence, repository, version, at, kind, type_version, payload, _, told = row
    if digest(*row[:8]) != told:
        raise Broken(
            f"Fact {version} of repository {repository} is not as it was written: the database is damaged.",
            hint=RECOVERS,
        )
    try:
        event = event_codec().decode(Stored(type=kind, version=type_version, payload=payload))
        moment = decode_time(at)
    except (Broken, ValueError) as error:
        hint = error.hint if isinstance(error, Broken) else "Something else wrote to the log: take it from a copy."
        raise Broken(f"Fact {version} of repository {repository} cannot be read. {error}", hint=hint) from error
    return Recorded(sequence=sequence, repository=RepositoryId(repository), version=version, at=moment, event=event)
