"""Whether the folders of a user can be used, and if not: which one, why, and what says that it is there.

Nothing is made or changed here. A daemon that began all the same could not even say why it ends.
"""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from bandstand.config.places import Places
from bandstand.domain.errors import Refused

_OTHER = "To keep the state elsewhere: export BAND_STATE_DIR=/a/folder/of/yours"


def unusable(where: Places, environment: Mapping[str, str], *, uid: int) -> Refused | None:
    """What is wrong with the folder of the state or of the sockets, if something is."""
    if reason := _reason(where.state, uid):
        said_by = _named(environment, where.state, "BAND_STATE_DIR", "XDG_STATE_HOME", "HOME")
        return Refused(f"The state cannot be kept in {where.state}: {reason}.", hint=f"{said_by}{_OTHER}")
    if reason := _reason(where.runtime, uid):
        said_by = _named(environment, where.runtime, "BAND_STATE_DIR", "XDG_RUNTIME_DIR")
        hint = f"{said_by}Move it away, or give it back to its owner: ls -ld {where.runtime}"
        return Refused(f"The daemon's socket cannot be in {where.runtime}: {reason}.", hint=hint)
    if where.runtime.is_dir() and where.runtime.stat().st_mode & 0o077:
        hint = f"Remove it, or run: chmod 700 {where.runtime}"
        return Refused(f"The runtime folder {where.runtime} is not yours alone.", hint=hint)
    return None


def unusable_cache(where: Places, environment: Mapping[str, str], *, uid: int) -> Refused | None:
    """What is wrong with the folder of what can be made again, if something is. Few commands need it."""
    if reason := _reason(where.cache, uid):
        said_by = _named(environment, where.cache, "BAND_STATE_DIR", "XDG_CACHE_HOME", "HOME")
        hint = f"{said_by}To keep it elsewhere: export XDG_CACHE_HOME=/a/folder/of/yours"
        return Refused(f"Nothing can be kept in {where.cache}: {reason}.", hint=hint)
    return None


def _reason(folder: Path, uid: int) -> str:
    """Why a folder can neither be used nor be made, in words; empty if it can."""
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not there.exists():
        return f"{there} is a symbolic link that leads nowhere"
    if not there.is_dir():
        return f"{there} is no folder"
    owner = there.stat().st_uid
    if there == folder and owner != uid:
        return f"it belongs to {_user(owner)}, and you are {_user(uid)}"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"you may not write to {there}, which belongs to {_user(owner)}"
    return ""


def _named(environment: Mapping[str, str], folder: Path, *names: str) -> str:
    """Which variable says that a folder is where it is, as a sentence; nothing if it is none of these."""
    for name in names:
        if value := environment.get(name):
            inside = folder.is_relative_to(value) or name == "BAND_STATE_DIR"
            return f"{name} says so: {value}\n" if inside else ""
    return ""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
