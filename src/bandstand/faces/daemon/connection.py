"""One connection of a command to the daemon: what it asks, whose it is, and whether anybody is still there."""

import asyncio
import json
import os
import socket
import struct
from typing import Any

from bandstand.domain.errors import Refused


def request_of(line: bytes) -> dict[str, Any]:
    """The operation that a line asks for, with its arguments. Raises `Refused` for what is none."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise Refused("The request is not a line of JSON.") from None
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise Refused("The request names no operation.")
    if not isinstance(request.setdefault("args", {}), dict):
        raise Refused("The arguments of an operation are an object.")
    return request


async def hung_up(reader: asyncio.StreamReader) -> None:
    """Return when the caller has hung up. What else it says is of no interest."""
    while await reader.read(4096):
        pass


def peer(writer: asyncio.StreamWriter) -> int:
    """The user at the other end. The folder keeps others out; this is the second lock."""
    connection = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid()
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
