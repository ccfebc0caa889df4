"""Files where a repository inside a workspace has been: git may take the folder for that repository still."""

import asyncio
from pathlib import Path

import pytest

from bandstand.adapters.git.rescues import GitRescues
from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.real_git import Folder


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A repository and its workspaces."""
    return GitWorld(tmp_path, walls=False)


async def prepared(world: GitWorld) -> Path:
    """A workspace with a repository inside, which a checkpoint has as a link; its tree."""
    base = await world.repository.tip("main")
    workspace = await world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND)
    Folder.init(workspace.folder / "inner", {"inner.txt": "inner\n"})
    taken = await world.workspaces.snapshot("t1")
    assert "inner" in taken.uncommitted
    return workspace.folder


def replace(tree: Path) -> None:
    """The repository goes elsewhere, and there is work in its place."""
    (tree / "inner").rename(tree / "moved")
    (tree / "inner").mkdir()
    (tree / "inner/work.txt").write_text("work\n")


async def rescued(world: GitWorld) -> Path:
    """All that is brought back once the workspace is gone."""
    await world.workspaces.retire("t1", landed=False)
    rescues = GitRescues(world.repository, world.root)
    (rescue,) = await rescues.all()
    folder = world.root.parent / "rescued"
    await rescues.to_folder(rescue, rescue.refs[-1], folder)
    return folder


def test_work_in_the_place_of_a_repository_is_in_the_next_checkpoint(world: GitWorld) -> None:
    """The agent's git has no link there, and would commit the files: so they are in, and a rewind takes them away."""

    async def main() -> None:
        tree = await prepared(world)
        replace(tree)
        taken = await world.workspaces.snapshot("t1")
        assert {"inner/work.txt", "moved"} == set(taken.uncommitted)
        await world.workspaces.rewind("t1", 0, order=1)
        assert not (tree / "inner/work.txt").exists()
        await world.workspaces.rewind("t1", taken.number, order=2)
        assert (tree / "inner/work.txt").read_text() == "work\n"

    asyncio.run(main())


def test_work_in_the_place_of_a_repository_is_rescued(world: GitWorld) -> None:
    """Nothing was captured since it got there, but when the workspace goes it is kept."""

    async def main() -> None:
        replace(await prepared(world))
        assert (await rescued(world) / "inner/work.txt").read_text() == "work\n"

    asyncio.run(main())


def test_work_that_the_agents_git_takes_for_a_repository_is_rescued(world: GitWorld) -> None:
    """The agent committed the link, so that git passes over the folder: the archive has what is in it."""

    async def main() -> None:
        tree = await prepared(world)
        world.agent_commits("t1")
        replace(tree)
        taken = await world.workspaces.snapshot("t1")
        assert set(taken.uncommitted) == {"moved"}
        assert (await rescued(world) / "inner/work.txt").read_text() == "work\n"

    asyncio.run(main())
