"""The daemon: one for each user, behind a Unix socket that only that user may open.

The socket is bound before anything heavy is imported: the first command waits for an answer and not for a start.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bandstand import __version__, faults
from bandstand.config.places import Places, places
from bandstand.config.usable import unusable
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable, of_the_disk
from bandstand.faces.daemon import collector
from bandstand.faces.daemon.children import watch_by_descriptor
from bandstand.faces.daemon.connection import hung_up, peer, request_of
from bandstand.faces.daemon.handover import hand_on, leave_word, outlived, sign, turned_away
from bandstand.faces.daemon.http.doors import Door, Doorway, address, tcp_door, unix_door
from bandstand.faces.daemon.logfile import Lines, log_to
from bandstand.faces.daemon.redacting import shown
from bandstand.faces.daemon.starts import keeps_down, on_record, stay_down, take
from bandstand.faces.wire import INSTALL, Json, Outlived, encode, error_message
from bandstand.faults import fault

if TYPE_CHECKING:
    from bandstand.bootstrap import Bandstand

_LONGEST_REQUEST = 64 * 1024 * 1024
_LOOK_SECONDS = 60.0
_DRAIN_SECONDS = 5.0
"""How long what is being answered may take when the daemon ends."""
_SETTLE_SECONDS = 2.0
_STOPPED = Unavailable("The daemon was stopped.", hint="Agents go on; the next command starts it again.")
_log = logging.getLogger(__name__)


def serve(
    places: Places,
    environment: dict[str, str],
    *,
    lines: Lines,
    ready: Callable[[tuple[Door, ...]], None],
    listen: tuple[str, int] | None = None,
    woken: bool = False,
) -> None:
    """Be the daemon until told to end. `ready` is called once commands may connect, with the doors of the HTTP API.

    There is a door over TCP if there is an address to `listen` at. Raises `Unavailable` if another one is running or
    that address is taken, `Refused` if the runtime folder belongs to somebody else or others could reach the address.
    What it logs is rendered by `lines`. A `woken` daemon may find a reason not to stay, and ends at once.
    """
    places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with places.lock.open("ab") as lock:
        take(lock)
        if woken and (reason := keeps_down(places)) is not None:
            _log.info("a holder wanted this daemon, and it does not stay. %s %s", reason, reason.hint)
            return
        lock.truncate(0)
        lock.write(b"%d\n%s\n" % (os.getpid(), os.fsencode(places.socket)))
        lock.flush()
        sign(places)
        fault("daemon.listen.before")
        listener = _bind(places)
        fault("daemon.listen.after")
        doors = (unix_door(places), *([tcp_door(places, *listen)] if listen is not None else []))
        with on_record(places):
            ready(doors)
            watch_by_descriptor()
            collector.rest()
            asyncio.run(_serve(places, environment, listener, doors, os.fstat(lock.fileno()), lines))


def _bind(places: Places) -> socket.socket:
    """The listening socket, in a folder that only its owner may enter."""
    places.runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
    standing = places.runtime.lstat()
    if standing.st_uid != os.getuid() or standing.st_mode & 0o077:
        raise Refused(
            f"The runtime folder {places.runtime} is not yours alone.",
            hint=f"Remove it, or run: chmod 700 {places.runtime}",
        )
    places.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(places.socket))
    listener.listen(128)
    return listener


async def _serve(
    places: Places,
    environment: dict[str, str],
    listener: socket.socket,
    doors: tuple[Door, ...],
    lock: os.stat_result,
    lines: Lines,
) -> None:
    from bandstand.bootstrap import Bandstand

    band = Bandstand(places, environment, redaction=lines.redaction)
    settling = asyncio.create_task(_settle(lines))
    over = asyncio.Event()
    bound = {path: path.stat() for path in (places.socket, places.api_socket)}
    doorway = Doorway(doors)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end_for_good, places, over)
    try:
        await band.start()
        collector.spare()
        _log.info("bandstand %s is up, process %d", __version__, os.getpid())
        desk = Reception(band, over, lock)
        doorway.open(band)
        server = await asyncio.start_unix_server(desk.receive, sock=listener, limit=_LONGEST_REQUEST)
        async with server:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), _LOOK_SECONDS)
                desk.look()
                band.look()
                await _heed_stop(band)
            await desk.drain()
            server.close()
            await doorway.close(None if desk.makes_way else _STOPPED)
            await desk.close()
    finally:
        settling.cancel()
        await band.stop()
        for path, standing in bound.items():
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(standing, path.stat()):
                    path.unlink()
        _log.info("bandstand is down")


async def _heed_stop(band: "Bandstand") -> None:
    """Hold all tasks if somebody stopped the fleet without us. Nothing starts meanwhile, so it may be tried again."""
    try:
        await band.fleets.heed_stop()
    except BandstandError as error:
        _log.error("the fleet was stopped, and its tasks could not be held yet. %s %s", error, error.hint)


async def _settle(lines: Lines) -> None:
    """Import what renders the log once the first command has its answer."""
    await asyncio.sleep(_SETTLE_SECONDS)
    await asyncio.to_thread(lines.settle)


def _end_for_good(places: Places, over: asyncio.Event) -> None:
    """End on purpose: no holder is to start another daemon."""
    stay_down(places)
    over.set()


class Reception:
    """Takes one operation from each connection, and answers. `lock` is the file whose lock this daemon holds."""

    def __init__(self, band: "Bandstand", over: asyncio.Event, lock: os.stat_result) -> None:
        self._band = band
        self._over = over
        self._lock = lock
        self._makes_way = False
        self._serving: set[asyncio.Task[Any]] = set()
        self._answering: set[asyncio.Task[Any]] = set()

    @property
    def makes_way(self) -> bool:
        """Whether another daemon is to take over."""
        return self._makes_way

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
        try:
            if peer(writer) == os.getuid():
                await self._exchange(reader, writer)
        except ConnectionError:
            pass
        except asyncio.CancelledError:
            if not self._makes_way:
                writer.write(encode(error_message(_STOPPED)))
        finally:
            self._serving.discard(task) if task is not None else None
            writer.close()

    def look(self) -> None:
        """End the daemon if there is nothing left that it could serve."""
        if reason := self._outlived(INSTALL):
            _log.info("this daemon ends. %s", reason)
            self._over.set()

    async def drain(self) -> None:
        """Come to an end with what is being answered, for a bounded time. Whatever else is asked meanwhile is not."""
        if self._answering:
            await asyncio.wait(set(self._answering), timeout=_DRAIN_SECONDS)

    async def close(self) -> None:
        """End every connection. Who watches is told, unless another daemon is to take over: then they go on with it."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One operation. It ends when the caller hangs up."""
        try:
            line = await reader.readline()
        except ValueError:
            while (rest := await reader.read(1 << 16)) and b"\n" not in rest:
                pass
            await self._send(
                writer, error_message(Refused("The request is too long.", hint="Submit fewer tasks at once."))
            )
            return
        if not line:
            return
        answering = asyncio.create_task(self._answer(line, writer))
        gone = asyncio.create_task(hung_up(reader))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, gone):
                task.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            await self._operate(request_of(line), writer)
        except BandstandError as error:
            await self._send(writer, error_message(error))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except OSError as error:
            await self._send(writer, error_message(of_the_disk(error) or _mistake(error)))
        except Exception as error:  # the boundary: a fault is told to the caller and to the log
            await self._send(writer, error_message(_mistake(error)))

    async def _operate(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        from bandstand.faces.daemon.arguments import checked
        from bandstand.faces.daemon.operations import ANSWERING, STREAMING

        op, args = request["op"], request["args"]
        install = str(request.get("install", INSTALL))
        if op == "hello":
            reason = self._outlived(install)
            told = {"version": __version__, "pid": os.getpid(), "python": sys.executable, "outlived": reason}
            await self._send(writer, {"result": told})
            return
        if op == "down":
            await self._send(writer, {"result": {"pid": os.getpid()}})
            _end_for_good(self._band.places, self._over)
            return
        self._admit(install)
        checked(args)
        if op == "ready":
            await self._send(writer, {"result": None})
        elif op in ANSWERING:
            await self._send(writer, {"result": await self._answered(ANSWERING[op](self._band, args))})
        elif op in STREAMING:
            async for item in STREAMING[op](self._band, args):
                await self._send(writer, {"item": item})
            await self._send(writer, {"result": None})
        else:
            raise Refused(f"The daemon knows no operation {op!r}.", hint="`band down` ends an older daemon.")

    async def _send(self, writer: asyncio.StreamWriter, message: Json) -> None:
        writer.write(encode(shown(message, self._band.redaction)))
        await writer.drain()

    def _admit(self, install: str) -> None:
        """Let a caller's operation through. Raises what it is told instead."""
        reason = self._outlived(install)
        if reason or self._makes_way:
            self._make_way(reason)
        if self._over.is_set():
            raise _STOPPED
        if (refusal := turned_away(install, ours=INSTALL)) is not None:
            raise refusal

    async def _answered(self, answer: Awaitable[Json]) -> Json:
        """The answer. Who hangs up over it ends it; the end of the daemon waits for it for a while."""
        task = asyncio.ensure_future(answer)
        self._answering.add(task)
        try:
            return await task
        finally:
            self._answering.discard(task)

    def _outlived(self, install: str) -> str:
        """Why this daemon should not answer a caller of an installation, or is empty if it should."""
        if reason := outlived(install, ours=INSTALL):
            return reason
        if not Path(__file__).exists():
            return f"Its installation is gone: {INSTALL}."
        try:
            same = os.path.samestat(self._lock, self._band.places.lock.stat())
        except FileNotFoundError:
            same = False
        return "" if same else f"Its state was removed from {self._band.places.state}."

    def _make_way(self, reason: str) -> None:
        if not self._makes_way:
            _log.info("this daemon makes way for a new one. %s", reason)
            leave_word(self._band.places)
        self._makes_way = True
        self._over.set()
        raise Outlived(f"The daemon makes way for a new one. {reason}".strip(), hint="Try again.")


def _mistake(error: Exception) -> Broken:
    """What a caller is told of a fault of ours, which the log has whole."""
    _log.exception("an operation failed")
    return Broken(
        f"Bandstand made a mistake: {type(error).__name__}: {error}",
        hint="Please report it; the daemon's log has the whole story.",
    )


def _environment() -> dict[str, str]:
    """The environment of this process, without what is for this process alone."""
    if orders := os.environ.pop(faults.VARIABLE, ""):
        faults.arm(orders)
        _log.warning("faults are armed: %s", orders)
    return dict(os.environ)


def _places() -> Places:
    """The places of the user. Raises `Refused` where one of them cannot be used."""
    where = places(os.environ, uid=os.getuid())
    if (trouble := unusable(where, os.environ, uid=os.getuid())) is not None:
        raise trouble
    return where


def up(arguments: argparse.Namespace) -> int:
    """Run the daemon in the foreground, with the HTTP API over TCP if that is asked for."""
    where = _places()
    lines = log_to(where.daemon_log, os.environ, also=sys.stderr)
    listen = address(arguments.listen) if arguments.listen else None
    if arguments.port is not None:
        listen = ("127.0.0.1", arguments.port)

    def ready(doors: tuple[Door, ...]) -> None:
        if arguments.json:
            api = [{"url": door.url, "token_file": str(where.api_token)} for door in doors if door.token]
            sys.stdout.write(json.dumps({"socket": str(where.socket), "pid": os.getpid(), "api": api}) + "\n")
            sys.stdout.flush()
            return
        for door in doors:
            if door.token:
                sys.stdout.write(f"The HTTP API is at {door.url}\n  Authorization: Bearer {door.token}\n")
                sys.stdout.write(f"  (the token is kept in {where.api_token}; whoever has it can do what you can)\n")
        sys.stdout.write(f"The daemon listens at {where.socket}. Ctrl-C ends it; agents go on.\n")
        sys.stdout.flush()

    serve(where, _environment(), lines=lines, ready=ready, listen=listen)
    return 0


def daemon(arguments: argparse.Namespace) -> int:
    """Be the daemon that a command started, and tell it through a pipe when commands may connect."""
    where = _places()
    if arguments.woken:
        hand_on(where)
    lines = log_to(where.daemon_log, os.environ)

    def ready(_doors: tuple[Door, ...]) -> None:
        if arguments.ready is not None:
            with contextlib.suppress(OSError):
                os.write(arguments.ready, b"!")
                os.close(arguments.ready)

    try:
        serve(where, _environment(), lines=lines, ready=ready, woken=arguments.woken)
    except BandstandError as error:
        _log.error("the daemon ends. %s %s", error, error.hint)
        raise
    except BaseException:
        _log.exception("the daemon dies")
        raise
    return 0
