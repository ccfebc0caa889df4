"""Handing over: whose commands a daemon answers, whom it makes way for, and whom it turns away.

Commands say which installation they are of: its version, and where it lies. One of the daemon's own is answered. For
one that lies in the same place and has another version the daemon makes way: it was replaced under the daemon's feet.
So it does for one that lies elsewhere and is as new or newer. An older one from elsewhere is turned away, with one
sentence: nobody means to take agents back to an older Bandstand by typing `band ps` in the wrong shell.

Who says nothing of its installation goes on with what it began with an earlier daemon, and is answered.
"""

import contextlib
import json
import os
import re
import sys
from pathlib import Path

from bandstand.config.folders import WAY
from bandstand.config.places import Places
from bandstand.domain.errors import Refused
from bandstand.faces.wire import INSTALL

_HANDED_ON = "BAND_HANDED_ON"


def outlived(install: str, *, ours: str) -> str:
    """Why a daemon of the installation `ours` makes way for a caller's, or is empty if it does not."""
    (version, place), (our_version, our_place) = _parts(install), _parts(ours)
    replaced = place == our_place and version != our_version
    newer = place != our_place and _release(version) >= _release(our_version)
    return f"It is of another installation: {ours}." if replaced or newer else ""


def turned_away(install: str, *, ours: str) -> Refused | None:
    """What an older command from elsewhere is told."""
    (version, place), (our_version, our_place) = _parts(install), _parts(ours)
    if place == our_place or _release(version) >= _release(our_version):
        return None
    return Refused(
        f"The daemon is Bandstand {our_version}, and this command is {version}: it is too old to speak to it.",
        hint=f"Use the `band` of {our_place}. To go back for good, end the daemon first: band down",
    )


def leave_word(places: Places) -> None:
    """Tell who watched that another daemon is about to start, so that they do not start one of their own."""
    with contextlib.suppress(OSError), os.fdopen(os.open(places.lock, os.O_WRONLY | os.O_APPEND), "w") as lock:
        lock.write(f"{WAY}\n")


def sign(places: Places) -> None:
    """Say of which installation the daemon of this state is, and how it is started."""
    said = {"install": INSTALL, "python": sys.executable, "path": os.environ.get("PYTHONPATH", "")}
    draft = places.install.with_suffix(".new")
    with contextlib.suppress(OSError):
        draft.write_text(json.dumps(said))
        draft.replace(places.install)


def hand_on(places: Places) -> None:
    """Be a daemon of the installation that ran last, where that is another one that is still there.

    A holder starts a daemon of the installation that it came with, which may have been replaced since.
    """
    handed_on = os.environ.pop(_HANDED_ON, "")
    try:
        said = json.loads(places.install.read_text())
        python, (_, place) = str(said["python"]), _parts(str(said["install"]))
        path = {"PYTHONPATH": str(said["path"])} if said["path"] else {}
    except (OSError, ValueError, TypeError, KeyError):
        return
    if place == _parts(INSTALL)[1] or not Path(place).is_dir() or handed_on:
        return
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with contextlib.suppress(OSError):  # if it cannot be started, we are better than none
        os.execve(python, [python, "-m", "bandstand", "daemon", "--woken"], {**environment, **path, _HANDED_ON: place})


def _parts(install: str) -> tuple[str, str]:
    version, _, place = install.partition(" ")
    return version, place


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a release; what is before or behind it counts as that release."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
