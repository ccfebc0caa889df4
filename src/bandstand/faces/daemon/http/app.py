"""The application: routes made of the table, and one shape for every error."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bandstand.bootstrap import Bandstand
from bandstand.domain.errors import BandstandError, Broken, Refused, Stale, Unavailable, Unknown, of_the_disk
from bandstand.domain.ids import RepositoryId, RunId, TaskId
from bandstand.faces.daemon.http import answers, requests
from bandstand.faces.daemon.http.document import document
from bandstand.faces.daemon.http.feed import Feed, Wanted, look_up
from bandstand.faces.daemon.http.fields import Operation
from bandstand.faces.daemon.http.metrics import CONTENT_TYPE, exposition
from bandstand.faces.daemon.http.requests import OtherType, TooLong
from bandstand.faces.daemon.http.table import OPERATIONS, PREFIX
from bandstand.faces.daemon.redacting import shown
from bandstand.faces.wire import Json, encode, error_message

MOST_READERS = 64
"""How many may read events at once."""

_MOST_HEARD = 4
"""How many times the longest body is heard out, and not kept: who still writes does not read that it is too long."""

Endpoint = Callable[[Request], Awaitable[Response]]

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_STATUS: tuple[tuple[type[BandstandError], int], ...] = (
    (Unknown, 404),
    (Stale, 409),
    (TooLong, 413),
    (OtherType, 415),
    (Refused, 400),
    (Unavailable, 503),
    (Broken, 500),
)
_log = logging.getLogger(__name__)


def application(band: Bandstand) -> Starlette:
    """The API of one daemon."""
    routes = [
        Route(PREFIX + operation.path, _endpoint(band, operation), methods=[operation.method], name=operation.id)
        for operation in OPERATIONS
    ]
    handlers: dict[Any, Any] = {
        BandstandError: _told,
        HTTPException: _no_route,
        ClientDisconnect: _gone,
        OSError: _of_the_disk,
        Exception: _mistake,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.state.redaction = band.redaction
    return app


def _endpoint(band: Bandstand, operation: Operation) -> Endpoint:
    """What answers one operation of the table."""

    async def ask(request: Request) -> Response:
        return _json(request, await answers.QUESTIONS[operation.id](band, await _asked(request, operation)))

    async def order(request: Request) -> Response:
        taken = await answers.order(band, operation.id, await _asked(request, operation))
        more = {"idempotency-replayed": "true"} if taken.repeated else {}
        return _json(request, answers.receipt(taken), status=operation.status, headers=more)

    async def events(request: Request) -> Response:
        return await _events(band, request, operation)

    async def describe(request: Request) -> Response:
        requests.query(request.query_params.multi_items(), operation.query)
        return _json(request, document())

    async def measure(request: Request) -> Response:
        requests.query(request.query_params.multi_items(), operation.query)
        return Response(exposition(band), headers={**_HEADERS, "content-type": CONTENT_TYPE})

    special = {"events": events, "document": describe, "metrics": measure}
    return special.get(operation.id) or (order if operation.order else ask)


async def _asked(request: Request, operation: Operation) -> answers.Asked:
    """What a request says. Raises `Refused` for what it must not say."""
    where = {name: str(value) for name, value in request.path_params.items()}
    given = requests.query(request.query_params.multi_items(), operation.query)
    if operation.method == "POST":
        given = requests.body(await _body(request), operation.body)
    if not operation.order:
        return answers.Asked(where=where, given=given)
    key = requests.key(request.headers.get("idempotency-key"))
    return answers.Asked(where=where, given=given, key=key, digest=requests.digest(operation, where, given))


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise OtherType("The body of a request is JSON.", hint="Say so: Content-Type: application/json")
    read, length = bytearray(), 0
    async for chunk in request.stream():
        length += len(chunk)
        if length <= requests.LONGEST_BODY:
            read += chunk
        elif length > _MOST_HEARD * requests.LONGEST_BODY:
            break
    if length > requests.LONGEST_BODY:
        raise TooLong("The request is too long.", hint="Submit fewer tasks at once.")
    return bytes(read)


async def _events(band: Bandstand, request: Request, operation: Operation) -> Response:
    given = requests.query(request.query_params.multi_items(), operation.query)
    wanted = Wanted(
        repositories=frozenset(map(RepositoryId, given["repository"])),
        tasks=frozenset(map(TaskId, given["task"])),
        focus=frozenset(map(RunId, given["focus"])),
    )
    after = requests.sequence(request.headers.get("last-event-id"))
    if after is not None and after > await band.broadcast.latest():
        raise Stale(
            f"There is no event {after} yet: it is of another state.", hint="Begin anew, without Last-Event-ID."
        )
    await look_up(band.repositories, wanted)
    if band.broadcast.listeners >= MOST_READERS:
        raise Unavailable("Too many read events already.", hint="Close one of them.")
    return _EventStream(band, Feed(band.repositories, band.broadcast, wanted, redaction=band.redaction, after=after))


class _EventStream(Response):
    """Events for as long as somebody reads them."""

    media_type = "text/event-stream"

    def __init__(self, band: Bandstand, feed: Feed) -> None:
        super().__init__(headers={**_HEADERS, "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._band = band
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what happens, until the reader hangs up or the daemon ends."""
        telling = asyncio.create_task(self._tell(send))
        going = asyncio.create_task(_hung_up(receive))
        try:
            await asyncio.wait((telling, going), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, going):
                task.cancel()
            _, pending = await asyncio.wait((telling, going))
            assert not pending
        if not telling.cancelled() and (error := telling.exception()) is not None:
            raise error

    async def _tell(self, send: Send) -> None:
        async with self._band.broadcast.listen(self._feed) as head:
            await self._feed.begin(head)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with contextlib.suppress(OSError):
                while (said := await self._next()) is not None:
                    await send({"type": "http.response.body", "body": said, "more_body": True})
                await send({"type": "http.response.body", "body": b""})

    async def _next(self) -> bytes | None:
        try:
            return await self._feed.next()
        except BandstandError as error:
            self._feed.ended(error)
            return await self._feed.next()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _json(request: Request, value: Json, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    more = {**_HEADERS, **(headers or {})}
    value = shown(value, request.app.state.redaction)
    return Response(encode(value), status_code=status, media_type="application/json", headers=more)


async def _told(request: Request, error: BandstandError) -> Response:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return _json(
        request, error_message(error), status=status, headers={"connection": "close"} if status == 413 else None
    )


async def _no_route(request: Request, error: HTTPException) -> Response:
    kind = Unknown if error.status_code == 404 else Refused
    hint = f"GET {PREFIX}/openapi.json shows what there is."
    return _json(
        request,
        error_message(kind(f"{error.detail}.", hint=hint)),
        status=error.status_code,
        headers=dict(error.headers or {}),
    )


async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    return Response(status_code=400)


async def _of_the_disk(request: Request, error: OSError) -> Response:
    trouble = of_the_disk(error)
    return await (_mistake(request, error) if trouble is None else _told(request, trouble))


async def _mistake(request: Request, error: Exception) -> Response:
    """The boundary: a fault is told to the caller, and to the log by who serves this."""
    _log.error("%s %s failed", request.method, request.url.path)
    told = Broken(
        f"Bandstand made a mistake: {type(error).__name__}: {error}",
        hint="Please report it; the daemon's log has the whole story.",
    )
    return _json(request, error_message(told), status=500)
