"""The user's checkout is never surprised: landing moves the branch and the files of its checkouts, or nothing."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bandstand.domain.errors import Refused
from bandstand.domain.ids import CommitId
from bandstand.ports.git import CheckoutInTheWay, TargetMoved
from tests.real_git import Folder


@pytest.fixture
def main(tmp_path: Path) -> Folder:
    """A repository with `main` checked out."""
    files = {".gitignore": "*.log\n.env\n", "a.txt": "a\n", "b.txt": "b\n", "dir/c.txt": "c\n", "old/d.txt": "d\n"}
    return Folder.init(tmp_path / "repository", files)


def land(folder: Folder, new: CommitId, *, old: CommitId | None = None, branch: str = "main") -> None:
    """Land a commit as the merge queue does."""
    before = folder.head() if old is None else old

    async def work() -> None:
        repository = await folder.open()
        await repository.land(branch, old=before, new=new)

    asyncio.run(work())


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of a checkout, git's own aside."""
    files = (path for path in folder.rglob("*") if ".git" not in path.parts and (path.is_file() or path.is_symlink()))
    return {str(path): os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() for path in files}


CHANGE: dict[str, str | None] = {"a.txt": "A\n", "dir/c.txt": None, "new/file.txt": "new\n"}


def test_a_clean_checkout_follows_its_branch(main: Folder) -> None:
    """Files are changed, removed and added, and `git status` has nothing to say."""
    new = main.commit_aside("change", CHANGE)
    land(main, new)
    assert main.head() == new
    assert main.status() == []
    assert (main.text("a.txt"), main.text("new/file.txt")) == ("A\n", "new\n")
    assert not (main.path / "dir").exists()
    assert sorted(path.name for path in (main.path / ".git").glob("index*")) == ["index"]


def test_edits_elsewhere_stay_as_they_are(main: Folder) -> None:
    """What the user has edited, staged, removed or added in other files is there afterwards, and only that."""
    main.write({"b.txt": "mine\n", "staged.txt": "mine\n", "loose.txt": "mine\n", "old/d.txt": None, "x.log": "log\n"})
    main.git("add", "staged.txt")
    before = main.status()
    land(main, main.commit_aside("change", CHANGE))
    assert main.status() == before == [" M b.txt", " D old/d.txt", "A  staged.txt", "?? loose.txt"]
    assert (main.text("b.txt"), main.text("x.log"), main.text("a.txt")) == ("mine\n", "log\n", "A\n")


def _edit_a_file(folder: Folder) -> None:
    folder.write({"a.txt": "mine\n"})


def _stage_a_file(folder: Folder) -> None:
    folder.write({"a.txt": "mine\n"})
    folder.git("add", "a.txt")


def _stage_and_edit_back(folder: Folder) -> None:
    _stage_a_file(folder)
    folder.write({"a.txt": "a\n"})


def _remove_a_file(folder: Folder) -> None:
    folder.write({"a.txt": None})


def _edit_what_is_removed(folder: Folder) -> None:
    folder.write({"dir/c.txt": "mine\n"})


def _an_untracked_file(folder: Folder) -> None:
    folder.write({"new/file.txt": "mine\n"})


def _an_untracked_file_where_a_folder_comes(folder: Folder) -> None:
    folder.write({"new": "mine\n"})


def _an_untracked_folder_where_a_file_comes(folder: Folder) -> None:
    folder.write({"new/file.txt/deep": "mine\n"})


def _a_link_out_of_the_checkout(folder: Folder) -> None:
    outside = folder.path.parent / "outside"
    outside.mkdir()
    (outside / "file.txt").write_text("mine\n")
    (folder.path / "new").symlink_to(outside)


def _a_staged_new_file(folder: Folder) -> None:
    folder.write({"new/file.txt": "mine\n"})
    folder.git("add", "new/file.txt")


def _a_new_file_that_is_only_announced(folder: Folder) -> None:
    folder.write({"new/file.txt": "mine\n"})
    folder.git("add", "-N", "new/file.txt")


def _a_changed_mode(folder: Folder) -> None:
    (folder.path / "a.txt").chmod(0o755)


