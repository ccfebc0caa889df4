"""Walls made by bubblewrap: namespaces in which a command sees the system to read, its workspace and home to write.

The root folder inside is empty but for what is put there, and cannot be written to, so that nothing is lost in a place
that goes away with the command. What stays true:

- the command's environment is all the environment there is: pid 1 inside has no other to be read;
- nothing in /proc can be written, and a daemon that runs as root becomes an ordinary user first, where it can;
- a `hidden` path is inside only where a mount of the order itself names something in it.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
from collections.abc import Mapping
from pathlib import Path

from bandstand.adapters.sandbox import seccomp
from bandstand.adapters.sandbox.diagnosis import diagnosis, how_to_install
from bandstand.adapters.sandbox.editables import editables, search_path
from bandstand.adapters.sandbox.mounts import FOR_ANY_PROGRAM, HOME, LOGINS, SETTINGS, WORKSPACE, Plan
from bandstand.adapters.sandbox.toolchains import READ_VARIABLES, Tools, find_tools
from bandstand.adapters.sandbox.variables import environment_inside, is_for_the_loader
from bandstand.domain.errors import Unavailable
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount
from bandstand.ports.walls import Gap, Network, OrdinaryUser
from bandstand.starter.handing import Start
from bandstand.starter.hearing import made_ready

_IDENTITY = Path(__file__).parent / "identity"
_USER = "1000"
_PROBE_SECONDS = 15
_IN_MEMORY = {"/tmp": 2, "/run": 16, "/var/tmp": 4}
"""Folders that are kept in memory, each with the part of its memory that a command may put there: no process can be
ended for what lies in them, and left alone each would take half of the machine.
"""

_Surroundings = tuple[tuple[tuple[str, str], ...], str, tuple[int, ...]]
_MOST_SURROUNDINGS = 64


class BubblewrapSandbox:
    """The sandbox of Linux. `executable` is a path or a name on this process's PATH; `user_home` is where the caller's
    tools are looked for; `hidden` are the state, the runtime folder, the repositories: what no command may ever see.
    Python that imports the repository with this `git_dir` from a checkout of it is led to the workspace. `uid` is whom
    root becomes first.
    """

    def __init__(
        self,
        executable: str,
        user_home: Path,
        hidden: tuple[Path, ...],
        *,
        git_dir: Path | None = None,
        uid: int | None = None,
    ) -> None:
        self._uid = uid
        self._handed = _filter(maps_root=uid is not None)
        self._executable = executable
        self._user_home = user_home
        self._hidden = hidden
        self._git_dir = git_dir
        self._forbids_nested = self._sizes_tmpfs = True
        self._found: dict[_Surroundings, Tools] = {}

    @property
    def name(self) -> str:
        """`bubblewrap`."""
        return "bubblewrap"

    @property
    def enforced(self) -> bool:
        """The walls are real."""
        return True

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Root that cannot become another user, a kernel or a processor without a filter, an old bubblewrap."""
        lacks = {
            Gap.ROOT: os.geteuid() == 0 and self._uid is None,
            Gap.CALLS: not self._handed,
            Gap.NESTED: not self._handed and not self._forbids_nested,
        }
        return tuple(gap for gap, is_there in lacks.items() if is_there)

    def inside(self, host: Path, *, role: str) -> Path:
        """`/workspace` and `/home/agent` for all, whatever `host` is; the login of an agent below `/run/logins`."""
        if role == "login":
            return LOGINS / host.name
        return {"workspace": WORKSPACE, "home": HOME}.get(role, host)

    def confine(self, confinement: Confinement) -> Launch:
        """The command behind the walls; looks at the disk to see what there is to bind.

        Raises `Unavailable` without bubblewrap, `Broken` if a hidden path could not be covered.
        """
        environment = environment_inside(confinement.environment, self._user_home)
        tools = self._tools(environment, confinement.argv[0])
        environment = {**tools.variables, **environment}
        if self._git_dir is not None and confinement.home is not None:
            found = editables(environment, git_dir=self._git_dir)
            path = search_path(found, workspace=WORKSPACE, given=environment.get("PYTHONPATH", ""))
            environment |= {"PYTHONPATH": path} if path else {}
        loader = {name: value for name, value in environment.items() if is_for_the_loader(name)}
        program, plan = self._program(), self._mounts(confinement, tools)
        options = [
            *self._namespaces(confinement.network),
            *plan.options,
            *(word for name, value in loader.items() for word in ("--setenv", name, value)),
            "--chdir",
            str(confinement.cwd),
        ]
        return Launch(
            argv=(program, *options, "--", *confinement.argv),
            cwd=Path("/"),
            environment={name: value for name, value in environment.items() if name not in loader},
            handed=self._handed,
            announces=confinement.home is not None,
            network=confinement.network,
            limits=confinement.limits,
            user=self._user(plan, program),
        )

    def _user(self, plan: Plan, program: str) -> OrdinaryUser | None:
        """Whom root becomes, and what that one has to reach."""
        if self._uid is None:
            return None
        return OrdinaryUser(
            uid=self._uid,
            read=(Path(program), *dict.fromkeys(plan.read)),
            written=tuple(dict.fromkeys(plan.written)),
        )

    async def probe(self) -> None:
        """Open a sandbox and see that it holds. Raises `Unavailable` with the command that cures it.

        Learns on the way what this bubblewrap can do, so it comes before the first `confine`.
        """
        code, said = await _run(Launch(argv=(self._program(), "--help"), cwd=Path("/"), environment={}))
        self._forbids_nested = code == 0 and "--disable-userns" in said
        self._sizes_tmpfs = code == 0 and "--size" in said
        # As git looks into a workspace: with a network of its own, too.
        order = Confinement(argv=("/bin/true",), cwd=Path("/"), environment={}, network=Network.NONE)
        code, said = await _run(self.confine(order))
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
        return str(Path(found).resolve())

    def _namespaces(self, network: Network) -> list[str]:
        return [
            *([] if network is Network.HOST else ["--unshare-net"]),
            *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *(["--disable-userns"] if self._forbids_nested else []),
            *("--uid", _USER, "--gid", _USER, "--cap-drop", "ALL"),
            *("--die-with-parent", "--new-session"),
        ]

    def _mounts(self, confinement: Confinement, tools: Tools) -> Plan:
        plan = Plan(self._hidden, uid=self._uid)
        plan.system(self._user_home)
        plan.add("--proc", "/proc", "--dev", "/dev")
        for place, part in _IN_MEMORY.items():
            most = confinement.limits.memory_bytes
            size = ("--size", str(most // part)) if most is not None and self._sizes_tmpfs else ()
            plan.add(*size, "--tmpfs", place)
        plan.settings(FOR_ANY_PROGRAM if confinement.ours else SETTINGS)
        for name in ("passwd", "group"):
            plan.bind(Mount(host=_IDENTITY / name, inside=Path("/etc") / name), option="--ro-bind")
        if not confinement.ours:
            plan.network()
            plan.keys()
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
        return plan


def _filter(*, maps_root: bool) -> dict[str, bytes]:
    """The filter of system calls under bubblewrap's option for it, where this kernel takes one that we can make."""
    program = seccomp.program(os.uname().machine, maps_root=maps_root) if seccomp.available() else None
    return {"--seccomp": program} if program is not None else {}


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


async def _run(launch: Launch) -> tuple[int, str]:
    """A short command of our own: its exit code and all it said. Raises `Unavailable` if it does not end."""
    try:
        with Start(launch.argv, launch.orders) as start:
            await made_ready(start)
            process = await asyncio.create_subprocess_exec(
                *start.argv,
                cwd="/",
                env=dict(launch.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=start.descriptors,
                preexec_fn=start.become,
            )
    except OSError as error:
        raise Unavailable(f"bubblewrap could not be started: {error}.", hint="Try again.") from error
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
