"""Reading journals as they grow: a connection to each holder that gets its journal's own bytes.

To be woken costs more than what is done for a line, so all connections are read in rounds: the first that has something
behind a pause at once, then all that have something, every few milliseconds.
"""

import asyncio
import json
import os
import socket
import struct
from collections import deque
from pathlib import Path
from select import EPOLLIN, epoll

from bandstand.adapters.hosts.records import RecordStream
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.ids import RunId
from bandstand.ports.hosts import Record

_CHUNK = 1 << 16  # bytes read at once: short lines of so many take the event loop some 20 ms
_BATCH = 256  # records that wait for who reads them, before no more are taken in
_ROUND = 0.004  # seconds from one round to the next


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


class Tails:
    """All connections of a host that get a journal, read in rounds. Nothing is open while there is none of them."""

    def __init__(self) -> None:
        self._open: dict[int, Tail] = {}
        self._ready: deque[int] = deque()  # those of this round that have not had their turn
        self._epoll: epoll | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.Handle | None = None  # the round that is due, if one is
        self._again_at = 0.0
        self._buffer = memoryview(bytearray(_CHUNK))  # of all: what is in it is taken out before the next one's turn

    def open(self, run: RunId, folder: Path, *, after: int) -> "Tail":
        """Connect to the holder of that folder. Raises `Unavailable` if there is none, or not one of our own user."""
        try:
            sock = connected(folder)
        except OSError as error:
            raise Unavailable(f"Run {run} has no holder that answers.") from error
        try:
            sock.sendall(json.dumps({"op": "tail", "from": after}).encode() + b"\n")
        except OSError as error:
            sock.close()
            raise Unavailable(f"Run {run} has no holder that answers.") from error
        tail = Tail(self, sock, after=after)
        self._open[sock.fileno()] = tail
        self.listen(tail)
        return tail

    def listen(self, tail: "Tail") -> None:
        """Read what comes on this one."""
        if self._epoll is None:
            self._epoll, self._loop = epoll(), asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._stirred)
        self._epoll.register(tail.socket.fileno(), EPOLLIN)

    def ignore(self, tail: "Tail") -> None:
        """Leave what comes on this one where it is."""
        if self._epoll is not None:
            self._epoll.unregister(tail.socket.fileno())

    def forget(self, tail: "Tail") -> None:
        """It is over. Its file descriptor is free behind this."""
        del self._open[tail.socket.fileno()]
        tail.socket.close()
        if not self._open and self._epoll is not None and self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
            self._ready.clear()
            if self._next:
                self._next.cancel()

    def _stirred(self) -> None:
        """Something has come: have a round, now or when it is time for the next."""
        assert self._epoll is not None
        assert self._loop is not None
        self._loop.remove_reader(self._epoll.fileno())
        self._next = self._loop.call_at(max(self._again_at, self._loop.time()), self._round)

    def _round(self) -> None:
        """Read from all that have something, a buffer of each; after a buffer in all, others get their turn first."""
        assert self._epoll is not None
        assert self._loop is not None
        if not self._ready:
            self._ready.extend(number for number, _ in self._epoll.poll(0))
        room = _CHUNK
        while self._ready and room > 0:
            tail = self._open.get(self._ready.popleft())
            room -= tail.read(self._buffer) if tail else 0
        if self._epoll is None:
            return
        self._again_at = self._loop.time() + _ROUND
        if self._ready or room <= 0:
            self._next = self._loop.call_soon(self._round)
        else:
            self._loop.add_reader(self._epoll.fileno(), self._stirred)


class Tail:
    """One connection to a holder that gets its journal as it grows, in batches: all that has come since the last."""

    def __init__(self, tails: Tails, sock: socket.socket, *, after: int) -> None:
        self.socket = sock
        self._tails = tails
        self._stream = RecordStream(after=after)
        self._records: list[Record] = []
        self._news = asyncio.Event()
        self._over = self._full = False
        self._trouble: Broken | None = None

    async def next(self) -> list[Record]:
        """The records that have come, at least one; none once the holder has hung up. Raises `Broken` for damage."""
        while not self._records and not self._over:
            self._news.clear()
            await self._news.wait()
        records, self._records = self._records, []
        if not records and self._trouble:
            raise self._trouble
        if self._full and not self._over:
            self._full = False
            self._tails.listen(self)
        return records

    def close(self) -> None:
        """Hang up. May be repeated."""
        if not self._over:
            self._over = True
            if not self._full:
                self._tails.ignore(self)
            self._tails.forget(self)
            self._news.set()

    def read(self, buffer: memoryview) -> int:
        """Take in what has come, a buffer at most: how many bytes. The end of it is ours, too."""
        if self._full:
            return 0
        try:
            size = self.socket.recv_into(buffer)
            self._records += self._stream.feed(bytes(buffer[:size]))
        except BlockingIOError:
            return 0
        except OSError:
            size = 0
        except Broken as error:
            self._trouble, size = error, 0
        if not size:
            self.close()
        elif self._records:
            self._news.set()
            if len(self._records) > _BATCH:
                self._full = True
                self._tails.ignore(self)
        return size
