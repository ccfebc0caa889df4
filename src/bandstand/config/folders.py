"""Where the folders of one user are, as text: what a quick command has to know before it can ask the daemon.

`bandstand.config.places` makes paths of them and says what they are for. Nothing is imported here but `os`, and nothing
may be: a command that only looks spends its time on answering.
"""

import os
from collections.abc import Mapping

LOCK = "daemon.lock"
SOCKET = "band.sock"
RECOVERY = "bandstand.db.recovery.json"
WAY = "way"
"""What a daemon that makes way adds to its lock file, behind its process and its socket: another one is to start."""

_LONGEST_SOCKET_PATH = 107


def folders(environment: Mapping[str, str], *, uid: int) -> tuple[str, str, str, str]:
    """The folders of state, runtime, settings and cache. `BAND_STATE_DIR` moves the state, and the others with it.

    A runtime folder that is not the user's, or whose path is too long for a socket, gives way to one under `/tmp`.
    """
    home = environment.get("HOME") or "/"
    own = environment.get("BAND_STATE_DIR")
    settings = os.path.join(environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "bandstand")
    if own:
        state = _clean(os.path.join(os.getcwd(), own)) if not os.path.isabs(own) else _clean(own)
        runtime, cache = os.path.join(state, "run"), os.path.join(state, "cache")
    else:
        state = _clean(os.path.join(environment.get("XDG_STATE_HOME") or f"{home}/.local/state", "bandstand"))
        cache = os.path.join(environment.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "bandstand")
        base = environment.get("XDG_RUNTIME_DIR")
        shared = os.path.join(base, "bandstand") if base and _is_own(base, uid) else f"/tmp/band-{uid}"
        runtime = _runtime(shared, state)
    if len(os.fsencode(os.path.join(runtime, SOCKET))) > _LONGEST_SOCKET_PATH:
        runtime = _runtime(f"/tmp/band-{uid}", state)
    return state, runtime, settings, cache


def _is_own(folder: str, uid: int) -> bool:
    """Whether a runtime folder is the user's. Who has become another user may still have the one of the first."""
    try:
        return os.stat(folder).st_uid == uid and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


def _clean(path: str) -> str:
    """A path without what means nothing in it. `..` stays: behind a symbolic link it is no way back."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def _runtime(shared: str, state: str) -> str:
    """A folder beside all those of the user's other states."""
    return f"{shared}-{hash_of(state):08x}"


def hash_of(text: str) -> int:
    """A number for a text, the same in every process (FNV-1a, 32 bits)."""
    value = 0x811C9DC5
    for byte in os.fsencode(text):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
