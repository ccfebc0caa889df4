"""What every kind of workspaces keeps when one goes back to a snapshot, or another one begins with it."""

import asyncio
from pathlib import Path

import pytest

from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import TaskId
from bandstand.ports.workspaces import Snapshot, Workspace
from tests.contracts.git_worlds import AGENT, BAND, World, make_world


@pytest.fixture(params=["memory", "git", "walls"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Each world in turn."""
    return make_world(request.param, tmp_path)


async def prepare(world: World, name: str = "t1") -> Workspace:
    """A workspace at the tip of `main`."""
    base = await world.repository.tip("main")
    return await world.workspaces.prepare(name, base=base, target="main", author=AGENT, committer=BAND)


async def two_snapshots(world: World) -> tuple[Snapshot, Snapshot]:
    """One of a commit with a file left beside it, one of a later commit that undid much of it."""
    await prepare(world)
    world.write("t1", {"new.txt": "one\n", "build.log": "first build\n"})
    world.agent_commits("t1")
    world.write("t1", {"left.txt": "left\n", "a.txt": "edited\n"})
    first = await world.workspaces.snapshot("t1")
    world.write("t1", {"new.txt": None, "left.txt": None, "dir/c.txt": None, "build.log": "second build\n"})
    world.agent_commits("t1")
    return first, await world.workspaces.snapshot("t1")


def test_a_workspace_goes_back_to_what_it_held(world: World) -> None:
    """Its files, what was not committed among them, and its head; ignored files stay as they are."""

    async def main() -> None:
        first, second = await two_snapshots(world)
        back = await world.workspaces.rewind("t1", first.number, order=1)
        assert (back.saved, back.head, back.proposed) == (second.number, first.head, first.head)
        assert (back.uncommitted, back.contents) == (first.uncommitted, first.contents)
        assert world.inside("t1", "refs/heads/band/t1") == first.head
        now = await world.workspaces.snapshot("t1")
        assert (now.head, now.tree, now.uncommitted) == (first.head, first.tree, ("a.txt", "left.txt"))
        world.write("t1", {".gitignore": ""})
        assert "build.log" in (await world.workspaces.snapshot("t1")).uncommitted

    asyncio.run(main())


def test_what_is_taken_back_is_kept_first_and_can_be_had_again(world: World) -> None:
    """Going back is one more step in the line of snapshots: one can go back from there, too."""

    async def main() -> None:
        first, _ = await two_snapshots(world)
        world.write("t1", {"never-kept.txt": "by anybody\n"})
        back = await world.workspaces.rewind("t1", first.number, order=1)
        assert back.saved == 3
        forth = await world.workspaces.rewind("t1", back.saved, order=2)
        assert forth.uncommitted == ("never-kept.txt",)
        assert (await world.workspaces.snapshot("t1")).uncommitted == ("never-kept.txt",)

    asyncio.run(main())


def test_the_beginning_is_checkpoint_0(world: World) -> None:
    """With nothing of what the agent did."""

    async def main() -> None:
        await two_snapshots(world)
        base = await world.repository.tip("main")
        back = await world.workspaces.rewind("t1", 0, order=1)
        assert (back.head, back.proposed, back.uncommitted) == (base, base, ())
        now = await world.workspaces.snapshot("t1")
        assert (now.head, now.tree) == (base, await world.repository.tree(base))

    asyncio.run(main())


def test_an_order_is_carried_out_once(world: World) -> None:
    """Given again it comes to the same, and what it went back from is still what that was."""

    async def main() -> None:
        first, second = await two_snapshots(world)
        back = await world.workspaces.rewind("t1", first.number, order=1)
        assert await world.workspaces.rewind("t1", first.number, order=1) == back
        assert back.saved == second.number

    asyncio.run(main())


def test_a_branch_with_a_commit_of_what_was_left_goes_back_to_that_one(world: World) -> None:
    """What was proposed then is what is proposed now."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"left.txt": "left\n"})
        first = await world.workspaces.snapshot("t1")
        made = await world.workspaces.commit_leftovers("t1", first, message="left", author=AGENT)
        world.write("t1", {"left.txt": "other\n"})
        back = await world.workspaces.rewind("t1", first.number, order=1)
        assert (back.head, back.proposed, back.uncommitted) == (first.head, made.head, ())

    asyncio.run(main())


def test_what_was_taken_back_outlives_the_landing(world: World) -> None:
    """It is nowhere on the target, so it is rescued with the workspace."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"good.txt": "good\n"})
        head = world.agent_commits("t1")
        first = await world.workspaces.snapshot("t1")
        await world.workspaces.publish(TaskId("t1"), head)
        world.write("t1", {"taken-back.txt": "but written\n"})
        await world.workspaces.rewind("t1", first.number, order=1)
        assert await world.workspaces.retire("t1", landed=True) is not None

    asyncio.run(main())


def test_what_cannot_go_back_is_refused(world: World) -> None:
    """A snapshot or a workspace that there is not, and one that is no repository any more. Nothing is changed."""

    async def main() -> None:
        first, _ = await two_snapshots(world)
        with pytest.raises(Unknown, match="no checkpoint 7"):
            await world.workspaces.rewind("t1", 7, order=1)
        with pytest.raises(Unknown):
            await world.workspaces.rewind("none", 0, order=1)
        world.break_repository("t1")
        with pytest.raises(Refused, match="repository"):
            await world.workspaces.rewind("t1", first.number, order=1)

    asyncio.run(main())


def test_another_workspace_begins_with_a_snapshot(world: World) -> None:
    """With its commits and its files, those that were not committed among them. The first one stays as it is."""

    async def main() -> None:
        first, _ = await two_snapshots(world)
        base = await world.repository.tip("main")
        fork = await world.workspaces.lend("t1", first.number, to="t2")
        assert (fork.base, fork.head, fork.checkpoint) == (base, first.head, first.number)
        await world.workspaces.retire("t1", landed=False)  # what is lent outlives its lender
        await world.workspaces.prepare("t2", base=fork.base, target="main", author=AGENT, committer=BAND, fork=fork)
        assert world.inside("t2", "refs/heads/band/t2") == first.head
        assert world.inside("t2", "refs/remotes/origin/main") == base
        begun = await world.workspaces.snapshot("t2")
        assert (begun.head, begun.tree, begun.uncommitted) == (first.head, first.tree, first.uncommitted)
        world.write("t2", {"left.txt": None, "more.txt": "more\n"})
        await world.workspaces.snapshot("t2")
        await world.workspaces.rewind("t2", 0, order=1)
        assert (await world.workspaces.snapshot("t2")).tree == first.tree
        assert await world.workspaces.retire("t2", landed=False) is not None
        assert world.ref(f"refs/bandstand/shown/t2/{fork.files}") is None

    asyncio.run(main())


def test_what_is_lent_for_nothing_is_let_go(world: World) -> None:
    """As when the new task is refused."""

    async def main() -> None:
        first, _ = await two_snapshots(world)
        fork = await world.workspaces.lend("t1", first.number, to="t2")
        assert world.ref(f"refs/bandstand/shown/t2/{fork.files}") == fork.files
        await world.workspaces.unlend("t2")
        assert world.ref(f"refs/bandstand/shown/t2/{fork.files}") is None
        with pytest.raises(Unknown):
            await world.workspaces.lend("t1", 9, to="t2")

    asyncio.run(main())
