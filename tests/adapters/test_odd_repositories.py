"""Repositories that are damaged, locked, from elsewhere or oddly named: they work, or one sentence says what to do.

What is wrong with a repository is said with the file, the branch or the object that it is about, not in the words in
which git's plumbing fails.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bandstand.adapters.git import alternates
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable
from bandstand.domain.ids import TaskId
from bandstand.ports.git import CheckoutInTheWay
from bandstand.testing.sandbox import OpenSandbox
from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.real_git import Folder

ODD = "new\nline: \"quoted\" 'too' #1 $(x) \t\\n %s \udcff e\u0301 \u00e9"
"""A name with everything in it that some program takes for something else."""


@pytest.fixture
def main(tmp_path: Path) -> Folder:
    """A repository with `main` checked out."""
    return Folder.init(tmp_path / "repository")


def loose(folder: Folder, name: str) -> Path:
    """The file of an object, to be spoilt."""
    id = folder.git("rev-parse", name)
    file = folder.path / ".git" / "objects" / id[:2] / id[2:]
    file.chmod(0o600)
    return file


def _commit_gone(main: Folder) -> None:
    loose(main, "HEAD").unlink()


def _commit_spoilt(main: Folder) -> None:
    loose(main, "HEAD").write_bytes(b"junk")


def _branch_to_nothing(main: Folder) -> None:
    (main.path / ".git" / "refs" / "heads" / "bad").write_text("1" * 40 + "\n")


def _lender_gone(main: Folder) -> None:
    (main.path / ".git" / "objects" / "info" / "alternates").write_text("/nowhere/objects\n")
    _commit_gone(main)


def _settings_spoilt(main: Folder) -> None:
    (main.path / ".git" / "config").write_text("[core\njunk")


def _head_spoilt(main: Folder) -> None:
    (main.path / ".git" / "HEAD").write_text("junk")


def _of_the_future(main: Folder) -> None:
    main.git("config", "core.repositoryFormatVersion", "1")
    main.git("config", "extensions.newThing", "1")


DAMAGE: tuple[tuple[Callable[[Folder], None], type[BandstandError], str, str], ...] = (
    (_commit_gone, Broken, r"is damaged: refs/heads/main cannot be read", "git fsck"),
    (_commit_spoilt, Broken, r"is damaged: [0-9a-f]{40} \(.*\) cannot be read", "git fsck"),
    (_branch_to_nothing, Broken, r"is damaged: refs/heads/bad cannot be read", "git fsck"),
    (_lender_gone, Broken, r"borrows objects from /nowhere/objects, which is not there", "alternates"),
    (_settings_spoilt, Refused, r"cannot read its settings .*: bad config line 1", "Mend that line"),
    (_head_spoilt, Refused, r"\.git is there, but git does not take it for a repository", "mend it"),
    (_of_the_future, Refused, r"needs a newer git than this machine has: newthing", "newer git"),
)


@pytest.mark.parametrize(("spoil", "kind", "words", "hint"), DAMAGE, ids=[one[0].__name__ for one in DAMAGE])
def test_damage_is_named(
    spoil: Callable[[Folder], None], kind: type[BandstandError], words: str, hint: str, main: Folder
) -> None:
    """With what is damaged, and with what to do about it; never in three lines of a library that unpacks."""
    spoil(main)
    with pytest.raises(kind, match=words) as told:
        asyncio.run(main.open())
    assert hint in told.value.hint
    assert "\n" not in told.value.message


def test_files_that_are_gone_are_named_when_a_workspace_needs_them(main: Folder, tmp_path: Path) -> None:
    """The repository is found; what it lacks shows when its files are to be written."""
    loose(main, "HEAD:dir/c.txt").unlink()

    async def prepare() -> None:
        workspaces = GitWorkspaces(await main.open(), tmp_path / "state", OpenSandbox())
        await workspaces.prepare("t1", base=main.head(), target="main", author=AGENT, committer=BAND)

    with pytest.raises(Broken, match=r"is damaged: [0-9a-f]{40} 'dir/c.txt' cannot be read"):
        asyncio.run(prepare())


def test_a_lock_that_was_left_is_named(main: Folder) -> None:
    """With its path, for it has to be removed by hand; when it is gone the same order goes through."""
    new = main.commit_aside("new", {"a.txt": "new\n"})
    repository = asyncio.run(main.open())
    file = main.path / ".git" / "refs" / "heads" / "main.lock"
    file.touch()
    with pytest.raises(Unavailable, match="Another git is at work in") as told:
        asyncio.run(repository.land("main", old=main.head(), new=new))
    assert str(file) in f"{told.value} {told.value.hint}"
    assert "remove" in told.value.hint
    assert main.text("a.txt") == "a\n"
    file.unlink()
    asyncio.run(repository.land("main", old=main.head(), new=new))
    assert (main.text("a.txt"), main.status()) == ("new\n", [])


def test_a_spoilt_index_of_the_users_is_named(main: Folder) -> None:
    """Nothing lands over it, and how to make a new one is said."""
    new = main.commit_aside("new", {"a.txt": "new\n"})
    repository = asyncio.run(main.open())
    (main.path / ".git" / "index").write_bytes(b"junk")
    with pytest.raises(Broken, match=r"The index of .* is damaged") as told:
        asyncio.run(repository.land("main", old=main.head(), new=new))
    assert "git reset" in told.value.hint
    assert main.text("a.txt") == "a\n"
    assert not (main.path / ".git" / "index.lock").exists()


def test_a_clone_that_left_files_out_is_refused(main: Folder, tmp_path: Path) -> None:
    """As git itself makes one, not only as its format calls it: agents have no network to fetch the rest from."""
    main.git("config", "uploadpack.allowFilter", "true")
    main.git("clone", "-q", "--filter=blob:none", f"file://{main.path}", str(tmp_path / "partial"))
    with pytest.raises(Refused, match="is a partial clone") as told:
        asyncio.run(Folder(tmp_path / "partial").open())
    assert "without --filter" in told.value.hint


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """Line breaks, colons and quotes, which lists of folders have their own use for, and bytes that are no text."""
    (tmp_path / ODD).mkdir()
    world = GitWorld(tmp_path / ODD, walls=True)
    assert "\n" in str(world.repository.store.objects()[0])

    async def work() -> None:
        base = world.user.head()
        await world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND)
        agent = world.agent("t1")
        assert agent.status() == []
        head = agent.commit("agent", {"a.txt": "2\n"})
        taken = await world.workspaces.snapshot("t1")
        assert (taken.head, taken.uncommitted) == (head, ())
        await world.workspaces.publish(TaskId("t1"), head)
        await world.repository.land("main", old=base, new=head)
        assert await world.workspaces.retire("t1", landed=True) is None

    asyncio.run(work())
    assert (world.user.text("a.txt"), world.user.status()) == ("2\n", [])
    # Who borrows from it finds its objects as git does.
    borrowed = world.repository.store.objects()[0]
    (tmp_path / "own" / "info").mkdir(parents=True)
    (tmp_path / "own" / "info" / "alternates").write_bytes(b"# a remark\n" + alternates.lines([borrowed]))
    assert alternates.stores(tmp_path / "own") == (tmp_path / "own", borrowed)


def test_a_branch_that_a_tag_has_the_name_of_is_still_the_branch(main: Folder) -> None:
    """Names are never left to git's own order of guessing."""
    old = main.head()
    main.git("tag", "main", main.commit_aside("elsewhere", {"x.txt": "x\n"}))
    main.git("tag", "band/t1")
    new = main.commit_aside("new", {"a.txt": "new\n"}, onto="refs/heads/main")

    async def work() -> GitRepository:
        repository = await main.open()
        assert await repository.tip("main") == old
        await repository.land("main", old=old, new=new)
        await repository.publish("band/t1", new)
        return repository

    asyncio.run(work())
    assert main.head("refs/heads/main") == main.head("refs/heads/band/t1") == new
    assert main.text("a.txt") == "new\n"


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (("merge", "other"), "A merge"),
        (("rebase", "other"), "A rebase of main"),
        (("cherry-pick", "other"), "A cherry-pick"),
        (("revert", "HEAD~1"), "A revert"),
    ],
)
def test_what_the_user_is_in_the_middle_of_is_said(begin: tuple[str, ...], reason: str, main: Folder) -> None:
    """By its name, so that it can be ended: there may be no file to name. Then the landing goes through."""
    main.git("switch", "-q", "-c", "other")
    main.commit("other", {"a.txt": "other\n"})
    main.git("switch", "-q", "main")
    main.commit("second", {"a.txt": "second\n"})
    main.commit("third", {"a.txt": "third\n"})
    tip = main.head()
    main.git(*begin, ok=(1,))
    new = main.commit_aside("new", {"b.txt": "new\n"}, onto=tip)
    repository = asyncio.run(main.open())
    with pytest.raises(CheckoutInTheWay) as way:
        asyncio.run(repository.land("main", old=tip, new=new))
    assert way.value.reason.startswith(f"{reason} is under way")
    assert main.head("refs/heads/main") == tip
    main.git(begin[0], "--abort")
    asyncio.run(repository.land("main", old=tip, new=new))
    assert (main.text("b.txt"), main.status()) == ("new\n", [])


