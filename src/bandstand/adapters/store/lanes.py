"""The threads of an open log: one writes, one reads, and one may look through all of it meanwhile.

SQLite's connections stay with the thread that made them. The one that writes keeps the tally, too.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from bandstand.adapters.store.database import Opened, connect_to_read, connect_to_write
from bandstand.adapters.store.examination import damage
from bandstand.adapters.store.tally import Keeping
from bandstand.adapters.store.troubles import RECOVERS, troubles_told
from bandstand.domain.errors import BandstandError, Broken, Unavailable

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transaction has brought the log: its last sequence, and the version of each repository in it."""

    sequence: int
    heads: Mapping[str, int]


class Lane:
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

    def interrupt(self) -> None:
        """Let what is being done come to its end at once."""
        if self._connection is not None:
            self._connection.interrupt()

    async def close(self, then: Callable[[], None] = lambda: None) -> None:
        """Disconnect behind what is still to be done, do one thing more, and end the thread."""

        def end() -> None:
            connection, self._connection = self._connection, None
            if connection is not None:
                with troubles_told(self._path):
                    connection.close()
                    then()

        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, end)
        finally:
            self._thread.shutdown(wait=False)


class Lanes:
    """The lanes of an open log."""

    def __init__(self, path: Path, *, look_after: float) -> None:
        self._path = path
        self._look_after = look_after
        self._writer = Lane("writer", path)
        self._looker = Lane("looker", path)
        self._keeping: Keeping | None = None
        self._looking: asyncio.Task[None] | None = None
        self._damage: Broken | None = None
        self.reader = Lane("reader", path)

    @classmethod
    async def opened(cls, path: Path, *, wait_seconds: float, look_after: float, now: datetime) -> "Lanes":
        """Both lanes connected, or none. After so many seconds it is looked through if that is still to be done."""
        lanes = cls(path, look_after=look_after)
        async with contextlib.AsyncExitStack() as on_failure:
            on_failure.push_async_callback(lanes.close)
            # One after the other: the writer makes the file.
            unseen = await lanes._begin(lambda: connect_to_write(path, wait_seconds=wait_seconds, now=now))
            await lanes.reader.open(lambda: connect_to_read(path, wait_seconds=wait_seconds))
            if unseen:
                await lanes._looker.open(lambda: connect_to_read(path, wait_seconds=wait_seconds))
                lanes._looking = asyncio.create_task(lanes._look(), name="log-look")
            on_failure.pop_all()
        return lanes

    async def _begin(self, connect: Callable[[], Opened]) -> bool:
        unseen = False

        def connected() -> sqlite3.Connection:
            nonlocal unseen
            opened = connect()
            self._keeping, unseen = opened.keeping, opened.unseen
            return opened.connection

        await self._writer.open(connected)
        return unseen

    async def write(self, work: Callable[[sqlite3.Connection], tuple[T, Progress]]) -> T:
        """Do something with the connection that writes, and keep the tally behind it.

        Raises `Broken` once damage was found: what is written from then on could be lost with it.
        """
        if self._damage is not None:
            raise self._damage

        def done(connection: sqlite3.Connection) -> T:
            result, progress = work(connection)
            if self._keeping is not None and progress.heads:
                self._keeping.advance(progress.sequence, progress.heads)
            return result

        return await self._writer.run(done)

    async def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the connection that writes which adds no fact."""
        return await self._writer.run(work)

    async def _look(self) -> None:
        """Look through all of a file that was too large for that when it was opened.

        Not at once: who has just opened it has more urgent things to do.
        """
        await asyncio.sleep(self._look_after)
        try:
            found = await self._looker.run(damage)
        except BandstandError as error:
            _log.warning("the database could not be looked through: %s", error)
            return
        if found and self._keeping is not None:
            _log.error("the database %s is damaged: %s", self._path, found)
            keeping = self._keeping
            await self._writer.run(lambda _: keeping.suspect(found))
            self._damage = Broken(f"The database {self._path} is damaged: {found}.", hint=RECOVERS)

    async def close(self) -> None:
        """Disconnect all."""
        if self._looking is not None:
            self._looking.cancel()
            self._looker.interrupt()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._looker.close()
        await self.reader.close()
        keeping = self._keeping
        await self._writer.close(keeping.close if keeping is not None else lambda: None)
