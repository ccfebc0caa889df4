"""What is mounted in a sandbox of bubblewrap, in its order: the system to read, the settings of it that hold no secret,
the caller's tools; and what is covered again.

Beside the system and its settings, all that is shown is kept in two lists: where root becomes another user, that one is
shown it as its own.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from bandstand.adapters.sandbox.toolchains import SYSTEM, Tools
from bandstand.domain.errors import Broken
from bandstand.ports.sandbox import Mount
from bandstand.starter.becoming import may_enter

WORKSPACE = Path("/workspace")
HOME = Path("/home/agent")
LOGINS = Path("/run/logins")

# Files of /etc that programs need and that hold no secret. `ssl/private` and the like are why no folder comes whole
# that is not known to hold none.
SETTINGS = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "dotnet",
    "fonts",
    "java-*-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "magic.mime",
    "maven/logging",
    "maven/m2.conf",
    "mime.types",
    "os-release",
    "perl",
    "php",
    "pki/ca-trust/extracted",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "python3*",
    "R",
    "shells",
    "ssl/certs",
    "ssl/cert.pem",
    "ssl/openssl.cnf",
    "static",
    "terminfo",
    "timezone",
    "xml",
)
# Of these what a program needs to come up at all. Each is one mount more, and mounts are most of what walls cost.
FOR_ANY_PROGRAM = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "static")
_KEYS = ("/proc/keys", "/proc/key-users")
_ETC = Path("/etc")
_SYSTEM = tuple(str(folder) for folder in SYSTEM)
_NETWORK_SETTINGS = ("gai.conf", "host.conf", "hosts", "nsswitch.conf", "protocols", "resolv.conf", "services")


class Plan:
    """The mounts of one sandbox in their order. Whatever is bound, a hidden path strictly below it is covered."""

    def __init__(self, hidden: tuple[Path, ...], *, uid: int | None = None) -> None:
        self._hidden = tuple(dict.fromkeys(path.resolve() for path in hidden))
        self._uid = uid
        self._covers: list[str] = []
        self.options: list[str] = []
        self.read: list[Path] = []
        self.written: list[Path] = []

    def add(self, *options: str) -> None:
        """Options as they are."""
        self.options += options

    def bind(self, mount: Mount, *, option: str) -> None:
        """Show a host path. Raises `Broken` for a hidden path below it that is not there yet to be covered."""
        real = os.path.realpath(mount.host)
        (self.written if option == "--bind" else self.read).append(Path(real))
        self._show(real, mount.inside, option=option)

    def _show(self, real: str, inside: Path, *, option: str = "--ro-bind", also_hidden: Iterable[Path] = ()) -> None:
        self.add(option, real, str(inside))
        for secret in (*self._hidden, *also_hidden):
            if _strictly_below(str(secret), real) and not self._is_out_of_reach(secret, shown=Path(real)):
                self._cover(secret, inside / secret.relative_to(real))

    def _is_out_of_reach(self, secret: Path, *, shown: Path) -> bool:
        """Whether the user that we become cannot enter a folder above it: it cannot be covered, and need not be."""
        if self._uid is None:
            return False
        ours = {shown, *shown.parents} & {*self.read, *self.written}
        for folder in reversed([one for one in secret.parents if one.is_relative_to(shown)]):
            try:
                found = folder.stat()
            except FileNotFoundError:
                return False
            if not may_enter(found, self._uid) and not (ours and found.st_uid == 0 and found.st_mode & 0o100):
                return True
        return False

    def system(self, user_home: Path) -> None:
        """What is installed on this machine, as links where the host has links."""
        for folder in SYSTEM:
            if folder.is_symlink():
                self.add("--symlink", str(folder.readlink()), str(folder))
            elif folder.is_dir():
                self._show(os.path.realpath(folder), folder, also_hidden=(user_home.resolve(),))

    def settings(self, names: Iterable[str]) -> None:
        """Files and folders of /etc, as far as they are there."""
        for path in sorted(path for name in names for path in _matching(name) if path.exists()):
            real = os.path.realpath(path)
            if path.is_symlink() and any(real == folder or _strictly_below(real, folder) for folder in _SYSTEM):
                self.add("--symlink", str(path.readlink()), str(path))
            else:
                self._show(real, path)

    def keys(self) -> None:
        """Cover the names of the kernel's keys, which no namespace divides."""
        for place in _KEYS:
            if os.path.lexists(place):
                self.add("--ro-bind", "/dev/null", place)

    def network(self) -> None:
        """The network is the host's, and so are the files that find names in it."""
        self.settings(_NETWORK_SETTINGS)

    def tools(self, tools: Tools) -> None:
        """The caller's own software, to read; what is hidden stays out, with all that would show it."""
        roots = [root for root in tools.roots if not self._would_show_hidden(root)]
        for root in sorted(roots):
            self.bind(Mount(host=root, inside=root), option="--ro-bind")
        for name, real in sorted(tools.links.items()):
            if not any(name.is_relative_to(place) for place in (HOME, WORKSPACE, *self._hidden)):
                self.add("--symlink", str(real), str(name))

    def seal(self) -> None:
        """Make everything read-only that is not meant to be written."""
        for place in (*self._covers, "/proc", "/"):
            self.add("--remount-ro", place)

    def _would_show_hidden(self, root: Path) -> bool:
        return any(
            (root.is_relative_to(secret) and not _is_environment(root, below=secret))
            or (secret.is_relative_to(root) and not secret.exists())
            for secret in self._hidden
        )

    def _cover(self, secret: Path, place: Path) -> None:
        if secret.is_dir():
            self.add("--tmpfs", str(place))
            self._covers.append(str(place))
        elif secret.exists():
            self.add("--ro-bind", "/dev/null", str(place))
        else:
            raise Broken(
                f"A sandbox would show {secret}, which must stay hidden and is not there yet to be covered.",
                hint="Make the folder, or move it out of the folders of the system.",
            )


def _strictly_below(path: str, folder: str) -> bool:
    return path != folder and path.startswith(f"{folder.rstrip('/')}/")


def _matching(name: str) -> Iterable[Path]:
    """What may be there of /etc. Most names are no patterns, and these are looked up for each command."""
    return _ETC.glob(name) if "*" in name else (_ETC / name,)


def _is_environment(root: Path, *, below: Path) -> bool:
    """Whether a folder strictly inside a hidden one is a virtual environment: a checkout often holds one."""
    return root != below and (root / "pyvenv.cfg").is_file()
