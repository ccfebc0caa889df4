"""Where an HTTP message ends: what of a stream of bytes belongs to it, and what a response says of its connection."""

import re

LONGEST_LINE = 4 << 10
LONGEST_HEAD = 64 << 10
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?")
_OF_THIS_HOP = (b"connection:", b"keep-alive:", b"proxy-")


class Malformed(Exception):
    """The bytes are not what they have to be."""


class Everything:
    """A stream of which everything is passed on, to its end."""

    over = False

    def feed(self, data: bytes) -> bytes:
        """What of the next bytes is passed on."""
        return data


class Length:
    """A body of so many bytes. What comes behind it is not passed on."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def over(self) -> bool:
        """Whether all of it has come."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """What of the next bytes is passed on."""
        data = data[: self._left]
        self._left -= len(data)
        return data


class Chunked:
    """A body in chunks (RFC 9112, 7.1), passed on as it comes, to its last line and not beyond."""

    def __init__(self) -> None:
        self.over = False
        self._left = 0  # bytes of this chunk, the line break behind it included
        self._line = b""
        self._trailer = False

    def feed(self, data: bytes) -> bytes:
        """What of the next bytes is passed on. Raises `Malformed`."""
        at = 0
        while at < len(data) and not self.over:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            else:
                end = data.find(b"\n", at) + 1 or len(data)
                self._line += data[at:end]
                at = end
                self._take_line()
        return data[:at]

    def _take_line(self) -> None:
        if len(self._line) > LONGEST_LINE:
            raise Malformed
        if not self._line.endswith(b"\n"):
            return
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise Malformed
        if self._trailer:
            self.over = line == b"\r\n"
            return
        size = _SIZE.fullmatch(line[:-2])
        if size is None:
            raise Malformed
        length = int(size[1], 16)
        self._trailer = length == 0
        self._left = length + 2 if length else 0


class Response:
    """A response, told to be the last one of its connection; everything else about it stays as it is."""

    over = False

    def __init__(self) -> None:
        self._head: bytes | None = b""

    def feed(self, data: bytes) -> bytes:
        """What of the next bytes is passed on. Raises `Malformed` for what is no response, or has no whole head."""
        if self._head is None:
            return data
        if not data:
            raise Malformed
        passed, rest = b"", self._head + data
        while (end := rest.find(b"\r\n\r\n") + 4) > 3:
            head, rest = rest[:end], rest[end:]
            if not head.startswith(b"HTTP/1."):
                raise Malformed
            if head[9:10] != b"1":
                self._head = None
                return passed + _last(head) + rest
            passed += head  # 100 Continue, and its like: the response itself is still to come
        if len(rest) > LONGEST_HEAD:
            raise Malformed
        self._head = rest
        return passed


def _last(head: bytes) -> bytes:
    """The head of a response that says that the connection ends behind it."""
    first, *lines = head[:-4].split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(_OF_THIS_HOP)]
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])
