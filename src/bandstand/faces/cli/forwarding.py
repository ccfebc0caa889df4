"""Forwarding: whoever connects to a port of this machine is joined to a port in the network of a sandbox."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable

from bandstand.domain.errors import Refused, Unavailable
from bandstand.faces.cli.entering import Entrance, NoEntrance

HERE = "127.0.0.1"
_INSIDE = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_MOST = 256  # connections at one time; who comes then waits
_BACKLOG = 128
_PIECE = 1 << 16  # bytes
_LOOK_AGAIN, _BREATHE = 0.25, 0.1  # seconds


class Forward:
    """One forward. `listener` is on this machine, `port` in the network of `process`, which began at `started`."""

    def __init__(self, listener: socket.socket, *, port: int, process: int, started: int) -> None:
        self._listener = listener
        self._port = port
        self._process = process
        self._started = started
        self._room = asyncio.Semaphore(_MOST)

    async def until_over(self, *, waiting: Callable[[], None], found: Callable[[], None]) -> None:
        """Join whoever connects, until the process has ended.

        `waiting` is called if nothing listens there yet, `found` once something does. Raises `NoEntrance`.
        """
        with contextlib.ExitStack() as cleanup:
            pidfd = _pidfd(self._process)
            cleanup.callback(os.close, pidfd)
            # Opened behind the pidfd: the entrance sees to it that this is the process that is meant.
            self._entrance = cleanup.enter_context(Entrance(self._process, self._started))
            over = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(pidfd, over.set)
            cleanup.callback(loop.remove_reader, pidfd)
            tasks = [asyncio.create_task(self._look(waiting, found)), asyncio.create_task(self._accept())]
            ended = asyncio.create_task(over.wait())
            try:
                await asyncio.wait([ended, *tasks[1:]], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (ended, *tasks):
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result

    async def _look(self, waiting: Callable[[], None], found: Callable[[], None]) -> None:
        """Say whether something listens; as long as nothing does, look again."""
        told = False
        while (one := await self._connected()) is None:
            if not told:
                told = True
                waiting()
            await asyncio.sleep(_LOOK_AGAIN)
        one.close()
        found()

    async def _accept(self) -> None:
        self._listener.setblocking(False)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as joined:
            while True:
                await self._room.acquire()
                try:
                    near, _ = await loop.sock_accept(self._listener)
                except OSError as error:
                    self._room.release()
                    if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED):
                        raise
                    await asyncio.sleep(_BREATHE)
                else:
                    joined.create_task(self._serve(near))

    async def _serve(self, near: socket.socket) -> None:
        try:
            with near:
                near.setblocking(False)
                far = await self._connected()
                if far is not None:
                    with far:
                        await _join(near, far)
        finally:
            self._room.release()

    async def _connected(self) -> socket.socket | None:
        """A connection to the port inside, at the first loopback address that takes one."""
        for family, address in _INSIDE:
            try:
                far = self._entrance.socket(family)
            except NoEntrance:
                continue  # a machine without IPv6, or a run that is ending: its end is told elsewhere
            far.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(far, (address, self._port))
            except OSError:
                far.close()
            except BaseException:
                far.close()
                raise
            else:
                return far
        return None


async def _join(near: socket.socket, far: socket.socket) -> None:
    """Pass on what each says to the other one, until both have said all. If one breaks off, the other one does."""
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(near, far))
            both.create_task(_pass_on(far, near))
    except* OSError:
        pass


async def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _PIECE):
        await loop.sock_sendall(sink, data)
    sink.shutdown(socket.SHUT_WR)


def _pidfd(process: int) -> int:
    try:
        return os.pidfd_open(process)
    except OSError as error:
        raise NoEntrance(error.errno, os.strerror(error.errno or 0)) from None


def listen(port: int, *, exactly: int | None) -> socket.socket:
    """A listener on this machine for what listens on `port` inside: the same number where it is free, else another.

    Raises `Refused` if there has to be `exactly` one which is taken or is not ours to take.
    """
    for number in (port, 0) if exactly is None else (exactly,):
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HERE, number))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            reason = os.strerror(error.errno or 0)
            continue
        return listener
    if exactly is None:
        raise Unavailable(f"No port of this machine can be listened on: {reason}.")
    raise Refused(
        f"Port {exactly} of this machine cannot be listened on: {reason}.",
        hint="Take another one with --local-port, or leave it out.",
    )
