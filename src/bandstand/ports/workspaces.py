"""The checkouts that agents and checks work in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bandstand.domain.ids import CommitId, TaskId, TreeId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.ports.git import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A full checkout of its own for one user of it: a task, a check, a review. `home` lasts as long as it does."""

    name: str
    folder: Path
    home: Path
    objects: tuple[Path, ...]  # object stores that its git reads, and nothing may write
    included: tuple[str, ...] = ()  # files that git ignores, copied from the user's checkout
    left_out: tuple[str, ...] = ()  # in sentences, what was to be copied and was not


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a workspace held at one moment. `head` is the agent's own last commit, `commit` one of all its files."""

    number: int
    head: CommitId
    head_tree: TreeId
    commit: CommitId
    tree: TreeId
    uncommitted: tuple[str, ...]  # paths that differ between both trees
    contents: tuple[str, ...]  # for each of these a name of what is there now, the same for the same; "" for nothing
    withheld: bool = False  # later commits of the agent hold what was copied in, and are left out


class Workspaces(Protocol):
    """The checkouts that agents and checks work in. Whatever git does in one of them happens inside its sandbox."""

    async def prepare(
        self,
        name: str,
        *,
        base: CommitId,
        target: str,
        author: Signature,
        committer: Signature,
        inclusion: Inclusion = NOTHING,
    ) -> Workspace:
        """A workspace with `base` checked out on branch `band/<name>`; the one that is there already, if it is.

        `base` is pinned in the user's repository first, and `refs/remotes/origin/<target>` shows it inside. A new one
        is given the files of the user's checkout that `inclusion` names. Nothing ever takes these from it, whatever
        they are called by then. Raises `Refused` if they are too much.
        """
        ...

    async def find(self, name: str) -> Workspace | None:
        """The workspace of that name, if it is whole."""
        ...

    async def snapshot(self, name: str) -> Snapshot:
        """Keep all files of a workspace, ignored ones aside, as a commit in the vault; its index and HEAD stay.

        The agent's own commits come along. If nothing has changed since the last one, it is that one again. Raises
        `Unknown` without such a workspace, `Refused` if what it holds is no longer a repository.
        """
        ...

    async def publish(self, task: TaskId, commit: CommitId) -> None:
        """Point branch `band/<task>` of the user's repository at a commit that the vault has. May be repeated.

        A checkout of that branch moves along. Raises `Unavailable` while edits of the user are in its way.
        """
        ...

    async def commit_leftovers(self, name: str, snapshot: Snapshot, *, message: str, author: Signature) -> Snapshot:
        """The snapshot with a commit of its files on top of `head` as its new head; the same one when asked again.

        The workspace is not touched.
        """
        ...

    async def show_commit(self, name: str, *, ref: str, commit: CommitId) -> None:
        """Make a commit of the user's repository known inside a workspace under a ref name. May be repeated."""
        ...

    async def retire(self, name: str, *, landed: bool) -> str | None:
        """Remove a workspace. What has not landed is kept and read back first; returns the rescue ref, if one was made.

        The only place where work is removed. Raises `Broken`, and removes nothing, when the rescue cannot be read back.
        Of a broken repository the files are kept. May be repeated: for a workspace that is gone and had not landed it
        returns the last rescue ref of that name.
        """
        ...

    async def discard(self, name: str) -> None:
        """Remove a throw-away checkout: one for a check or a review, which holds nobody's work. May be repeated.

        Raises `Refused` for a task's own workspace: a name without a dot.
        """
        ...
