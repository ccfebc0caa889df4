"""Files that git ignores: copied into fresh workspaces, and from then on kept out of git, whatever an agent does."""

import asyncio
import os
import subprocess
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bandstand.domain.errors import Refused
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.inclusion import Inclusion, patterns_of
from bandstand.ports.workspaces import Workspace
from tests.contracts.git_worlds import AGENT, BAND, GitWorld

SECRET = "TOKEN=correct-horse-battery\n"
ENV = Inclusion(patterns=(".env",))
NAMES = tuple(f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL"))


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A repository that ignores `.env` and logs, with both in its checkout, and workspaces without walls."""
    return furnished(GitWorld(tmp_path, walls=False))


def furnished(world: GitWorld) -> GitWorld:
    """The same world, with what git ignores."""
    world.commit({".gitignore": ".env\n*.log\n"})
    world.edit(".env", SECRET)
    world.edit("old.log", "nothing of interest\n")
    return world


async def prepare(world: GitWorld, inclusion: Inclusion = ENV, *, base: CommitId | None = None) -> Workspace:
    """A workspace with what an inclusion names, at the tip of `main`."""
    return await world.workspaces.prepare(
        "t1",
        base=base or await world.repository.tip("main"),
        target="main",
        author=AGENT,
        committer=BAND,
        inclusion=inclusion,
    )


def play(test: Callable[[], Awaitable[None]]) -> None:
    """Run the body of a test."""

    async def main() -> None:
        await test()

    asyncio.run(main())


def commit(world: GitWorld, message: str, *names: str) -> CommitId:
    """The agent commits these names, ignored or not."""
    agent = world.agent("t1")
    agent.git("add", "-f", "--", *names)
    agent.git("commit", "-q", "-m", message, without=NAMES)
    return agent.head()


def everything_kept(world: GitWorld) -> bytes:
    """All that any ref of the user's repository or the vault reaches, and all that archives hold."""
    found = b""
    for git_dir in (world.user.path / ".git", world.root / "vault.git"):
        git = ("git", f"--git-dir={git_dir}")
        names = subprocess.run((*git, "rev-list", "--objects", "--all"), capture_output=True, check=True).stdout
        ids = b"".join(line.split(b" ")[0] + b"\n" for line in names.splitlines())
        found += subprocess.run((*git, "cat-file", "--batch"), input=ids, capture_output=True, check=True).stdout
    for archive in (world.root / "archive.d").glob("*.tar.gz"):
        with tarfile.open(archive) as tar:
            for member in tar:
                file = tar.extractfile(member)
                found += member.name.encode() + b"\0" + (file.read() if file else b"")
    return found


def test_what_is_named_and_ignored_is_copied(world: GitWorld) -> None:
    """With its mode, as the user has it now; patterns are those of a `.gitignore`, and the last one that fits wins."""
    world.edit("config/local.log", "here\n")
    world.edit("config/other.log", "not here\n")
    (world.user.path / ".env").chmod(0o700)

    async def body() -> None:
        named = patterns_of("# comment\n\n.env\r\nconfig/*\n!config/other.log\n")
        workspace = await prepare(world, Inclusion(patterns=named))
        assert workspace.included == (".env", "config/local.log")
        assert workspace.left_out == ()
        assert (workspace.folder / ".env").read_text() == SECRET
        assert (workspace.folder / ".env").stat().st_mode & 0o777 == 0o700
        assert (workspace.folder / "config" / "local.log").stat().st_mode & 0o777 == 0o600
        assert not (workspace.folder / "config" / "other.log").exists()
        assert world.agent("t1").status() == []
        assert await world.workspaces.find("t1") == workspace

    play(body)


def test_nothing_is_copied_where_nothing_is_named(world: GitWorld) -> None:
    """Nor where the repository has no checkout to copy from."""
    play(lambda: _nothing(world))


async def _nothing(world: GitWorld) -> None:
    assert (await prepare(world, Inclusion())).included == ()
    await world.workspaces.retire("t1", landed=False)
    world.user.git("config", "core.bare", "true")
    assert (await prepare(world)).included == ()
    world.user.git("config", "core.bare", "false")


def test_what_would_become_part_of_a_change_is_not_copied(world: GitWorld) -> None:
    """A file that git does not ignore, and one that the commit has."""
    world.edit("draft.txt", "mine\n")
    base = world.commit({"seed.log": "tracked\n"})
    world.user.git("rm", "-q", "--cached", "seed.log")
    world.edit("seed.log", "mine\n")

    async def body() -> None:
        workspace = await prepare(world, Inclusion(patterns=("draft.txt", "seed.log", ".env")), base=base)
        assert workspace.included == (".env",)
        assert workspace.left_out == (
            "draft.txt is not copied: git does not ignore it, so it would become part of the change.",
            "seed.log is not copied: it is part of the commit.",
        )
        assert (workspace.folder / "seed.log").read_text() == "tracked\n"

    play(body)


def test_links_are_followed_within_the_checkout_only(world: GitWorld, tmp_path: Path) -> None:
    """And neither pipes nor folders in the place of a file hold anything up."""
    (tmp_path / "outside").write_text("not yours\n")
    top = world.user.path
    (top / "out.log").symlink_to(tmp_path / "outside")
    (top / "git.log").symlink_to(".git/config")
    (top / "in.log").symlink_to(".env")
    (top / "gone.log").symlink_to("nowhere")
    (top / "loop.log").symlink_to("loop.log")
    os.mkfifo(top / "pipe.log")

    async def body() -> None:
        async with asyncio.timeout(60):
            workspace = await prepare(world, Inclusion(patterns=("*.log",)))
        assert workspace.included == ("in.log", "old.log")
        assert (workspace.folder / "in.log").read_text() == SECRET
        assert not (workspace.folder / "in.log").is_symlink()
        assert {sentence.partition(" ")[0] for sentence in workspace.left_out} >= {"out.log", "git.log", "gone.log"}
        assert "out.log is not copied: it leads out of the checkout." in workspace.left_out
        assert not (workspace.folder / "pipe.log").exists()

    play(body)


def test_links_of_the_commit_are_not_written_through(world: GitWorld, tmp_path: Path) -> None:
    """A commit has a link where the user's checkout has a folder: what is named lands in neither of both."""
    (tmp_path / "victim").mkdir()
    world.edit("conf/app.log", "mine\n")
    blob = world.user.git("hash-object", "-w", "--stdin", stdin=str(tmp_path / "victim"))
    world.user.git("read-tree", "--index-output=.git/other", "HEAD")
    index = {"GIT_INDEX_FILE": ".git/other"}
    world.user.git("update-index", "--add", "--cacheinfo", f"120000,{blob},conf", env=index)
    tree = world.user.git("write-tree", env=index)
    base = CommitId(world.user.git("commit-tree", "-m", "a link", "-p", "HEAD", tree))
    world.user.git("branch", "linked", base)

    async def body() -> None:
        workspace = await prepare(world, Inclusion(patterns=("conf/app.log",)), base=base)
        assert workspace.included == ()
        assert [sentence.partition(":")[0] for sentence in workspace.left_out] == ["conf/app.log is not copied"]
        assert (workspace.folder / "conf").is_symlink()
        assert list((tmp_path / "victim").iterdir()) == []

    play(body)


def test_too_much_is_refused_with_what_to_do(world: GitWorld) -> None:
    """Before anything is made; less of it goes."""
    (world.user.path / "big.log").write_bytes(b"x" * (3 << 20))

    async def body() -> None:
        with pytest.raises(Refused, match="is 4 MB; at most 2 MB are") as refusal:
            await prepare(world, Inclusion(patterns=("*.log",), megabytes=2))
        assert "include_megabytes" in refusal.value.hint
        assert await world.workspaces.find("t1") is None
        assert (await prepare(world, Inclusion(patterns=("*.log",), megabytes=4))).included == ("big.log", "old.log")

    play(body)


@pytest.mark.parametrize("walls", [False, True], ids=["open", "walls"])
def test_what_was_copied_never_gets_into_git(tmp_path: Path, walls: bool) -> None:
    """Not renamed, not copied, not added by force, in no commit or stash, and in no archive; the work is kept."""
    world = furnished(GitWorld(tmp_path, walls=walls))

    async def body() -> None:
        await prepare(world)
        agent = world.agent("t1")
        agent.write({"work.txt": "the work\n", "copy.txt": SECRET, "dir/deep/copy.txt": SECRET, "build/a.log": SECRET})
        agent.write({"build/b.log": "build output\n", ".gitignore": "*.log\n!.env\n"})
        (agent.path / "hard.txt").hardlink_to(agent.path / "copy.txt")
        first = await world.workspaces.snapshot("t1")
        assert not first.withheld
        assert first.uncommitted == (".gitignore", "work.txt")
        leftovers = await world.workspaces.commit_leftovers("t1", first, message="left", author=AGENT)
        await world.workspaces.publish(TaskId("t1"), leftovers.head)

        own = commit(world, "clean", "work.txt")
        commit(world, "by force", ".env")
        agent.git("rm", "-q", "--cached", ".env")
        agent.git("branch", "aside")
        agent.write({"more.txt": "more work\n"})
        commit(world, "another name", "copy.txt", "more.txt")
        agent.git("stash", "--all", without=NAMES)
        agent.git("stash", "pop", "-q")
        second = await world.workspaces.snapshot("t1")
        assert second.withheld
        assert second.head == own
        assert set(second.uncommitted) == {".gitignore", "more.txt"}
        await world.workspaces.publish(TaskId("t1"), second.head)

        rescue = await world.workspaces.retire("t1", landed=False)
        assert rescue is not None
        kept = everything_kept(world)
        assert b"correct-horse" not in kept
        assert b"more work" in kept
        assert b"build output" in kept
        assert set(world.user.git("ls-tree", "-r", "--name-only", rescue).splitlines()) >= {"work.txt", "more.txt"}

    play(body)


def test_an_edited_copy_is_known_by_its_name(world: GitWorld) -> None:
    """What the agent makes of `.env` stays out of git, too, in trees and in commits."""

    async def body() -> None:
        await prepare(world)
        world.write("t1", {".env": "TOKEN=another-long-secret\n", "work.txt": "the work\n"})
        commit(world, "by force", ".env", "work.txt")
        taken = await world.workspaces.snapshot("t1")
        assert (taken.withheld, taken.uncommitted) == (True, ("work.txt",))
        await world.workspaces.retire("t1", landed=False)
        assert b"another-long-secret" not in everything_kept(world)

    play(body)


def test_other_line_ends_are_the_same_content(world: GitWorld) -> None:
    """Git may turn the one into the other when it takes a file in."""
    world.commit({".gitattributes": "* text=auto\n"})
    (world.user.path / ".env").write_bytes(b"TOKEN=correct-horse\r\nMORE=battery-staple\r\n")

    async def body() -> None:
        workspace = await prepare(world)
        (workspace.folder / "copy.txt").write_bytes((workspace.folder / ".env").read_bytes())
        assert (await world.workspaces.snapshot("t1")).uncommitted == ()
        commit(world, "converted", "copy.txt")
        assert (await world.workspaces.snapshot("t1")).withheld
        await world.workspaces.retire("t1", landed=False)
        assert b"correct-horse" not in everything_kept(world)

    play(body)


def test_what_everybody_has_is_no_secret(world: GitWorld) -> None:
    """An empty file that was copied, or one whose content is in the commit anyway, keeps no other file out."""
    world.edit("empty.log", "")
    world.edit("same.log", "a line that is no secret at all\n")
    world.commit({"shown.txt": "a line that is no secret at all\n"})

    async def body() -> None:
        workspace = await prepare(world, Inclusion(patterns=("*.log",)))
        assert workspace.included == ("empty.log", "old.log", "same.log")
        world.write("t1", {"__init__.py": "", "again.txt": "a line that is no secret at all\n"})
        taken = await world.workspaces.snapshot("t1")
        assert taken.uncommitted == ("__init__.py", "again.txt")
        commit(world, "mine", "__init__.py", "again.txt")
        assert not (await world.workspaces.snapshot("t1")).withheld
        await world.workspaces.retire("t1", landed=False)

    play(body)


def test_a_history_without_a_beginning_is_left_out_too(world: GitWorld) -> None:
    """An agent that began a history of its own with a secret in it: the files are kept on top of the base."""

    async def body() -> None:
        await prepare(world)
        base = await world.repository.tip("main")
        agent = world.agent("t1")
        agent.git("checkout", "-q", "--orphan", "fresh")
        agent.write({"work.txt": "the work\n"})
        commit(world, "all of it", ".env", "work.txt", "a.txt")
        taken = await world.workspaces.snapshot("t1")
        assert (taken.head, taken.withheld) == (base, True)
        assert taken.uncommitted == ("work.txt",)
        await world.workspaces.retire("t1", landed=False)
        assert b"correct-horse" not in everything_kept(world)

    play(body)


@pytest.mark.parametrize("how", ["no git dir", "broken head"])
def test_a_broken_workspace_is_archived_without_what_was_copied(world: GitWorld, how: str) -> None:
    """Also where all of it has to go into an archive, the git dir included."""

    async def body() -> None:
        await prepare(world)
        agent = world.agent("t1")
        agent.write({"work.log": "the work\n", "copy.log": SECRET, "copy.txt": SECRET})
        agent.git("add", "-f", "copy.txt")
        if how == "no git dir":
            world.break_repository("t1")
        else:
            (agent.path / ".git" / "HEAD").write_text("nonsense\n")
        await world.workspaces.retire("t1", landed=False)
        kept = everything_kept(world)
        assert b"the work" in kept
        assert b"correct-horse" not in kept
        assert b"copy.log" not in kept

    play(body)


def test_a_landed_workspace_goes_without_a_rescue(world: GitWorld) -> None:
    """What was copied is no reason to keep anything."""

    async def body() -> None:
        await prepare(world)
        assert await world.workspaces.retire("t1", landed=False) is None
        assert not (world.root / "archive.d").exists()

    play(body)
