"""What bubblewrap's walls keep apart, tried from inside; and that each attempt succeeds where there are no walls."""

import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.mounts import HOME, WORKSPACE
from bandstand.adapters.sandbox.none import NoSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.domain.errors import Broken
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount, Sandbox
from bandstand.ports.walls import Network
from tests.starting import run

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A user with a key, a daemon with a state, a repository, and one workspace with its private home."""

    user_home: Path
    state: Path
    repository: Path
    workspace: Path
    home: Path

    def walls(self) -> BubblewrapSandbox:
        """The sandbox of this machine."""
        assert shutil.which("bwrap"), "bubblewrap is missing: sudo apt-get install bubblewrap"
        return BubblewrapSandbox("bwrap", self.user_home, (self.state, self.repository), uid=ordinary_user())

    def order(self, sandbox: Sandbox, *argv: str, **environment: str) -> Confinement:
        """A command at the top of the workspace."""
        inside = sandbox.inside(self.workspace, role="workspace")
        return Confinement(
            argv=argv,
            cwd=inside,
            environment={"PATH": SYSTEM_PATH, **environment},
            home=self.home,
            writable=(Mount(host=self.workspace, inside=inside),),
        )

    def run(self, sandbox: Sandbox, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What a shell script does and says."""
        return run(sandbox.confine(self.order(sandbox, "/bin/sh", "-c", script, **environment)))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with something to lose."""
    made = Machine(
        user_home=tmp_path / "user",
        state=tmp_path / "user" / ".local" / "state" / "band",
        repository=tmp_path / "user" / "project",
        workspace=tmp_path / "workspace",
        home=tmp_path / "home",
    )
    secrets = {
        made.user_home / ".ssh" / "id_ed25519": "a private key",
        made.state / "events.db": "all facts",
        made.repository / ".git" / "refs" / "heads" / "main": "a commit",
        made.repository / ".git" / "objects" / "pack": "an object",
    }
    for path, content in secrets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    made.workspace.mkdir()
    made.home.mkdir()
    return made


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the user that has nothing to do with us."""
    process = subprocess.Popen(["sleep", "300"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


ATTEMPTS = {
    "read the user's keys": "cat {user_home}/.ssh/id_ed25519",
    "list the user's home": "ls -A {user_home} | grep ssh",
    "read the daemon's state": "cat {state}/events.db",
    "read the repository's refs": "cat {repository}/.git/refs/heads/main",
    "move the repository's refs": "echo mine > {repository}/.git/refs/heads/main",
    "write to the user's home": "echo mine > {user_home}/.profile",
    "see other processes": "tr '\\0' ' ' < /proc/{bystander}/cmdline | grep 'sleep 300'",
    "signal other processes": "kill -0 {bystander}",
    "make a user namespace": "unshare --user true",
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_the_walls_hold(machine: Machine, bystander: subprocess.Popen[bytes], attempt: str) -> None:
    """What is not in the order is out of reach, and the host's files stay as they were."""
    script = attempt.format(
        user_home=machine.user_home, state=machine.state, repository=machine.repository, bystander=bystander.pid
    )
    ref = machine.repository / ".git" / "refs" / "heads" / "main"
    refused = machine.run(machine.walls(), script)
    assert refused.returncode != 0, refused.stdout
    assert ref.read_text() == "a commit"
    assert not (machine.user_home / ".profile").exists()
    allowed = machine.run(NoSandbox(), script)
    assert allowed.returncode == 0, f"The attempt proves nothing, for it fails without walls too: {allowed.stderr}"


@pytest.mark.parametrize("setting", ["kernel/core_pattern", "vm/drop_caches", "fs/suid_dumpable"])
def test_no_setting_of_the_kernel_can_be_written(machine: Machine, setting: str) -> None:
    """Also when the daemon is root, whom the kernel would obey. Opening it is enough to know; nothing is written."""
    script = f": >> /proc/sys/{setting}"
    refused = machine.run(machine.walls(), script)
    assert refused.returncode != 0
    if os.geteuid() == 0:
        assert "ermission denied" in refused.stderr  # nobody in particular asks
        remains_root = BubblewrapSandbox("bwrap", machine.user_home, (machine.state, machine.repository))
        assert "ead-only" in machine.run(remains_root, script).stderr
        assert machine.run(NoSandbox(), script).returncode == 0


def test_nothing_in_proc_can_be_written_by_way_of_another_mount(machine: Machine) -> None:
    """What made /proc read-only cannot be undone from inside, and no capability is left to try."""
    ran = machine.run(
        machine.walls(),
        "mount -o remount,rw /proc; umount /proc; mount -t proc proc /tmp; (: >> /proc/sys/kernel/core_pattern); "
        "grep -E '^(CapPrm|CapEff|CapBnd)' /proc/self/status; grep NoNewPrivs /proc/self/status",
    )
    assert re.findall(r"Cap\w+:\s+(\w+)", ran.stdout) == ["0" * 16] * 3
    assert re.search(r"NoNewPrivs:\s+1", ran.stdout)
    assert ran.stderr.count("\n") >= 4, ran.stderr


TERMINAL_ATTEMPT = """
import errno, fcntl, os, pathlib, termios
try:
    os.open("/dev/tty", os.O_RDWR)
    fcntl.ioctl(0, termios.TIOCSTI, b"x")
    said = "pressed"
except OSError as error:
    said = errno.errorcode[error.errno]
pathlib.Path("said").write_text(said)
"""


def at_a_terminal(launch: Launch) -> None:
    """Run a launch whose launcher sits at a terminal, as a person does."""
    ours, terminal = pty.openpty()
    try:
        assert run(launch, before=("setsid", "--ctty", "--wait"), terminal=terminal).returncode == 0
    finally:
        os.close(ours)
        os.close(terminal)


def test_no_key_can_be_pressed_on_the_launchers_terminal(machine: Machine) -> None:
    """The command has a session of its own: it has no terminal to push characters back into."""
    path = f"{Path(sys.executable).parent}:{SYSTEM_PATH}"
    said = []
    for sandbox in (machine.walls(), NoSandbox()):
        at_a_terminal(sandbox.confine(machine.order(sandbox, "python3", "-c", TERMINAL_ATTEMPT, PATH=path)))
        said.append((machine.workspace / "said").read_text())
    assert said[0] == "ENXIO"
    assert said[1] == "pressed" or (os.geteuid() != 0 and said[1] == "EIO")  # newer kernels let only root


@pytest.mark.parametrize("uid", [None, ordinary_user(), 65_534 if os.geteuid() == 0 else None])
def test_every_namespace_is_its_own(machine: Machine, uid: int | None) -> None:
    """Of users, processes, mounts, IPC, host names and control groups, and of the network where that is said."""
    kinds = ("user", "pid", "mnt", "ipc", "uts", "cgroup", "net")
    walls = BubblewrapSandbox("bwrap", machine.user_home, (machine.state, machine.repository), uid=uid)
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds) + "; cat /proc/self/cgroup"
    order = replace(machine.order(walls, "/bin/sh", "-c", script), network=Network.NONE)
    found = run(walls.confine(order)).stdout.splitlines()
    ours = {kind: str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in kinds}
    theirs = dict(zip(kinds, found, strict=False))
    assert theirs.keys() == ours.keys()
    assert [kind for kind in kinds if theirs[kind] == ours[kind]] == []
    assert {line.rpartition(":")[2] for line in found[len(kinds) :]} <= {"/"}


def test_the_names_of_keys_are_not_shown(machine: Machine) -> None:
    """No namespace divides the keys of the kernel, whose names a session inherits."""
    assert machine.run(machine.walls(), "cat /proc/keys /proc/key-users").stdout == ""
    assert machine.run(NoSandbox(), "cat /proc/keys /proc/key-users").stdout != ""


def test_only_the_orders_environment_is_inside(machine: Machine) -> None:
    """Neither the command nor pid 1, which is bubblewrap, has a variable of the launcher's; values are in no argv."""
    sandbox = machine.walls()
    order = machine.order(sandbox, "/bin/sh", "-c", "env; echo ---; tr '\\0' '\\n' < /proc/1/environ", TOKEN="s3cret")
    launch = sandbox.confine(order)
    assert launch.environment == {"PATH": SYSTEM_PATH, "TOKEN": "s3cret", "HOME": "/home/agent"}
    assert not any("s3cret" in word for word in launch.argv)
    own, first = run(launch).stdout.split("---\n")
    assert names(own) == {"PATH", "TOKEN", "HOME", "PWD"}
    assert names(first) <= {"PATH", "TOKEN", "HOME", "PWD"}


def names(environment: str) -> set[str]:
    """The names of variables as `env` lists them."""
    return {line.partition("=")[0] for line in environment.splitlines()}


def test_the_loader_of_bubblewrap_is_not_told_what_to_load(machine: Machine) -> None:
    """Bubblewrap runs outside of the walls it makes: what the loader obeys is set inside only."""
    sandbox = machine.walls()
    order = machine.order(sandbox, "/usr/bin/env", LD_LIBRARY_PATH="/workspace/lib", GLIBC_TUNABLES="glibc.x=1")
    launch = sandbox.confine(order)
    assert not {"LD_LIBRARY_PATH", "GLIBC_TUNABLES"} & set(launch.environment)
    assert {"LD_LIBRARY_PATH", "GLIBC_TUNABLES"} <= names(run(launch).stdout)


def test_folders_of_the_caller_are_not_named_inside(machine: Machine) -> None:
    """A variable that names a folder which is not there gives way to the default below HOME; one that is stays."""
    sandbox = machine.walls()
    order = machine.order(
        sandbox,
        "true",
        XDG_CONFIG_HOME=f"{machine.user_home}/.config",
        TMPDIR="/var/folders/x",
        XDG_CACHE_HOME="/home/agent/c",
    )
    assert set(sandbox.confine(order).environment) == {"PATH", "HOME", "XDG_CACHE_HOME"}


def test_the_workspace_and_the_home_are_what_can_be_written(machine: Machine) -> None:
    """Both last on the host; scratch folders are there; anything else refuses instead of losing what is written."""
    sandbox = machine.walls()
    assert sandbox.inside(machine.workspace, role="workspace") == WORKSPACE
    assert sandbox.inside(machine.home, role="home") == HOME
    ran = machine.run(
        sandbox, "pwd; whoami; id -u; echo work > file; echo private > ~/file; : > /tmp/a; : > /run/a; : > /var/tmp/a"
    )
    assert (ran.stdout.split(), ran.stderr) == (["/workspace", "agent", "1000"], "")
    assert (machine.workspace / "file").read_text() == "work\n"
    assert (machine.home / "file").read_text() == "private\n"
    assert machine.workspace.joinpath("file").stat().st_uid in {os.geteuid(), ordinary_user()}
    for place in ("/file", "/usr/file", "/etc/file", "/home/file", "/opt/file"):
        refused = machine.run(sandbox, f"mkdir {place}")
        assert "Read-only file system" in refused.stderr or not Path(place).parent.exists()


def test_a_command_without_a_home_has_an_empty_one(machine: Machine) -> None:
    """Nothing of it is kept."""
    sandbox = machine.walls()
    order = Confinement(argv=("/bin/sh", "-c", "ls -A ~; echo x > ~/x"), cwd=Path("/"), environment={})
    ran = run(sandbox.confine(order))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_command_of_ours_comes_up_with_few_settings_of_the_machine(machine: Machine) -> None:
    """Those that the loader and links of the system lead to; it needs no names of hosts, no fonts, no certificates."""
    script = "git version && find /etc -maxdepth 0 && tar --version | head -1 && id -un && ls /etc"
    order = Confinement(argv=("/bin/sh", "-c", script), cwd=Path("/"), environment={"PATH": SYSTEM_PATH}, ours=True)
    ran = run(machine.walls().confine(order))
    assert (ran.returncode, ran.stderr) == (0, "")
    settings = {name for name in ran.stdout.partition("agent\n")[2].split() if not name.startswith("ld.so.")}
    assert {"group", "passwd"} <= settings <= {"alternatives", "group", "passwd", "static"}


@pytest.mark.parametrize("given", ["readable", "writable"])
def test_a_mount_of_the_order_shows_a_part_of_what_is_hidden(machine: Machine, given: str) -> None:
    """The objects of the repository can be read where git looks for them, and nothing around them."""
    objects = machine.repository / ".git" / "objects"
    sandbox = machine.walls()
    script = f"cat {objects}/pack; echo x > {objects}/new; ls {objects.parent}"
    mount = {given: (Mount(host=objects, inside=objects),)}
    order = Confinement(argv=("/bin/sh", "-c", script), cwd=Path("/"), environment={}, **mount)  # type: ignore[arg-type]
    ran = run(sandbox.confine(order))
    assert ran.stdout == "an objectobjects\n"
    assert (objects / "new").exists() == (given == "writable")


def test_what_is_hidden_below_a_tool_is_covered(machine: Machine) -> None:
    """A tool's folder that holds a hidden folder and a hidden file shows neither."""
    tools = machine.user_home / "apps" / "jdk"
    for name in ("bin", "lib", "state"):
        (tools / name).mkdir(parents=True)
        (tools / name / "file").write_text(name)
    sandbox = BubblewrapSandbox(
        "bwrap", machine.user_home, (tools / "state", tools / "lib" / "file"), uid=ordinary_user()
    )
    script = f"cat {tools}/bin/file {tools}/lib/file; ls -A {tools}/state; echo x > {tools}/state/x"
    ran = machine.run(sandbox, script, JAVA_HOME=str(tools))
    assert ran.stdout == "bin"
    assert "Read-only file system" in ran.stderr
    open_ran = machine.run(machine.walls(), script, JAVA_HOME=str(tools))
    assert open_ran.stdout == "binlibfile\n"


def test_a_tool_in_a_hidden_folder_stays_hidden(machine: Machine) -> None:
    """Whatever PATH says. It is the same for one by which a folder that is yet to be made would be seen."""
    inside, above = machine.state / "bin", machine.user_home / "apps"
    inside.mkdir()
    above.mkdir()
    for folder in (inside, above):
        (folder / "tool").symlink_to("/bin/true")
    path = {"PATH": f"{SYSTEM_PATH}:{inside}:{above}"}
    assert machine.run(machine.walls(), f"ls {above}", **path).returncode == 0
    sandbox = BubblewrapSandbox("bwrap", machine.user_home, (machine.state, above / "later"), uid=ordinary_user())
    assert machine.run(sandbox, f"ls {inside}", **path).returncode != 0
    assert machine.run(sandbox, f"ls {above}", **path).returncode != 0


def test_a_link_does_not_uncover_what_is_hidden(machine: Machine) -> None:
    """The real place counts: neither a link on PATH nor a hidden path that goes through a link is a way in."""
    (machine.user_home / "tools").symlink_to(machine.state)
    (machine.user_home / "other-name").symlink_to(machine.state)
    for hidden in (machine.state, machine.user_home / "other-name"):
        sandbox = BubblewrapSandbox("bwrap", machine.user_home, (hidden,), uid=ordinary_user())
        path = f"{SYSTEM_PATH}:{machine.user_home}/tools"
        assert machine.run(sandbox, f"cat {machine.user_home}/tools/events.db", PATH=path).returncode != 0


def test_a_home_among_the_folders_of_the_system_is_covered(machine: Machine) -> None:
    """A home below /usr or /opt is not shown with the rest of it."""
    shown = machine.run(machine.walls(), "ls /usr/share")
    covered = machine.run(
        BubblewrapSandbox("bwrap", Path("/usr/share"), (), uid=ordinary_user()), "ls -A /usr/share; ls /usr/bin/env"
    )
    assert shown.stdout
    assert covered.stdout == "/usr/bin/env\n"


def test_what_cannot_be_covered_is_not_shown(machine: Machine) -> None:
    """A mount around a hidden folder that is yet to be made is refused, for it would be seen as soon as it is there."""
    sandbox = BubblewrapSandbox("bwrap", machine.user_home, (machine.workspace / "later",), uid=ordinary_user())
    with pytest.raises(Broken, match="must stay hidden"):
        machine.run(sandbox, "true")


def test_tools_on_the_path_run(machine: Machine) -> None:
    """A link in ~/.local/bin, a virtual environment and its interpreter, and a tool that needs its libraries."""
    python = machine.user_home / "apps" / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(python)], check=True)
    (tool := machine.user_home / "apps" / "tool" / "bin" / "tool").parent.mkdir(parents=True)
    (tool.parent.parent / "lib").mkdir()
    (tool.parent.parent / "lib" / "words").write_text("from the library\n")
    tool.write_text('#!/bin/sh\ncat "$(dirname "$(readlink -f "$0")")/../lib/words"\n')
    tool.chmod(0o755)
    (machine.user_home / ".local" / "bin").mkdir()
    (machine.user_home / ".local" / "bin" / "tool").symlink_to(Path("../../apps/tool/bin/tool"))
    path = f"{python}/bin:{machine.user_home}/.local/bin:{SYSTEM_PATH}"
    ran = machine.run(machine.walls(), "tool && python -c 'import sys, json; print(sys.prefix)'", PATH=path)
    assert (ran.stdout, ran.stderr) == (f"from the library\n{python}\n", "")
    assert machine.run(machine.walls(), f"ls {machine.user_home}/.ssh", PATH=path).returncode != 0


def test_the_walls_can_be_raised_in_a_holders_process_namespace(machine: Machine) -> None:
    """A holder keeps its run in a process namespace of its own; that takes nothing away."""
    launch = machine.walls().confine(machine.order(machine.walls(), "/bin/sh", "-c", "id -u"))
    holder = ("unshare", "--user", "--map-current-user", "--pid", "--fork", "--mount-proc", "--kill-child")
    ran = run(launch, before=holder)
    assert (ran.stdout, ran.stderr) == ("1000\n", "")


def test_without_walls_the_command_runs_as_it_is(machine: Machine) -> None:
    """On the host's paths, with the order's environment and the private home; it says that nothing is enforced."""
    sandbox = NoSandbox()
    launch = sandbox.confine(machine.order(sandbox, "/usr/bin/env", TOKEN="x"))
    assert launch.cwd == machine.workspace
    assert names(run(launch).stdout) == {"PATH", "TOKEN", "HOME"}
    assert launch.environment["HOME"] == str(machine.home)
    assert (sandbox.name, sandbox.enforced) == ("none", False)
    assert (machine.walls().name, machine.walls().enforced) == ("bubblewrap", True)
