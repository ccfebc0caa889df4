"""The checkouts that agents and checks work in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bandstand.domain.ids import CommitId, TaskId, TreeId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.task import Fork
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewound:
    """What a workspace went back to. What it held before is the snapshot `saved`.

    `head` is the agent's own last commit; `proposed` what its branch showed then: that commit, or the one that was made
    of what it had left. `uncommitted` and `contents` are as in a snapshot.
    """

    saved: int
    head: CommitId
    proposed: CommitId
    uncommitted: tuple[str, ...]
    contents: tuple[str, ...]


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
        fork: Fork | None = None,
    ) -> Workspace:
        """A workspace with `base` checked out on branch `band/<name>`; the one that is there already, if it is.

        `base` is pinned in the user's repository first, and `refs/remotes/origin/<target>` shows it inside. A new one
        is given the files of the user's checkout that `inclusion` names. Nothing ever takes these from it, whatever
        they are called by then. With a `fork` that was lent to this name, its head is checked out, and the files are
        those that it has. Raises `Refused` if what is to be copied is too much.
        """
        ...

    async def lend(self, name: str, number: int, *, to: str) -> Fork:
        """What the workspace `to` can begin with: a snapshot of this one, or 0 for what it began with.

        It is kept in the user's repository as long as that other workspace, or until `unlend`. May be repeated. Raises
        `Unknown` without such a workspace or snapshot.
        """
        ...

    async def unlend(self, to: str) -> None:
        """Keep no longer what was lent to a workspace that there never was. May be repeated."""
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

    async def rewind(self, name: str, number: int, *, order: int) -> Rewound:
        """Have the workspace hold what it held at a snapshot; 0 is what it began with. May be repeated for one `order`.

        What it holds now is kept first, and its rescue keeps it for good. Files that git ignores stay, and of those in
        the way an archive is made. The agent's index and HEAD are set to the head of that snapshot. Nobody may be at
        work in there. Raises `Unknown` without such a workspace or snapshot, `Refused` if it is no longer a repository.
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
