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
from bandstand.domain.errors import Refused, Unavailable
from bandstand.faces.wire import Client, Json, Lost, NotRunning, Outlived

_START_SECONDS = 30.0
_END_SECONDS = 15.0
_MOST_LOSSES, _LOSSES_SECONDS = 5, 60.0
_QUESTIONS = ("ready", "plan", "ps", "show", "asks", "diff", "agents")
"""Operations that change nothing: they are simply asked again when the daemon was lost."""
_BEGIN_SECONDS = 2.0


def here() -> Places:
    """The places of the user who gave the command."""
    return places(os.environ, uid=os.getuid())


def call(op: str, *, at: Path | None = None, **args: Json) -> Json:
    """The result of an operation in the caller's folder, or `at` another. Starts the daemon if none is running."""
    where = here()
    client = Client(where.socket)
    path = folder(at)
    try:
        return client.call(op, path=path, **args)
    except NotRunning:
        start(where)
    except Outlived:
        wait_for_its_end(where)
        start(where)
    except Lost:
        if op not in _QUESTIONS:
            raise
        start(where)
    return client.call(op, path=path, **args)


def stream(op: str, *, at: Path | None = None, lost: Callable[[], None] = lambda: None, **args: Json) -> Iterator[Json]:
    """The items of an operation in the caller's folder, or `at` another. Starts the daemon if none is running.

    If the daemon is lost in the middle, `lost` is called, another one is started, and the items go on as the last one
    that has `again` says; without, they come from the beginning. Raises `Lost` when that happens again and again.
    """
    path = folder(at)
    call("ready", at=at)
    losses: deque[float] = deque(maxlen=_MOST_LOSSES)
    while True:
        try:
            for item in Client(here().socket).stream(op, path=path, **args):
                args |= item.pop("again", {})
                yield item
        except (Lost, NotRunning):
            losses.append(time.monotonic())
            if len(losses) == _MOST_LOSSES and losses[-1] - losses[0] < _LOSSES_SECONDS:
                raise
            lost()
            call("ready", at=at)
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


def running(where: Places) -> str:
    """What to do about a daemon that holds the lock and does not answer."""
    pid = where.lock.read_text(errors="replace").strip() if where.lock.exists() else ""
    return f"See {where.daemon_log}, or end it: kill {pid}" if pid else f"See {where.daemon_log}."


def start(where: Places) -> None:
    """Start the daemon, detached, and return when it takes commands. Raises `Unavailable` with what it said instead.

    It inherits nothing of the terminal, and lives on when the command ends.
    """
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
            return not Client(where.socket).call("hello")["outlived"]
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
