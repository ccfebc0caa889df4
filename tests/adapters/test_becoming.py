"""Root becomes an ordinary user before a sandbox begins, who is shown as its own what of root's it has to see."""

import contextlib
import os
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import UNUSED, ordinary_user
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount
from bandstand.starter.becoming import Becoming, swapped
from bandstand.starter.handing import Start
from tests.starting import run

UID = UNUSED[7]
DEEP = "for n in $(seq 1500); do mkdir d && cd -P d || exit 1; done"
ROOT = os.geteuid() == 0
"""Only root can become somebody; for everybody else it is promised that nothing of this happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Folders of root's that nobody else may enter, in one of which somebody is to work."""

    closed: Path
    workspace: Path
    key: Path
    secret: Path

    def orders(self) -> dict[str, object]:
        """To work in the workspace and to read the key."""
        return {"uid": UID, "reads": [str(self.key)], "writes": [str(self.workspace)]}

    def confined(self, script: str, *, uid: int | None = UID) -> "subprocess.CompletedProcess[str]":
        """What a script in the sandbox does and says."""
        return run(self.launch(script, uid=uid))

    def launch(self, script: str, *, uid: int | None = UID) -> Launch:
        """A script in the sandbox."""
        inside = Path("/workspace")
        return BubblewrapSandbox("bwrap", self.closed, (self.secret,), uid=uid).confine(
            Confinement(
                argv=("/bin/sh", "-c", script),
                cwd=inside,
                environment={"PATH": "/usr/bin:/bin"},
                writable=(Mount(host=self.workspace, inside=inside),),
                readable=(Mount(host=self.key, inside=self.key),),
            )
        )


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A workspace, a key that is shown, and a secret that is not, each for root alone."""
    closed = tmp_path / "closed"
    made = Ground(
        closed=closed, workspace=closed / "state" / "ws", key=closed / "keys" / "key", secret=closed / "secret"
    )
    for folder in (made.workspace / "below", made.key.parent, made.secret):
        folder.mkdir(parents=True)
    (made.secret / "file").write_text("a secret")
    made.key.write_text("a key")
    for path in (made.key, made.key.parent, made.workspace / "below", made.workspace, made.closed):
        path.chmod(0o700)
    return made


def maps(ground: Ground) -> bool:
    """Whether the file system here can map owners. Where not, what is written is given away, and keys stay closed."""
    return not Becoming(ground.orders()).given


def after(becoming: Becoming, *argv: str) -> "subprocess.CompletedProcess[str]":
    """What a program does that the user runs, without a sandbox."""
    becoming.give()
    return subprocess.run(
        argv,
        preexec_fn=becoming.now,
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_who_is_not_root_becomes_nobody(ground: Ground) -> None:
    """An ordinary user is one already: the same sandbox, and nothing of this in its orders."""
    assert (ordinary_user() is None) == (not ROOT)
    assert ordinary_user(4711) == (4711 if ROOT else None)
    launch = ground.launch("true", uid=None)
    assert "user" not in launch.orders
    assert run(launch).returncode == 0


ABLE = {
    "self/status": "Name:\tx\nCapEff:\t000001ffffffffff\n",
    "self/setgroups": "allow\n",
    "self/uid_map": "         0     100000      65536\n",
    "profiles": "snap.x (enforce)\nbwrap (unconfined)\n",
}
NO_PROFILE = {"profiles": "snap.x (enforce)\n"}
USERNS, APPARMOR = "sys/kernel/unprivileged_userns_clone", "sys/kernel/apparmor_restrict_unprivileged_userns"


@pytest.mark.parametrize(
    ("machine", "able"),
    [
        ({}, True),
        ({"self/status": "Name:\tx\nCapEff:\t000001ffffdfffff\n"}, False),
        ({"self/setgroups": "deny\n"}, False),
        ({"self/uid_map": "         0     100000       1000\n"}, False),
        ({USERNS: "1\n"}, True),
        ({USERNS: "0\n"}, False),
        ({APPARMOR: "0\n"} | NO_PROFILE, True),
        ({APPARMOR: "1\n"}, True),
        ({APPARMOR: "1\n"} | NO_PROFILE, False),
    ],
)
def test_root_that_may_not_change_users_stays_root(tmp_path: Path, machine: dict[str, str], able: bool) -> None:
    """Told by capabilities, by the right to leave groups, by the users there are, and by who may open a sandbox."""
    for name, content in (ABLE | machine).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    found = ordinary_user(4711, proc=tmp_path, profiles=tmp_path / "profiles")
    assert found == (4711 if able and ROOT else None)


def test_root_of_a_machine_that_tells_nothing_stays_root(tmp_path: Path) -> None:
    """Without /proc nothing is known of what it may do."""
    assert ordinary_user(proc=tmp_path) is None


def test_to_the_kernel_what_is_inside_is_that_users(ground: Ground) -> None:
    """All four ids and no group but its own, as seen from outside while it waits."""
    if not ROOT:
        return
    launch = ground.launch("true")
    with Start(launch.argv, launch.orders | {"announces": True}) as start:
        start.make_ready()
        process = subprocess.Popen(
            start.argv, env={}, pass_fds=start.descriptors, preexec_fn=start.become, stdout=subprocess.PIPE
        )
        start.begun()
        status = Path(f"/proc/{start.inside(seconds=30)}/status").read_text().splitlines()
        start.go_on()
        process.communicate(timeout=30)
    found = {line.split(":")[0]: line.split(":")[1].split() for line in status}
    assert (found["Uid"], found["Gid"], found["Groups"]) == ([str(UID)] * 4, [str(UID)] * 4, [])
    assert process.returncode == 0


def test_what_is_shown_is_its_own_though_root_alone_may_enter(ground: Ground) -> None:
    """It reads, writes and makes files there; on the disk they are root's, who tidies them up."""
    if not ROOT:
        return
    owner, key = (0, "a key") if maps(ground) else (UID, "")
    ran = ground.confined(
        f"stat -c %U . below; umask 077; echo new > below/file; mkdir below/folder; mv below/file .; cat {ground.key}"
    )
    assert ran.stdout == f"agent\nagent\n{key}"
    made = (ground.workspace / "file").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (owner, owner, 0o600)
    assert (ground.workspace / "below" / "folder").stat().st_uid == owner
    assert ground.workspace.stat().st_uid == owner
    assert {path.stat().st_uid for path in (ground.closed, ground.key)} == {0}


