"""Desks that are made anew or closed while orders come: nothing begins in between, and nothing that lives goes."""

import asyncio
import fcntl
import itertools
import os
from pathlib import Path

import pytest

from bandstand.bootstrap import Bandstand
from bandstand.config.places import Places
from bandstand.domain import events as e
from bandstand.domain.agent import AgentProfile
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import AgentName, RepositoryId, TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.remains import RemainsKind
from bandstand.domain.state import State
from bandstand.domain.task import TaskSpec
from bandstand.faces.cli.purging import clear_away
from bandstand.services.commands import Submission
from bandstand.services.desk import Desk
from bandstand.unattended import unfinished_tasks
from tests.e2e.unreadable import make_readable, make_unreadable
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


def begun(state: State) -> bool:
    """Whether an agent of the task was started."""
    return TaskId("one") in state.tasks and state.tasks[TaskId("one")].runs > 0


async def without_walls(desk: Desk) -> None:
    """Somebody chooses that for a repository."""
    await desk.fleet.record(lambda _: [e.SandboxChosen(name="none", by="ada")])


@pytest.mark.parametrize("ending", ["reseat", "forget"])
def test_an_order_at_a_desk_that_is_gone_begins_all_the_same(ending: str, tmp_path: Path) -> None:
    """It was given while the desk was made anew, or closed: whoever gave it need not give another one."""
    user = Folder.init(tmp_path / "user", {"a.txt": "a\n"})

    async def story() -> None:
        band = Bandstand(places(tmp_path), {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
        await band.start()
        try:
            held = await band.desk(user.path)
            if ending == "reseat":
                await band.reseat(held, lambda: without_walls(held))
                (desk,) = band.desks()
                assert desk is not held
            else:
                await band.forget(held)
                assert band.desks() == ()
            assert await held.commands.submit(submission(user.path)) == (TaskId("one"),)
            async with asyncio.timeout(20):
                for _ in itertools.count():
                    if desks := band.desks():
                        break
                    await asyncio.sleep(0.01)
                assert begun(await desks[0].fleet.until(begun))
        finally:
            await band.stop()

    asyncio.run(story())


async def begun_in(folders: list[Folder], root: Path) -> RepositoryId:
    """A task is begun in each; the id of the first one."""
    band = Bandstand(places(root), {"PATH": os.environ["PATH"], "HOME": str(root)})
    await band.start()
    try:
        for one in folders:
            desk = await band.desk(one.path)
            await without_walls(desk)
            await desk.commands.submit(submission(one.path))
            async with asyncio.timeout(20):
                await desk.fleet.until(begun)
        return (await band.desk(folders[0].path)).repository.id
    finally:
        await band.stop()


def test_a_repository_that_cannot_be_read_holds_up_no_other_one(tmp_path: Path) -> None:
    """It is said what is wrong with it, orders for it are refused, and nothing of it is taken up or taken away."""
    folders = [Folder.init(tmp_path / name, {"a.txt": "a\n"}) for name in ("lost", "kept")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    async def behind(lost: RepositoryId) -> None:
        band = Bandstand(places(tmp_path), environment)
        await band.start()
        try:
            assert [desk.repository.path.name for desk in band.desks()] == ["kept"]
            with pytest.raises(Broken, match="cannot be read, so nothing goes on there") as raised:
                await band.desk(folders[0].path)
            assert "Everything that is kept of it stays" in raised.value.hint
            with pytest.raises(Broken, match="cannot be read"):
                await band.repositories.desk(lost)
            troubles = {view.id: view.trouble for view in await band.repositories.all()}
            assert "cannot be read" in troubles.pop(lost)
            assert list(troubles.values()) == [""]
            assert await band.abandoned.find() == ()
            with pytest.raises(Broken, match="cannot be read"):
                await band.fleets.stop_all(by="ada")
            assert all(task.paused for task in band.desks()[0].fleet.state.tasks.values())
            assert band.capacity().slots > 0, "the others may begin again"
            with pytest.raises(Broken, match="cannot be read"):
                await band.fleets.resume_all(by="ada")
            assert not any(task.paused for task in band.desks()[0].fleet.state.tasks.values())
        finally:
            await band.stop()

    lost = asyncio.run(begun_in(folders, tmp_path))
    make_unreadable(places(tmp_path).database, lost)
    kept = sorted((tmp_path / "state" / "repositories" / lost).rglob("*"))
    asyncio.run(behind(lost))
    assert sorted((tmp_path / "state" / "repositories" / lost).rglob("*")) == kept


def test_what_was_ordered_while_the_daemon_was_on_its_way_down_is_not_purged(tmp_path: Path) -> None:
    """What goes on is looked at once more, with no daemon, and none may begin before all is removed."""
    user, where = Folder.init(tmp_path / "user", {"a.txt": "a\n"}), places(tmp_path)

    async def ordered() -> frozenset[tuple[str, str]]:
        band = Bandstand(where, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
        await band.start()
        try:
            desk = await band.desk(user.path)
            await without_walls(desk)
            known = unfinished_tasks(where)
            await desk.commands.submit(submission(user.path))
            return known
        finally:
            await band.stop()

    known = asyncio.run(ordered())
    with pytest.raises(Refused, match=r"^This was ordered meanwhile, and goes on: one\. Nothing was removed\.$"):
        clear_away(where, known=known)
    assert where.database.exists()
    with where.lock.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="A daemon was started meanwhile"):
            clear_away(where, known=unfinished_tasks(where))
    assert where.database.exists()
    clear_away(where, known=unfinished_tasks(where))
    assert not where.state.exists()
    assert user.path.is_dir()


def test_copies_of_the_log_stay_as_long_as_somebody_may_need_them(tmp_path: Path) -> None:
    """What cannot be read now could be read by whoever wrote such a copy, however old it is."""
    folders = [Folder.init(tmp_path / name, {"a.txt": "a\n"}) for name in ("lost", "kept")]
    lost = asyncio.run(begun_in(folders, tmp_path))
    copy = tmp_path / "state" / "backups" / "bandstand-20200101T000000Z-schema1.db"
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(b"")
    os.utime(copy, (0, 0))

    async def spent() -> list[str]:
        band = Bandstand(places(tmp_path), {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
        await band.start()
        try:
            desk = await band.desk(folders[1].path)
            return [one.name for one in await desk.housekeeping.find() if one.kind is RemainsKind.BACKUP]
        finally:
            await band.stop()

    assert asyncio.run(spent()) == [copy.name]
    make_unreadable(places(tmp_path).database, lost)
    assert asyncio.run(spent()) == []
    make_readable(places(tmp_path).database, lost)
    assert asyncio.run(spent()) == [copy.name]
