"""The holder as an owner: what it starts is as it should be, and when it ends nothing is left."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.adapters.hosts.local import LocalHost, Tree
from bandstand.domain.errors import Broken, Refused
from bandstand.domain.ids import RunId
from bandstand.ports.hosts import Launch, RunState, RunStatus
from tests.adapters.holder_ground import RUN, Ground, eventually, grounded, naming, notes, said, trees
from tests.contracts.host_stage import everything, holder_pid, parents, read_until

EVERY_TREE = [*trees(), Tree.SUBREAPER]

# Starts, each naming the file of its first argument: a child, a daemon that left the session, an orphan.
FAMILY = """
tail -f "$1" & setsid tail -f "$1" & (setsid sh -c 'tail -f "$1" & tail -f "$1" & wait' x "$1" &)
while [ "$(pgrep -cf "[t]ail -f $1")" -lt 4 ]; do sleep 0.02; done
echo ready
exec tail -f "$1"
"""
CONFINED = (
    "bwrap --ro-bind / / --dev /dev --proc /proc --unshare-user --unshare-pid --die-with-parent --new-session "
    'sh -c \'tail -f "$1" & setsid tail -f "$1" & echo ready; wait\' x "$1"'
)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A host whose holders own their trees in the best way that there is here."""
    with grounded(tmp_path) as ground:
        yield ground


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A file that nobody writes: whoever names it is ours."""
    path = tmp_path / "watched"
    path.touch()
    return path


def need(program: str) -> None:
    """Fail if a program is not on this machine."""
    assert shutil.which(program), f"The program {program} is needed for this test. Install it."


@pytest.mark.parametrize("family", [FAMILY, CONFINED], ids=["daemons", "sandbox"])
@pytest.mark.parametrize("tree", trees())
def test_a_killed_holder_takes_everything_along(tmp_path: Path, watched: Path, tree: Tree, family: str) -> None:
    """SIGKILL of the holder ends its whole tree, daemons and sandboxes too, before a reader knows of it."""
    need("bwrap")

    async def body() -> None:
        channel = await here.start("sh", "-c", family, "sh", str(watched))
        await read_until(channel, b"ready")
        assert len(naming(str(watched))) > 2
        os.kill(holder_pid(here.place), signal.SIGKILL)
        await everything(channel.records())
        assert naming(str(watched)) == []
        assert await here.host.status(RUN) == RunStatus(state=RunState.LOST)
        assert not (here.place / "exit").exists()

    with grounded(tmp_path, trees=[tree]) as here:
        here.play(body())


@pytest.mark.parametrize("tree", EVERY_TREE)
def test_stopping_takes_everything_along(tmp_path: Path, watched: Path, tree: Tree) -> None:
    """Also without a namespace nothing is left of a tree that is stopped, wherever its processes went."""

    async def body() -> None:
        channel = await here.start("sh", "-c", FAMILY, "sh", str(watched))
        await read_until(channel, b"ready")
        await here.host.stop(RUN, grace_seconds=0)
        assert naming(str(watched)) == []
        assert here.exit() == {"code": -9, "reason": "stopped"}

    with grounded(tmp_path, trees=[tree]) as here:
        here.play(body())


@pytest.mark.parametrize("tree", EVERY_TREE)
def test_when_the_agent_ends_so_does_what_it_left_behind(tmp_path: Path, watched: Path, tree: Tree) -> None:
    """Children that hold the pipe do not keep a run alive, and what they still said is in front of the exit record."""
    child = 'setsid sh -c \'echo from a child; exec tail -f "$1"\' x "$1" &'
    left = f'{child} while ! pgrep -f "[t]ail -f $1"; do sleep 0.02; done; exit 3'

    async def body() -> None:
        seen = await here.whole("sh", "-c", left, "sh", str(watched))
        assert naming(str(watched)) == []
        assert b"from a child" in said(seen)
        assert notes(seen)[-1] == {"note": "exit", "code": 3, "reason": "exited"}
        assert here.exit() == {"code": 3, "reason": "exited"}

    with grounded(tmp_path, trees=[tree]) as here:
        here.play(body())


def test_without_a_namespace_a_loss_is_swept_up(tmp_path: Path, watched: Path) -> None:
    """Where the kernel does not take the tree along, the agent's session is ended before the loss is told."""

    async def body() -> None:
        channel = await here.start("sh", "-c", 'tail -f "$1" & echo ready; exec tail -f "$1"', "sh", str(watched))
        await read_until(channel, b"ready")
        os.kill(holder_pid(here.place), signal.SIGKILL)
        await everything(channel.records())
        assert (await here.host.status(RUN)).state is RunState.LOST
        assert naming(str(watched)) == []
        assert notes(await here.journal())[0]["tree"] == "subreaper"

    with grounded(tmp_path, trees=[Tree.SUBREAPER]) as here:
        here.play(body())


