"""Calling the daemon: from a command's folder, and starting the daemon if there is none.

A daemon that is not of this installation, or whose state is gone, makes way for a new one. One that ends while it is
watched is started again, and the watching goes on where it was.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from bandstand.config.places import Places, places
from bandstand.config.starts import too_many_crashes
from bandstand.domain.errors import Refused, Unavailable
from bandstand.faces.wire import Client, Json, Lost, NotRunning, Outlived

_START_SECONDS = 30.0
_END_SECONDS = 15.0
_DYING_SECONDS = 0.5
_MOST_LOSSES, _LOSSES_SECONDS = 5, 60.0
_QUESTIONS = ("ready", "plan", "ps", "show", "asks", "diff", "look", "agents")
"""Operations that change nothing: they are simply asked again when the daemon was lost."""
_BEGIN_SECONDS = 2.0


def here() -> Places:
    """The places of the user who gave the command."""
    return places(os.environ, uid=os.getuid())


def call(op: str, *, at: Path | None = None, **args: Json) -> Json:
    """The result of an operation in the caller's folder, or `at` another. Starts the daemon if none is running."""
    where = here()
    path = folder(at)
    try:
        return client(where).call(op, path=path, **args)
    except NotRunning:
        start(where)
    except Outlived:
        wait_for_its_end(where)
        start(where)
    except Lost:
        if op not in _QUESTIONS:
            raise
        start(where)
    return client(where).call(op, path=path, **args)


def stream(op: str, *, at: Path | None = None, lost: Callable[[], None] = lambda: None, **args: Json) -> Iterator[Json]:
    """The items of an operation in the caller's folder, or `at` another. Starts the daemon if none is running.

    If the daemon is lost in the middle, `lost` is called, another one is started, and the items come from the
    beginning. Raises `Lost` when that happens again and again.
    """
    path = folder(at)
    return going_on(lambda: client(here()).stream(op, path=path, **args), at=at, lost=lost)


def going_on(
    begin: Callable[[], Iterator[Json]], *, at: Path | None = None, lost: Callable[[], None] = lambda: None
) -> Iterator[Json]:
    """The items of `begin`, and of another `begin` each time that the daemon is lost: then another one is started.

    Raises `Lost` when that happens again and again, `Unavailable` when daemons die one after the other.
    """
    call("ready", at=at)
    losses: deque[float] = deque(maxlen=_MOST_LOSSES)
    while True:
        try:
            if losses:
                call("ready", at=at)
            yield from begin()
        except (Lost, NotRunning):
            losses.append(time.monotonic())
            if (loop := _crash_loop(here())) is not None:
                raise loop from None
            if len(losses) == _MOST_LOSSES and losses[-1] - losses[0] < _LOSSES_SECONDS:
                raise
            lost()
        else:
            return


def folder(at: Path | None) -> str:
    """The folder that is meant. Raises `Refused` if the caller's own is gone."""
    try:
        return str(at or Path.cwd())
    except FileNotFoundError:
        raise Refused("The folder that you are in is gone.", hint="Go to another one: cd ~") from None


def wait_for_its_end(where: Places) -> None:
    """Wait until no daemon holds the lock. Raises `Unavailable` if one takes long to end."""
    deadline = time.monotonic() + _END_SECONDS
    while held(where.lock):
        if time.monotonic() > deadline:
            raise Unavailable("The daemon takes long to end.", hint=running(where))
        time.sleep(0.02)


def held(lock: Path) -> bool:
    """Whether a daemon lives."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def client(where: Places) -> Client:
    """Asks the daemon where it says that it listens: it may have been started with another runtime folder."""
    _, socket = _lock_lines(where)
    return Client(Path(socket) if socket else where.socket)


def api_socket() -> Path:
    """Where the daemon serves the HTTP API: beside the socket where it says that it listens."""
    where = here()
    _, socket = _lock_lines(where)
    return (Path(socket) if socket else where.socket).with_name(where.api_socket.name)


def running(where: Places) -> str:
    """What to do about a daemon that holds the lock and does not answer."""
    pid, _ = _lock_lines(where)
    return f"See {where.daemon_log}, or end it: kill {pid}" if pid else f"See {where.daemon_log}."


def _lock_lines(where: Places) -> tuple[str, str]:
    """The process of the last daemon, and the socket where it listened; empty as long as nothing is said of them."""
    try:
        lines = os.fsdecode(where.lock.read_bytes()).split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return "", ""
    # A line counts once it has its end: the daemon may be writing it right now.
    pid, socket = ([*lines[:-1], "", ""])[:2]
    return pid, socket


def start(where: Places) -> None:
    """Start the daemon, detached, and return when it takes commands. Raises `Unavailable` with what it said instead.

    It inherits nothing of the terminal, and lives on when the command ends. A person who sees that daemons die one
    after the other may have another try.
    """
    if (loop := _crash_loop(where)) is not None:
        hint = loop.hint.replace("\n", "\n      ")
        sys.stderr.write(f"band: {loop.message} This command starts one even so.\n      {hint}\n")
    read_end, write_end = os.pipe()
    where.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    complaints = where.state / "daemon.start"
    try:
        with complaints.open("wb") as said:
            subprocess.Popen(
                [sys.executable, "-m", "bandstand", "daemon", "--ready", str(write_end)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(write_end,),
                start_new_session=True,
                cwd="/",
                env=_environment(where),
            )
        os.close(write_end)
        write_end = -1
        if _ready(read_end):
            return
    finally:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)
    if _answers(where):
        return
    said_lines = complaints.read_text(errors="replace").strip().splitlines()
    ours = [line.removeprefix("band: ") for line in said_lines if line.startswith("band: ")]
    reason = (ours or said_lines[-1:] or [""])[0]
    raise Unavailable(f"The daemon did not start. {reason}".strip(), hint=running(where))


def _crash_loop(where: Places) -> Unavailable | None:
    """Why no daemon should be started now but by a person, if so.

    One that was killed may hold its lock for a moment longer than its connections.
    """
    deadline = time.monotonic() + _DYING_SECONDS
    while held(where.lock):
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)
    return too_many_crashes(where, now=time.time())


def _environment(where: Places) -> dict[str, str]:
    """The caller's, with a state folder that does not depend on where it is read."""
    moved = {"BAND_STATE_DIR": str(where.state)} if os.environ.get("BAND_STATE_DIR") else {}
    return {**os.environ, **moved}


def _ready(read_end: int) -> bool:
    """Whether the daemon says that it takes commands, before it ends or the time is over."""
    import select

    readable, _, _ = select.select([read_end], [], [], _START_SECONDS)
    return bool(readable) and os.read(read_end, 1) == b"!"


def _answers(where: Places) -> bool:
    """Whether another daemon was quicker. One that just begins is given a moment."""
    deadline = time.monotonic() + _BEGIN_SECONDS
    while True:
        try:
            return not client(where).call("hello")["outlived"]
        except Unavailable:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def me() -> str:
    """The name of the user who gave the command."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
