"""The user's real repository: found, told apart, read, merged without running anything of anybody."""

import asyncio
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bandstand.adapters.git.command import Git, silenced
from bandstand.adapters.git.repository import GitRepository
from bandstand.domain.errors import Refused
from bandstand.domain.ids import CommitId
from bandstand.ports.git import Conflicted, Merged, MergeOrder, Signature
from tests.real_git import Folder, ids

ADA = Signature(name="Ada Example", email="ada@example.org")


@pytest.fixture
def main(tmp_path: Path) -> Folder:
    """A repository with `main` checked out."""
    return Folder.init(tmp_path / "repository")


def find(path: Path, **environment: str) -> GitRepository:
    """The repository that a folder is in."""
    whole = {**os.environ, **environment}
    return asyncio.run(GitRepository.find(path, environment=whole, new_id=lambda: os.urandom(8).hex()))


def merge(repository: GitRepository, onto: CommitId, change: CommitId) -> Merged | Conflicted:
    """Merge as the queue does."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    order = MergeOrder(onto=onto, change=change, message="m", author=ADA, committer=ADA, at=at, squash=True)
    return asyncio.run(repository.merge(order))


def test_it_is_found_from_any_folder_in_it(main: Folder, tmp_path: Path) -> None:
    """Below the top, in its git dir, through a link, in a linked worktree: one repository, one id."""
    main.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    (tmp_path / "link").symlink_to(main.path)
    top = find(main.path)
    for path, checkout in (
        (main.path / "dir", main.path),
        (main.path / ".git" / "refs", main.path),
        (tmp_path / "link" / "dir", main.path),
        (tmp_path / "linked", tmp_path / "linked"),
    ):
        found = find(path)
        assert (found.id, found.path.resolve(), found.git_dir) == (top.id, checkout, main.path / ".git")
    assert len(top.id) == 16


def test_drafts_of_an_id_go_when_their_writer_is_dead(main: Folder) -> None:
    """Who is killed while it gives an id leaves nothing in the user's git dir for long; who lives is left alone."""
    dead = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    git_dir = main.path / ".git"
    for pid in (dead, "1"):
        (git_dir / f"bandstand-id-{pid}").write_text("half")
    first = find(main.path).id
    assert sorted(path.name for path in git_dir.glob("bandstand-id*")) == ["bandstand-id", "bandstand-id-1"]
    (git_dir / f"bandstand-id-{dead}").hardlink_to(git_dir / "bandstand-id")
    assert find(main.path).id == first
    assert sorted(path.name for path in git_dir.glob("bandstand-id*")) == ["bandstand-id", "bandstand-id-1"]


def test_moves_keep_the_id_and_copies_get_one_of_their_own(main: Folder, tmp_path: Path) -> None:
    """A clone is another repository too; one that took the place of another keeps the id it brought."""
    first = find(main.path).id
    assert find(main.path).id == first
    main.path.rename(tmp_path / "moved")
    moved = Folder(tmp_path / "moved")
    assert find(moved.path).id == first
    shutil.copytree(moved.path, tmp_path / "copy", symlinks=True)
    copy = find(tmp_path / "copy").id
    assert copy != first
    assert (find(tmp_path / "copy").id, find(moved.path).id) == (copy, first)
    moved.git("clone", "-q", str(moved.path), str(tmp_path / "clone"))
    assert find(tmp_path / "clone").id not in {first, copy}
    # Moved to another disk: a copy, and then the original is gone.
    shutil.copytree(moved.path, tmp_path / "elsewhere", symlinks=True)
    shutil.rmtree(moved.path)
    assert find(tmp_path / "elsewhere").id == first
    # Brought back from a backup to where it was.
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "backup", symlinks=True)
    shutil.rmtree(tmp_path / "elsewhere")
    (tmp_path / "backup").rename(tmp_path / "elsewhere")
    assert find(tmp_path / "elsewhere").id == first


