"""Where things are: the state, the sockets and the user's settings, by the platform's own conventions.

state    database, journals, workspaces, the vault of checkpoints; the daemon's log and lock
runtime  the daemon's socket; short, since a socket's path may not be longer than 107 bytes, and another one for each
         state: who has two homes has two daemons, and none of them answers for the other. Not every session of a user
         has the same runtime folder (a desktop, ssh, cron), so where a daemon really listens stands in its lock
settings the user's own `config.toml`
cache    what can be made again, the demo's repositories among it
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bandstand.config.folders import LOCK, RECOVERY, SOCKET, folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders of one user. None of them needs to exist."""

    state: Path
    runtime: Path
    settings: Path
    cache: Path

    @property
    def socket(self) -> Path:
        """The daemon's socket."""
        return self.runtime / SOCKET

    @property
    def api_socket(self) -> Path:
        """The socket of the HTTP API, always beside the daemon's."""
        return self.socket.with_name("api.sock")

    @property
    def api_token(self) -> Path:
        """What the HTTP API wants to hear from callers over TCP."""
        return self.state / "api.token"

    @property
    def database(self) -> Path:
        """The event log."""
        return self.state / "bandstand.db"

    @property
    def recovery(self) -> Path:
        """What came of the last recovery of the event log, there until a command has told it."""
        return self.state / RECOVERY

    @property
    def logins(self) -> Path:
        """The folders in which agents keep the logins that they renew, one for each agent."""
        return self.state / "logins"

    @property
    def lock(self) -> Path:
        """Held by the daemon for as long as it lives. Its lines are the process and the socket where it listens."""
        return self.state / LOCK

    @property
    def wake_lock(self) -> Path:
        """Held by every daemon, and by whoever is about to be one because a holder rang."""
        return self.state / "wake.lock"

    @property
    def starts(self) -> Path:
        """When daemons began and ended; see `bandstand.config.starts`."""
        return self.state / "daemon.starts"

    @property
    def clock(self) -> Path:
        """What the daemon's clock showed last: the next one goes on from there."""
        return self.state / "clock.json"

    @property
    def install(self) -> Path:
        """Of which installation the last daemon was, and how it was started."""
        return self.state / "daemon.install"

    @property
    def down(self) -> Path:
        """There from when a daemon was ended on purpose until a person starts one: holders start none meanwhile."""
        return self.state / "down"

    @property
    def stopped(self) -> Path:
        """There from when somebody stopped the whole fleet until a daemon has noted that; nothing starts meanwhile."""
        return self.state / "stopped"

    @property
    def daemon_log(self) -> Path:
        """What the daemon has to say."""
        return self.state / "daemon.log"


def places(environment: Mapping[str, str], *, uid: int) -> Places:
    """The places of a user, by their environment, as `folders` knows them."""
    state, runtime, settings, cache = map(Path, folders(environment, uid=uid))
    return Places(state=state, runtime=runtime, settings=settings / "config.toml", cache=cache)


def shows_home(path: str, *, home: Path) -> bool:
    """Whether a path that a profile names would show something of the user's home, through links too, or all of it."""
    real, top = Path(os.path.realpath(path)), Path(os.path.realpath(home))
    return path.startswith("~") or real.is_relative_to(top) or top.is_relative_to(real)
