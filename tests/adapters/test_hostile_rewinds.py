"""Going back and forking in workspaces of agents that want to reach further: nothing of theirs runs, nothing outside of
the workspace is written or read, and what they left in the way holds up nothing."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from bandstand.domain.errors import BandstandError
from bandstand.ports.workspaces import Snapshot
from tests.contracts.git_worlds import AGENT, BAND, GitWorld


@pytest.fixture(params=["open", "walls"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> GitWorld:
    """A repository and its workspaces, with and without walls."""
    return GitWorld(tmp_path, walls=request.param == "walls")


@pytest.fixture
def walled(tmp_path: Path) -> GitWorld:
    """The same behind walls."""
    return GitWorld(tmp_path, walls=True)


async def prepared(world: GitWorld) -> tuple[Path, Snapshot]:
    """A workspace with a first snapshot; its tree."""
    base = await world.repository.tip("main")
    workspace = await world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND)
    world.write("t1", {"dir/new.txt": "first\n"})
    world.agent_commits("t1")
    return workspace.folder, await world.workspaces.snapshot("t1")


def outside(world: GitWorld) -> Path:
    """A folder of the user's that nobody but the user may touch."""
    folder = world.root.parent / "outside"
    (folder / "sub").mkdir(parents=True)
    (folder / "new.txt").write_text("the user's\n")
    (folder / "c.txt").write_text("the user's\n")
    return folder


def untouched(folder: Path) -> None:
    """Nothing was written there, and nothing is gone."""
    assert sorted(path.name for path in folder.iterdir()) == ["c.txt", "new.txt", "sub"]
    assert {(folder / name).read_text() for name in ("new.txt", "c.txt")} == {"the user's\n"}


def test_a_folder_that_became_a_link_is_a_folder_again(world: GitWorld) -> None:
    """What it leads to is left alone, be the link kept or ignored."""

    async def main() -> None:
        tree, first = await prepared(world)
        folder = outside(world)
        shutil.rmtree(tree / "dir")
        (tree / "dir").symlink_to(folder)
        back = await world.workspaces.rewind("t1", first.number, order=1)
        assert not (tree / "dir").is_symlink()
        assert (tree / "dir/new.txt").read_text() == "first\n"
        assert back.head == first.head
        (tree / ".gitignore").write_text("*.log\n/dir\n")
        shutil.rmtree(tree / "dir")
        (tree / "dir").symlink_to(folder)
        world.agent("t1").git("rm", "-r", "-q", "--cached", "dir")
        await world.workspaces.rewind("t1", first.number, order=2)
        assert (tree / "dir/new.txt").read_text() == "first\n"
        untouched(folder)

    asyncio.run(main())


def test_a_fork_of_links_writes_nowhere_else(world: GitWorld) -> None:
    """The base has a folder where the agent committed a link, and a file where that has a folder."""

    async def main() -> None:
        tree, _ = await prepared(world)
        folder = outside(world)
        shutil.rmtree(tree / "dir")
        (tree / "dir").symlink_to(folder)
        (tree / "a.txt").unlink()
        (tree / "a.txt").mkdir()
        (tree / "a.txt/inner").write_text("inner\n")
        world.agent_commits("t1")
        (tree / "b.txt").unlink()
        (tree / "b.txt").symlink_to(folder / "new.txt")
        taken = await world.workspaces.snapshot("t1")
        fork = await world.workspaces.lend("t1", taken.number, to="t2")
        workspace = await world.workspaces.prepare(
            "t2", base=fork.base, target="main", author=AGENT, committer=BAND, fork=fork
        )
        assert (workspace.folder / "dir").readlink() == folder
        assert (workspace.folder / "b.txt").readlink() == folder / "new.txt"
        assert (workspace.folder / "a.txt/inner").read_text() == "inner\n"
        await world.workspaces.rewind("t2", 0, order=1)
        untouched(folder)

    asyncio.run(main())