def test_what_is_wrong_is_said_at_once(main: Folder, tmp_path: Path) -> None:
    """No repository, no commit, no git, no such folder, half a repository."""
    (tmp_path / "none").mkdir()
    Folder(tmp_path / "none").git("init", "-q", str(tmp_path / "empty"))
    main.git("clone", "-q", str(main.path), str(tmp_path / "partial"))
    Folder(tmp_path / "partial").git("config", "extensions.partialClone", "origin")
    for path, environment, words in (
        (tmp_path / "none", {}, "not in a git repository"),
        (tmp_path / "empty", {}, "no commit yet"),
        (main.path, {"PATH": str(tmp_path)}, "git is not installed"),
        (tmp_path / "nowhere", {}, "does not exist"),
        (tmp_path / "partial", {}, "partial clone"),
    ):
        with pytest.raises(Refused, match=words) as told:
            find(path, **environment)
        assert told.value.hint or path.name == "nowhere"


def test_an_old_git_is_refused(main: Folder, tmp_path: Path) -> None:
    """With the version that is needed."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\necho git version 2.30.2\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    with pytest.raises(Refused, match=r"2\.38 or newer"):
        find(main.path, PATH=str(tmp_path / "bin"))


def test_who_the_user_is(main: Folder, tmp_path: Path) -> None:
    """By the environment, by the settings, and never by guessing from the machine."""
    nobody = {"GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": "", "EMAIL": "", "HOME": str(tmp_path)}
    settings = {name: value for name, value in os.environ.items() if name not in nobody}

    async def user() -> Signature:
        repository = await GitRepository.find(main.path, environment=settings, new_id=ids())
        return await repository.user()

    with pytest.raises(Refused, match="who you are"):
        asyncio.run(user())
    main.git("config", "user.name", "Grace Example")
    main.git("config", "user.email", "grace@example.org")
    assert asyncio.run(user()) == Signature(name="Grace Example", email="grace@example.org")


def test_the_default_branch_is_the_remotes(main: Folder, tmp_path: Path) -> None:
    """Then `main` or `master`, then what is checked out, then nobody knows."""
    main.git("branch", "-q", "-M", "trunk")
    main.git("branch", "main")
    main.git("clone", "-q", str(main.path), str(tmp_path / "clone"))
    assert asyncio.run(find(tmp_path / "clone").default_branch()) == "trunk"
    assert asyncio.run(find(main.path).default_branch()) == "main"
    main.git("branch", "-q", "-D", "main")
    assert asyncio.run(find(main.path).default_branch()) == "trunk"
    main.git("switch", "-q", "--detach")
    with pytest.raises(Refused):
        asyncio.run(find(main.path).default_branch())


def test_a_change_lists_every_path_it_touches(main: Folder) -> None:
    """A renamed file under both names, modes, links, binary files, names that are no text."""
    base = main.commit("long", {"long.txt": "".join(f"line {number}\n" for number in range(50))})
    main.git("mv", "long.txt", "renamed.txt")
    (main.path / "a.txt").chmod(0o755)
    (main.path / "b.txt").unlink()
    (main.path / "b.txt").symlink_to("a.txt")
    (main.path / "\udcff\n.bin").write_bytes(b"\0\1\2")
    (main.path / "renamed.txt").write_text((main.path / "renamed.txt").read_text() + "one more\n")
    head = main.commit("change", {})
    change = asyncio.run(find(main.path).change(base=base, head=head))
    assert [(file.path, file.status, file.added, file.deleted) for file in change.files] == [
        ("a.txt", "M", 0, 0),
        ("b.txt", "T", 1, 1),
        ("long.txt", "D", 0, 0),
        ("renamed.txt", "R", 1, 0),
        ("\udcff\n.bin", "A", 0, 0),
    ]
    assert asyncio.run(find(main.path).read(head, "b.txt")) is None


def test_a_merge_runs_nothing_of_anybody(main: Folder, tmp_path: Path) -> None:
    """Neither drivers, filters, text conversions nor hooks, though attributes ask for them."""
    witness = tmp_path / "witness"
    spy = f"sh -c 'echo ran >> {witness}'"
    base = main.commit("base", {".gitattributes": "*.txt merge=spy filter=spy diff=spy\n"})
    for key in ("merge.spy.driver", "filter.spy.smudge", "filter.spy.clean", "diff.spy.textconv", "diff.external"):
        main.git("config", key, spy)
    main.plant_hooks(witness)
    theirs = main.commit_aside("theirs", {"a.txt": "1\na\n", "dir/c.txt": "C\n"}, onto=base)
    ours = main.commit_aside("ours", {"a.txt": "a\n2\n"}, onto=base)
    witness.unlink(missing_ok=True)
    repository = find(main.path)
    merged = merge(repository, ours, theirs)
    assert isinstance(merged, Conflicted | Merged)
    asyncio.run(repository.diff(base=base, head=theirs))
    asyncio.run(repository.change(base=base, head=theirs))
    assert not witness.exists()


@pytest.mark.parametrize("known", [False, True])
def test_the_targets_attributes_say_how_to_merge(known: bool, main: Folder) -> None:
    """`merge=union` spares a changelog its conflicts; a change cannot ask for it itself. Also where the paths of all
    commits are known."""
    base = main.commit("log", {"CHANGES": "old\n"})
    union = main.commit("union", {".gitattributes": "CHANGES merge=union\n"})
    ours = main.commit_aside("ours", {"CHANGES": "ours\nold\n"}, onto=union)
    theirs = main.commit_aside("theirs", {"CHANGES": "theirs\nold\n"}, onto=base)
    repository = find(main.path)
    for commit in (ours, theirs) if known else ():
        asyncio.run(repository.files(commit))
    merged = merge(repository, ours, theirs)
    assert isinstance(merged, Merged)
    assert main.git("show", f"{merged.commit}:CHANGES").splitlines() == ["ours", "theirs", "old"]
    conflict = merge(repository, theirs, ours)
    assert isinstance(conflict, Conflicted)


def test_a_conflict_is_shown_in_a_few_lines(main: Folder) -> None:
    """Both sides by their names, a little around them, never more than eight kilobytes."""
    text = [f"line {number}\n" for number in range(4000)]
    base = main.commit("base", {"long.txt": "".join(text)})
    ours = main.commit_aside("ours", {"long.txt": "".join([*text[:9], "ours\n", *text[10:]])}, onto=base)
    theirs = main.commit_aside("theirs", {"long.txt": "".join([*text[:9], "theirs\n", *text[10:]])}, onto=base)
    conflict = merge(find(main.path), ours, theirs)
    assert isinstance(conflict, Conflicted)
    shown = "line 7\nline 8\n<<<<<<< target\nours\n=======\ntheirs\n>>>>>>> change\nline 10\n"
    assert "CONFLICT (content)" in conflict.detail and shown in conflict.detail
    assert "line 20" not in conflict.detail
    lots = {f"{side}.txt": "".join(f"{side} {number}\n" for number in range(4000)) for side in ("x", "y")}
    other = {name: words.replace("x", "z").replace("y", "z") for name, words in lots.items()}
    long = merge(find(main.path), *(main.commit_aside("c", files, onto=base) for files in (lots, other)))
    assert isinstance(long, Conflicted)
    assert long.paths == ("x.txt", "y.txt")
    assert len(long.detail.encode()) < 8300 and long.detail.endswith("[…]")


def test_merging_leaves_nothing_behind(main: Folder, tmp_path: Path) -> None:
    """No file but the loose objects, wherever temporary files go."""
    (tmp_path / "tmp").mkdir()
    ours, theirs = main.commit_aside("o", {"a.txt": "A\n"}), main.commit_aside("t", {"b.txt": "B\n"})
    repository = find(main.path)
    before = {path for path in (main.path / ".git").rglob("*") if "objects" not in path.parts}
    merge(repository, ours, theirs)
    assert {path for path in (main.path / ".git").rglob("*") if "objects" not in path.parts} == before


def test_hooks_in_the_configuration_are_kept_still(main: Folder) -> None:
    """Newer gits have hooks that stand in no folder; each of them is switched off by name."""
    main.git("config", "hook.lint.command", "lint")
    main.git("config", "hook.lint.event", "post-index-change")
    main.git("config", "hook.with.dots.command", "dots")
    options = asyncio.run(silenced(Git(os.environ).command("config", at=main.path)))
    assert options == ("-c", "hook.lint.enabled=false", "-c", "hook.with.dots.enabled=false")
    new = main.commit_aside("change", {"a.txt": "A\n"})
    asyncio.run(find(main.path).land("main", old=main.head(), new=new))
    assert main.status() == []
