"""Serving the API: uvicorn's protocol on sockets that are bound already, in the daemon's own loop.

Only the protocol class of uvicorn is used. Its server has a loop of its own that wakes ten times a second, and takes
signals for itself; an idle daemon does neither.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Sequence

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from bandstand.bootstrap import Bandstand
from bandstand.domain.errors import BandstandError
from bandstand.faces.daemon.http.app import application
from bandstand.faces.daemon.http.doors import Door
from bandstand.faces.daemon.http.gate import App, Gate

_MOST_CONNECTIONS = 512
_LONGEST_HEAD = 64 * 1024
_GRACE_SECONDS = 2.0


class OwnProtocol(H11Protocol):
    """HTTP for this user alone: at a Unix socket the process at the other end must be theirs."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or hang up."""
        connection = transport.get_extra_info("socket")
        if connection.family == socket.AF_UNIX and _peer(connection) != os.getuid():
            transport.abort()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take in bytes, unless this was hung up."""
        if self.transport is not None:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, if there was a beginning."""
        if self.transport is not None:
            super().connection_lost(exc)


def _peer(connection: socket.socket) -> int:
    """The user at the other end, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


class Serving:
    """The doors, served. All connections share one state."""

    def __init__(self, band: Bandstand) -> None:
        self._band = band
        self._state = ServerState()
        self._servers: list[asyncio.Server] = []

    async def open(self, doors: Sequence[Door]) -> None:
        """Take connections."""
        app = application(self._band)
        loop = asyncio.get_running_loop()
        for door in doors:
            gated = Gate(app, hosts=door.hosts, token=door.token) if door.hosts else app
            begin = loop.create_unix_server if door.socket.family == socket.AF_UNIX else loop.create_server
            self._servers.append(await begin(self._protocol(gated), sock=door.socket))

    def _protocol(self, app: App) -> Callable[[], asyncio.Protocol]:
        config = Config(
            app,
            http=OwnProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
        )
        config.load()
        return lambda: OwnProtocol(config=config, server_state=self._state, app_state={})

    async def close(self, error: BandstandError | None) -> None:
        """Take no more, tell readers of events, and end what is left after a moment."""
        for server in self._servers:
            server.close()
        self._band.broadcast.close(error)
        connections = list(self._state.connections)
        for connection in connections:
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=_GRACE_SECONDS)
        for task in list(self._state.tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._state.tasks, return_exceptions=True)
        for connection in connections:
            if connection.transport is not None:
                connection.transport.close()


async def serve(band: Bandstand, doors: Sequence[Door]) -> Serving:
    """Serve the API at these doors."""
    serving = Serving(band)
    await serving.open(doors)
    return serving