def test_a_tree_that_grows_while_it_is_killed_dies(ground: Ground, watched: Path) -> None:
    """Processes that start processes as fast as they can are outrun."""
    storm = 'spread() { setsid sh -c "$2" x "$1" "$2" & }; spread "$1" "$2"; echo ready; wait'
    seed = 'tail -f "$1" & sleep 0.01; setsid sh -c "$2" x "$1" "$2" & wait'

    async def body() -> None:
        await ground.start("sh", "-c", storm, "sh", str(watched), seed)
        await eventually(lambda: len(naming(str(watched))) > 20, "the storm spreads")
        await ground.host.stop(RUN, grace_seconds=0)
        assert naming(str(watched)) == []

    ground.play(body())


@pytest.mark.parametrize("tree", EVERY_TREE)
def test_a_sandboxed_agent_hears_that_it_shall_end(tmp_path: Path, tree: Tree) -> None:
    """SIGTERM reaches the agent inside bubblewrap, which itself would die of it; the agent's exit code comes out."""
    need("bwrap")
    words = "bwrap --ro-bind / / --dev /dev --proc /proc --unshare-user --unshare-pid --die-with-parent --new-session"
    agent = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(5))\nprint('ready', flush=True)\nsignal.pause()"

    async def body() -> None:
        channel = await here.start(*words.split(), sys.executable, "-I", "-S", "-c", agent)
        await read_until(channel, b"ready")
        ended = await here.host.stop(RUN, grace_seconds=1)
        assert ended == RunStatus(state=RunState.EXITED, code=5, reason="exited")

    with grounded(tmp_path, trees=[tree]) as here:
        here.play(body())


def test_orphans_are_buried(ground: Ground) -> None:
    """What lost its parent and died is not kept as a zombie."""

    async def body() -> None:
        channel = await ground.start("sh", "-c", "for i in 1 2 3; do (setsid sleep 0 &); done; echo ready; cat")
        await read_until(channel, b"ready")
        holder = holder_pid(ground.place)
        await eventually(lambda: list(parents().values()).count(holder) == 1, "only the agent is a child of the holder")

    ground.play(body())


def test_two_holders_at_once_are_one(ground: Ground) -> None:
    """Started at the same moment from many sides, one holder gets the folder and one agent runs."""

    async def body() -> None:
        hosts = [LocalHost(ground.root, sys.executable) for _ in range(6)]
        launch = Launch(argv=("cat",), cwd=Path("/"), environment={"PATH": os.environ["PATH"]})
        await asyncio.gather(*(host.start(RUN, launch) for host in hosts))
        channel = await ground.attach()
        await channel.write("one", b"1")
        seen = await read_until(channel, b"1")
        assert [note["note"] for note in notes(seen)].count("start") == 1
        assert said(seen) == [b"1"]

    ground.play(body())


@pytest.mark.parametrize("step", ["lock", "sock", "journal", "stderr"])
def test_a_start_that_was_cut_short_is_taken_up(ground: Ground, step: str) -> None:
    """Whoever starts a run may die at any moment of it; when the next one has started it, it runs, once."""
    client = f"""
import asyncio
from pathlib import Path
from bandstand.adapters.hosts.local import LocalHost
from bandstand.ports.hosts import Launch
launch = Launch(argv=("cat",), cwd=Path("/"), environment={{"PATH": {os.environ["PATH"]!r}}})
asyncio.run(LocalHost(Path({str(ground.root)!r}), {sys.executable!r}).start({RUN!r}, launch))
"""

    async def body() -> None:
        source = str(Path(sys.modules["bandstand"].__file__ or "").parent.parent)
        first = await asyncio.create_subprocess_exec(
            sys.executable, "-c", client, start_new_session=True, env={**os.environ, "PYTHONPATH": source}
        )
        await eventually((ground.place / step).exists, f"there is a {step}")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
        await first.wait()
        channel = await ground.start("cat")
        await channel.write("one", b"1")
        seen = await read_until(channel, b"1")
        assert [note["note"] for note in notes(seen)] == ["start", "attach"]

    ground.play(body())


def test_the_lock_is_held_for_life(ground: Ground) -> None:
    """It is taken while the holder lives, and free when it is gone; a holder that cannot take it goes away."""

    async def body() -> None:
        await ground.start("cat")
        with (ground.place / "lock").open("rb+") as lock:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            answer = second_holder(ground, lock.fileno())
            assert (answer["live"], answer["begun"]) == (False, False)
            await ground.host.stop(RUN, grace_seconds=0)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert second_holder(ground, lock.fileno())["live"] is False

    ground.play(body())


