"""What git would wait for, or cannot take, neither holds up a snapshot nor keeps a workspace from being removed."""

import asyncio
import os
import tarfile
from pathlib import Path

import pytest

from bandstand.adapters.git.archiving import Archives
from bandstand.adapters.git.capture import Capture
from bandstand.adapters.git.confined import ConfinedGit
from bandstand.adapters.git.layout import Layout
from bandstand.domain.errors import Refused, Unavailable
from bandstand.ports.workspaces import Snapshot
from bandstand.testing.sandbox import OpenSandbox
from tests.contracts.git_worlds import AGENT, BAND, GitWorld

GIB = 1024 * 1024 * 1024
SOON = 60.0


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A repository and its workspaces behind real walls, with one workspace, `t1`, and work in it."""
    world = GitWorld(tmp_path, walls=True)
    base = world.user.head()
    asyncio.run(world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND))
    world.write("t1", {"new.txt": "new\n"})
    return world


def tree(world: GitWorld) -> Path:
    """The folder of the workspace."""
    return world.root / "t1" / "tree"


def snapshot(world: GitWorld) -> Snapshot:
    """Take one, without waiting for anything."""

    async def take() -> Snapshot:
        async with asyncio.timeout(SOON):
            return await world.workspaces.snapshot("t1")

    return asyncio.run(take())


def retired(world: GitWorld, *, landed: bool = False) -> str:
    """Retire the workspace, without waiting for anything; its rescue ref."""

    async def retire() -> str | None:
        async with asyncio.timeout(SOON):
            return await world.workspaces.retire("t1", landed=landed)

    ref = asyncio.run(retire())
    assert ref is not None
    assert not (world.root / "t1").exists()
    return ref


def archived(world: GitWorld) -> dict[str, int]:
    """The files in the one archive, each with its size."""
    (archive,) = (world.root / "archive.d").iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as opened:
        return {one.name.removeprefix("./"): one.size for one in opened.getmembers() if one.isfile()}


def capture(world: GitWorld, *, patience_seconds: float = SOON) -> Capture:
    """The way into the workspace."""
    layout = Layout(folder=world.root / "t1")
    git = ConfinedGit(OpenSandbox(), layout, objects=world.repository.store.objects(), search_path=os.environ["PATH"])
    return Capture(git, layout, patience_seconds=patience_seconds)


def put_pipe(path: Path) -> None:
    """A named pipe in the place of whatever is there."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize("name", [".gitignore", "sub/.gitignore", ".gitattributes", ".gitmodules", ".git/info/exclude"])
def test_pipes_that_git_would_read_hold_up_nothing(name: str, world: GitWorld) -> None:
    """They hold no data, so they go, and the work is taken."""
    put_pipe(tree(world) / name)
    assert "new.txt" in snapshot(world).uncommitted
    assert world.user.git("show", f"{retired(world)}:new.txt") == "new"


@pytest.mark.parametrize("name", [".git/HEAD", ".git/objects/info/alternates"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_repository_of_pipes_is_a_broken_one(name: str, kind: str, world: GitWorld) -> None:
    """Also one whose files lead to a device without an end. The files are rescued."""
    place = tree(world) / name
    if kind == "pipe":
        put_pipe(place)
    else:
        place.unlink()
        place.symlink_to("/dev/zero")
    with pytest.raises(Refused):
        snapshot(world)
    assert world.user.git("show", f"{retired(world)}:new.txt") == "new"


def test_other_pipes_stay(world: GitWorld) -> None:
    """Some program of the agent's may still talk through them."""
    put_pipe(tree(world) / "pipe")
    assert snapshot(world).uncommitted == ("new.txt",)
    assert (tree(world) / "pipe").is_fifo()


def test_a_repository_that_does_not_answer_is_a_broken_one(world: GitWorld) -> None:
    """Wherever the agent has hidden what it waits for."""
    (tree(world) / ".git").rename(tree(world) / "moved")
    (tree(world) / ".git").write_text("gitdir: moved\n")
    put_pipe(tree(world) / "moved" / "HEAD")
    looking = capture(world, patience_seconds=2.0)
    with pytest.raises(Refused, match="does not answer"):
        asyncio.run(looking.claims.agents())
    with pytest.raises(Refused, match="does not answer"):
        asyncio.run(looking.claims.everything(reflogs=True))


@pytest.mark.parametrize("name", [".git/HEAD", ".gitignore"])
def test_settings_of_any_size_do_not_take_all_memory(name: str, world: GitWorld) -> None:
    """What cannot be read is broken, and kept all the same."""
    (tree(world) / name).unlink(missing_ok=True)
    with (tree(world) / name).open("w") as file:
        file.truncate(8 * GIB)
    ref = retired(world)
    inside = world.user.git("ls-tree", "-r", "--name-only", ref).splitlines()
    assert "new.txt" in inside or "new.txt" in archived(world)


@pytest.mark.parametrize("name", ["huge.bin", "a.txt", "[odd] na*me\n"])
def test_a_file_larger_than_git_can_take_is_left_out_and_archived(name: str, world: GitWorld) -> None:
    """Whether it is new or in the place of one that was tracked; the rest is in the snapshot."""
    with (tree(world) / name).open("w") as file:
        file.truncate(1024 * GIB)
    (tree(world) / "na").write_text("other\n")
    taken = snapshot(world)
    assert {"new.txt", "na"} <= set(taken.uncommitted)
    ref = retired(world)
    assert world.user.git("show", f"{ref}:new.txt") == "new"
    assert name not in world.user.git("ls-tree", "-r", "-z", "--name-only", ref).split("\0")
    assert archived(world) == {name: 1024 * GIB}


def test_what_git_refuses_altogether_is_archived_whole(world: GitWorld) -> None:
    """With nothing left out, and a rescue ref that says where it is."""
    agent = world.agent("t1")
    agent.write({"node_modules/x.js": "x\n"})
    agent.write({".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = -upload-pack=evil\n'})
    with pytest.raises(Refused):
        snapshot(world)
    ref = retired(world)
    assert {"new.txt", "a.txt", "node_modules/x.js", ".git/HEAD"} <= set(archived(world))
    (archive,) = (world.root / "archive.d").iterdir()
    assert str(archive) in world.user.git("log", "-1", "--format=%B", ref)


@pytest.mark.parametrize("usable", [0, 200 * 1024])
def test_where_there_is_no_room_nothing_is_removed(usable: int, world: GitWorld) -> None:
    """The message names the folder and the largest files; an archive that was begun is gone. Then there is room."""
    for name in ("small.log", "large.log"):
        (tree(world) / name).write_bytes(os.urandom((3 if name == "large.log" else 2) * 1024 * 1024))
    full = Archives(world.root, usable=lambda folder: usable)
    with pytest.raises(Unavailable, match=r"archive\.d") as said:
        asyncio.run(full.keep(capture(world), "t1-x", ("small.log", "large.log")))
    assert "large.log (3 MB), small.log (2 MB)" in said.value.hint
    assert list((world.root / "archive.d").iterdir()) == []
    assert asyncio.run(Archives(world.root).keep(capture(world), "t1-x", ("small.log", "large.log"))) is not None
    assert set(archived(world)) == {"small.log", "large.log"}
