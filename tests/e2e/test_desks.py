"""Desks that are made anew or closed while orders come: nothing begins in between, and nothing that lives goes."""

import asyncio
import os
from pathlib import Path

import pytest

from bandstand.bootstrap import Bandstand
from bandstand.config.places import Places
from bandstand.domain.agent import AgentProfile
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName, TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.task import TaskSpec
from bandstand.services.commands import Submission
from tests.real_git import Folder


def places(root: Path) -> Places:
    """Places of a user of their own."""
    return Places(state=root / "state", runtime=root / "run", settings=root / "config.toml", cache=root / "cache")


def submission(path: Path) -> Submission:
    """An order for one task, without walls."""
    coder = AgentProfile(name=AgentName("coder"), command=("/nonexistent/agent",))
    return Submission(
        specs=(TaskSpec(id=TaskId("one"), title="One", goal="Do it.", agent=coder.name),),
        policy=Policy(target="main", agents=(coder,)),
        path=str(path),
        sandbox="none",
        by="ada",
        variables={"PATH": "/usr/bin:/bin"},
    )


@pytest.mark.parametrize("moments", [2, 4, 8, 1000])
def test_the_desk_has_the_sandbox_of_the_order_also_if_who_gave_it_is_gone(moments: int, tmp_path: Path) -> None:
    """The order is cut off while it is being written, or just behind that: it may count, and then all of it does."""
    user = Folder.init(tmp_path / "user", {"a.txt": "a\n"})

    async def story() -> None:
        band = Bandstand(places(tmp_path), {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
        await band.start()
        try:
            desk = await band.desk(user.path)
            assert (desk.sandbox.name, desk.fleet.state.sandbox) == ("bubblewrap", "bubblewrap")
            written = asyncio.Event()

            async def order() -> None:
                assert band.desks() == (), "nothing begins there meanwhile"
                await desk.commands.submit(submission(user.path))
                written.set()
                await asyncio.Event().wait()

            giving = asyncio.create_task(band.reseat(desk, order))
            for _ in range(moments):
                await asyncio.sleep(0)
            if moments == 1000:
                await written.wait()
            giving.cancel()
            await asyncio.wait([giving])
            again = await band.desk(user.path)
            assert again.sandbox.name == again.fleet.state.sandbox
            assert not written.is_set() or again.sandbox.name == "none"
            assert again is not desk
        finally:
            await band.stop()

    asyncio.run(story())


def test_what_was_ordered_meanwhile_keeps_a_repository_from_being_forgotten(tmp_path: Path) -> None:
    """A task that comes while its desk is being closed lives, and what it has stays."""
    user = Folder.init(tmp_path / "user", {"a.txt": "a\n"})

    async def story() -> None:
        band = Bandstand(places(tmp_path), {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
        await band.start()
        try:
            desk = await band.desk(user.path)
            ordering = asyncio.Event()

            async def order() -> tuple[TaskId, ...]:
                ordering.set()
                return await desk.commands.submit(submission(user.path))

            giving = asyncio.create_task(band.reseat(desk, order))
            await ordering.wait()
            with pytest.raises(Refused, match=r"Tasks are still going on there\."):
                await band.forget(desk)
            assert await giving == (TaskId("one"),)
            assert (await band.desk(user.path)).live
            assert (tmp_path / "state" / "repositories" / desk.repository.id / "environment.json").exists()
        finally:
            await band.stop()

    asyncio.run(story())
