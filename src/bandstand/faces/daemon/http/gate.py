"""The gate in front of TCP: nobody gets in without the token, and no page in a browser, whatever name it goes by.

Anybody on the machine can open a TCP connection to it, and so can any page that a browser there shows: by a name that
suddenly means this machine (DNS rebinding), or by a plain form. So the `Host` must be one of ours, an `Origin` must be
ours too, and the token must come in a header that no page can send without being allowed to; nobody is.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from bandstand.domain.errors import Refused
from bandstand.faces.wire import encode, error_message

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gate:
    """An ASGI application that lets through to another one who names one of `hosts` and knows `token`."""

    def __init__(self, app: App, *, hosts: frozenset[str], token: str) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = frozenset(f"http://{host}" for host in hosts)
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it here."""
        turned = self._turned_away(scope["headers"])
        if turned is None:
            await self._app(scope, receive, send)
            return
        status, error = turned
        body = encode(error_message(error))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(b"connection", b"close"), (b"cache-control", b"no-store")]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _turned_away(self, headers: list[tuple[bytes, bytes]]) -> tuple[int, Refused] | None:
        named = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
        if len(named) != 1 or named[0] not in self._hosts:
            return 403, Refused("This is not the host that is meant.", hint="Call it by 127.0.0.1 or localhost.")
        origins = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
        sites = [value.lower() for name, value in headers if name == b"sec-fetch-site"]
        if any(origin not in self._origins for origin in origins) or b"cross-site" in sites:
            return 403, Refused("Pages of other sites may not call this.")
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1 or not self._is_token(given[0]):
            return 401, Refused("The token is missing or wrong.", hint="Send it: Authorization: Bearer TOKEN")
        return None

    def _is_token(self, given: bytes) -> bool:
        kind, _, token = given.partition(b" ")
        return kind.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)
