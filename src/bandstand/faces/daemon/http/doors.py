"""The doors of the HTTP API: sockets that are bound when the daemon starts, and who serves them once somebody comes.

Nothing heavy is imported here. The first connection waits in the socket's queue until Starlette and uvicorn are there.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from dataclasses import dataclass, field
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bandstand.config.places import Places
from bandstand.domain.errors import BandstandError, Refused, Unavailable

if TYPE_CHECKING:
    from bandstand.bootstrap import Bandstand

_BACKLOG = 128
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A listening socket. Over TCP callers have to know `token` and name one of `hosts`; at a Unix socket they are
    known by their user."""

    socket: socket.socket
    hosts: frozenset[str] = frozenset()
    token: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Where it is, for TCP."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/api/v1"


class Served(Protocol):
    """Doors at which somebody is answered."""

    async def close(self, error: BandstandError | None) -> None:
        """Let no more in, and end what goes on; who reads events is told of the error."""
        ...


def unix_door(places: Places) -> Door:
    """The door for this user. The runtime folder must have been looked at before: it keeps all others out."""
    path = places.api_socket
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(_BACKLOG)
    return Door(socket=listener)


def tcp_door(places: Places, host: str, port: int) -> Door:
    """A door on this machine's loopback; port 0 takes any that is free.

    Raises `Refused` for any other address, `Unavailable` if the port is taken.
    """
    name = "127.0.0.1" if host in ("", "localhost") else host.strip("[]")
    try:
        address = ip_address(name)
    except ValueError:
        raise Refused(f"{host!r} is no address of this machine.", hint="Use 127.0.0.1, localhost or ::1.") from None
    if not address.is_loopback:
        raise Refused(f"{host} can be reached from other machines.", hint="Use 127.0.0.1, and ssh -L from elsewhere.")
    listener = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((name, port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"Port {port} of {host} cannot be had: {error.strerror}.", hint="Name another.") from None
    except OverflowError:
        listener.close()
        raise Refused(f"There is no port {port}.", hint="Name one between 1 and 65535, or 0 for any.") from None
    listener.listen(_BACKLOG)
    port = listener.getsockname()[1]
    ours = {f"{one}:{port}" for one in ("localhost", f"[{name}]" if address.version == 6 else name)}
    return Door(socket=listener, hosts=frozenset(ours), token=token(places.api_token))


def address(text: str) -> tuple[str, int]:
    """A host and a port of `HOST:PORT`. Raises `Refused`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        raise Refused(f"{text!r} is no address to listen at.", hint="Say it like this: --listen 127.0.0.1:8765")
    return host, int(port)


def token(path: Path) -> str:
    """The token that is kept in a file for its owner alone; a new one if there is none that can be trusted."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        standing = path.lstat()
        text = path.read_text("ascii").strip()
        if standing.st_uid == os.getuid() and standing.st_mode & 0o170077 == 0o100000 and len(text) >= 40:
            return text
    path.unlink(missing_ok=True)
    text = secrets.token_urlsafe(32)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(f"{text}\n")
    return text


class Doorway:
    """All doors of a daemon. `loaded` tells whether anybody has come yet."""

    def __init__(self, doors: tuple[Door, ...]) -> None:
        self._doors = doors
        self._knocked = False
        self._serving: asyncio.Task[Served] | None = None

    @property
    def loaded(self) -> bool:
        """Whether the libraries were needed."""
        return self._knocked

    def open(self, band: "Bandstand") -> None:
        """Wait for the first one to come."""
        loop = asyncio.get_running_loop()

        def knock() -> None:
            for door in self._doors:
                loop.remove_reader(door.socket)
            self._knocked = True
            self._serving = asyncio.create_task(self._serve(band), name="http")
            self._serving.add_done_callback(self._begun)

        for door in self._doors:
            door.socket.setblocking(False)
            loop.add_reader(door.socket, knock)

    async def _serve(self, band: "Bandstand") -> Served:
        # Importing takes a fifth of a second, for which agents would have to wait.
        serving = await asyncio.to_thread(import_module, "bandstand.faces.daemon.http.serving")
        served: Served = await serving.serve(band, self._doors)
        return served

    def _begun(self, serving: "asyncio.Task[Served]") -> None:
        if not serving.cancelled() and (error := serving.exception()) is not None:
            _log.error("the HTTP API cannot be served", exc_info=error)
            self._shut()

    def _shut(self) -> None:
        for door in self._doors:
            door.socket.close()

    async def close(self, error: BandstandError | None) -> None:
        """Close the doors; who reads events is told of the error, or left to find out."""
        if self._serving is None:
            loop = asyncio.get_running_loop()
            for door in self._doors:
                loop.remove_reader(door.socket)
        else:
            await asyncio.wait([self._serving])
            if self._serving.exception() is None:
                await self._serving.result().close(error)
        self._shut()