def test_nothing_that_an_agent_configures_runs(walled: GitWorld) -> None:
    """No hook, no filter, no monitor, no program of its settings; nor does a worktree elsewhere become ours."""

    async def main() -> None:
        tree, first = await prepared(walled)
        witness = walled.root / "t1" / "witness"
        program = tree / "run-me"
        program.write_text(f"#!/bin/sh\necho ran >> '{witness}'\necho ran >> ran.txt\ncat\n")
        program.chmod(0o755)
        inside = walled.agent("t1")
        inside.plant_hooks(witness)
        for name, value in {
            "core.fsmonitor": "./run-me",
            "filter.evil.smudge": "./run-me",
            "filter.evil.clean": "./run-me",
            "core.pager": "./run-me",
            "core.worktree": str(outside(walled)),
        }.items():
            inside.git("config", name, value, without=("GIT_DIR",), ok=(0, 128))
        (tree / ".gitattributes").write_text("* filter=evil\n")
        (tree / ".git/info/attributes").parent.mkdir(exist_ok=True)
        (tree / ".git/info/attributes").write_text("* filter=evil\n")
        await walled.workspaces.snapshot("t1")
        await walled.workspaces.rewind("t1", first.number, order=1)
        assert not witness.exists()
        assert not (tree / "ran.txt").exists()
        assert not (tree / ".gitattributes").exists()
        untouched(walled.root.parent / "outside")

    asyncio.run(main())


def test_what_an_agent_left_in_the_middle_holds_up_nothing(world: GitWorld) -> None:
    """Locks, half a merge, a detached HEAD, pipes where files were, folders that it closed to itself."""

    async def main() -> None:
        tree, first = await prepared(world)
        git_dir = tree / ".git"
        for lock in ("index.lock", "HEAD.lock", "refs/heads/band/t1.lock"):
            (git_dir / lock).touch()
        (git_dir / "MERGE_HEAD").write_text(f"{first.head}\n")
        (git_dir / "HEAD").write_text(f"{first.head}\n")
        (tree / "b.txt").unlink()
        os.mkfifo(tree / "b.txt")
        (tree / "dir").chmod(0o500)
        await world.workspaces.rewind("t1", 0, order=1)
        agent = world.agent("t1")
        assert agent.status() == []
        assert agent.git("symbolic-ref", "HEAD") == "refs/heads/band/t1"
        assert agent.text("b.txt") == "b\n"
        assert not (git_dir / "MERGE_HEAD").exists()

    asyncio.run(main())


def test_commits_that_an_agent_threw_away_come_back_from_the_vault(world: GitWorld) -> None:
    """With all that they need; what it had staged, and is nowhere else, stays at a ref."""

    async def main() -> None:
        tree, first = await prepared(world)
        agent = world.agent("t1")
        agent.git("reset", "-q", "--hard", "refs/remotes/origin/main")
        agent.git("reflog", "expire", "--expire=now", "--all")
        agent.git("gc", "-q", "--prune=now")
        agent.git("cat-file", "-e", first.head, ok=(1, 128))
        (tree / "a.txt").write_text("staged, and written over\n")
        agent.git("add", "a.txt")
        (tree / "a.txt").write_text("in the file\n")
        await world.workspaces.rewind("t1", first.number, order=1)
        assert agent.head() == first.head
        assert agent.git("fsck", "--full", "--strict") is not None
        assert agent.git("show", "refs/bandstand/staged/1:a.txt") == "staged, and written over"

    asyncio.run(main())


@pytest.mark.parametrize("name", [".GIT", ".git ", "git~1", ".Git/hooks"])
def test_what_looks_like_a_git_dir_is_kept_or_refused_as_a_whole(name: str, world: GitWorld) -> None:
    """Never is half of it taken, and never does it become one: what stands there stands there afterwards."""

    async def main() -> None:
        tree, first = await prepared(world)
        (tree / name).mkdir(parents=True)
        (tree / name / "post-checkout").write_text("#!/bin/sh\nexit 1\n")
        try:
            await world.workspaces.rewind("t1", first.number, order=1)
        except BandstandError:
            assert (tree / name / "post-checkout").exists()
        assert (tree / "dir/new.txt").read_text() == "first\n"
        assert await world.workspaces.retire("t1", landed=False) is not None

    asyncio.run(main())


def test_a_git_dir_that_leads_elsewhere_is_not_followed(walled: GitWorld) -> None:
    """Be it a link or a file that says where: the user's own repository stays as it is."""

    async def main() -> None:
        tree, first = await prepared(walled)
        refs = walled.user.git("for-each-ref")
        shutil.rmtree(tree / ".git")
        (tree / ".git").write_text(f"gitdir: {walled.user.path / '.git'}\n")
        with pytest.raises(BandstandError):
            await walled.workspaces.rewind("t1", first.number, order=1)
        (tree / ".git").unlink()
        (tree / ".git").symlink_to(walled.user.path / ".git")
        with pytest.raises(BandstandError):
            await walled.workspaces.rewind("t1", first.number, order=1)
        assert walled.user.git("for-each-ref") == refs
        assert walled.user.status() == []

    asyncio.run(main())
