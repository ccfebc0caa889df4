"""What every kind of checkpoints keeps: the fake ones, and those in a real vault."""

import asyncio
from pathlib import Path

import pytest

from bandstand.adapters.git.checkpoints import GitCheckpoints
from bandstand.domain.errors import Unknown
from bandstand.ports.checkpoints import Checkpoints
from bandstand.testing.checkpoints import MemoryCheckpoints
from tests.contracts.git_worlds import AGENT, BAND, GitWorld, MemoryWorld, World, make_world


@pytest.fixture(params=["memory", "git"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Each world in turn."""
    return make_world(request.param, tmp_path)


def checkpoints(world: World) -> Checkpoints:
    """The checkpoints of a world."""
    if isinstance(world, MemoryWorld):
        return MemoryCheckpoints(world.workspaces)
    assert isinstance(world, GitWorld)
    return GitCheckpoints(world.workspaces)


def test_each_says_what_it_changed_since_the_one_before(world: World) -> None:
    """The first one since the workspace began; committed or not makes no difference."""

    async def main() -> None:
        base = await world.repository.tip("main")
        await world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND)
        assert await checkpoints(world).of("t1") == ()
        world.write("t1", {"new.txt": "one\n"})
        world.agent_commits("t1")
        first = await world.workspaces.snapshot("t1")
        world.write("t1", {"new.txt": "two\n", "b.txt": None})
        second = await world.workspaces.snapshot("t1")
        found = await checkpoints(world).of("t1")
        assert [(one.number, one.commit, one.head) for one in found] == [
            (one.number, one.commit, one.head) for one in (first, second)
        ]
        told = [[(file.status, file.path, file.added, file.deleted) for file in one.files] for one in found]
        assert told == [[("A", "new.txt", 1, 0)], [("D", "b.txt", 0, 1), ("M", "new.txt", 1, 1)]]
        patch = await checkpoints(world).patch("t1", second.number)
        assert "-one" in patch
        assert "+two" in patch
        with pytest.raises(Unknown, match="no checkpoint 7"):
            await checkpoints(world).patch("t1", 7)

    asyncio.run(main())


def test_they_go_with_the_workspace(world: World) -> None:
    """What it held beyond what landed is a rescue then."""

    async def main() -> None:
        base = await world.repository.tip("main")
        await world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND)
        world.write("t1", {"new.txt": "one\n"})
        await world.workspaces.snapshot("t1")
        await world.workspaces.retire("t1", landed=False)
        assert await checkpoints(world).of("t1") == ()
        with pytest.raises(Unknown):
            await checkpoints(world).patch("t1", 1)

    asyncio.run(main())
