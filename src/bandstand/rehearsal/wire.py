"""JSON-RPC 2.0 over two file descriptors: one message per line, both directions, one thread.

Whoever has to wait, waits in `Wire.wait`. What arrives meanwhile is handled there, in the order of its arrival. So a
turn that waits for a command, for a clock or for an answer still hears a cancellation and refuses a second prompt.
"""

from __future__ import annotations

import json
import os
import select
from collections import deque

TYPE_CHECKING = False  # `typing` and `dataclasses` would cost a third of the time that a start may take
if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, object]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32002

_CHUNK = 1 << 16


class Disconnected(Exception):
    """The client has gone: it closed its end of a pipe."""


class CallError(Exception):
    """A call that ended with a JSON-RPC error, in either direction."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Wire:
    """One connection. `handle` is called with method and params of what arrives, and returns the result of a request.

    A request of ours is told from one of the client's by its direction only: both number theirs from 0.
    """

    def __init__(self, *, source: int, sink: int, handle: Callable[[str, Json], Json]) -> None:
        self._source = source
        self._sink = sink
        self._handle = handle
        self._pieces: list[bytes] = []  # of the line that is not whole yet
        self._lines: deque[bytes] = deque()
        self._number = 0
        self._answers: dict[int, Json | None] = {}

    def serve(self) -> None:
        """Handle what arrives until the client has gone."""
        try:
            while True:
                self.wait(None)
        except Disconnected:
            return

    def wait(self, seconds: float | None, *others: int) -> list[int]:
        """Handle what is there, else wait at most `seconds` for more; returns those of `others` that can be read.

        Comes back as soon as anything happened. Raises `Disconnected`.
        """
        if not self._lines:
            ready, _, _ = select.select([self._source, *others], [], [], seconds)
            if self._source not in ready:
                return ready
            self._read()
        while self._lines:
            self._dispatch(self._lines.popleft())
        return []

    def notify(self, method: str, params: Json) -> None:
        """Send a notification. Raises `Disconnected`, as everything that sends."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Json) -> int:
        """Send a request; returns its number, for `answer` and `forget`."""
        number = self._number
        self._number += 1
        self._answers[number] = None
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def answer(self, number: int) -> Json | None:
        """The result of our request, or `None` while there is none. Raises `CallError` if that is the answer."""
        message = self._answers[number]
        if message is None:
            return None
        error = message.get("error")
        if isinstance(error, dict):
            code = error.get("code")
            raise CallError(code if isinstance(code, int) else INTERNAL_ERROR, str(error.get("message")))
        result = message.get("result")
        return result if isinstance(result, dict) else {}

    def forget(self, number: int) -> None:
        """Await our request no longer; an answer that still comes is dropped."""
        self._answers.pop(number, None)

    def write(self, data: bytes) -> None:
        """Put bytes on the wire as they are."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._sink, view) :]
        except BrokenPipeError:
            raise Disconnected from None

    def _read(self) -> None:
        data = os.read(self._source, _CHUNK)
        if not data:
            raise Disconnected
        first, *others = data.split(b"\n")
        self._pieces.append(first)
        for piece in others:
            self._lines.append(b"".join(self._pieces))
            self._pieces = [piece]

    def _dispatch(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._refuse(None, CallError(PARSE_ERROR, "The line is not JSON."))
            return
        if not isinstance(message, dict):
            self._refuse(None, CallError(INVALID_REQUEST, "The line is not a JSON object."))
            return
        method = message.get("method")
        if isinstance(method, str):
            self._call(method, message)
        elif "result" in message or "error" in message:
            number = message.get("id")
            if number in self._answers:
                self._answers[number] = message
        else:
            self._refuse(message.get("id"), CallError(INVALID_REQUEST, "The message has no method."))

    def _call(self, method: str, message: Json) -> None:
        params = message.get("params")
        try:
            result = self._handle(method, params if isinstance(params, dict) else {})
        except CallError as error:
            if "id" in message:
                self._refuse(message["id"], error)
        else:
            if "id" in message:
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def _refuse(self, number: object, error: CallError) -> None:
        self._send({"jsonrpc": "2.0", "id": number, "error": {"code": error.code, "message": error.message}})

    def _send(self, message: Json) -> None:
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        self.write(text.encode("utf-8", "replace") + b"\n")  # half of a surrogate pair is no Unicode text
