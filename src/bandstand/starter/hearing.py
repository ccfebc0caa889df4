"""Hearing from a start without keeping an event loop waiting."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from bandstand.starter.handing import Start

ANNOUNCED = 15.0  # seconds within which the program says which process it confined
_MOST = 1 << 16


async def made_ready(start: Start) -> None:
    """Do what has to be done before the new process; what may take a while, beside the event loop. Raises `OSError`."""
    if start.has_to_give:
        await asyncio.to_thread(start.make_ready)


async def let_in(start: Start, prepare: Callable[[int], Awaitable[None]] | None = None) -> int:
    """Have a program that was just started go on, once all is there that it was to wait for: the process inside, or 0.

    Until then nothing runs behind the walls; `prepare` is told that process meanwhile, if there is one.
    """
    start.begun()
    inside = await heard(start, seconds=ANNOUNCED)
    if prepare is not None and inside:
        await prepare(inside)
    start.go_on()
    return inside


async def heard(start: Start, *, seconds: float) -> int:
    """The process that was confined; 0 if there is none, or the program does not say so in time."""
    if start.says < 0:
        return 0
    loop = asyncio.get_running_loop()
    whole: asyncio.Future[bytes] = loop.create_future()
    words = bytearray()

    def read() -> None:
        try:
            piece = os.read(start.says, _MOST)
        except BlockingIOError:
            return
        words.extend(piece)
        if not whole.done() and (not piece or words.rstrip().endswith(b"}")):
            whole.set_result(bytes(words) if piece else b"")

    os.set_blocking(start.says, False)
    loop.add_reader(start.says, read)
    try:
        async with asyncio.timeout(seconds):
            return start.heard(await whole)
    except TimeoutError:
        return 0
    finally:
        loop.remove_reader(start.says)