def test_settings_of_the_users_that_run_or_change_things_change_nothing(main: Folder, tmp_path: Path) -> None:
    """Aliases, signing, colours, pagers, splits of the index: git is asked in ways that none of them reaches."""
    witness = tmp_path / "witness"
    old = main.head()
    new = main.commit_aside("new é", {"a.txt": "new\n", "new.txt": "x\n"})
    main.git("update-index", "--split-index")
    for key, value in {
        "alias.rev-parse": f"!touch {witness}",
        "alias.read-tree": f"!touch {witness}",
        "color.ui": "always",
        "commit.gpgSign": "true",
        "core.abbrev": "4",
        "core.editor": f"touch {witness}",
        "core.fsmonitor": f"touch {witness}",
        "core.pager": f"touch {witness}",
        "core.quotePath": "false",
        "core.splitIndex": "true",
        "core.untrackedCache": "true",
        "diff.external": f"touch {witness}",
        "diff.noprefix": "true",
        "feature.manyFiles": "true",
        "gpg.program": f"touch {witness}",
        "i18n.commitEncoding": "latin1",
        "includeIf.gitdir:/**.path": "/nowhere/settings",
        "log.showSignature": "true",
        "merge.conflictStyle": "zdiff3",
        "merge.ff": "only",
        "status.showUntrackedFiles": "no",
        "submodule.recurse": "true",
    }.items():
        main.git("config", key, value)

    async def work() -> str:
        repository = await main.open()
        await repository.land("main", old=old, new=new)
        return await repository.diff(base=old, head=new)

    assert asyncio.run(work()).startswith("diff --git a/a.txt b/a.txt\n")
    assert (main.text("a.txt"), main.text("new.txt")) == ("new\n", "x\n")
    assert not witness.exists()
    assert main.git("-c", "core.fsmonitor=false", "-c", "color.ui=false", "status", "--porcelain") == ""


def test_a_folder_of_another_user_is_refused_with_the_way_to_trust_it(main: Folder) -> None:
    """Git's own protection, in a sentence: whoever writes a repository's settings runs programs as its reader."""
    foreign = {**os.environ, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "HOME": "/nonexistent"}
    launcher = main.path.parent / "bin" / "git"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 PATH={os.environ["PATH"]} exec git "$@"\n')
    launcher.chmod(0o755)
    environment = foreign | {"PATH": str(launcher.parent)}
    with pytest.raises(Refused, match="belongs to another user") as told:
        asyncio.run(GitRepository.find(main.path, environment=environment, new_id=lambda: "1" * 16))
    assert f"safe.directory {main.path}" in told.value.hint
