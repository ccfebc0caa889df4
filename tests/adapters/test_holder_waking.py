"""A holder that nobody attends to has something started outside of its namespace, as its host was told."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.adapters.hosts.local import LocalHost, Tree
from bandstand.adapters.hosts.waking import Waking
from bandstand.domain.errors import Refused
from bandstand.ports.hosts import Launch
from tests.adapters.holder_ground import RUN, Ground, eventually, naming, said, trees
from tests.contracts.host_stage import clear, everything, holder_pid, read_until

SECRET = "known-to-daemons-only"


class Outside(Ground):
    """A ground whose holders may ring. Each ring is a line in a file, with the environment of what was started."""

    def __init__(self, folder: Path, *, tree: Tree) -> None:
        super().__init__(folder)
        self.folder = folder
        self.rings = folder / "the rings' file"
        self.unless = folder / "down"
        self.lock = folder / "wake.lock"
        self.tree = tree
        self.hang(lock=self.lock)

    def hang(self, *, lock: Path) -> None:
        """Have holders from now on start what leaves a line, unless the lock is held."""
        noted = 'echo "$PWD $TOKEN $(readlink /proc/self/ns/pid) $0" >> "$RINGS"'
        waking = Waking(
            command=("sh", "-c", noted, "it's $HOME; `rung`"),
            environment={"PATH": os.environ["PATH"], "TOKEN": SECRET, "RINGS": str(self.rings)},
            lock=lock,
            unless=self.unless,
        )
        self.host = LocalHost(self.root, sys.executable, waking=waking, trees=[self.tree])

    @property
    def rung(self) -> list[str]:
        """What was started so far."""
        return self.rings.read_text().splitlines() if self.rings.exists() else []

    async def hears(self, count: int) -> None:
        """Wait until it was rung so often."""
        await eventually(lambda: len(self.rung) >= count, f"it rang {count} times")

    async def still(self) -> None:
        """Wait until the shell outside has gone, for then it rings no more."""
        await eventually(lambda: not [pid for pid in naming("waker.sh") if self.ours(pid)], "the shell ends")

    def ours(self, pid: int) -> bool:
        """Whether a process was started with our token."""
        with contextlib.suppress(OSError):
            return str(self.rings).encode() in Path(f"/proc/{pid}/environ").read_bytes()
        return False


@pytest.fixture(params=[*trees(), Tree.SUBREAPER])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outside]:
    """A host that hears its holders ring, for each way of owning a tree; none of them is left."""
    ground = Outside(tmp_path, tree=request.param)
    try:
        yield ground
    finally:
        asyncio.run(clear(ground.host))
        asyncio.run(ground.still())


def test_a_holder_that_is_left_alone_rings_until_somebody_comes(ground: Outside) -> None:
    """What it starts is outside of its namespace, in no folder of ours, with the host's environment and words."""
    here = Path("/proc/self/ns/pid").readlink()

    async def body() -> None:
        channel = await ground.start("cat")
        await channel.write("one", b"1")
        await read_until(channel, b"1")
        assert ground.rung == []
        await channel.close()
        await ground.hears(2)
        assert set(ground.rung) == {f"/ {SECRET} {here} it's $HOME; `rung`"}
        channel = await ground.attach()
        count = len(ground.rung)
        await channel.write("two", b"2")
        await ground.host.stop(RUN, grace_seconds=0)
        await ground.still()
        assert len(ground.rung) <= count + 1, "one may have been on its way"

    ground.play(body())


def test_a_run_whose_end_was_seen_does_not_ring(ground: Outside) -> None:
    """Its client was there until the exit record."""

    async def body() -> None:
        channel = await ground.start("sh", "-c", "read line; exit 3")
        await channel.write("go", b"go")
        await everything(channel.records())
        await ground.still()
        assert ground.rung == []

    ground.play(body())


def test_a_run_that_ends_alone_rings(ground: Outside) -> None:
    """Once it is over, and once is enough."""

    async def body() -> None:
        await ground.whole("true")
        await ground.hears(1)
        await ground.still()
        assert len(ground.rung) == 1

    ground.play(body())


def test_a_killed_holder_rings(ground: Outside) -> None:
    """The shell outside tells it by the end of the bell."""

    async def body() -> None:
        channel = await ground.start("cat")
        os.kill(holder_pid(ground.place), signal.SIGKILL)
        await everything(channel.records())
        await ground.hears(1)
        await ground.still()

    ground.play(body())


def test_a_program_that_cannot_be_executed_does_not_ring(ground: Outside) -> None:
    """There was nothing to attend to; and no bell is left behind."""

    async def body() -> None:
        with pytest.raises(Refused):
            await ground.host.start(RUN, Launch(argv=("no such program",), cwd=Path("/"), environment={}))
        await ground.still()
        assert ground.rung == []
        assert not list(ground.place.glob("bell*"))

    ground.play(body())


def test_a_bell_that_a_dead_daemon_left_is_taken_down(ground: Outside) -> None:
    """It was killed when the holder had just been started; whoever looks at the run next removes the bell."""

    async def body() -> None:
        channel = await ground.start("cat")
        os.mkfifo(ground.place / "bell-1-0")
        await ground.host.status(RUN)
        assert not list(ground.place.glob("bell*"))
        await channel.write("one", b"1")
        await read_until(channel, b"1")

    ground.play(body())


def test_nothing_is_started_while_it_was_ended_on_purpose(ground: Outside) -> None:
    """A file says so."""

    async def body() -> None:
        ground.unless.touch()
        await ground.whole("true")
        await ground.still()
        assert ground.rung == []

    ground.play(body())


def test_nothing_is_started_while_there_is_one(ground: Outside) -> None:
    """It holds the lock; what is started inherits it, so that of many that ring at once one is heard."""

    async def body() -> None:
        with ground.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            await ground.whole("true")
            await ground.still()
        assert ground.rung == []

    ground.play(body())


def test_nothing_is_started_once_the_state_is_gone(ground: Outside) -> None:
    """Nor is its folder made again."""

    async def body() -> None:
        ground.hang(lock=ground.folder / "gone" / "wake.lock")
        await ground.whole("true")
        await ground.still()
        assert ground.rung == []
        assert not (ground.folder / "gone").exists()

    ground.play(body())


def test_nothing_is_started_once_the_run_is_gone(ground: Outside) -> None:
    """Somebody has removed all that there was, though what else lies in the state stays."""

    async def body() -> None:
        channel = await ground.start("cat")
        holder = holder_pid(ground.place)
        await channel.close()
        ground.place.rename(ground.folder / "removed")
        os.kill(holder, signal.SIGKILL)
        await ground.still()
        assert ground.rung == []

    ground.play(body())


def test_the_agent_sees_nothing_of_it(ground: Outside) -> None:
    """Neither it nor its holder has the environment of what is to be started, or an end of the bell."""
    look = 'env; tr "\\0" "\\n" < /proc/$PPID/environ; ls -l /proc/self/fd; echo end; read line'

    async def body() -> None:
        channel = await ground.start("sh", "-c", look)
        seen = b"\n".join(said(await read_until(channel, b"end")))
        assert SECRET.encode() not in seen
        assert b"bell" not in seen and b"WAKER" not in seen
        assert SECRET not in str([record.payload for record in await ground.journal()])

    ground.play(body())
