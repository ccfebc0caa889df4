"""Reading a journal as it grows: a connection to its holder that gets the journal's own bytes."""

import asyncio
import json
import os
import socket
import struct
from pathlib import Path
from typing import Self

from bandstand.adapters.hosts.records import RecordStream
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.ids import RunId
from bandstand.ports.hosts import Record

_CHUNK = 1 << 16  # bytes read at once: short lines of so many take the event loop some 20 ms
_BATCH = 256  # records that wait for who reads them, before no more are taken in


def connected(folder: Path) -> socket.socket:
    """A socket to the holder of that folder, whatever the length of its path."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{place}/sock")
        if peer(sock)[1] != os.geteuid():
            raise PermissionError("The holder belongs to another user.")
    except OSError:
        sock.close()
        raise
    finally:
        os.close(place)
    return sock


def peer(sock: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end."""
    pid, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


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
            sock = connected(folder)
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
