"""A proxy as a client meets it, with names that lead where a test wants: servers on the loopback address."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bandstand.egress.account import Account
from bandstand.egress.proxy import Proxy
from bandstand.egress.reaching import Reaching
from bandstand.egress.rules import Rules

SECONDS = 10.0
"""How long anything may take here, on a busy machine too."""

Serve = Callable[[socket.socket], None]


class Town:
    """A proxy and who it may reach. `names` leads names to addresses, and counts who was looked for."""

    def __init__(self, folder: Path, **limits: float) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.looked: list[str] = []
        self.refused: list[tuple[str, int, str]] = []
        self.reach, self.traffic = folder / "reach", folder / "traffic"
        self._cleanup = contextlib.ExitStack()
        listener = self._cleanup.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
        self._listener = listener
        self.port = listener.getsockname()[1]
        account = Account(lambda *one: self.refused.append(one), str(self.traffic))
        reaching = Reaching(Rules(str(folder)), find=self._find, connect_seconds=limits.pop("connect_seconds", 5.0))
        proxy = Proxy(reaching, account, **limits)  # type: ignore[arg-type]
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()

    def _find(self, name: str, _port: int) -> list[str]:
        self.looked.append(name)
        answers = self.names.get(name)
        if not answers:
            raise socket.gaierror(name)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def allow(self, *rules: tuple[str, int | None] | tuple[str, int | None, bool]) -> None:
        """What may be reached from now on. The file is replaced, as its writer does it."""
        entries = [{"host": host, "port": port, "private": any(more)} for host, port, *more in rules]
        new = self.reach.with_suffix(".new")
        new.write_text(json.dumps({"rules": entries}))
        new.replace(self.reach)

    def server(self, serve: Serve, *, host: str = "127.0.0.1") -> int:
        """The port of a server that does this with each connection."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = self._cleanup.enter_context(socket.create_server((host, 0), family=family, backlog=256))
        threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
        return int(listener.getsockname()[1])

    def known(self, name: str, serve: Serve) -> int:
        """The port of a server that may be reached by this name, though it is on the loopback address."""
        port = self.server(serve)
        self.names[name] = [["127.0.0.1"]]
        self.allow((name, port, True))
        return port

    @contextlib.contextmanager
    def client(self) -> Iterator[socket.socket]:
        """A connection with the proxy."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as connection:
            yield connection

    def ask(self, request: bytes) -> bytes:
        """Everything that the proxy answers to a request."""
        with self.client() as client:
            client.sendall(request)
            return everything(client)

    def connect(self, target: str) -> bytes:
        """The first line of the answer to a wish for a tunnel."""
        return self.ask(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()).partition(b"\r\n")[0]

    def close(self) -> None:
        """End the servers, and take in no connection any more."""
        self._listener.shutdown(socket.SHUT_RDWR)  # whoever waits there hears of it
        self._cleanup.close()


def _accept(listener: socket.socket, serve: Serve) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.settimeout(SECONDS)
            threading.Thread(target=_serve, args=(connection, serve), daemon=True).start()


def _serve(connection: socket.socket, serve: Serve) -> None:
    with connection, contextlib.suppress(OSError):
        serve(connection)


def everything(connection: socket.socket) -> bytes:
    """What comes on a connection until its end; a reset is an end, too."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            found += data
    return found


def exactly(connection: socket.socket, length: int) -> bytes:
    """So many bytes of a connection."""
    found = b""
    while len(found) < length and (data := connection.recv(length - len(found))):
        found += data
    return found


def head(connection: socket.socket) -> bytes:
    """The head of an HTTP message, byte by byte: nothing behind it is taken."""
    found = b""
    while not found.endswith(b"\r\n\r\n") and (data := connection.recv(1)):
        found += data
    return found


def echo(connection: socket.socket) -> None:
    """Say everything again, and the end too."""
    while data := connection.recv(65536):
        connection.sendall(data)


def until(condition: Callable[[], bool]) -> bool:
    """Whether this becomes true in time."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