def _a_hidden_edit(folder: Folder) -> None:
    folder.write({"a.txt": "mine\n"})
    folder.git("update-index", "--assume-unchanged", "a.txt")


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (_edit_a_file, "a.txt"),
        (_stage_a_file, "a.txt"),
        (_stage_and_edit_back, "a.txt"),
        (_remove_a_file, "a.txt"),
        (_edit_what_is_removed, "dir/c.txt"),
        (_an_untracked_file, "new/file.txt"),
        (_an_untracked_file_where_a_folder_comes, "new"),
        (_an_untracked_folder_where_a_file_comes, "new/file.txt/deep"),
        (_a_link_out_of_the_checkout, "new"),
        (_a_staged_new_file, "new/file.txt"),
        (_a_new_file_that_is_only_announced, "new/file.txt"),
        (_a_changed_mode, "a.txt"),
        (_a_hidden_edit, "a.txt"),
    ],
)
def test_the_users_own_edit_stops_a_landing(edit: Callable[[Folder], None], path: str, main: Folder) -> None:
    """When an edit of the user touches a path of the change, nothing moves and the path is named."""
    new = main.commit_aside("change", CHANGE)
    edit(main)
    head, status, files = main.head(), main.status(), everything(main.path)
    with pytest.raises(CheckoutInTheWay) as told:
        land(main, new)
    assert told.value.paths == (path,)
    assert told.value.checkout == main.path
    assert (main.head(), main.status(), everything(main.path)) == (head, status, files)
    assert sorted(path.name for path in (main.path / ".git").glob("index*")) == ["index"]


def test_an_ignored_file_of_the_user_is_not_overwritten(main: Folder) -> None:
    """A change that brings `.env` stops at the user's own one, although git would overwrite ignored files."""
    new = main.commit_aside("change", {".env": "THEIRS\n"})
    main.write({".env": "SECRET\n"})
    with pytest.raises(CheckoutInTheWay) as told:
        land(main, new)
    assert told.value.paths == (".env",)
    assert main.text(".env") == "SECRET\n"


