"""Bytes both ways between two connections, until both have come to their end."""

from __future__ import annotations

import contextlib
import select
import socket

from bandstand.egress.framing import Malformed

TYPE_CHECKING = False  # `typing` alone would be a part of the start of a process that every run starts
if TYPE_CHECKING:
    from typing import Protocol

    class Passing(Protocol):
        """What of a stream is passed on; once it is `over`, nothing more."""

        @property
        def over(self) -> bool:
            """Whether nothing more is passed on."""
            ...

        def feed(self, data: bytes) -> bytes:
            """What of the next bytes is passed on; none are the end. Raises `Malformed`."""
            ...


CHUNK = 64 << 10
HALF_SECONDS = 60.0  # how long a client may be silent whose server has nothing more to say

IDLE, BROKEN, ENDED = "idle", "broken", "ended"


class Way:
    """One direction: what was read and is not written yet, and how far its end has come."""

    def __init__(self, source: socket.socket, sink: socket.socket, passing: Passing) -> None:
        self.source, self.sink = source, sink
        self.moved = 0
        self.over = False  # it has ended, and everything is written
        self._passing = passing
        self._waiting = memoryview(b"")
        self._ended = False  # nothing more is read

    @property
    def reads(self) -> bool:
        """Whether there is room for more."""
        return not self._ended and not self._waiting

    @property
    def writes(self) -> bool:
        """Whether the sink has not taken everything."""
        return bool(self._waiting)

    def begin(self, head: bytes, data: bytes) -> None:
        """Pass on a head as it is, and what was read behind it."""
        self._waiting = memoryview(head + self._passing.feed(data))
        self._ended = self._passing.over
        self.give()

    def take(self) -> None:
        """Read what has come; nothing is the end."""
        try:
            data = self.source.recv(CHUNK)
        except BlockingIOError:
            return
        self._waiting = memoryview(self._passing.feed(data))
        self._ended = not data or self._passing.over
        self.give()

    def give(self) -> None:
        """Write what the sink takes now. Behind the last of it, the end is told as it was heard."""
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                sent = self.sink.send(self._waiting)
                self.moved += sent
                self._waiting = self._waiting[sent:]
        if self._ended and not self._waiting and not self.over:
            self.over = True
            # A request that is whole needs no end of its connection: some servers take that for a client that left.
            if not self._passing.over:
                self.sink.shutdown(socket.SHUT_WR)


class Relay:
    """Both directions between a client and a server; `up` and `down` say what of each is passed on."""

    def __init__(self, client: socket.socket, server: socket.socket, *, up: Passing, down: Passing) -> None:
        self.up, self.down = Way(client, server, up), Way(server, client, down)
        self._poll = select.poll()
        self._watched: dict[int, int] = {}
        for connection in (client, server):
            connection.setblocking(False)

    def run(self, head: bytes, data: bytes, *, idle_seconds: float) -> str:
        """Pass on until both ways have ended, or there is no point in going on; why it is over.

        `head` goes to the server as it is, `data` is what the client had said behind its own.
        """
        try:
            self.up.begin(head, data)
            while not (self.down.over and (self.up.over or bool(head))):
                self._watch(self.up.source, reads=self.up.reads, writes=self.down.writes)
                self._watch(self.down.source, reads=self.down.reads, writes=self.up.writes)
                patience = min(HALF_SECONDS, idle_seconds) if self.down.over else idle_seconds
                ready = self._poll.poll(patience * 1000)
                if not ready:
                    return IDLE
                for number, events in ready:
                    self._move(number, events)
        except (OSError, Malformed):
            return BROKEN
        return ENDED

    def _watch(self, connection: socket.socket, *, reads: bool, writes: bool) -> None:
        """Wait for what is wanted of a connection, and of one of which nothing is wanted for nothing.

        It might have been closed by its other end, with bytes left to be read once there is room for them.
        """
        events = (select.POLLIN if reads else 0) | (select.POLLOUT if writes else 0)
        number = connection.fileno()
        if self._watched.get(number, 0) == events:
            return
        if events:
            self._poll.register(number, events)
        else:
            self._poll.unregister(number)
        self._watched[number] = events

    def _move(self, number: int, events: int) -> None:
        """Do what a connection is ready for. What is wrong with it is told by reading it, or writing to it."""
        incoming, outgoing = (self.up, self.down) if number == self.up.source.fileno() else (self.down, self.up)
        if outgoing.writes and events & ~select.POLLIN:
            outgoing.give()
        if incoming.reads and events & ~select.POLLOUT:
            incoming.take()
