"""The limits of a run: its control group is made before its agent, holds all its processes, and goes with the run."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bandstand.adapters.hosts.grouping import group_of, over
from bandstand.adapters.hosts.local import LocalHost
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import UNUSED
from bandstand.domain.ids import RunId
from bandstand.domain.limits import Limits
from bandstand.ports.hosts import RunState
from bandstand.ports.sandbox import Confinement, Mount
from tests.contracts.host_stage import clear, holder_pid, play

RUN = RunId("t.1")
PATIENCE_SECONDS = 60.0
LIMITS = Limits(memory_bytes=150_000_000, processes=50)
STAYS = "import signal, subprocess, sys\nsubprocess.Popen(['sleep', '60'], start_new_session=True)\nsignal.pause()"
BOMB = "held = []\nwhile len(held) < 60: held.append(bytearray(8 << 20))"


class Yard:
    """A host with one run in a sandbox."""

    def __init__(self, folder: Path) -> None:
        self.host = LocalHost(folder / "runs", sys.executable)
        self.place = folder / "runs" / RUN
        self._work, self._home = folder / "w", folder / "h"
        self._work.mkdir()
        self._home.mkdir()

    async def start(self, program: str) -> None:
        """Start the run with a program in Python."""
        sandbox = BubblewrapSandbox("bwrap", Path("/nowhere"), (), uid=UNUSED[5] if os.geteuid() == 0 else None)
        launch = sandbox.confine(
            Confinement(
                argv=("/usr/bin/python3", "-c", program),
                cwd=Path("/workspace"),
                environment={"PATH": "/usr/bin:/bin"},
                home=self._home,
                writable=(Mount(host=self._work, inside=Path("/workspace")),),
                limits=LIMITS,
            )
        )
        await self.host.start(RUN, launch)

    async def ended(self) -> RunState:
        """How the run stands once it is over."""
        await self.until(lambda: (self.place / "exit").exists())
        await self.until(lambda: over(self.place))
        return (await self.host.status(RUN)).state

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    def folders(self) -> list[Path]:
        """The folders of the run's control group that are there."""
        return [path for folder in group_of(self.place).folders.values() if (path := Path(folder)).exists()]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A host on which nothing is left running."""
    yard = Yard(tmp_path)
    yield yard
    asyncio.run(clear(yard.host))
    assert yard.folders() == []


def test_a_run_that_uses_up_its_memory_says_so(yard: Yard) -> None:
    """By how many of its processes the kernel ended; where the kernel does not, it comes to its end by itself."""

    async def body() -> None:
        await yard.start(BOMB)
        assert await yard.ended() is RunState.EXITED
        status = await yard.host.status(RUN)
        held = "memory" in group_of(yard.place).folders
        assert (status.starved > 0, status.code != 0) == (held, held)

    play(body(), [])


def test_the_group_of_a_run_holds_all_of_it_and_goes_with_it(yard: Yard) -> None:
    """Also what began a session of its own; its holder is not in it."""

    async def body() -> None:
        await yard.start(STAYS)
        group = group_of(yard.place)
        if group.folders:
            await yard.until(lambda: len(group.pids()) >= 4)  # both processes of bubblewrap, the agent, its child
            assert holder_pid(yard.place) not in group.pids()
            assert "memory" not in group.folders or group.may_use() == 150_000_000 // 4096 * 4096
        assert (await yard.host.usage([RUN]))[RUN].memory is not None
        await yard.host.stop(RUN, grace_seconds=0)
        assert yard.folders() == []

    play(body(), [])


def test_what_a_dead_holder_leaves_of_a_group_is_taken_away(yard: Yard) -> None:
    """When its loss is noticed; by whoever notices."""

    async def body() -> None:
        await yard.start(STAYS)
        await yard.host.freeze(RUN)
        os.kill(holder_pid(yard.place), signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await LocalHost(yard.place.parent, sys.executable).status(RUN)).state is not RunState.LOST:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        await yard.until(lambda: over(yard.place))
        assert yard.folders() == []

    play(body(), [])


def test_a_live_run_is_given_more(yard: Yard) -> None:
    """What it may use is another one from then on, for who asks the kernel."""

    async def body() -> None:
        await yard.start(STAYS)
        await yard.host.allow(RUN, Limits(memory_bytes=300 << 20), asked=True)
        group = group_of(yard.place)
        assert group.may_use() == (300 << 20 if "memory" in group.folders else None)
        assert (await yard.host.usage([RUN]))[RUN].held is ("memory" in group.folders)

    play(body(), [])
