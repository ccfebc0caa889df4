"""The wire between the faces and the daemon: lines of JSON over a Unix socket, and a client for it, import-light.

    -> {"op": "show", "args": {…}, "install": "0.1.0 /…/bandstand"}
    <- {"item": …}                    any number of them, for an operation that streams
    <- {"result": …}                  the end, or
    <- {"error": {"kind": "refused", "message": "…", "hint": "…"}}

One connection carries one operation. Closing it ends the operation, never what was ordered.
"""

import json
import os
import socket
from collections.abc import Iterator

import bandstand
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable, Unknown

# Importing `typing` takes longer than answering does; type checkers take a constant of this name for the real one.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Json: TypeAlias = Any
    """A value of JSON."""
else:
    Json = object

ANSWER_SECONDS = 60.0
"""How long an operation that does not stream may take. Those that do may be silent for any time."""

INSTALL = f"{bandstand.__version__} {os.path.dirname(bandstand.__file__)}"
"""Which code this is: its version and where it lies."""


class NotRunning(Unavailable):
    """No daemon listens on the socket."""


class Outlived(Unavailable):
    """The daemon makes way for a new one, for it is not of the caller's installation, or its state is gone."""


class Lost(Unavailable):
    """The daemon ended, or was ended, in the middle of an answer."""


_KINDS: dict[str, type[BandstandError]] = {
    "unknown": Unknown,
    "outlived": Outlived,
    "refused": Refused,
    "unavailable": Unavailable,
    "broken": Broken,
}


def encode(message: Json) -> bytes:
    """One message as a line."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def error_message(error: BandstandError) -> Json:
    """An error as it goes over the wire."""
    kind = next(name for name, tree in _KINDS.items() if isinstance(error, tree))
    return {"error": {"kind": kind, "message": error.message, "hint": error.hint}}


def raise_error(error: Json) -> None:
    """Raise what came over the wire as an error."""
    kind = _KINDS.get(str(error.get("kind")), Broken)
    raise kind(str(error.get("message")), hint=str(error.get("hint", "")))


class Client:
    """Asks the daemon at a socket.

    Raises `NotRunning` when nobody is there, `Lost` when the daemon ends meanwhile, and whatever the daemon raises.
    `patience` is how many seconds an answer may take. Without an `install` it goes on with what began before: a daemon
    of another installation answers it, too.
    """

    def __init__(
        self, path: "os.PathLike[str] | str", *, patience: float = ANSWER_SECONDS, install: str | None = INSTALL
    ) -> None:
        self._path = os.fspath(path)
        self._patience = patience
        self._who = {} if install is None else {"install": install}

    def call(self, op: str, **args: Json) -> Json:
        """The result of an operation that does not stream."""
        for kind, value in self._exchange(op, args, timeout=self._patience):
            if kind == "result":
                return value
        raise _lost()

    def stream(self, op: str, **args: Json) -> Iterator[Json]:
        """The items of an operation, as they come. Ends with it."""
        for kind, value in self._exchange(op, args, timeout=None):
            if kind == "item":
                yield value

    def _exchange(self, op: str, args: Json, *, timeout: float | None) -> Iterator[tuple[str, Json]]:
        with self._connect() as connection:
            connection.settimeout(timeout)
            try:
                self._ask(connection, {"op": op, "args": args, **self._who})
                with connection.makefile("rb") as lines:
                    for line in lines:
                        message = _message(line)
                        if "error" in message:
                            raise_error(message["error"])
                        kind = "item" if "item" in message else "result"
                        yield kind, message[kind]
                        if kind == "result":
                            return
                raise _lost()
            except TimeoutError:
                raise Unavailable(f"The daemon did not answer in {self._patience:.0f} seconds.") from None
            except ConnectionError:
                raise _lost() from None

    @staticmethod
    def _ask(connection: socket.socket, request: Json) -> None:
        """Send a request, or what a daemon takes of it that hangs up: what it said before that is read in any case."""
        try:
            connection.sendall(encode(request))
        except (BrokenPipeError, ConnectionResetError):
            return

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self._path)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            connection.close()
            raise NotRunning("No daemon is running.", hint="`band up` starts one.") from None
        except OSError as error:
            connection.close()
            raise Broken(f"{self._path} cannot be opened: {error.strerror}.") from None
        return connection


def _lost() -> Lost:
    return Lost("The daemon ended before it had answered.", hint="Try again; `band doctor` tells more.")


def _message(line: bytes) -> dict[str, Json]:
    """One line of an answer. Raises `Lost` for one that was cut short."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise _lost() from None
    if not isinstance(message, dict) or not message.keys() & {"error", "item", "result"}:
        raise _lost()
    return message
