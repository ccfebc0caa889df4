"""Calling the daemon: from a command's folder, and starting the daemon if there is none."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bandstand import __version__
from bandstand.config.places import Places, places
from bandstand.domain.errors import Unavailable
from bandstand.faces.wire import Client, Json, NotRunning

_START_SECONDS = 30.0
_BEGIN_SECONDS = 2.0


def here() -> Places:
    """The places of the user who gave the command."""
    return places(os.environ, uid=os.getuid())


def call(op: str, *, at: Path | None = None, **args: Json) -> Json:
    """The result of an operation in the caller's folder, or `at` another. Starts the daemon if none is running."""
    where = here()
    client = Client(where.socket)
    path = str(at or Path.cwd())
    try:
        return client.call(op, path=path, **args)
    except NotRunning:
        start(where)
        return client.call(op, path=path, **args)


def stream(op: str, *, at: Path | None = None, **args: Json) -> Iterator[Json]:
    """The items of an operation in the caller's folder, or `at` another. Starts the daemon if none is running."""
    where = here()
    client = Client(where.socket)
    try:
        client.call("hello")
    except NotRunning:
        start(where)
    return client.stream(op, path=str(at or Path.cwd()), **args)


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
    reason = complaints.read_text(errors="replace").strip().splitlines()
    raise Unavailable(
        f"The daemon did not start. {reason[-1] if reason else ''}".strip(), hint=f"Its log is {where.daemon_log}."
    )


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
            return bool(Client(where.socket).call("hello")["version"] == __version__)
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
