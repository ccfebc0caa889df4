"""Holders outlive upgrades: one of the version before ours is spoken to, any other is left to those who can."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bandstand
from bandstand.adapters.hosts import holder
from bandstand.adapters.hosts.channel import locked
from bandstand.adapters.hosts.local import LocalHost
from bandstand.domain.errors import Broken
from bandstand.ports.hosts import RunState, RunStatus
from tests.adapters.holder_ground import RUN, Ground, Raw, eventually, grounded
from tests.contracts.host_stage import everything, holder_pid, read_until

KEPT = Path(__file__).with_name("kept")
"""Holders as they were released: one for each version of the protocol that is still spoken."""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A host whose holders are ours, until a test has others."""
    with grounded(tmp_path) as ground:
        yield ground


def of_another_time(ground: Ground, version: int) -> None:
    """Have runs started by a holder like ours, of another version of the protocol."""
    # A copy of the package with nothing in it but the holder, the starter and the proxy: all that a holder needs of us.
    ours, copy = Path(bandstand.__file__).parent, ground.root.parent / "bandstand"
    other = copy / "adapters" / "hosts" / "holder"
    for part in (other.relative_to(copy), "starter", "egress"):
        shutil.copytree(ours / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    begin, said = other / "__init__.py", f"\nVERSION = {holder.VERSION}\n"
    text = begin.read_text()
    assert said in text
    begin.write_text(text.replace(said, f"\nVERSION = {version}\n"))
    ground.host = LocalHost(ground.root, sys.executable, program=str(other))


@pytest.mark.parametrize("kept", sorted(KEPT.iterdir()), ids=lambda path: path.stem)
def test_a_holder_as_it_was_released_is_spoken_to(ground: Ground, kept: Path) -> None:
    """Its run is adopted in the middle of what it says: nothing is lost, nothing sent twice, and it can be stopped."""

    async def body() -> None:
        ground.host = LocalHost(ground.root, sys.executable, program=str(kept))
        before = await ground.start("cat")
        await before.write("one", b"1")
        await read_until(before, b"1")
        await before.close()

        ground.host = LocalHost(ground.root, sys.executable)
        assert await ground.host.live() == {RUN}
        after = await ground.attach()
        await after.write("one", b"1")
        await after.write("two", b"2")
        seen = await read_until(after, b"2")
        assert [record.payload for record in seen if record.key] == [b"1", b"2"]
        reader = asyncio.create_task(everything(after.records()))
        assert (await ground.host.stop(RUN)).state is RunState.EXITED
        assert (await reader)[: len(seen)] == seen

    ground.play(body())


def test_a_holder_of_the_version_before_ours_is_spoken_to(ground: Ground) -> None:
    """An upgrade meets it."""

    async def body() -> None:
        of_another_time(ground, holder.VERSION - 1)
        channel = await ground.start("cat")
        await channel.write("one", b"1")
        await read_until(channel, b"1")
        await ground.host.stop(RUN, grace_seconds=0)

    ground.play(body())


@pytest.mark.parametrize(("older", "words"), [(-1, "a newer"), (2, "a much older")])
def test_any_other_holder_is_left_alone(ground: Ground, older: int, words: str) -> None:
    """It is refused in words; neither the run nor whoever speaks to it notices, and it is not ended either."""

    async def body() -> None:
        of_another_time(ground, holder.VERSION - older)
        with pytest.raises(Broken, match=f"started by {words} Bandstand"):
            await ground.start("cat")
        try:
            await left_alone()
        finally:
            os.kill(holder_pid(ground.place), signal.SIGKILL)  # nothing of ours can end it
            await eventually(lambda: not locked(ground.place), "it is gone")

    async def left_alone() -> None:
        friend = Raw(ground.place)
        assert friend.ask("hello")["epoch"] == 1
        with pytest.raises(Broken, match=f"started by {words} Bandstand"):
            await ground.attach()
        with pytest.raises(Broken, match=f"started by {words} Bandstand"):
            await ground.host.stop(RUN, grace_seconds=0)
        assert await ground.host.status(RUN) == RunStatus(state=RunState.LIVE)
        assert "off" in friend.ask("write", b"hello", key="k")
        friend.close()

    ground.play(body())
