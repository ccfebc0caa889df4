"""The messages of JSON-RPC 2.0 as a journal holds them, read as events.

A journal's records are read from the first, in order. Only the direction of a line tells whose id it holds: both
sides number from wherever they like. Lines that are no JSON, batches and half-known shapes are borne; nothing raises.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bandstand.adapters.agents.shapes import text
from bandstand.ports.hosts import Record, RecordKind

REPLY: Final = "re:"
LONGEST_LINE: Final = 16 * 1024 * 1024
LONGEST_NAME: Final = 120
_SCAN: Final = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error answer, as its sender worded it."""

    code: int
    message: str
    data: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """We sent a request or a notification."""

    key: str
    method: str
    params: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """We answered a request of the agent."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The agent answered our request `key`, with a result or a failure."""

    key: str
    result: object
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The agent asks something and waits. `request` names it within the run, `id` is the agent's own."""

    request: str
    id: str | int | float
    method: str
    params: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The agent told something and waits for nothing."""

    method: str
    params: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The holder noted something of its own, which the agent did not say."""

    name: str
    facts: dict[str, object]


Event = Sent | Replied | Answered | Asked | Told | Noted


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to answer to the agent's request `request`: a result, or a failure."""

    request: str
    result: object = None
    failure: Failure | None = None


def _value(words: str) -> object:
    """What a line of JSON says, as by `json.loads`; an object with no blank around it needs no look for blanks."""
    if words.startswith("{"):
        value, end = _SCAN(words)
        if end == len(words):
            return value
    return json.loads(words.removeprefix("\ufeff"))


def messages(line: bytes) -> list[dict[str, object]]:
    """The JSON-RPC messages of a line: one, several when it is a batch, none when it is not JSON."""
    try:
        value = _value(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict):
        return [value]
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def encoded(message: dict[str, object]) -> bytes:
    """A message as a line without its newline. Only ASCII, so that no reader takes another character for a newline."""
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode("ascii")


def request_name(identity: str | int | float) -> str:
    """The agent's id of a request as JSON, without blanks and of bounded length, because it becomes a key."""
    name = json.dumps(identity).replace(" ", "\\u0020").replace("\x7f", "\\u007f")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[:40]}~{hashlib.sha256(name.encode('ascii')).hexdigest()}"


class Decoder:
    """Reads the records of one journal, from its first, as events. Whatever a line holds, nothing is raised."""

    def __init__(self) -> None:
        self.last_words = ""
        self._pieces: list[bytes] = []
        self._length = 0
        self._uses: dict[str, int] = {}
        self._replied: set[str] = set()

    def read(self, record: Record) -> Sequence[Event]:
        """The events that this record completes, in their order."""
        match record.kind:
            case RecordKind.FROM_AGENT | RecordKind.UNTERMINATED:
                return self._from_agent(self._line(record.payload) if self._length else record.payload)
            case RecordKind.PIECE:
                self._keep(record.payload)
            case RecordKind.TO_AGENT:
                return self._to_agent(record)
            case RecordKind.NOTE:
                return [Noted(name=text(note.get("note")), facts=note) for note in messages(record.payload)]
        return ()

    def _keep(self, piece: bytes) -> None:
        """Keep a piece of a long line; beyond the longest, only its length, so that the line is passed over."""
        self._length += len(piece)
        if self._length <= LONGEST_LINE:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def _line(self, last: bytes) -> bytes:
        self._keep(last)
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return line

    def _from_agent(self, line: bytes) -> list[Event]:
        found = messages(line)
        if not found and line.strip():
            self.last_words = text(line[:500].decode("utf-8", "replace")).strip()
        return [event for message in found if (event := self._said(message)) is not None]

    def _said(self, message: dict[str, object]) -> Event | None:
        method, identity = message.get("method"), message.get("id")
        if isinstance(method, str):
            if identity is None or isinstance(identity, bool) or not isinstance(identity, str | int | float):
                return Told(method=method, params=message.get("params"))
            name = self._name(request_name(identity))
            return Asked(request=name, id=identity, method=method, params=message.get("params"))
        if isinstance(identity, str):
            return Answered(key=identity, result=message.get("result"), failure=_failure(message.get("error")))
        return None

    def _name(self, base: str) -> str:
        """The name of a request that comes now: an id used again after our reply is a new request."""
        use = self._uses.get(base, 1)
        name = base if use == 1 else f"{base}#{use}"
        if name in self._replied:
            self._uses[base] = use + 1
            name = f"{base}#{use + 1}"
        return name

    def _to_agent(self, record: Record) -> list[Event]:
        if record.key.startswith(REPLY):
            request = record.key.removeprefix(REPLY)
            self._replied.add(request)
            return [Replied(request=request)]
        return [
            Sent(key=record.key, method=text(message.get("method")), params=message.get("params"))
            for message in messages(record.payload)[:1]
        ]


def _failure(error: object) -> Failure | None:
    """An `error` member as a failure; anything in its place other than `null` is one."""
    if error is None:
        return None
    if not isinstance(error, dict):
        return Failure(code=0, message=text(error) or "The agent gave no reason.")
    code = error.get("code")
    return Failure(
        code=code if isinstance(code, int) else 0,
        message=text(error.get("message")) or "The agent gave no reason.",
        data=error.get("data"),
    )
