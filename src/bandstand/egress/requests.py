"""HTTP as a client speaks it to its proxy: the head of a request, taken apart, judged, and written anew.

Nothing is passed on that two readers could read in two ways: such a request is refused and not mended.
"""

import re

from bandstand.egress.framing import Chunked, Length

LONGEST_HEAD = 32 << 10
MOST_HEADERS = 128
END = b"\r\n\r\n"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.[01]")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,254}))(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(r"http://([^/?#]*)([/?][^#]*)?", re.IGNORECASE)
# About this hop only (RFC 9110, 7.6.1), and what was said to the proxy.
_OUR_HOP = frozenset({b"connection", b"keep-alive", b"te", b"trailer", b"upgrade"})


class Unfit(Exception):
    """This is no request that a proxy can serve. `status` is what to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Request:
    """What a client wants: a tunnel to a host, or its one request passed on, whose head is `head`."""

    def __init__(self, host: str, port: int, head: bytes = b"", body: Length | Chunked | None = None) -> None:
        self.host, self.port, self.head, self.body = host, port, head, body

    @property
    def tunnel(self) -> bool:
        """Whether everything behind the head goes through as it is."""
        return self.body is None


def parse(head: bytes) -> Request:
    """The request that this head begins, its last empty line included. Raises `Unfit`."""
    first, *lines = head.removesuffix(END).split(b"\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise Unfit(400, "This is a proxy for HTTP/1.1, and that is no request of it.")
    headers = _headers(lines)
    method, target = line[1], line[2].decode("ascii")
    if method == b"CONNECT":
        host, port = _authority(target)
        if port is None:
            raise Unfit(400, "A tunnel needs a port.")
        return Request(host, port)
    return _passed_on(method, target, headers)


def _headers(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    if len(lines) > MOST_HEADERS:
        raise Unfit(431, "There are too many headers.")
    found = [_HEADER.fullmatch(line) for line in lines]
    if not all(found):
        raise Unfit(400, "A header cannot be understood.")
    return [(match[1], match[2].rstrip(b" \t")) for match in found if match]


def _authority(text: str) -> tuple[str, int | None]:
    """A host and a port, as they stand in a target. A user's name or a password there would go on to who knows whom."""
    match = _AUTHORITY.fullmatch(text)
    port = int(match[3]) if match and match[3] else None
    if match is None or (port is not None and not 0 < port < 65536):
        raise Unfit(400, "The target names no host.")
    return match[1] or match[2], port


def _passed_on(method: bytes, target: str, headers: list[tuple[bytes, bytes]]) -> Request:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise Unfit(400, "This is a proxy: it takes CONNECT, and requests for http:// addresses.")
    host, port = _authority(match[1])
    path = match[2] or "/"
    path = path if path.startswith("/") else f"/{path}"
    named = {
        name.strip().lower() for key, value in headers if key.lower() == b"connection" for name in value.split(b",")
    }
    kept = [
        (key, value)
        for key, value in headers
        if (name := key.lower()) not in _OUR_HOP | named and name != b"host" and not name.startswith(b"proxy-")
    ]
    lines = [b"%s %s HTTP/1.1" % (method, path.encode()), b"Host: " + match[1].encode()]
    lines += [b"%s: %s" % header for header in kept]
    # One request on each connection: what comes behind it may be for somebody else.
    lines += [b"Connection: close"]
    return Request(host, port or 80, b"\r\n".join(lines) + END, _body(headers))


def _body(headers: list[tuple[bytes, bytes]]) -> Length | Chunked:
    """How the end of the request is found (RFC 9112, 6.3)."""
    codings = [value.lower() for key, value in headers if key.lower() == b"transfer-encoding"]
    lengths = {value for key, value in headers if key.lower() == b"content-length"}
    if codings:
        if codings != [b"chunked"] or lengths:
            raise Unfit(400, "Where the request ends can be understood in two ways.")
        return Chunked()
    if len(lengths) > 1 or not all(re.fullmatch(rb"[0-9]{1,18}", length) for length in lengths):
        raise Unfit(400, "The length of the request cannot be understood.")
    return Length(int(lengths.pop()) if lengths else 0)
