"""Who is connected to a holder: each gives commands, or gets the journal as it grows."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct

from bandstand.adapters.hosts.holder import STDIN_LIMIT
from bandstand.adapters.hosts.holder.loop import READ, WRITE, Loop

TYPE_CHECKING = False  # see `loop`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bandstand.adapters.hosts.holder.journal import Journal

    Command = dict[str, Any]
    Perform = Callable[[socket.socket, Command, bytes], Command]

HEADER = 1 << 16  # bytes of a command's JSON
PATIENCE = 1.0  # seconds for a command to come in


class Clients:
    """Those who are connected. `perform` does what a command says, and is the answer to it."""

    def __init__(self, server: socket.socket, loop: Loop, journal: Journal, perform: Perform) -> None:
        self.epochs: dict[socket.socket, int] = {}  # of each, 0 before it said hello
        self.tails: dict[socket.socket, int] = {}  # the offset of what each gets next
        self._slow: set[socket.socket] = set()  # tails that do not take more now
        self.over = False  # the journal is complete: who has all of it is let go
        self._server, self._loop, self._journal, self._perform = server, loop, journal, perform
        loop.watch(server, READ, self._welcome)

    @property
    def attend(self) -> bool:
        """Whether anybody looks after the agent."""
        return bool(self.tails) or any(self.epochs.values())

    def _welcome(self, _server: socket.socket) -> None:
        """Take in a client: one of our own user, and in a namespace none that is itself part of the tree."""
        with contextlib.suppress(OSError):
            client, _ = self._server.accept()
            pid, uid, _ = struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            self.epochs[client] = 0
            client.settimeout(PATIENCE)
            self._loop.watch(client, READ, self._serve)
            if uid != os.getuid() or (pid and os.getpid() == 1):
                self._drop(client)

    def _serve(self, client: socket.socket) -> None:
        """Take one command and answer it. Whoever has gone, dawdles or makes no sense is dropped."""
        try:
            with client.makefile("rb") as file:
                command = json.loads(file.readline(HEADER))
                length = int(command.get("n", 0))
                payload = file.read(length) if 0 <= length <= STDIN_LIMIT else b""
            if command["op"] == "tail":
                self.tails[client] = int(command["from"])
                client.setblocking(False)
            elif len(payload) == length:
                client.sendall(json.dumps(self._perform(client, command, payload)).encode() + b"\n")
            else:
                self._drop(client)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self.epochs.pop(client, 0)
        self.tails.pop(client, 0)
        self._slow.discard(client)
        self._loop.close(client)

    def flush(self) -> None:
        """Send every tail what the journal has more."""
        size = self._journal.size
        for tail in [tail for tail, offset in self.tails.items() if offset < size or self.over]:
            self._flush(tail)

    def _flush(self, tail: socket.socket) -> None:
        """Send one tail what the journal has more. Nothing is copied, so a slow reader costs nothing.

        One that wants what is not there as it was written is dropped, and reads the files.
        """
        try:
            while (offset := self.tails[tail]) < self._journal.size:
                if not (sent := self._journal.send_to(tail.fileno(), offset)):
                    return self._drop(tail)
                self.tails[tail] = offset + sent
        except BlockingIOError:
            self._slow.add(tail)
            return self._loop.watch(tail, WRITE, self._flush)
        except OSError:
            return self._drop(tail)
        if self.over:
            return self._drop(tail)
        if tail in self._slow:
            self._slow.remove(tail)
            self._loop.watch(tail, READ, self._serve)
