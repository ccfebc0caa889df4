"""Starting the daemon where a call found none that could answer.

A daemon that is not of this installation, or whose state is gone, makes way for a new one.
"""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bandstand.config.folders import WAY
from bandstand.config.places import Places, places
from bandstand.config.starts import too_many_crashes
from bandstand.config.usable import unusable
from bandstand.domain.errors import BandstandError, Refused, Unavailable
from bandstand.faces.cli.reaching import ELSEWHERE, client, lock_lines
from bandstand.faces.wire import INSTALL, Lost, Outlived

_START_SECONDS = 30.0
_END_SECONDS = 30.0
_DYING_SECONDS = 0.5
_QUESTIONS = ("ready", "plan", "ps", "show", "asks", "diff", "look", "agents", "queue")
"""Operations that change nothing: they are simply asked again when the daemon was lost."""
_BEGIN_SECONDS = 2.0
_LEAST_ROOM = 1 << 18
"""With less room than this a daemon cannot even begin."""
_SUCCESSION_SECONDS = 5.0


def here() -> Places:
    """The places of the user who gave the command."""
    return places(os.environ, uid=os.getuid())


def make_ready(failed: Unavailable, *, op: str) -> None:
    """Start the daemon after a call found none that could answer, so that it can be called again.

    Raises the failure itself if the order may have been carried out all the same.
    """
    where = here()
    match failed:
        case Outlived():
            wait_for_its_end(where)
        case Lost() if op not in _QUESTIONS:
            raise failed
        case _:
            pass
    start(where)


def succeeded(where: Places) -> bool:
    """Whether another daemon answers, where the last one has made way for it."""
    if not _makes_way():
        return False
    deadline = time.monotonic() + _END_SECONDS
    while _makes_way():
        if time.monotonic() > deadline or not (held(where.lock) or _comes(where)):
            return False
        time.sleep(0.02)
    return _answers(install=None)


def _makes_way() -> bool:
    return lock_lines()[2] == WAY


def _comes(where: Places) -> bool:
    """Whether somebody starts a daemon within a moment: whoever the last one has made way for."""
    deadline = time.monotonic() + _SUCCESSION_SECONDS
    while not held(where.lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def wait_for_its_end(where: Places) -> None:
    """Wait until no daemon holds the lock. Raises `Unavailable` if one takes long to end."""
    deadline = time.monotonic() + _END_SECONDS
    while held(where.lock):
        if time.monotonic() > deadline:
            raise Unavailable("The daemon takes long to end.", hint=running(where))
        time.sleep(0.02)


def held(lock: Path) -> bool:
    """Whether a daemon lives. None does where there is no folder for it."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    return False


def running(where: Places) -> str:
    """What to do about a daemon that holds the lock and does not answer."""
    pid, _, _ = lock_lines()
    return f"See {where.daemon_log}, or end it: kill {pid}" if pid else f"See {where.daemon_log}."


def start(where: Places) -> None:
    """Start the daemon, detached, and return when it takes commands. Raises `Unavailable` with what it said instead.

    It inherits nothing of the terminal, and lives on when the command ends. A person who sees that daemons die one
    after the other may have another try.
    """
    if (trouble := disk_trouble(where) or unusable(where, os.environ, uid=os.getuid())) is not None:
        raise trouble
    if (loop := crash_loop(where)) is not None:
        hint = loop.hint.replace("\n", "\n      ")
        sys.stderr.write(f"band: {loop.message} This command starts one even so.\n      {hint}\n")
    read_end, write_end = os.pipe()
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
    if _answers():
        return
    said_lines = complaints.read_text(errors="replace").strip().splitlines()
    ours = [line.removeprefix("band: ") for line in said_lines if line.startswith("band: ")]
    reason = (ours or said_lines[-1:] or [""])[0]
    raise Unavailable(f"The daemon did not start. {reason}".strip(), hint=running(where))


def disk_trouble(where: Places) -> BandstandError | None:
    """Why nothing can be kept in the state folder, if so: a daemon could not even say that it ends for it."""
    try:
        where.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=where.state) as file:
            file.write(bytes(_LEAST_ROOM))
            file.flush()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return Unavailable(
                f"There is no room on the disk for {where.state}.",
                hint="Make room, and give the command again. Once there is some, `band gc` makes more.",
            )
        if error.errno == errno.EROFS:
            return Unavailable(
                f"The disk of {where.state} can only be read.",
                hint=f"See why, make it writable, and give the command again: findmnt --target {where.state}",
            )
        reason = f"The state cannot be kept in {where.state}: {error.strerror}."
        return unusable(where, os.environ, uid=os.getuid()) or Refused(reason, hint=ELSEWHERE)
    return None


def crash_loop(where: Places) -> Unavailable | None:
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


def _answers(*, install: str | None = INSTALL) -> bool:
    """Whether another daemon was quicker, which an installation can speak to. One that begins is given a moment."""
    deadline = time.monotonic() + _BEGIN_SECONDS
    while True:
        try:
            return not client(install=install).call("hello")["outlived"]
        except Unavailable:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
