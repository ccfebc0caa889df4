"""SOCKS5 (RFC 1928), as far as a proxy needs it: connections to names and addresses, without a login."""

import ipaddress
import re
import struct
from collections.abc import Callable

VERSION = 5
GRANTED = 0
NOT_ALLOWED, NO_WAY, NO_SUCH_COMMAND, NO_SUCH_ADDRESS = 2, 4, 7, 8

_NO_LOGIN = 0
_CONNECT = 1
_ADDRESS, _NAME, _ADDRESS_6 = 1, 3, 4

# No star: what is asked for is told to a human, who may make a rule of it.
_HOST = re.compile(rb"[A-Za-z0-9._-]{1,254}|[0-9a-fA-F:.]{2,45}")

Read = Callable[[int], bytes]
Write = Callable[[bytes], None]


class Unfit(Exception):
    """This is no request that can be served; `code` is what to answer, or -1 for nothing."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def answer(code: int) -> bytes:
    """The answer to a request. Which address we come from is nobody's business."""
    return struct.pack("!BBBBIH", VERSION, code, 0, _ADDRESS, 0, 0)


def target(read: Read, write: Write) -> tuple[str, int]:
    """The host and port of a request, whose first byte has been read already. Raises `Unfit`.

    `read` gives exactly so many bytes.
    """
    if _NO_LOGIN not in read(read(1)[0]):
        write(bytes((VERSION, 0xFF)))
        raise Unfit(-1)
    write(bytes((VERSION, _NO_LOGIN)))
    version, command, _, kind = read(4)
    if version != VERSION:
        raise Unfit(-1)
    match kind:
        case _ if kind == _ADDRESS:
            host = str(ipaddress.IPv4Address(read(4)))
        case _ if kind == _ADDRESS_6:
            host = str(ipaddress.IPv6Address(read(16)))
        case _ if kind == _NAME:
            name = read(read(1)[0])
            if not _HOST.fullmatch(name):
                raise Unfit(NO_SUCH_ADDRESS)
            host = name.decode("ascii")
        case _:
            raise Unfit(NO_SUCH_ADDRESS)
    (port,) = struct.unpack("!H", read(2))
    if command != _CONNECT:
        raise Unfit(NO_SUCH_COMMAND)
    return host, port
