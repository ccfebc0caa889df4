"""Why a thing may go is looked at in the repository, at that moment: what is nowhere else is no remnant."""

import asyncio
from pathlib import Path

import pytest

from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.ids import TaskId
from bandstand.domain.remains import RemainsKind, Remnant
from bandstand.faults import arm
from bandstand.testing.sandbox import OpenSandbox
from tests.adapters.test_remains import known, land, prepare, propose, remains
from tests.contracts.git_worlds import GitWorld


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A repository and its workspaces, without walls."""
    return GitWorld(tmp_path, walls=False)


async def left_in_the_vault(world: GitWorld, *, landed: bool) -> None:
    """A daemon died behind the end of a workspace, and before it let go of the checkpoints."""
    arm("snapshot.forget.before=EIO")
    try:
        with pytest.raises(OSError, match=r"snapshot\.forget"):
            await world.workspaces.retire("t1", landed=landed)
    finally:
        arm("")
    world.workspaces = GitWorkspaces(world.repository, world.root, OpenSandbox())


async def of(world: GitWorld, kind: RemainsKind, *, landed: bool) -> list[Remnant]:
    """What may go of a kind."""
    return [one for one in await remains(world).find(known(landed=landed)) if one.kind is kind]


def test_checkpoints_go_with_the_rescue_that_has_all_of_them(world: GitWorld) -> None:
    """It is named, and was read."""

    async def main() -> None:
        await prepare(world, "t1")
        for text in ("one\n", "two\n"):
            world.write("t1", {"new.txt": text})
            await world.workspaces.snapshot("t1")
        await left_in_the_vault(world, landed=False)
        (found,) = await of(world, RemainsKind.CHECKPOINTS, landed=False)
        rescue = world.ref("refs/bandstand/rescue/t1/1")
        assert rescue is not None
        said = f"refs/bandstand/rescue/t1/1 is there, at {rescue[:12]}, and all of it can be read"
        assert found.proof[0] == said
        assert "4 refs" in found.proof[1]
        assert await remains(world).clear(found, known(landed=False))

    asyncio.run(main())


def test_checkpoints_that_are_nowhere_else_stay(world: GitWorld) -> None:
    """Somebody has removed the rescue: then there is no proof, and nothing is cleared, also if it was found before."""

    async def main() -> None:
        await prepare(world, "t1")
        world.write("t1", {"new.txt": "nowhere else\n"})
        await world.workspaces.snapshot("t1")
        await left_in_the_vault(world, landed=False)
        (found,) = await of(world, RemainsKind.CHECKPOINTS, landed=False)
        world.user.git("update-ref", "-d", "refs/bandstand/rescue/t1/1")
        assert await of(world, RemainsKind.CHECKPOINTS, landed=False) == []
        assert not await remains(world).clear(found, known(landed=False))
        assert await world.workspaces.vault.checkpoints("t1") != []

    asyncio.run(main())


def test_what_lay_on_the_way_to_what_landed_goes_and_what_was_taken_back_does_not(world: GitWorld) -> None:
    """The one was overwritten by who wrote it; the other is kept by its rescue, or stays."""

    async def main() -> None:
        head = await propose(world, "t1", {"a.txt": "first\n"}, {"a.txt": "second\n"})
        world.write("t1", {"a.txt": "uncommitted\n"})
        await world.workspaces.snapshot("t1")
        world.write("t1", {"a.txt": "taken back\n"})
        await world.workspaces.rewind("t1", 1, order=1)
        await land(world, head)
        await left_in_the_vault(world, landed=True)
        (found,) = await of(world, RemainsKind.CHECKPOINTS, landed=True)
        assert found.proof[1:] == (
            "the log says that t1 has landed",
            "each version of a file that was taken back, 1 times, is in a rescue or a branch",
        )
        world.user.git("update-ref", "-d", "refs/bandstand/rescue/t1/1")
        assert await of(world, RemainsKind.CHECKPOINTS, landed=True) == []

    asyncio.run(main())


def test_a_branch_says_where_all_that_it_held_is(world: GitWorld) -> None:
    """As an ancestor, or version by version where it landed as one commit."""

    async def main() -> None:
        head = await propose(world, "t1", {"a.txt": "one\n"})
        await land(world, head)
        await world.workspaces.retire("t1", landed=True)
        (found,) = await of(world, RemainsKind.BRANCH, landed=True)
        main_at = await world.repository.tip("main")
        assert found.proof == (f"its tip {head[:12]} is an ancestor of main, at {main_at[:12]}",)
        await world.workspaces.publish(TaskId("t1"), head)

    asyncio.run(main())


def test_nothing_of_a_workspace_may_go_without_a_proof(world: GitWorld) -> None:
    """Whatever its kind."""

    async def main() -> None:
        await propose(world, "t1", {"a.txt": "one\n"})
        for name in ("check.t1.1",):
            await prepare(world, name)
        for half in (".t1.new", ".t2.gone"):
            (world.root / half).mkdir()
        found = await remains(world).find(known("live", over=("t1", "t2"), landed=False))
        assert {one.kind for one in found} >= {RemainsKind.WORKSPACE, RemainsKind.CHECKOUT}
        assert [one for one in found if not one.proof or not all(one.proof)] == []

    asyncio.run(main())