def test_nothing_else_is_reached_by_who_gets_out_of_the_sandbox(ground: Ground) -> None:
    """Before any sandbox begins, the closed folder holds only what is shown; and root's files elsewhere are root's."""
    if not ROOT:
        return
    seen = after(Becoming(ground.orders()), "find", str(ground.closed))
    shown = {ground.closed, ground.key.parent, ground.key, ground.workspace.parent, ground.workspace}
    assert set(map(Path, seen.stdout.split())) == {*shown, ground.workspace / "below"}
    for argv in (("cat", str(ground.secret / "file")), ("sh", "-c", "cat /etc/shadow"), ("sh", "-c", "kill -0 1")):
        assert after(Becoming(ground.orders()), *argv).returncode != 0
    assert (ground.secret / "file").read_text() == "a secret"
    assert "ws" not in Path("/proc/self/mountinfo").read_text().replace(str(ground.closed), "")


def test_no_file_of_roots_is_made_that_runs_as_root(ground: Ground) -> None:
    """What is shown as the user's own is root's on the disk, so no mode may ever say to run it as its owner."""
    if not ROOT:
        return
    attempts = (
        "cp /bin/true x; chmod 4755 x",
        "chmod u+s below",
        "install -m 2755 /bin/true y",
        "cp /bin/true z; chmod g+s z",
    )
    for attempt in attempts:
        assert "not permitted" in ground.confined(attempt).stderr, attempt
    assert [path for path in ground.workspace.rglob("*") if path.stat().st_mode & 0o6000] == []


