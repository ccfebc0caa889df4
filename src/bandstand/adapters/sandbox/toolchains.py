"""Which folders outside the system the programs on a PATH need.

A table names the tool managers that people have in their home folder; links and virtual environments lead on to others.
Only software comes out of here: never the home folder itself, nothing above it, and nothing where keys and settings
are kept, whatever PATH says.
"""

import contextlib
import os
import string
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM = tuple(
    Path(folder)
    for folder in (
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/opt",
        "/nix/store",
        "/gnu/store",
    )
)
"""What every command may read, as far as it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A tool manager: folders below home that belong together, and variables that find them from another home."""

    roots: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


TOOLCHAINS = (
    Toolchain(roots=(".pyenv",), variables={"PYENV_ROOT": ".pyenv"}),
    Toolchain(roots=(".rbenv",), variables={"RBENV_ROOT": ".rbenv"}),
    Toolchain(roots=(".nvm",)),
    Toolchain(roots=(".volta",), variables={"VOLTA_HOME": ".volta"}),
    Toolchain(roots=(".fnm", ".local/share/fnm")),
    Toolchain(roots=(".asdf",), variables={"ASDF_DATA_DIR": ".asdf"}),
    Toolchain(roots=(".cargo/bin", ".rustup"), variables={"RUSTUP_HOME": ".rustup"}),
    Toolchain(
        roots=(
            ".local/bin",
            ".local/lib",
            ".local/pipx",
            ".local/share/pipx",
            ".local/share/uv",
            ".local/share/mise",
        ),
        variables={"MISE_DATA_DIR": ".local/share/mise"},
    ),
    Toolchain(roots=(".local/share/pnpm",)),
    Toolchain(roots=(".npm-global",)),
    Toolchain(roots=(".bun/bin", ".bun/install/global")),
    Toolchain(roots=(".deno/bin",)),
    Toolchain(roots=(".sdkman",), variables={"SDKMAN_DIR": ".sdkman"}),
    Toolchain(roots=("go/bin", "sdk")),
    Toolchain(roots=(".claude/local",)),
    Toolchain(roots=("/home/linuxbrew/.linuxbrew",)),
)

PRIVATE = (
    ".ssh",
    ".aws",
    ".azure",
    ".config",
    ".gnupg",
    ".kube",
    ".docker",
    ".netrc",
    ".git-credentials",
    ".gitconfig",
    ".npmrc",
    ".pypirc",
    ".m2",
    ".gem/credentials",
    ".cargo/config.toml",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".password-store",
    ".mozilla",
    ".thunderbird",
    ".claude",
    ".claude.json",
    ".codex",
    ".gemini",
    ".local/share/keyrings",
    ".local/share/opencode",
    ".local/state",
)
"""Below home: what no link and no entry of PATH can bring in."""

