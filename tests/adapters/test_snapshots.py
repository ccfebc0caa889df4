"""Whatever is done to the files of a workspace, a snapshot holds what git itself would commit."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.real_git import Folder

NAMES = ["a.txt", "b.txt", "dir", "dir/c.txt", "x/y", "x.log", "y.log", "dir/z.log", 'quo"te\n', "-\udcff"]
# A file that is there, outside of every workspace, and that not even root can write, replace or change the mode of: the
# deeds follow the links that they make.
UNWRITABLE = "/proc/self/status"


@dataclass(frozen=True)
class Edit:
    """One thing done to one path."""

    deed: str
    path: str
    content: bytes = b""
    other: str = ""

    def do(self, tree: Path) -> None:
        """Do it; what cannot be done is left."""
        try:
            DEEDS[self.deed](self, tree)
        except (OSError, shutil.Error):
            return


def _write(edit: Edit, tree: Path) -> None:
    (tree / edit.path).parent.mkdir(parents=True, exist_ok=True)
    (tree / edit.path).write_bytes(edit.content)


def _remove(edit: Edit, tree: Path) -> None:
    path = tree / edit.path
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _mode(edit: Edit, tree: Path) -> None:
    (tree / edit.path).chmod(0o755 if len(edit.content) % 2 else 0o644)


def _link(edit: Edit, tree: Path) -> None:
    (tree / edit.path).symlink_to(edit.other)


def _rename(edit: Edit, tree: Path) -> None:
    (tree / edit.other).parent.mkdir(parents=True, exist_ok=True)
    (tree / edit.path).rename(tree / edit.other)


def _folder(edit: Edit, tree: Path) -> None:
    (tree / edit.path).mkdir(parents=True)


def _ignore(edit: Edit, tree: Path) -> None:
    with (tree / ".gitignore").open("ab") as file:
        file.write(os.fsencode(f"/{edit.path}\n"))


def _commit(edit: Edit, tree: Path) -> None:
    Folder(tree).git("add", "-A", ok=(0, 1, 128))
    Folder(tree).git("commit", "-q", "-m", "agent's", "--allow-empty", ok=(0, 1, 128))


def _force(edit: Edit, tree: Path) -> None:
    _write(edit, tree)
    Folder(tree).git("--literal-pathspecs", "add", "-f", "--", edit.path, ok=(0, 1, 128))


def _untrack(edit: Edit, tree: Path) -> None:
    _ignore(edit, tree)
    Folder(tree).git("--literal-pathspecs", "rm", "-q", "-r", "--cached", "--", edit.path, ok=(0, 1, 128))


DEEDS: dict[str, Callable[[Edit, Path], None]] = {
    "write": _write,
    "remove": _remove,
    "mode": _mode,
    "link": _link,
    "rename": _rename,
    "folder": _folder,
    "ignore": _ignore,
    "commit": _commit,
    "force": _force,
    "untrack": _untrack,
}

edits = st.builds(
    Edit,
    deed=st.sampled_from(sorted(DEEDS)),
    path=st.sampled_from(NAMES),
    content=st.sampled_from([b"", b"a\n", b"b\r\n", b"\0\xff", b"a\nb\n"]),
    other=st.sampled_from([*NAMES, UNWRITABLE, "..", "nowhere"]),
)


@contextmanager
def world() -> Iterator[GitWorld]:
    """A world of its own for one example."""
    folder = Path(tempfile.mkdtemp(prefix="bandstand-test-"))
    try:
        yield GitWorld(folder, walls=False)
    finally:
        shutil.rmtree(folder)


@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(rounds=st.lists(st.lists(edits, min_size=1, max_size=8), min_size=1, max_size=2))
def test_a_snapshot_is_what_git_would_commit(rounds: list[list[Edit]]) -> None:
    """Contents, modes, links, renames, odd names, ignored and forced files; and nothing notices that it was taken."""
    with world() as there:
        base = there.user.head()
        asyncio.run(there.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND))
        agent = there.agent("t1")
        for some in rounds:
            for edit in some:
                edit.do(agent.path)
            status, head = agent.status(), agent.head()
            taken = asyncio.run(there.workspaces.snapshot("t1"))
            assert (agent.status(), agent.head(), taken.head) == (status, head, head)
            assert taken.tree == git_would_commit(agent)
        ref = asyncio.run(there.workspaces.retire("t1", landed=False))
        if ref is not None:
            assert there.user.git("rev-parse", f"{ref}^{{tree}}") == taken.tree


def git_would_commit(agent: Folder) -> str:
    """The tree that the agent's own git would commit now, found out on a copy of its index."""
    index = agent.path.parent / "index-of-the-test"
    shutil.copy2(agent.path / ".git" / "index", index)
    env = {"GIT_INDEX_FILE": str(index)}
    agent.git("add", "-A", env=env)
    tree = agent.git("write-tree", env=env)
    index.unlink()
    return tree