def links(ground: Ground, elsewhere: Path) -> None:
    """A workspace with all that can be in one, and ways out of it."""
    elsewhere.mkdir()
    (elsewhere / "file").write_text("not yours")
    (ground.workspace / "below" / "file").write_text("yours")
    (ground.workspace / "to-a-file").symlink_to(elsewhere / "file")
    (ground.workspace / "to-a-folder").symlink_to(elsewhere)
    os.mkfifo(ground.workspace / "pipe")
    subprocess.run(["sh", "-c", DEEP], cwd=ground.workspace, check=True)


def test_where_files_cannot_be_shown_as_its_own_they_are_given_to_it(ground: Ground, tmp_path: Path) -> None:
    """As on the file systems of containers: all that may be written, for good, and nothing that links lead to."""
    if not ROOT:
        return
    links(ground, tmp_path / "elsewhere")
    becoming = Becoming(ground.orders(), swap=lambda _: None)
    assert becoming.given == (str(ground.workspace),)
    ran = after(becoming, "sh", "-c", f"echo more >> {ground.workspace}/below/file; echo new > {ground.workspace}/new")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not becoming.given
    left = subprocess.run(["find", ".", "!", "-uid", str(UID)], cwd=ground.workspace, capture_output=True, check=True)
    subprocess.run(["rm", "-rf", "d"], cwd=ground.workspace, check=True)
    assert (left.stdout, left.stderr) == (b"", b"")
    assert (tmp_path / "elsewhere").stat().st_uid == (tmp_path / "elsewhere" / "file").stat().st_uid == 0
    assert ground.key.stat().st_uid == 0
    assert (ground.workspace / "below" / "file").read_text() == "yoursmore\n"
    # And is its own from then on, also where files can be shown so.
    assert ground.confined("cat below/file; echo more >> new; stat -c %U new").stdout == "yoursmore\nagent\n"


def test_a_workspace_that_was_made_by_another_user_is_taken_up(ground: Ground) -> None:
    """One of whom root became earlier: the number in the settings was changed."""
    if not ROOT:
        return
    earlier = UNUSED[8]
    after(Becoming(ground.orders() | {"uid": earlier}, swap=lambda _: None), "true")
    assert ground.workspace.stat().st_uid == earlier
    os.chown(ground.key, 65534, 65534)
    theirs = ground.orders() | {"writes": [str(ground.workspace), str(ground.key)]}
    assert Becoming(theirs).given == (str(ground.workspace),), "what somebody has, they keep"
    assert ground.confined("stat -c %U . below; echo x > below/new").stdout == "agent\nagent\n"


def test_who_cannot_become_that_user_does_not_begin_at_all(ground: Ground) -> None:
    """It says why on stderr, where a sandbox that cannot be opened says it."""
    if not ROOT:
        return
    becoming = Becoming(ground.orders())
    ground.key.unlink()
    ran = after(becoming, "id")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"cannot become user {UID}" in ran.stderr


def test_a_place_that_is_not_there_is_left_to_the_sandbox_to_tell(ground: Ground) -> None:
    """Its own words name it."""
    if not ROOT:
        return
    (ground.workspace / "below").rmdir()
    ground.workspace.rmdir()
    ran = ground.confined("true")
    assert ran.returncode != 0
    assert str(ground.workspace) in ran.stderr


def test_the_namespace_that_maps_is_made_once(ground: Ground) -> None:
    """A daemon starts thousands of sandboxes with one, and nothing of making it is left."""
    if not ROOT:
        return
    children: Callable[[], set[str]] = lambda: {  # noqa: E731 - asked twice
        entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and parent(entry) == os.getpid()
    }
    before = children()
    assert swapped(UID) == swapped(UID) is not None
    assert children() <= before


def parent(entry: Path) -> int:
    """The parent of a process; 0 if it is gone."""
    with contextlib.suppress(OSError):
        return int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return 0
