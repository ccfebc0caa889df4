"""Where the daemon is, as a quick command finds out: from the caller's folder and the daemon's own lock file."""

import os

from bandstand.config.folders import LOCK, RECOVERY, SOCKET, folders
from bandstand.domain.errors import Refused
from bandstand.faces.wire import ANSWER_SECONDS, INSTALL, TYPE_CHECKING, Client

if TYPE_CHECKING:
    from pathlib import Path


ELSEWHERE = "Name another one with BAND_STATE_DIR."


def folder(at: "Path | None" = None) -> str:
    """The folder that is meant. Raises `Refused` if the caller's own is gone."""
    try:
        return os.getcwd() if at is None else str(at)
    except FileNotFoundError:
        raise Refused("The folder that you are in is gone.", hint="Go to another one: cd ~") from None


def client(*, patience: float = ANSWER_SECONDS, install: str | None = INSTALL) -> Client:
    """Asks the daemon where it says that it listens: it may have been started with another runtime folder."""
    _, runtime, *_ = folders(os.environ, uid=os.getuid())
    _, socket, _ = lock_lines()
    return Client(socket or os.path.join(runtime, SOCKET), patience=patience, install=install)


def lock_lines() -> tuple[str, str, str]:
    """The process of the last daemon, the socket where it listened, and whether it made way for another one.

    Each is empty as long as nothing is said of it.
    """
    state, *_ = folders(os.environ, uid=os.getuid())
    if "\n" in state:
        raise Refused(f"The state cannot lie in a folder with a line break in its name: {state!r}.", hint=ELSEWHERE)
    try:
        with open(os.path.join(state, LOCK), "rb") as lock:
            lines = os.fsdecode(lock.read()).split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return "", "", ""
    # A line counts once it has its end: the daemon may be writing it right now.
    pid, socket, way = ([*lines[:-1], "", "", ""])[:3]
    return pid, socket, way


def recovery_report() -> str:
    """The file that says what came of a recovery of the event log, if nobody was told yet; else empty."""
    state, *_ = folders(os.environ, uid=os.getuid())
    report = os.path.join(state, RECOVERY)
    return report if os.path.exists(report) else ""


def me() -> str:
    """The name of the user who gave the command."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
