"""Submodules: a workspace has the user's, what an agent leaves in them is kept, and links land as links."""

import asyncio
import shutil
from pathlib import Path

import pytest

from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.ids import TaskId
from bandstand.testing.sandbox import OpenSandbox
from tests.adapters.test_hostile_workspaces import archived, rescued, snapshot, with_workspace
from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.real_git import Folder

LIB = "libs/my lib"


@pytest.fixture
def library(tmp_path: Path) -> Folder:
    """A repository that others have as a submodule; it has one itself."""
    inner = Folder.init(tmp_path / "inner", {"inner.py": "INNER = 1\n"})
    library = Folder.init(tmp_path / "library", {"lib.py": "LIB = 1\n"})
    add(library, inner, "deep")
    return library


@pytest.fixture
def world(library: Folder, tmp_path: Path) -> GitWorld:
    """A user with that library as a submodule, checked out with all that is in it, and a workspace, `t1`."""
    world = GitWorld(tmp_path, walls=True)
    add(world.user, library, LIB)
    allowing(world.user, "submodule", "--quiet", "update", "--init", "--recursive")
    return with_workspace(world)


def allowing(folder: Folder, *argv: str) -> str:
    """git, which clones submodules from folders only when told to."""
    return folder.git("-c", "protocol.file.allow=always", *argv)


def add(folder: Folder, other: Folder, path: str) -> None:
    """Add a submodule and commit it."""
    allowing(folder, "submodule", "--quiet", "add", str(other.path), path)
    folder.git("commit", "-q", "-m", f"with {path}")


def test_a_workspace_has_the_submodules_that_the_user_has(world: GitWorld) -> None:
    """With their files, theirs in turn, and a git that knows them; nothing is fetched, the user's stay untouched."""
    agent = world.agent("t1")
    assert agent.text(f"{LIB}/lib.py") == "LIB = 1\n"
    assert agent.text(f"{LIB}/deep/inner.py") == "INNER = 1\n"
    assert agent.status() == []
    assert agent.git("submodule", "status").startswith(f" {world.user.git('rev-parse', f'HEAD:{LIB}')} {LIB} ")
    assert Folder(agent.path / LIB).git("log", "--format=%s") == "with deep\nfirst"
    assert world.user.status() == []
    workspace = asyncio.run(world.workspaces.find("t1"))
    assert workspace is not None
    assert world.user.path / ".git" / "modules" / LIB / "objects" in workspace.objects
    assert snapshot(world).uncommitted == ()
    assert asyncio.run(world.workspaces.retire("t1", landed=False)) is None
    assert not (world.root / "archive.d").exists()


def test_what_an_agent_leaves_in_a_submodule_is_archived(world: GitWorld) -> None:
    """Edits and commits there are no part of its change, and are not lost either."""
    agent = world.agent("t1")
    agent.write({f"{LIB}/lib.py": "LIB = 2\n", f"{LIB}/deep/new.py": "NEW = 1\n", "a.txt": "A\n"})
    assert snapshot(world).uncommitted == ("a.txt",)
    assert rescued(world)["a.txt"] == "A"
    assert {f"{LIB}/lib.py", f"{LIB}/deep/new.py", f"{LIB}/.git/HEAD"} <= set(archived(world))


def test_a_commit_in_a_submodule_is_archived_wherever_that_lies(library: Folder, tmp_path: Path) -> None:
    """Also below a folder with a name that git has for its own."""
    world, place = GitWorld(tmp_path, walls=True), "objects/info/lib"
    add(world.user, library, place)
    allowing(world.user, "submodule", "--quiet", "update", "--init", "--recursive")
    agent = with_workspace(world).agent("t1")
    Folder(agent.path / place).commit("mine", {"lib.py": "LIB = 2\n"})
    world.agent_commits("t1")
    asyncio.run(world.workspaces.retire("t1", landed=False))
    assert f"{place}/lib.py" in archived(world)


@pytest.mark.parametrize("place", [LIB, f"{LIB}/deep"])
@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_an_edit_that_git_was_told_to_overlook_is_archived(flag: str, place: str, world: GitWorld) -> None:
    """In a submodule, or in one of its own: whoever keeps a setting to themselves has edited it all the same."""
    inside = Folder(world.agent("t1").path / place)
    (name,) = (path.name for path in inside.path.glob("*.py"))
    inside.git("update-index", flag, name)
    inside.write({name: "EDITED = 1\n"})
    assert inside.status() == []
    asyncio.run(world.workspaces.retire("t1", landed=False))
    assert f"{place}/{name}" in archived(world)