_ROOT_VARIABLES = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYENV_ROOT",
    "RUSTUP_HOME",
    "VOLTA_HOME",
    "GOROOT",
    "JAVA_HOME",
    "DOTNET_ROOT",
)
_CERTIFICATE_VARIABLES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NIX_SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
)
READ_VARIABLES = frozenset(
    ("PATH", *_ROOT_VARIABLES, *_CERTIFICATE_VARIABLES, *(name for one in TOOLCHAINS for name in one.variables))
)
"""All of an environment that matters here."""
# What shows that the folder above a `bin` is one installation: a virtual environment, conda, Go, a JDK.
_INSTALLATION_MARKS = ("pyvenv.cfg", "conda-meta", "pkg/tool", "lib/modules")
_INSTALLATION_PARTS = ("lib", "lib64", "libexec", "share", "include")
# Nothing of the kernel, of the system's settings, and of the other system under a Linux that runs inside of one.
_NO_SOFTWARE = tuple(
    Path(folder)
    for folder in ("/proc", "/sys", "/dev", "/etc", "/boot", *(f"/mnt/{drive}" for drive in string.ascii_lowercase))
)
# What the distribution itself installed leads nowhere else; what others put beside it may.
_DISTRIBUTION = tuple(Path(folder) for folder in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"))
_MOST_HOPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What makes the programs work: real paths to read, links that lead to them, variables to set."""

    roots: tuple[Path, ...]
    links: Mapping[Path, Path]
    variables: Mapping[str, str]


def find_tools(environment: Mapping[str, str], *, home: Path, account: Path | None = None, program: str = "") -> Tools:
    """The software outside the system that an environment and a program point to. Reads the disk, changes nothing.

    `account` is the home that the system knows of the user: a PATH may lead there although HOME names another. A
    variable that the environment has already is never among those to set.
    """
    search = _Search(tuple(dict.fromkeys((home, account or home))))
    wanted = [
        *((search.installation, environment.get(name, "")) for name in _ROOT_VARIABLES),
        *((search.folder, entry) for entry in environment.get("PATH", "").split(os.pathsep)),
        (search.program, program),
        *((search.add, environment.get(name, "")) for name in _CERTIFICATE_VARIABLES),
    ]
    for take, text in wanted:
        # What may not be looked at cannot be used either.
        with contextlib.suppress(PermissionError):
            for path in _absolute(text):
                take(path)
    return Tools(
        roots=search.outermost(),
        links=search.outer_links(),
        variables={
            name: str(base / folder)
            for toolchain, base in search.used
            for name, folder in toolchain.variables.items()
            if name not in environment and (base / folder).is_dir()
        },
    )


def _absolute(text: str) -> Iterator[Path]:
    """The path that `text` spells, if it is an absolute one."""
    if text.startswith("/") and "\0" not in text:
        yield Path(os.path.normpath(text))


class _Search:
    """A walk from programs to what they need. `found` holds real paths, `links` other names and where they lead."""

    def __init__(self, bases: tuple[Path, ...]) -> None:
        self._homes = tuple(dict.fromkeys(name for base in bases for name in (base, _real(base))))
        self._managed = [
            (toolchain, base, {home / root for root in toolchain.roots for home in (base, _real(base))})
            for toolchain in TOOLCHAINS
            for base in bases
        ]
        self._walked: set[Path] = set()
        self.found: dict[Path, None] = {}
        self.links: dict[Path, Path] = {}
        self.used: list[tuple[Toolchain, Path]] = []

    def folder(self, folder: Path) -> None:
        """Take in a folder of programs, with what its links and its virtual environment lead to."""
        if folder in self._walked or folder in _DISTRIBUTION or not folder.is_dir():
            return
        self._walked.add(folder)
        self._admit(folder)
        if not self._visible(folder):
            return
        for base in _base_interpreter(folder.parent / "pyvenv.cfg"):
            self.folder(base)
        for name in _linked(folder):
            with contextlib.suppress(PermissionError):
                self.program(folder / name)

    def program(self, path: Path) -> None:
        """Take in a program, and every file on the way that its links go."""
        for _ in range(_MOST_HOPS):
            real = _real(path.parent) / path.name
            if not real.is_symlink():
                if real.exists():
                    self._admit(path)
                return
            target = Path(os.path.normpath(real.parent / real.readlink()))
            if self._toolchain(path) is not None:
                self._admit(path)
            elif not self._visible(path) and not _within(path, _NO_SOFTWARE):
                if self._private(path):
                    return
                self.links[path] = target
            path = target

    def installation(self, root: Path) -> None:
        """Take in a whole folder that a variable names as the place of a tool."""
        if root.is_dir():
            self.add(root)
            self.folder(root / "bin")

    def add(self, path: Path) -> None:
        """Take in exactly this, unless it is private or far too much."""
        real = _real(path)
        if not real.exists() or self._too_wide(real) or self._private(path) or self._private(real):
            return
        self._keep(path, real)

    def outermost(self) -> tuple[Path, ...]:
        """What was found, without what lies in something else that was found."""
        return tuple(path for path in self.found if not _within(path.parent, self.found))

    def outer_links(self) -> dict[Path, Path]:
        """The other names that are not themselves inside of something that was found."""
        return {path: real for path, real in self.links.items() if not _within(path, self.found)}

    def _admit(self, path: Path) -> None:
        """Take in what a folder of programs or a program belongs to."""
        if self._visible(path):
            return
        managed = self._toolchain(path) or self._toolchain(_real(path))
        if managed is None:
            for part in self._installation_of(path):
                self.add(part)
            return
        self.used.append(managed)
        toolchain, base = managed
        for root in toolchain.roots:
            named = base / root
            real = _real(named)
            moved = real != _real(base) / root
            if real.exists() and not self._too_wide(real) and not (moved and self._private(real)):
                self._keep(named, real)

    def _keep(self, path: Path, real: Path) -> None:
        if not _within(real, SYSTEM, self.found):
            self.found[real] = None
        if path != real and not self._visible(path):
            self.links[path] = real

    def _visible(self, path: Path) -> bool:
        return _within(path, SYSTEM, self.found, self.links)

    def _toolchain(self, path: Path) -> tuple[Toolchain, Path] | None:
        """The tool manager that a path belongs to, and the home that it is in."""
        return next(((toolchain, base) for toolchain, base, places in self._managed if _within(path, places)), None)

    def _installation_of(self, path: Path) -> tuple[Path, ...]:
        if path.is_dir():
            return self._parts(path)
        if "node_modules" in path.parts:
            return (Path(*path.parts[: path.parts.index("node_modules") + 1]),)
        return self._parts(path.parent) if path.parent.name == "bin" else (path,)

    def _parts(self, folder: Path) -> tuple[Path, ...]:
        top = folder.parent
        if folder.name != "bin" or self._too_wide(_real(top)):
            return (folder,)
        if any((top / mark).exists() for mark in _INSTALLATION_MARKS):
            return (top,)
        return (folder, *(top / part for part in _INSTALLATION_PARTS if (top / part).is_dir()))

    def _too_wide(self, real: Path) -> bool:
        return (
            len(real.parts) < 3
            or _within(real, _NO_SOFTWARE)
            or any((home / secret).is_relative_to(real) for secret in PRIVATE for home in self._homes)
        )

    def _private(self, path: Path) -> bool:
        return any(path.is_relative_to(home / secret) for secret in PRIVATE for home in self._homes)


def _within(path: Path, *places: Collection[Path]) -> bool:
    """Whether a path is one of these places or below one."""
    return any(place in folders for place in (path, *path.parents) for folders in places)


def _real(path: Path) -> Path:
    """Where a path leads; of links in a circle, somewhere in it."""
    return Path(os.path.realpath(path))


def _linked(folder: Path) -> list[str]:
    """The names in a folder that are links, sorted; none if it may not be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_symlink())
    except PermissionError:
        return []


def _base_interpreter(settings: Path) -> Iterator[Path]:
    """The folder of the interpreter that a virtual environment was made from."""
    try:
        lines = settings.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "home":
            yield from _absolute(value.strip())
