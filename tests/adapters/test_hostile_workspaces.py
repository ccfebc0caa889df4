"""Whatever an agent leaves in its workspace, the host runs none of it, follows none of it, and loses none of it."""

import asyncio
import os
import socket
import tarfile
from pathlib import Path

import pytest

from bandstand.domain.errors import Refused
from bandstand.domain.ids import TaskId
from bandstand.ports.workspaces import Snapshot
from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.real_git import Folder


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A repository and its workspaces behind real walls, with one workspace, `t1`."""
    return with_workspace(GitWorld(tmp_path, walls=True))


@pytest.fixture(params=["walls", "open"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> GitWorld:
    """The same, and once without walls."""
    return with_workspace(GitWorld(tmp_path, walls=request.param == "walls"))


def with_workspace(world: GitWorld) -> GitWorld:
    """Prepare `t1` at the tip of `main`."""
    base = world.user.head()
    asyncio.run(world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND))
    return world


def snapshot(world: GitWorld) -> Snapshot:
    """Take one."""
    return asyncio.run(world.workspaces.snapshot("t1"))


def rescued(world: GitWorld) -> dict[str, str]:
    """Retire the workspace; the files at its rescue ref, links as `-> target`."""
    ref = asyncio.run(world.workspaces.retire("t1", landed=False))
    assert ref is not None
    assert not (world.root / "t1").exists()
    return kept(world, ref)


def kept(world: GitWorld, commit: str) -> dict[str, str]:
    """The files of a commit in the user's repository."""
    files = {}
    for record in world.user.git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")[:-1]:
        facts, _, path = record.partition("\t")
        mode, kind, blob = facts.split(" ")
        text = world.user.git("cat-file", "blob", blob) if kind == "blob" else f"commit {blob}"
        files[path] = f"-> {text}" if mode == "120000" else text
    return files


def archived(world: GitWorld) -> list[str]:
    """The files in the one archive, which only the user may read."""
    (archive,) = (world.root / "archive.d").iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as opened:
        return sorted(member.name.removeprefix("./") for member in opened.getmembers() if not member.isdir())


def test_nothing_that_an_agent_configures_runs(any_world: GitWorld, tmp_path: Path) -> None:
    """No hook, no filter, no file-system monitor of the workspace, and none decides what a snapshot holds."""
    witness = tmp_path / "witness"
    agent = any_world.agent("t1")
    agent.plant_hooks(witness)
    spy = f"sh -c 'echo ran >> {witness}; tr a-z A-Z'"
    for key in ("filter.spy.clean", "filter.spy.smudge", "core.fsmonitor", "diff.spy.textconv", "core.sshCommand"):
        agent.git("config", key, spy)
    agent.git("config", "filter.spy.required", "true")
    agent.git("config", "core.worktree", str(tmp_path))
    agent.write({".gitattributes": "*.txt filter=spy diff=spy\n", "new.txt": "small\n"})
    witness.unlink(missing_ok=True)
    taken = snapshot(any_world)
    assert taken.uncommitted == (".gitattributes", "new.txt")
    new = any_world.commit({"b.txt": "later\n"})
    asyncio.run(any_world.workspaces.show_commit("t1", ref="refs/remotes/origin/main", commit=new))
    asyncio.run(any_world.workspaces.publish(TaskId("t1"), taken.commit))
    assert rescued(any_world)["new.txt"] == "small"
    assert not witness.exists()


def test_no_hook_of_the_user_runs(world: GitWorld, tmp_path: Path) -> None:
    """Neither when a workspace is made, nor when its work is published and rescued."""
    witness = tmp_path / "witness"
    world.user.plant_hooks(witness)
    world.user.git("config", "core.fsmonitor", str(world.user.path / ".git/hooks/fsmonitor-watchman"))
    witness.unlink(missing_ok=True)

    async def main() -> None:
        await world.workspaces.prepare(
            "t2", base=await world.repository.tip("main"), target="main", author=AGENT, committer=BAND
        )
        world.write("t2", {"a.txt": "A\n"})
        taken = await world.workspaces.snapshot("t2")
        await world.workspaces.publish(TaskId("t2"), taken.commit)
        await world.workspaces.show_commit("t2", ref="refs/heads/x", commit=await world.repository.tip("main"))
        await world.workspaces.retire("t2", landed=False)

    asyncio.run(main())
    assert not witness.exists()


def test_objects_outside_the_walls_stay_outside(world: GitWorld, tmp_path: Path) -> None:
    """An agent cannot have the host fetch what it can only name."""
    secret = Folder.init(tmp_path / "secret", {"secret.txt": "secret\n"})
    git_dir = world.root / "t1" / "tree" / ".git"
    with (git_dir / "objects" / "info" / "alternates").open("a") as file:
        file.write(f"{secret.path}/.git/objects\n")
    (git_dir / "HEAD").write_text(f"{secret.head()}\n")
    world.write("t1", {"new.txt": "new\n"})
    with pytest.raises(Refused):
        snapshot(world)
    assert rescued(world)["new.txt"] == "new"
    vault = Folder(world.root / "vault.git")
    vault.git("cat-file", "-e", secret.head(), ok=(1, 128))


