"""The HTTP API in front of fleets in memory, served by the real libraries at real doors, and a simple client.

The client is written for these tests: it sends what it is told, right or wrong, and reads what comes.
"""

import asyncio
import contextlib
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from bandstand.bootstrap import Bandstand
from bandstand.config.places import Places
from bandstand.faces.daemon.http.doors import Door, tcp_door, unix_door
from bandstand.faces.daemon.http.serving import Serving
from bandstand.faces.wire import Json
from tests.faces.front import MemoryBand
from tests.services.world import World

PREFIX = "/api/v1"
LIMIT = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer: its status, its headers in lower case, and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The error that it tells."""
        assert self.status >= 400, self
        error = self.json["error"]
        assert error.keys() == {"kind", "message", "hint"}
        return error


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of a stream."""

    kind: str
    id: int | None
    data: Json


@dataclass(slots=True, kw_only=True)
class Web:
    """The API of some fleets. Requests go to the Unix socket if they do not say where."""

    band: MemoryBand
    serving: Serving
    doors: tuple[Door, ...]
    places: Places

    @property
    def repository(self) -> str:
        """Where the first repository is."""
        return f"/repositories/{self.band.worlds[0].repository.id}"

    async def get(self, path: str, **query: Any) -> Answered:
        """The answer to a question."""
        words = f"?{urlencode(query, doseq=True)}" if query else ""
        return await self.send("GET", f"{PREFIX}{path}{words}")

    async def post(self, path: str, body: Json, *, key: str = "", **headers: str) -> Answered:
        """The answer to an order."""
        more = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {}), **headers}
        return await self.send("POST", PREFIX + path, body=json.dumps(body).encode(), headers=more)

    async def send(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        tcp: bool = False,
    ) -> Answered:
        """The answer to a request."""
        lines = [f"{method} {target} HTTP/1.1"]
        given = {"Host": "localhost", "Connection": "close", **(headers or {})}
        if body or method == "POST":
            given.setdefault("Content-Length", str(len(body)))
        lines += [f"{name}: {value}" for name, value in given.items() if value]
        return await self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body, tcp=tcp)

    async def raw(self, data: bytes, *, tcp: bool = False) -> Answered:
        """The answer to whatever bytes."""
        async with asyncio.timeout(20), self._connection(tcp=tcp) as (reader, writer):
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
            status, headers = await _head(reader)
            length = headers.get("content-length")
            body = await reader.readexactly(int(length)) if length is not None else await reader.read()
            return Answered(status=status, headers=headers, body=body)

    async def readers(self, number: int) -> None:
        """Wait until so many read events."""
        async with asyncio.timeout(20):
            for _ in itertools.count():
                if self.band.broadcast.listeners == number:
                    return
                await asyncio.sleep(0.001)

    @contextlib.asynccontextmanager
    async def events(self, *, after: int | None = None, **query: Any) -> AsyncIterator["Stream"]:
        """The stream of events. The reader hangs up at the end."""
        target = f"{PREFIX}/events?{urlencode(query, doseq=True)}"
        last = f"Last-Event-ID: {after}\r\n" if after is not None else ""
        async with self._connection(tcp=False) as (reader, writer):
            writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n".encode())
            status, headers = await _head(reader)
            assert status == 200, await reader.readexactly(int(headers["content-length"]))
            assert headers["content-type"].startswith("text/event-stream")
            yield Stream(reader)

    @contextlib.asynccontextmanager
    async def _connection(self, *, tcp: bool) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        if tcp:
            host, port = self.doors[1].socket.getsockname()[:2]
            reader, writer = await asyncio.open_connection(host, port, limit=LIMIT)
        else:
            reader, writer = await asyncio.open_unix_connection(self.places.api_socket, limit=LIMIT)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class Stream:
    """Events as they come over a chunked connection."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._buffer = b""

    async def next(self) -> Event | None:
        """The next event; nothing at the end of the stream."""
        async with asyncio.timeout(20):
            while True:
                while b"\n\n" not in self._buffer:
                    size = int((await self._reader.readline()).strip() or b"0", 16)
                    chunk = await self._reader.readexactly(size + 2)
                    if size == 0:
                        return None
                    self._buffer += chunk[:-2]
                block, _, self._buffer = self._buffer.partition(b"\n\n")
                fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if not line.startswith(b":"))
                if b"event" in fields:
                    place = fields.get(b"id")
                    data = json.loads(fields[b"data"])
                    return Event(kind=fields[b"event"].decode(), id=int(place) if place else None, data=data)

    async def until(self, condition: Callable[[Event], bool]) -> list[Event]:
        """All events up to the first one of which the condition is true."""
        found: list[Event] = []
        while True:
            event = await self.next()
            assert event is not None, found
            found.append(event)
            if condition(event):
                return found

    async def ready(self) -> list[Event]:
        """All events until what there was has been told."""
        return await self.until(lambda event: event.kind == "ready")


def facts(events: list[Event]) -> list[int]:
    """The sequences of the facts among events. Each is the id of its event, too."""
    found = [event for event in events if event.kind == "fact"]
    assert all(event.id == event.data["sequence"] for event in found)
    return [event.data["sequence"] for event in found]


def rows(events: list[Event]) -> dict[str, Json]:
    """The last row of each task."""
    return {row["id"]: row for event in events if event.kind == "tasks" for row in event.data["rows"]}


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), {name.lower(): value for name, value in pairs}


@contextlib.asynccontextmanager
async def web(*worlds: World) -> AsyncIterator[Web]:
    """Serve the API of some worlds that share a log."""
    with tempfile.TemporaryDirectory(prefix="bt-") as name:
        folder = Path(name)
        places = Places(state=folder, runtime=folder, settings=folder / "config.toml", cache=folder)
        doors = (unix_door(places), tcp_door(places, "127.0.0.1", 0))
        band = MemoryBand(worlds=worlds, places=places)
        serving = Serving(cast(Bandstand, band))
        await serving.open(doors)
        try:
            yield Web(band=band, serving=serving, doors=doors, places=places)
        finally:
            await serving.close(None)
            for door in doors:
                door.socket.close()


def surf(story: Callable[[Web, World], Awaitable[None]], world: Callable[[], World] = World) -> None:
    """Play a story in front of a world. What the event loop complains of fails it."""

    async def main() -> None:
        async with asyncio.timeout(60), world() as stage, web(stage) as opened:
            await story(opened, stage)
            assert stage.complaints == []

    asyncio.run(main())