def second_holder(ground: Ground, lock: int) -> dict[str, object]:
    """Start another holder by hand in the folder of the run; what it answers."""
    program = Path(sys.modules[LocalHost.__module__].__file__ or "").with_name("holder")
    spec = {"lock": lock, "argv": ["cat"], "cwd": "/", "env": {}}
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(program)],
        cwd=ground.place, input=json.dumps(spec).encode(), pass_fds=[lock], capture_output=True, timeout=30, check=True,
    )  # fmt: skip
    answer: dict[str, object] = json.loads(ran.stdout)
    return answer


def test_a_newer_holder_is_left_to_its_like(ground: Ground) -> None:
    """A run whose holder speaks a version that we do not know is not touched."""

    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"version": 99, "epoch": 1, "size": 0, "reason": ""}\n')
        await reader.read()
        writer.close()
        over.set()

    async def body() -> None:
        ground.place.mkdir(parents=True)
        async with await asyncio.start_unix_server(answer, ground.place / "sock"):
            with pytest.raises(Broken, match="newer"):
                await ground.attach()
            await over.wait()

    ground.play(body())


def test_what_cannot_be_executed_is_refused_with_the_reason(ground: Ground, tmp_path: Path) -> None:
    """No such program, no permission, no such folder: the run does not begin, and can be started rightly later."""
    plain = tmp_path / "plain"
    plain.write_text("no program")

    async def body() -> None:
        for argv, cwd, word in (
            (("/no/such/program",), Path("/"), "No such file"),
            ((str(plain),), Path("/"), "Permission denied"),
            (("cat",), tmp_path / "nowhere", "nowhere"),
        ):
            with pytest.raises(Refused, match=word):
                await ground.start(*argv, cwd=cwd)
            assert (await ground.host.status(RUN)).state is RunState.ABSENT
        await ground.start("cat")

    ground.play(body())


def test_an_agent_inherits_nothing(ground: Ground) -> None:
    """Its environment is the launch's, its signals are as at birth; it has three files and no more; it is what goes
    first when memory runs out."""

    async def told(number: int, *argv: str) -> list[bytes]:
        run = RunId(f"t.{number}")
        await ground.host.start(
            run, Launch(argv=argv, cwd=Path("/"), environment={"PATH": os.environ["PATH"], "A": "b"})
        )
        await ground.host.stop(run)
        return said(await everything(ground.host.journal(run)))

    async def body() -> None:
        assert sorted(await told(1, "env")) == [b"A=b", b"PATH=" + os.environb[b"PATH"]]
        masks = await told(2, "grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status")
        ours = sum(1 << (number - 1) for number in signal.valid_signals())  # the others are the C library's own
        assert [int(mask.split()[1], 16) & ours for mask in masks] == [0, 0]
        assert await told(3, "ls", "/proc/self/fd") == [b"0", b"1", b"2", b"3"]  # the last is what ls reads
        assert int((await told(4, "cat", "/proc/self/oom_score_adj"))[0]) >= 500
        assert await told(5, "pwd") == [b"/"]

    ground.play(body())


def test_a_holder_shows_no_secrets(ground: Ground) -> None:
    """The environment of the agent is neither in the holder's command line and environment nor in any file."""

    async def body() -> None:
        secret = "correct-horse-battery"
        await ground.host.start(RUN, Launch(argv=("cat",), cwd=Path("/"), environment={"TOKEN": secret}))
        holder = Path("/proc") / str(holder_pid(ground.place))
        shown = [holder / "cmdline", holder / "environ", *ground.place.iterdir()]
        assert not any(secret.encode() in path.read_bytes() for path in shown if not path.is_socket())
        assert {path.stat().st_mode & 0o077 for path in [ground.place, *ground.place.iterdir()]} == {0}

    ground.play(body())


def test_a_holder_stands_alone(ground: Ground) -> None:
    """It has no terminal, no parent that cares, no open file of ours, and the run's folder as its working folder."""

    async def body() -> None:
        await ground.start("cat")
        holder = holder_pid(ground.place)
        assert parents()[holder] != os.getpid()
        assert (Path("/proc") / str(holder) / "cwd").resolve() == ground.place.resolve()
        links = [path.readlink() for path in (Path("/proc") / str(holder) / "fd").iterdir()]
        ours = [link for link in links if link.is_absolute() and not link.is_relative_to(ground.place)]
        assert set(map(str, ours)) == {"/dev/null"}
        assert os.getsid(holder) != os.getsid(0)

    ground.play(body())
