"""Walls made by bubblewrap: namespaces in which a command sees the system to read, its workspace and home to write.

The root folder inside is empty but for what is put there, and cannot be written to, so that nothing is lost in a place
that goes away with the command. What stays true:

- the command's environment is all the environment there is: pid 1 inside has no other to be read;
- nothing in /proc can be written, for a daemon that runs as root stays root in the eyes of the kernel;
- a `hidden` path is inside only where a mount of the order itself names something in it.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from bandstand.adapters.sandbox.diagnosis import diagnosis, how_to_install
from bandstand.adapters.sandbox.editables import editables, search_path
from bandstand.adapters.sandbox.toolchains import READ_VARIABLES, SYSTEM, Tools, find_tools
from bandstand.domain.errors import Broken, Unavailable
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount

WORKSPACE = Path("/workspace")
HOME = Path("/home/agent")

_IDENTITY = Path(__file__).parent / "identity"
_USER = "1000"
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_PROBE_SECONDS = 15

# Files of /etc that programs need and that hold no secret. `ssl/private` and the like are why no folder comes whole
# that is not known to hold none.
_SETTINGS = (
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
_FOR_ANY_PROGRAM = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "static")
_ETC = Path("/etc")
_SYSTEM = tuple(str(folder) for folder in SYSTEM)
_NETWORK_SETTINGS = ("gai.conf", "host.conf", "hosts", "nsswitch.conf", "protocols", "resolv.conf", "services")

# What makes the loader or the C library of bubblewrap itself, which runs outside, read files of somebody's choice.
_LOADER_VARIABLES = frozenset(
    {"GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "LOCPATH", "NIS_PATH", "RESOLV_HOST_CONF"}
)
# Folders of the caller's that are not there inside; without the variable a program takes its place below HOME or /tmp.
_FOLDER_VARIABLES = (
    "TMPDIR",
    "TMP",
    "TEMP",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
)


_Surroundings = tuple[tuple[tuple[str, str], ...], str, tuple[int, ...]]
_MOST_SURROUNDINGS = 64


class BubblewrapSandbox:
    """The sandbox of Linux. `executable` is a path or a name on this process's PATH; `user_home` is where the caller's
    tools are looked for; `hidden` are the state, the runtime folder, the repositories: what no command may ever see.
    Python that imports the repository with this `git_dir` from a checkout of it is led to the workspace.
    """

    def __init__(
        self, executable: str, user_home: Path, hidden: tuple[Path, ...], *, git_dir: Path | None = None
    ) -> None:
        self._executable = executable
        self._user_home = user_home
        self._hidden = hidden
        self._git_dir = git_dir
        self._forbids_nested = True
        self._found: dict[_Surroundings, Tools] = {}

    @property
    def name(self) -> str:
        """`bubblewrap`."""
        return "bubblewrap"

    @property
    def enforced(self) -> bool:
        """The walls are real."""
        return True

    def inside(self, host: Path, *, role: str) -> Path:
        """The same for all commands, whatever `host` is: `/workspace` and `/home/agent`."""
        return {"workspace": WORKSPACE, "home": HOME}.get(role, host)

    def confine(self, confinement: Confinement) -> Launch:
        """The command behind the walls; looks at the disk to see what there is to bind.

        Raises `Unavailable` without bubblewrap, `Broken` if a hidden path could not be covered.
        """
        environment = _environment(confinement.environment, self._user_home)
        tools = self._tools(environment, confinement.argv[0])
        environment = {**tools.variables, **environment}
        if self._git_dir is not None and confinement.home is not None:
            found = editables(environment, git_dir=self._git_dir)
            path = search_path(found, workspace=WORKSPACE, given=environment.get("PYTHONPATH", ""))
            environment |= {"PYTHONPATH": path} if path else {}
        loader = {name: value for name, value in environment.items() if _is_for_the_loader(name)}
        options = [
            *self._namespaces(),
            *self._mounts(confinement, tools),
            *(word for name, value in loader.items() for word in ("--setenv", name, value)),
            "--chdir",
            str(confinement.cwd),
        ]
        return Launch(
            argv=(self._program(), *options, "--", *confinement.argv),
            cwd=Path("/"),
            environment={name: value for name, value in environment.items() if name not in loader},
        )

    async def probe(self) -> None:
        """Open a sandbox and see that it holds. Raises `Unavailable` with the command that cures it.

        Learns on the way what this bubblewrap can do, so it comes before the first `confine`.
        """
        code, said = await _run((self._program(), "--help"), environment={})
        self._forbids_nested = code == 0 and "--disable-userns" in said
        launch = self.confine(Confinement(argv=("/bin/true",), cwd=Path("/"), environment={}))
        code, said = await _run(launch.argv, environment=launch.environment)
        if code != 0:
            message, hint = diagnosis(said)
            raise Unavailable(message, hint=hint)

    def _tools(self, environment: Mapping[str, str], program: str) -> Tools:
        """What `find_tools` finds, which takes a while: looked for anew when a folder on the search path changed.

        It is shown no more than what it is remembered by.
        """
        known = {name: environment[name] for name in sorted(READ_VARIABLES & environment.keys())}
        program = program if program.startswith("/") else ""
        places = environment.get("PATH", "").split(os.pathsep)
        key = (tuple(known.items()), program, tuple(_stamp(place) for place in places))
        if key not in self._found:
            if len(self._found) >= _MOST_SURROUNDINGS:
                self._found.clear()
            self._found[key] = find_tools(known, home=self._user_home, account=_account(), program=program)
        return self._found[key]

    def _program(self) -> str:
        found = shutil.which(self._executable)
        if found is None:
            raise Unavailable("The sandbox needs bubblewrap, which is not installed.", hint=how_to_install())
        return str(Path(found).absolute())

    def _namespaces(self) -> list[str]:
        return [
            *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *(["--disable-userns"] if self._forbids_nested else []),
            *("--uid", _USER, "--gid", _USER, "--cap-drop", "ALL"),
            *("--die-with-parent", "--new-session"),
        ]

    def _mounts(self, confinement: Confinement, tools: Tools) -> list[str]:
        plan = _Plan(self._hidden)
        plan.system(self._user_home)
        plan.add("--proc", "/proc", "--dev", "/dev")
        for place in ("/tmp", "/run", "/var/tmp"):
            plan.add("--tmpfs", place)
        plan.settings(_FOR_ANY_PROGRAM if confinement.ours else _SETTINGS)
        plan.add("--ro-bind", str(_IDENTITY / "passwd"), "/etc/passwd")
        plan.add("--ro-bind", str(_IDENTITY / "group"), "/etc/group")
        if not confinement.ours:
            plan.network()
        if confinement.home is None:
            plan.add("--tmpfs", str(HOME))
        else:
            plan.bind(Mount(host=confinement.home, inside=HOME), option="--bind")
        plan.tools(tools)
        ordered = [(mount, "--ro-bind") for mount in confinement.readable if mount.host.exists()]
        ordered += [(mount, "--bind") for mount in confinement.writable]
        for mount, option in sorted(ordered, key=lambda pair: len(pair[0].inside.parts)):
            plan.bind(mount, option=option)
        plan.seal()
        return plan.options


class _Plan:
    """The mounts of one sandbox in their order. Whatever is bound, a hidden path strictly below it is covered."""

    def __init__(self, hidden: tuple[Path, ...]) -> None:
        self._hidden = tuple(dict.fromkeys(path.resolve() for path in hidden))
        self._covers: list[str] = []
        self.options: list[str] = []

    def add(self, *options: str) -> None:
        """Options as they are."""
        self.options += options

    def bind(self, mount: Mount, *, option: str, also_hidden: Iterable[Path] = ()) -> None:
        """Show a host path. Raises `Broken` for a hidden path below it that is not there yet to be covered."""
        self.add(option, str(mount.host), str(mount.inside))
        real = os.path.realpath(mount.host)
        for secret in (*self._hidden, *also_hidden):
            if _strictly_below(str(secret), real):
                self._cover(secret, mount.inside / secret.relative_to(real))

    def system(self, user_home: Path) -> None:
        """What is installed on this machine, as links where the host has links."""
        for folder in SYSTEM:
            if folder.is_symlink():
                self.add("--symlink", str(folder.readlink()), str(folder))
            elif folder.is_dir():
                self.bind(Mount(host=folder, inside=folder), option="--ro-bind", also_hidden=(user_home.resolve(),))

    def settings(self, names: Iterable[str]) -> None:
        """Files and folders of /etc, as far as they are there."""
        for path in sorted(path for name in names for path in _matching(name) if path.exists()):
            real = os.path.realpath(path)
            if path.is_symlink() and any(real == folder or _strictly_below(real, folder) for folder in _SYSTEM):
                self.add("--symlink", str(path.readlink()), str(path))
            else:
                self.bind(Mount(host=path, inside=path), option="--ro-bind")

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


def _account() -> Path | None:
    """The home that the system knows of the user."""
    with contextlib.suppress(KeyError):
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    return None


def _stamp(folder: str) -> int:
    """A number that changes when something is put into a folder or taken out of it."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _environment(given: Mapping[str, str], user_home: Path) -> dict[str, str]:
    """The environment with the paths that differ inside put right."""
    environment = {"PATH": _DEFAULT_PATH, **given, "HOME": str(HOME)}
    outside = (user_home, Path("/run/user"), Path("/var/folders"))
    for name in _FOLDER_VARIABLES:
        folder = Path(environment.get(name, "/"))
        kept = any(folder.is_relative_to(place) for place in (HOME, WORKSPACE)) or folder == Path("/tmp")
        if name in environment and (not kept or any(folder.is_relative_to(place) for place in outside)):
            del environment[name]
    return environment


def _is_for_the_loader(name: str) -> bool:
    return name.startswith("LD_") or name in _LOADER_VARIABLES


async def _run(argv: tuple[str, ...], *, environment: Mapping[str, str]) -> tuple[int, str]:
    """A short command of our own: its exit code and all it said. Raises `Unavailable` if it does not end."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd="/",
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        raise Unavailable(
            "bubblewrap did not answer on this machine.", hint="Try again when it is less busy."
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode or 0, os.fsdecode(said)