def test_a_commit_in_a_submodule_moves_the_link_alone(world: GitWorld) -> None:
    """The change names the new commit, which lies in the archive; landing moves the link and no file of the user's."""
    agent = world.agent("t1")
    new = Folder(agent.path / LIB).commit("mine", {"lib.py": "LIB = 2\n"})
    head = world.agent_commits("t1")
    taken = snapshot(world)
    assert (taken.head, taken.uncommitted) == (head, ())
    world.user.write({f"{LIB}/lib.py": "LIB = 'my own edit'\n"})
    world.user.git("config", "submodule.recurse", "true")
    asyncio.run(world.workspaces.publish(TaskId("t1"), head))
    change = asyncio.run(world.repository.change(base=world.user.head(), head=head))
    assert change.paths == (LIB,)
    asyncio.run(world.repository.land("main", old=change.base, new=head))
    assert world.user.git("rev-parse", f"HEAD:{LIB}") == new
    assert world.user.text(f"{LIB}/lib.py") == "LIB = 'my own edit'\n"
    asyncio.run(world.workspaces.retire("t1", landed=True))
    assert f"{LIB}/lib.py" in archived(world)


@pytest.mark.parametrize("spoil", ["settings", "head", "objects", "lender", "all"])
def test_a_submodule_that_is_spoilt_stops_nothing(spoil: str, world: GitWorld) -> None:
    """Its git dir is the agent's to break: the rest is taken, and the folder is archived."""
    git_dir = world.agent("t1").path / LIB / ".git"
    match spoil:
        case "settings":
            (git_dir / "config").write_text("[core\njunk")
        case "head":
            (git_dir / "HEAD").write_bytes(b"\0junk")
        case "objects":
            (git_dir / "objects" / "info" / "alternates").unlink()
        case "lender":
            shutil.rmtree(world.user.path / ".git" / "modules" / "libs")
        case _:
            shutil.rmtree(git_dir)
            git_dir.write_text("gitdir: /nowhere\n")
    world.write("t1", {"a.txt": "A\n", f"{LIB}/lib.py": "LIB = 3\n"})
    left = snapshot(world).uncommitted
    assert left == ("a.txt",) if spoil in {"settings", "objects", "lender"} else "a.txt" in left
    files = rescued(world)
    assert files["a.txt"] == "A"
    # What is no repository any more is a folder with files like any other.
    assert files.get(f"{LIB}/lib.py") == "LIB = 3" or f"{LIB}/lib.py" in archived(world)


@pytest.mark.parametrize("kind", ["absent", "behind", "linked", "no name"])
def test_a_submodule_that_is_not_on_this_machine_is_an_empty_folder(kind: str, library: Folder, tmp_path: Path) -> None:
    """Which is told of when it is asked for. A linked worktree finds those of the main one."""
    world = GitWorld(tmp_path, walls=False)
    add(world.user, library, LIB)
    user = world.user
    match kind:
        case "absent":
            allowing(user, "submodule", "--quiet", "deinit", "-f", "--all")
            shutil.rmtree(user.path / ".git" / "modules")
        case "behind":
            user.git("update-index", "--cacheinfo", f"160000,{'1' * 40},{LIB}")
            user.git("commit", "-q", "-m", "ahead of what is here")
        case "linked":
            user.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
            user = Folder(tmp_path / "linked")
        case _:
            user.write({".gitmodules": f'[submodule "../../../../evil"]\n\tpath = {LIB}\n\turl = x\n'})
            user.git("commit", "-q", "-a", "-m", "a name that leads elsewhere")
            shutil.rmtree(user.path / LIB)
    there = kind == "linked"

    async def work() -> None:
        repository = await user.open()
        assert await repository.absent(user.head()) == (() if there else (LIB,))
        workspaces = GitWorkspaces(repository, world.root, OpenSandbox())
        workspace = await workspaces.prepare("t1", base=user.head(), target="main", author=AGENT, committer=BAND)
        assert (workspace.folder / LIB / "lib.py").exists() == there
        assert (await workspaces.snapshot("t1")).uncommitted == ()

    asyncio.run(work())
