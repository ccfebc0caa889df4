"""What stays outside of a holder's namespace, to start a daemon when the holder rings: `waker.sh`, and its orders.

A holder and all that it starts die with its namespace, so a daemon cannot come from in there. What is started, and with
which environment, is decided here and by whoever made the host; over the bell come only three words.
"""

import itertools
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LOCK, BELL = 9, 8
"""The file descriptors that `waker.sh` gives to a holder. A plain shell can name one digit only."""

_SCRIPT = Path(__file__).with_name("waker.sh")
_NOBODY = "-"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking:
    """What a holder has started while nobody attends to it: `command`, with the whole `environment`, detached, in `/`.

    It inherits `lock`, locked: as long as any process holds that, nothing is started. Nothing is either while the file
    `unless` exists, or when the folder of the lock is gone.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    lock: Path
    unless: Path


def hang(folder: Path, waking: Waking | None) -> Path | None:
    """A new bell in a run's folder, to be removed once the holder has it; nothing if nobody is to be woken."""
    if waking is None:
        return None
    bell = folder / f"bell-{os.getpid()}-{next(_numbers)}"
    os.mkfifo(bell, mode=0o600)
    return bell


def take_down(folder: Path) -> None:
    """Remove the bells of a run that were left by daemons which died when its holder had just been started."""
    for bell in folder.glob("bell-*"):
        if not bell.name.startswith(f"bell-{os.getpid()}-"):
            bell.unlink(missing_ok=True)


def outside(waking: Waking | None, bell: Path | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """What to put in front of a holder's command, and the environment for that; it does not reach the holder."""
    command = (shutil.which("sh") or "/bin/sh", str(_SCRIPT), "hold", bell.name if bell else _NOBODY)
    if waking is None:
        return command, {"PATH": os.environ.get("PATH", os.defpath)}
    own = {
        "WAKER_COMMAND": shlex.join(waking.command),
        "WAKER_LOCK": str(waking.lock),
        "WAKER_UNLESS": str(waking.unless),
    }
    return command, {**waking.environment, **own}
