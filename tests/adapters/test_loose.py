"""What is read of a git dir without a git is what git says, and git is asked where it is not certain."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bandstand.adapters.git import loose
from bandstand.adapters.git.command import Git
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.store import Store
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import CommitId
from tests.real_git import Folder, ids

FILES = {"a.txt": "a\n"}


def without_git(user: Folder) -> Store:
    """The store on a machine that has no git: whatever needs one is refused."""
    return Store(Git({"PATH": "/nonexistent"}), user.path / ".git")


def with_git(user: Folder) -> Store:
    """The store as it is."""
    return Store(Git(os.environ), user.path / ".git")


def blob_file(user: Folder, id: str) -> Path:
    """The file of a loose object."""
    return user.path / ".git" / "objects" / id[:2] / id[2:]


def test_what_was_just_committed_is_known_without_a_git(tmp_path: Path) -> None:
    """Its ref, that it is there, and its tree."""
    user = Folder.init(tmp_path / "repository", FILES)
    store, head = without_git(user), user.head()
    assert asyncio.run(store.resolve("refs/heads/main")) == head
    assert asyncio.run(store.holds(head))
    asyncio.run(store.require(head, head))
    assert asyncio.run(store.tree(head)) == user.git("rev-parse", "HEAD^{tree}")
    assert asyncio.run(store.refs("refs/heads/", "refs/bandstand/shown/t1/")) == {"refs/heads/main": head}


def test_a_commit_says_what_git_says_of_it(tmp_path: Path) -> None:
    """Its tree, its parents and its time, wherever that was."""
    user = Folder.init(tmp_path / "repository", FILES)
    first = user.head()
    user.git("checkout", "-q", "-b", "other")
    user.git("commit", "-q", "--allow-empty", "-m", "other")
    user.git("checkout", "-q", "main")
    user.git("commit", "-q", "--allow-empty", "-m", "committer nobody <> 1 +0000")
    user.git("-c", "log.date=iso", "merge", "-q", "--no-ff", "-m", "both", "other")
    said = with_git(user).loose(user.head())
    assert said is not None
    assert [said.tree, *said.parents] == user.git("log", "-1", "--format=%T %P").split()
    assert said.at.isoformat() == user.git("log", "-1", "--format=%cI").replace("Z", "+00:00")
    assert first not in said.parents


def _packed(user: Folder) -> None:
    user.git("pack-refs", "--all")
    user.git("gc", "-q", "--prune=now")


def _symbolic(user: Folder) -> None:
    user.git("branch", "real")
    user.git("symbolic-ref", "refs/heads/main", "refs/heads/real")


def _linked(user: Folder) -> None:
    heads = user.path / ".git" / "refs" / "heads"
    user.git("branch", "real")
    (heads / "main").unlink()
    (heads / "main").symlink_to("real")


def _damaged(user: Folder) -> None:
    file = blob_file(user, user.head())
    file.chmod(0o600)
    file.write_bytes(blob_file(user, user.git("rev-parse", "HEAD:a.txt")).read_bytes())


@pytest.mark.parametrize("changed", [_packed, _symbolic, _linked, _damaged])
def test_where_it_is_not_certain_git_is_asked(changed: Callable[[Folder], None], tmp_path: Path) -> None:
    """What is packed, what is another name of something, and what is not what its id says."""
    user = Folder.init(tmp_path / "repository", FILES)
    changed(user)
    with pytest.raises(Refused, match="git is not installed"):
        asyncio.run(without_git(user).resolve("refs/heads/main"))
    said = user.git("show-ref", "--verify", "--hash", "refs/heads/main", ok=(0, 128))
    assert asyncio.run(with_git(user).resolve("refs/heads/main")) == (said or None)


def test_refs_of_which_some_are_packed_are_all_told(tmp_path: Path) -> None:
    """One that was packed and has moved since is told as it is now."""
    user = Folder.init(tmp_path / "repository", FILES)
    user.git("branch", "old")
    user.git("branch", "gone")
    user.git("pack-refs", "--all")
    user.git("branch", "-D", "-q", "gone")
    user.git("commit", "-q", "--allow-empty", "-m", "new")
    store, first = with_git(user), CommitId(user.git("rev-parse", "old"))
    assert asyncio.run(store.refs("refs/heads/")) == {"refs/heads/main": user.head(), "refs/heads/old": first}
    assert asyncio.run(without_git(user).refs("refs/tags/")) == {}


@pytest.mark.parametrize(
    "name", ["HEAD", "refs/heads/../../HEAD", "refs/heads/x.lock", "refs/heads/.x", "refs//heads/x"]
)
def test_what_is_no_name_of_a_ref_is_not_read(name: str, tmp_path: Path) -> None:
    """Though there be a file that holds an id."""
    user = Folder.init(tmp_path / "repository", FILES)
    for file in ("refs/heads/x.lock", "refs/heads/.x", "refs/heads/x", "HEAD"):
        (user.path / ".git" / file).write_text(f"{user.head() if file != 'HEAD' else '0' * 40}\n")
    assert loose.ref(user.path / ".git", name) is None


def test_a_ref_to_what_is_not_there_stands_for_nothing(tmp_path: Path) -> None:
    """As git sees it."""
    user = Folder.init(tmp_path / "repository", FILES)
    (user.path / ".git" / "refs" / "heads" / "lost").write_text("12" * 20 + "\n")
    store = with_git(user)
    assert asyncio.run(store.resolve("refs/heads/lost")) is None
    with pytest.raises(Unknown, match="no commit"):
        asyncio.run(store.require(user.head(), CommitId("12" * 20)))


@pytest.mark.parametrize("packed", [False, True])
def test_whether_a_history_holds_a_commit_is_the_same_near_and_far(packed: bool, tmp_path: Path) -> None:
    """Parents, children, the commit itself, one further away, and one beside."""
    user = Folder.init(tmp_path / "repository", FILES)
    user.git("branch", "beside")
    for number in range(3):
        user.git("commit", "-q", "--allow-empty", "-m", f"{number}")
    history = user.git("rev-list", "--reverse", "main").splitlines()
    user.git("checkout", "-q", "beside")
    user.git("commit", "-q", "--allow-empty", "-m", "beside")
    beside = user.head()
    if packed:
        _packed(user)
    repository = asyncio.run(GitRepository.find(user.path, environment=os.environ, new_id=ids()))
    for position, tip in enumerate(history):
        user.git("branch", "-f", "tip", tip)
        held = [asyncio.run(repository.contains("tip", CommitId(one))) for one in history]
        assert held == [number <= position for number in range(len(history))]
        assert not asyncio.run(repository.contains("tip", beside))
        change = asyncio.run(repository.change(base=CommitId(history[0]), head=CommitId(tip)))
        assert (change.base, change.commits) == (history[0], position)


def test_a_ref_that_is_nowhere_is_known_to_be_nowhere(tmp_path: Path) -> None:
    """Without a git, as long as neither a file nor the packed refs have it."""
    user = Folder.init(tmp_path / "repository", FILES)
    user.git("branch", "there")
    assert asyncio.run(without_git(user).resolve("refs/heads/nowhere")) is None
    user.git("pack-refs", "--all")
    assert not loose.is_absent(user.path / ".git", "refs/heads/there")
    assert asyncio.run(without_git(user).resolve("refs/heads/nowhere")) is None