def test_a_git_dir_that_is_a_link_is_not_followed(world: GitWorld, tmp_path: Path) -> None:
    """The repository it points to is neither read nor written."""
    other = Folder.init(tmp_path / "other")
    git_dir = world.root / "t1" / "tree" / ".git"
    git_dir.rename(world.root / "t1" / "tree" / "moved")
    git_dir.symlink_to(other.path / ".git")
    world.write("t1", {"new.txt": "new\n"})
    refs = other.git("for-each-ref")
    with pytest.raises(Refused):
        snapshot(world)
    with pytest.raises(Refused):
        asyncio.run(world.workspaces.show_commit("t1", ref="refs/heads/x", commit=world.user.head()))
    assert rescued(world)["new.txt"] == "new"
    assert other.git("for-each-ref") == refs


@pytest.mark.parametrize("junk", [b"", b"\0\xff", b"ref: refs/heads/none\n", b"0" * 40 + b"\n", b"ref: ../../x\n"])
def test_junk_for_a_head_is_refused(junk: bytes, world: GitWorld) -> None:
    """And the files are rescued all the same."""
    (world.root / "t1" / "tree" / ".git" / "HEAD").write_bytes(junk)
    world.write("t1", {"new.txt": "new\n"})
    with pytest.raises(Refused):
        snapshot(world)
    assert rescued(world)["new.txt"] == "new"


def test_a_commit_with_an_unsound_tree_is_refused(world: GitWorld) -> None:
    """A tree that would write into a git dir never reaches the vault."""
    agent = world.agent("t1")
    blob = agent.git("hash-object", "-w", "a.txt")
    records = f"100755 blob {blob}\tpost-checkout\n"
    hooks = agent.git("mktree", stdin=records)
    evil = agent.git("mktree", stdin=f"040000 tree {hooks}\t.git\n")
    agent.git("update-ref", "refs/heads/band/t1", agent.git("commit-tree", evil, "-m", "evil"))
    world.write("t1", {"new.txt": "new\n"})
    with pytest.raises(Refused, match="hasDotgit"):
        snapshot(world)
    assert rescued(world)["new.txt"] == "new"
    assert ".git/refs/heads/band/t1" in archived(world)


def test_odd_files_do_not_stop_a_snapshot(world: GitWorld, tmp_path: Path) -> None:
    """Pipes, sockets, links to elsewhere, repositories inside, names of all kinds, locked files and folders."""
    tree = world.root / "t1" / "tree"
    (tmp_path / "secret").write_text("secret\n")
    (tree / "link").symlink_to(tmp_path / "secret")
    (tree / "folder-link").symlink_to(tmp_path)
    (tree / "a.txt").unlink()
    os.mkfifo(tree / "a.txt")
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tree)
        server.bind("socket")
        os.chdir(here)
    for name in ('quo"te', "new\nline", "-dash", "\udcff", "back\\slash"):
        (tree / name).write_text("odd\n")
    Folder.init(tree / "nested", {"inner.txt": "inner\n"})
    (tree / "empty-nested").mkdir()
    Folder(tree / "empty-nested").git("init", "-q")
    world.write("t1", {"empty-nested/file": "file\n", "git~1": "refused\n"})
    world.write("t1", {"locked/file": "locked\n", "unreadable": "locked\n"})
    (tree / "unreadable").chmod(0)
    (tree / "locked").chmod(0)
    taken = snapshot(world)
    odd = {'quo"te', "new\nline", "-dash", "\udcff", "back\\slash", "link", "folder-link", "nested"}
    assert odd <= set(taken.uncommitted)
    files = rescued(world)
    assert files["link"] == f"-> {tmp_path}/secret"
    assert {files[name] for name in ('quo"te', "new\nline", "-dash", "\udcff")} == {"odd"}
    assert (files["unreadable"], files["locked/file"]) == ("locked", "locked")
    names = archived(world)
    assert {"nested/inner.txt", "empty-nested/file", "git~1"} <= set(names)


def test_what_git_cannot_convert_is_kept_as_it_is(world: GitWorld) -> None:
    """Attributes that ask for the impossible make `git add` die; the bytes are kept all the same."""
    world.write("t1", {".gitattributes": "*.bin working-tree-encoding=UTF-16\n", "x.bin": "odd", "y.txt": "y\n"})
    taken = snapshot(world)
    assert set(taken.uncommitted) == {".gitattributes", "x.bin", "y.txt"}
    assert rescued(world)["x.bin"] == "odd"


