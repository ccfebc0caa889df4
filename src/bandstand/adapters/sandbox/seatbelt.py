"""The sandbox of macOS: a Seatbelt profile. A command sees the system to read, its workspace and home to write.

**Untested**: nothing of it was ever run on a Mac. What is promised is promised of the text of the profile only.

Seatbelt has no namespaces. A command is on the host's own paths, sees the numbers of other processes, and shares the
loopback with everything that listens there; so "no network" is no address at all, not even its own.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from bandstand.adapters.sandbox.toolchains import READ_VARIABLES, find_tools
from bandstand.domain.errors import Unavailable
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount
from bandstand.ports.walls import Gap, Network

PROGRAM = "/usr/bin/sandbox-exec"
PROXY = "localhost:3128"

# The system, as far as it holds no secret: neither all of /Library, with its keychains, nor all of /etc and /var.
_SYSTEM = (
    *("/System", "/usr", "/bin", "/sbin", "/opt", "/nix/store"),
    *("/Library/Apple", "/Library/Developer", "/Library/Fonts", "/Library/Frameworks", "/Library/Java"),
    *("/Library/Perl", "/Library/Python", "/Library/Ruby", "/Applications/Xcode.app"),
    *("/private/etc/ssl", "/private/var/db/dyld", "/private/var/db/timezone", "/private/var/select"),
)
_FILES = (
    *("/private/etc/hosts", "/private/etc/localtime", "/private/etc/passwd", "/private/etc/protocols"),
    *("/private/etc/resolv.conf", "/private/etc/services", "/private/etc/shells", "/private/var/run/resolv.conf"),
    *("/dev/random", "/dev/urandom", "/dev/autofs_nowait"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/dtracehelper", "/dev/tty", "/dev/ptmx")
# What programs ask the system for; the keychain, the clipboard, Apple events and the window server are not among them.
_SERVICES = (
    "com.apple.bsd.dirhelper",
    "com.apple.logd",
    "com.apple.system.logger",
    "com.apple.system.notification_center",
    "com.apple.system.opendirectoryd.libinfo",
    "com.apple.system.opendirectoryd.membership",
)
_RULES = """\
(version 1)
(deny default)
(allow process-fork process-exec* sysctl-read pseudo-tty)
(allow signal process-info* (target same-sandbox))
(allow ipc-posix-sem* ipc-posix-shm*)
"""
_LAST = "(deny file-write-setugid)\n"
_NETWORK = {
    Network.HOST: "(allow network* system-socket)\n",
    Network.PROXIED: (
        "(allow system-socket)\n"
        f'(allow network-outbound (remote ip "{PROXY}"))\n'
        '(allow network-bind network-inbound (local ip "localhost:*"))\n'
    ),
    Network.NONE: "",
}


class SeatbeltSandbox:
    """`user_home` is where the caller's tools are looked for; `hidden` is what no command may ever see."""

    def __init__(self, user_home: Path, hidden: tuple[Path, ...], *, executable: str = PROGRAM) -> None:
        self._user_home = user_home
        self._hidden = hidden
        self._executable = executable

    @property
    def name(self) -> str:
        """`seatbelt`."""
        return "seatbelt"

    @property
    def enforced(self) -> bool:
        """The walls are real."""
        return True

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Seatbelt has no filter of system calls that we could give it."""
        return (Gap.CALLS,)

    def inside(self, host: Path, *, role: str) -> Path:
        """The host's own path: there is no other."""
        return host

    def confine(self, confinement: Confinement) -> Launch:
        """The command under a profile of its own. Mounts are seen where the host has them.

        Every path is a parameter of the profile, so that none can be read as a rule.
        """
        profile = _Profile()
        profile.text += _RULES + _NETWORK[confinement.network]
        profile.allow("mach-lookup", (f'(global-name "{service}")' for service in _SERVICES))
        profile.allow("file-read*", (f'(literal "{path}")' for path in ("/", *_FILES)))
        profile.allow("file-read* file-write* file-ioctl", (f'(literal "{path}")' for path in _DEVICES))
        profile.allow("file-read*", (f'(subpath "{path}")' for path in _SYSTEM))
        profile.paths("allow", "file-read*", self._tools(confinement))
        profile.paths("deny", "file-read* file-write* process-exec*", self._hidden)
        profile.paths("allow", "file-read* process-exec*", _hosts(confinement.readable))
        homes = (confinement.home,) if confinement.home is not None else ()
        profile.paths("allow", "file-read* file-write* process-exec*", (*_hosts(confinement.writable), *homes))
        profile.ancestors()
        profile.text += _LAST
        parameters = [word for name, path in profile.parameters.items() for word in ("-D", f"{name}={path}")]
        return Launch(
            argv=(self._executable, "-p", profile.text, *parameters, *confinement.argv),
            cwd=confinement.cwd,
            environment={**confinement.environment, **_home(confinement.home)},
        )

    async def probe(self) -> None:
        """Return if there is a sandbox-exec. Raises `Unavailable` elsewhere than on a Mac."""
        if shutil.which(self._executable) is None:
            raise Unavailable("There is no sandbox-exec, which only macOS has.", hint="On Linux, use bubblewrap.")

    def _tools(self, confinement: Confinement) -> Iterable[Path]:
        known = {name: confinement.environment[name] for name in READ_VARIABLES & confinement.environment.keys()}
        return find_tools(known, home=self._user_home, program=confinement.argv[0]).roots


class _Profile:
    """Rules in their order, the last one that fits wins; and the paths that they speak of, by their parameters."""

    def __init__(self) -> None:
        self.text = ""
        self.parameters: dict[str, str] = {}

    def allow(self, operations: str, filters: Iterable[str]) -> None:
        """A rule with filters that are ours, word for word."""
        self.text += f"(allow {operations} {' '.join(filters)})\n"

    def paths(self, verdict: str, operations: str, folders: Iterable[Path]) -> None:
        """A rule for files and folders with all that is in them; none for none."""
        filters = [f'(subpath (param "{self._parameter(folder)}"))' for folder in folders]
        if filters:
            self.text += f"({verdict} {operations} {' '.join(filters)})\n"

    def ancestors(self) -> None:
        """That the folders above can be walked through; what is in them is not told."""
        above = sorted({folder for path in self.parameters.values() for folder in Path(path).parents} - {Path("/")})
        filters = [f'(literal (param "{self._parameter(folder)}"))' for folder in above]
        if filters:
            self.text += f"(allow file-read-metadata {' '.join(filters)})\n"

    def _parameter(self, path: Path) -> str:
        real = os.path.realpath(path)
        known = next((name for name, one in self.parameters.items() if one == real), None)
        name = known or f"P{len(self.parameters)}"
        self.parameters[name] = real
        return name


def _hosts(mounts: Iterable[Mount]) -> Iterator[Path]:
    yield from (mount.host for mount in mounts if mount.host.exists())


def _home(home: Path | None) -> dict[str, str]:
    """There is no private /tmp: what is for a while is in the home, which goes away with the workspace."""
    return {} if home is None else {"HOME": str(home), "TMPDIR": str(home)}
