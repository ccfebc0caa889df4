"""A client of the HTTP API at its Unix socket, with the standard library alone: questions, and the stream of events.

It is imported by live views only: a quick command speaks by the wire and has no use for `http.client`.
"""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

from bandstand.faces.wire import ANSWER_SECONDS, Json, Lost, NotRunning, raise_error

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One event of the stream: what kind of, its data, and where to go on behind it, if it says so."""

    kind: str
    data: Json
    id: int | None = None


class Api:
    """The API of the daemon at a socket.

    Raises `NotRunning` when nobody is there, `Lost` when the daemon ends meanwhile, and whatever the daemon answers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, method: str, path: str, body: Json = None) -> Json:
        """The answer to a request."""
        with closing(_Connection(self._path, timeout=ANSWER_SECONDS)) as connection:
            try:
                return _answer(_request(connection, method, path, body=body))
            except (HTTPException, OSError, ValueError):
                raise _lost() from None

    def events(self, query: Mapping[str, Sequence[str]], *, after: int | None = None) -> Iterator[Said]:
        """What happens, behind event `after` or from now on. It never ends by itself."""
        with closing(_Connection(self._path, timeout=ANSWER_SECONDS)) as connection:
            headers = {"Last-Event-ID": str(after)} if after is not None else {}
            words = urlencode(query, doseq=True)
            try:
                response = _request(connection, "GET", f"/events?{words}", headers=headers)
                if response.status != 200:
                    _answer(response)
                connection.may_be_silent()
                yield from _events(response)
            except (HTTPException, OSError, ValueError):
                raise _lost() from None
            raise _lost()


class _Connection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect, or raise `NotRunning`."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError):
            self.sock.close()
            raise NotRunning("No daemon is running.", hint="`band up` starts one.") from None

    def may_be_silent(self) -> None:
        """From now on wait for any time."""
        if self.sock is not None:
            self.sock.settimeout(None)


def _request(
    connection: _Connection, method: str, path: str, *, body: Json = None, headers: Mapping[str, str] | None = None
) -> HTTPResponse:
    sent = dict(headers or {})
    data = None
    if body is not None:
        data = json.dumps(body)
        sent["Content-Type"] = "application/json"
    connection.request(method, PREFIX + path, body=data, headers=sent)
    return connection.getresponse()


def _answer(response: HTTPResponse) -> Json:
    answer = json.loads(response.read())
    if response.status >= 400:
        raise_error(answer["error"])
    return answer


def _events(response: HTTPResponse) -> Iterator[Said]:
    """The events of a stream as they come, until it ends. One that was cut short is left out: it comes again."""
    kind, data, place = "", b"", None
    for line in response:
        name, _, value = line.rstrip(b"\n").partition(b": ")
        if name == b"event":
            kind = value.decode()
        elif name == b"data":
            data = value
        elif name == b"id":
            place = int(value)
        elif line == b"\n":
            if kind == "error":
                raise_error(json.loads(data)["error"])
            yield Said(kind=kind, data=json.loads(data) if data else None, id=place)
            kind, data, place = "", b"", None


def _lost() -> Lost:
    return Lost("The daemon ended before it had answered.", hint="Try again; `band doctor` tells more.")