def test_a_spoilt_capture_is_made_anew(world: GitWorld) -> None:
    """Neither a broken index, nor a lock left behind, nor a lost object of ours stops a snapshot."""
    work = world.root / "t1" / "capture" / "work"
    world.write("t1", {"x.txt": "1\n"})
    first = snapshot(world)
    (work / "index").write_bytes(b"junk")
    assert snapshot(world) == first
    (work / "index.lock").write_bytes(b"")
    world.write("t1", {"x.txt": "2\n"})
    assert snapshot(world).uncommitted == ("x.txt",)
    world.write("t1", {"x.txt": "3\n"})
    vault = world.root / "vault.git"
    for pack in (vault / "objects" / "pack").glob("pack-*"):
        assert pack.suffix != ".keep"
    snapshot(world)
    world.write("t1", {"y.txt": "4\n"})
    for loose in (work / "objects").glob("??/*"):
        loose.unlink()
    taken = snapshot(world)
    assert taken.uncommitted == ("x.txt", "y.txt")


def test_the_agents_own_choice_among_ignored_files_counts(any_world: GitWorld) -> None:
    """What it added by force is in; what it took out of the index and ignores is not."""
    agent = any_world.agent("t1")
    agent.write({"forced.log": "forced\n", ".gitignore": "*.log\na.txt\n", "other.log": "other\n"})
    agent.git("add", "-f", "forced.log")
    agent.git("rm", "-q", "--cached", "a.txt")
    taken = snapshot(any_world)
    assert taken.uncommitted == (".gitignore", "a.txt", "forced.log")
    agent.git("commit", "-q", "-a", "-m", "mine")
    assert snapshot(any_world).uncommitted == ()
    files = rescued(any_world)
    assert "a.txt" not in files and files["forced.log"] == "forced"
    assert archived(any_world) == ["a.txt", "other.log"]


def test_work_that_no_branch_shows_is_rescued(world: GitWorld) -> None:
    """Other branches, stashes old and new, and commits that were amended away are behind the rescue ref."""
    agent = world.agent("t1")
    agent.write({"amended.txt": "1\n"})
    agent.git("add", "-A")
    agent.git("commit", "-q", "-m", "first try")
    agent.git("rm", "-q", "amended.txt")
    agent.git("commit", "-q", "--amend", "--allow-empty", "-m", "second try")
    agent.git("switch", "-q", "-c", "other")
    agent.commit("aside", {"aside.txt": "aside\n"})
    agent.git("switch", "-q", "band/t1")
    for name in ("one", "two"):
        agent.write({f"{name}.txt": f"{name}\n"})
        agent.git("stash", "push", "-q", "--include-untracked", "-m", name)
    ref = asyncio.run(world.workspaces.retire("t1", landed=False))
    assert ref is not None
    world.user.git("gc", "-q", "--prune=now")
    paths = world.user.git("log", "--format=", "--name-only", "-m", "--diff-merges=separate", ref, "^main").split()
    assert {"amended.txt", "aside.txt", "one.txt", "two.txt"} <= set(paths)


def test_a_stash_is_rescued_though_the_rest_has_landed(world: GitWorld) -> None:
    """What landed is not all there was."""
    agent = world.agent("t1")
    head = agent.commit("mine", {"a.txt": "mine\n"})
    agent.write({"a.txt": "stashed\n"})
    agent.git("stash", "push", "-q")
    snapshot(world)
    asyncio.run(world.workspaces.publish(TaskId("t1"), head))
    ref = asyncio.run(world.workspaces.retire("t1", landed=True))
    assert ref is not None
    assert "stashed" in world.user.git("log", "-p", "-m", "--format=", ref, "^main")


def test_ignored_files_are_archived_but_not_what_tools_make_anew(world: GitWorld) -> None:
    """Law 1 for what git must not have; dependencies and caches come back by themselves."""
    files = {".env": "SECRET\n", "debug.log": "log\n", "dir/deep.log": "log\n", "node_modules/x/index.js": "x\n"}
    marked = {"cache/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n", "cache/data": "data\n"}
    world.write("t1", {".gitignore": "*.log\n.env\nnode_modules\ncache\n", **files, **marked})
    assert ".env" not in rescued(world)
    assert archived(world) == [".env", "debug.log", "dir/deep.log"]


def test_what_is_deep_and_locked_can_be_removed(world: GitWorld) -> None:
    """Deeper than any path may be long, and read-only all the way."""
    folder = os.open(world.root / "t1" / "tree", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deeper", dir_fd=folder)
        below = os.open("deeper", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.fchmod(folder, 0o555)
    os.close(folder)
    world.write("t1", {"ro/file": "x\n"})
    (world.root / "t1" / "tree" / "ro" / "file").chmod(0o400)
    (world.root / "t1" / "tree" / "ro").chmod(0o500)
    (world.root / "t1" / "home" / "outside").symlink_to(world.user.path)
    assert rescued(world)["ro/file"] == "x"
    assert world.user.status() == []
    assert [path.name for path in world.root.iterdir() if path.name.startswith(".")] == []