def test_an_edit_in_the_same_instant_is_seen(main: Folder) -> None:
    """Same size, same time: git knows by the time of its index that it has to read the file, and so must we."""
    new = main.commit_aside("change", CHANGE)
    main.git("config", "core.trustctime", "false")
    os.utime(main.path / "a.txt", (1_700_000_000, 1_700_000_000))
    main.git("update-index", "--refresh")
    main.write({"a.txt": "x\n"})
    for path in (main.path / "a.txt", main.path / ".git" / "index"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    with pytest.raises(CheckoutInTheWay):
        land(main, new)
    assert main.text("a.txt") == "x\n"


def test_an_edit_that_is_the_change_itself_is_no_obstacle(main: Folder) -> None:
    """Who has already copied the change by hand gets it landed, and a clean status."""
    new = main.commit_aside("change", CHANGE)
    main.write(CHANGE)
    land(main, new)
    assert (main.head(), main.status()) == (new, [])


def test_a_file_that_was_only_touched_is_no_obstacle(main: Folder) -> None:
    """Other times in the file system are no edit."""
    new = main.commit_aside("change", CHANGE)
    os.utime(main.path / "a.txt", (1, 1))
    land(main, new)
    assert (main.head(), main.status()) == (new, [])


def test_a_file_becomes_a_folder_and_back(main: Folder) -> None:
    """Paths may change their kind."""
    new = main.commit_aside("change", {"a.txt": None, "a.txt/deep": "x\n", "old/d.txt": None, "old": "file\n"})
    land(main, new)
    assert (main.status(), main.text("a.txt/deep"), main.text("old")) == ([], "x\n", "file\n")
    again = main.commit_aside("back", {"a.txt/deep": None, "a.txt": "a\n", "old": None, "old/d.txt": "d\n"})
    land(main, again)
    assert (main.status(), main.text("a.txt"), main.text("old/d.txt")) == ([], "a\n", "d\n")


def test_names_are_bytes(main: Folder) -> None:
    """New lines, quotes, tabs and bytes that are no text are names like others."""
    odd = ['quo"te', "new\nline", "tab\t", "back\\slash", " space ", "-dash", "\udcff\udcfe", "ünï"]
    new = main.commit_aside("odd", dict.fromkeys(odd, "x\n"))
    land(main, new)
    assert main.status() == []
    assert {path.name for path in main.path.iterdir()} >= set(odd)
    (main.path / "new\nline").write_text("mine\n")
    with pytest.raises(CheckoutInTheWay) as told:
        land(main, main.commit_aside("again", {"new\nline": "y\n"}))
    assert told.value.paths == ("new\nline",)


def test_every_checkout_of_the_branch_follows(main: Folder, tmp_path: Path) -> None:
    """A linked worktree on the branch moves as the main one does; one on another branch does not."""
    main.git("switch", "-q", "-c", "other")
    main.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    linked = Folder(tmp_path / "linked")
    new = main.commit_aside("change", CHANGE, onto="main")
    land(main, new, old=linked.head())
    assert (linked.head(), linked.status(), linked.text("a.txt")) == (new, [], "A\n")
    assert (main.status(), main.text("a.txt")) == ([], "a\n")


def test_a_second_checkout_in_the_way_stops_the_first(main: Folder, tmp_path: Path) -> None:
    """All checkouts are looked at before one is moved."""
    main.git("worktree", "add", "-q", "--force", str(tmp_path / "linked"), "main")
    linked = Folder(tmp_path / "linked")
    new = main.commit_aside("change", CHANGE)
    linked.write({"a.txt": "mine\n"})
    head = main.head()
    with pytest.raises(CheckoutInTheWay) as told:
        land(main, new)
    assert (told.value.checkout, told.value.paths) == (linked.path, ("a.txt",))
    assert (main.head(), main.status(), main.text("a.txt")) == (head, [], "a\n")
    linked.write({"a.txt": "a\n"})
    land(main, new)
    assert (main.status(), linked.status(), linked.text("a.txt")) == ([], [], "A\n")


def test_a_detached_checkout_stays(main: Folder) -> None:
    """A checkout that is on no branch is not moved."""
    old = main.head()
    main.git("switch", "-q", "--detach")
    new = main.commit_aside("change", CHANGE)
    land(main, new, old=old)
    assert (main.head("main"), main.head(), main.status()) == (new, old, [])


def test_a_bare_repository_only_moves_its_ref(main: Folder, tmp_path: Path) -> None:
    """Where there is no checkout there is nothing else to do."""
    main.git("clone", "-q", "--bare", str(main.path), str(tmp_path / "bare.git"))
    bare = Folder(tmp_path / "bare.git")
    new = bare.commit_aside("change", CHANGE, onto="main")
    land(bare, new, old=bare.head("main"))
    assert bare.head("main") == new


def test_a_clone_without_a_checkout_stays_without(main: Folder, tmp_path: Path) -> None:
    """Where the user has no files, none appear."""
    main.git("clone", "-q", "--no-checkout", str(main.path), str(tmp_path / "none"))
    none = Folder(tmp_path / "none")
    new = none.commit_aside("change", CHANGE)
    land(none, new)
    assert none.head() == new
    assert [path.name for path in none.path.iterdir()] == [".git"]


def test_a_branch_that_moved_is_not_landed_on(main: Folder) -> None:
    """Somebody was quicker: nothing changes."""
    old = main.head()
    new = main.commit_aside("change", CHANGE)
    theirs = main.commit("theirs", {"b.txt": "theirs\n"})
    with pytest.raises(TargetMoved):
        land(main, new, old=old)
    assert (main.head(), main.status(), main.text("a.txt")) == (theirs, [], "a\n")


def test_landing_twice_is_landing_once(main: Folder) -> None:
    """Also when others have landed on top meanwhile."""
    old = main.head()
    new = main.commit_aside("change", CHANGE)
    land(main, new)
    land(main, new, old=old)
    later = main.commit("later", {"b.txt": "later\n"})
    land(main, new, old=old)
    assert (main.head(), main.status()) == (later, [])


def test_landing_never_takes_commits_off_a_branch(main: Folder) -> None:
    """A commit that does not hold the old tip is refused."""
    first = main.head()
    main.commit("second", {"b.txt": "second\n"})
    with pytest.raises(Refused):
        land(main, main.commit_aside("change", CHANGE, onto=first))


def test_no_hook_of_the_user_runs(main: Folder, tmp_path: Path) -> None:
    """Neither a hook in the repository, nor in a folder of the user's choice, nor a file-system monitor."""
    witness = tmp_path / "witness"
    main.plant_hooks(witness)
    main.git("config", "core.fsmonitor", str(main.path / ".git/hooks/fsmonitor-watchman"))
    new = main.commit_aside("change", CHANGE)
    witness.unlink(missing_ok=True)
    old = main.head()
    land(main, new, old=old)
    assert not witness.exists()
    main.git("config", "--unset", "core.fsmonitor")
    assert main.status() == []


def test_the_compare_and_swap_lost_puts_the_checkout_back(main: Folder) -> None:
    """The branch moves in the last moment: files, index and the user's edits are as before."""
    old = main.head()
    new = main.commit_aside("change", {**CHANGE, "same.txt": "same\n"})
    theirs = main.commit_aside("theirs", {"b.txt": "theirs\n"})
    main.write({"same.txt": "same\n", "loose.txt": "mine\n", "a.txt": "A\n"})
    status, files = main.status(), everything(main.path)

    async def work() -> None:
        repository = await main.open()
        # git calls this filter while it writes the files of the change, which is just before the swap.
        main.git("config", "filter.race.smudge", f"git update-ref refs/heads/main {theirs} {old} && cat")
        (main.path / ".git" / "info").mkdir(exist_ok=True)
        (main.path / ".git" / "info" / "attributes").write_text("new/file.txt filter=race\n")
        await repository.land("main", old=old, new=new)

    with pytest.raises(TargetMoved):
        asyncio.run(work())
    (main.path / ".git" / "info" / "attributes").unlink()
    assert main.head() == theirs
    main.git("update-ref", "refs/heads/main", old)
    assert (main.status(), everything(main.path)) == (status, files)


def test_a_rebase_of_the_branch_is_left_alone(main: Folder) -> None:
    """While the user is in the middle of something the branch does not move under it."""
    main.commit("mine", {"a.txt": "mine\n"})
    main.git("branch", "upstream", "HEAD~1")
    main.git("switch", "-q", "upstream")
    main.commit("theirs", {"a.txt": "theirs\n"})
    main.git("switch", "-q", "main")
    old = main.head()
    main.git("rebase", "-q", "upstream", ok=(1,))
    with pytest.raises(CheckoutInTheWay) as told:
        land(main, main.commit_aside("change", {"new.txt": "new\n"}, onto=old), old=old)
    assert "rebase" in told.value.reason
    assert main.head("main") == old


def test_a_merge_with_conflicts_is_left_alone(main: Folder) -> None:
    """The same for a merge under way."""
    main.git("switch", "-q", "-c", "theirs")
    main.commit("theirs", {"a.txt": "theirs\n"})
    main.git("switch", "-q", "main")
    main.commit("mine", {"a.txt": "mine\n"})
    main.git("merge", "-q", "theirs", ok=(1,))
    with pytest.raises(CheckoutInTheWay) as told:
        land(main, main.commit_aside("change", {"new.txt": "new\n"}))
    assert told.value.reason


def test_another_git_at_work_is_waited_for(main: Folder) -> None:
    """A lock of the user's own git is not touched; landing goes on when it is gone."""
    new = main.commit_aside("change", CHANGE)
    lock = main.path / ".git" / "index.lock"
    lock.write_bytes(b"")

    async def work() -> None:
        repository = await main.open()
        landing = asyncio.ensure_future(repository.land("main", old=main.head(), new=new))
        done, _ = await asyncio.wait([landing], timeout=0.5)
        assert not done
        assert lock.read_bytes() == b""
        lock.unlink()
        await landing

    asyncio.run(work())
    assert main.status() == []


def test_the_settings_of_the_user_hold_for_files_of_the_user(main: Folder) -> None:
    """Files are written as the user's own git would write them."""
    main.git("config", "core.autocrlf", "true")
    land(main, main.commit_aside("change", CHANGE))
    assert (main.path / "new/file.txt").read_bytes() == b"new\r\n"
    assert main.status() == []


def test_a_sparse_checkout_stays_sparse(main: Folder) -> None:
    """Folders that the user left out stay out."""
    main.git("sparse-checkout", "set", "dir")
    land(main, main.commit_aside("change", {"dir/c.txt": "C\n", "old/d.txt": "D\n"}))
    assert (main.status(), main.text("dir/c.txt"), (main.path / "old").exists()) == ([], "C\n", False)
