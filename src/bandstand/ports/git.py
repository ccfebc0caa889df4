"""The user's repository."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bandstand.domain.change import Change, Foreign
from bandstand.domain.ids import CommitId, RepositoryId, TreeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who made a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A commit that holds a change on top of a target, not yet on any branch."""

    commit: CommitId
    tree: TreeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicted:
    """A change that does not merge: the files that collide, and what git says of them."""

    paths: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOrder:
    """What to build: `change` on top of `onto`. Everything that makes the commit's id is here, so the same order gives
    the same commit. `squash` makes one commit of the change, otherwise its commits stay as the second parent."""

    onto: CommitId
    change: CommitId
    message: str
    author: Signature
    committer: Signature
    at: datetime
    squash: bool


class TargetMoved(Exception):
    """The target branch is no longer where it was. Nothing was changed."""


class CheckoutInTheWay(Exception):
    """The user's own edits in a checkout of the target touch files that the landing changes. Nothing was changed.

    `reason` is set when it is not the edits alone but something that the user is in the middle of, a rebase say; then
    there may be no paths.
    """

    def __init__(self, paths: tuple[str, ...], checkout: Path, *, reason: str = "") -> None:
        super().__init__(": ".join(part for part in (reason, ", ".join(paths)) if part))
        self.paths = paths
        self.checkout = checkout
        self.reason = reason


class Repository(Protocol):
    """The user's repository. No hook of it ever runs here, and nothing but what a verb says is written to it."""

    @property
    def id(self) -> RepositoryId:
        """Kept in the shared git dir: moves, clones and linked worktrees are told apart."""
        ...

    @property
    def path(self) -> Path:
        """The top of the checkout that was named, or the bare repository."""
        ...

    async def user(self) -> Signature:
        """Who the user is by git's own settings. Raises `Refused` when git does not know."""
        ...

    async def default_branch(self) -> str:
        """The branch that changes land on when nobody says which: what the remote calls its head, else `main` or
        `master` if it exists, else the branch that is checked out. Raises `Refused` if there is none of these.
        """
        ...

    async def tip(self, branch: str) -> CommitId:
        """The commit a branch points to. Raises `Unknown` if there is no such branch or it has no commit."""
        ...

    async def branches(self, name: str) -> tuple[str, ...]:
        """The branches that are called `name` or lie below it, as `name/…`, sorted."""
        ...

    async def read(self, commit: CommitId, path: str) -> bytes | None:
        """A file as it stands in a commit; `None` if it is not there or no regular file."""
        ...

    async def files(self, commit: CommitId) -> tuple[str, ...]:
        """The paths of a commit, sorted."""
        ...

    async def absent(self, commit: CommitId) -> tuple[str, ...]:
        """The submodules of a commit that are not on this machine: whoever works on it finds empty folders there."""
        ...

    async def tree(self, commit: CommitId) -> TreeId:
        """The tree of a commit."""
        ...

    async def change(self, *, base: CommitId, head: CommitId) -> Change:
        """What lies between the merge base of both and `head`: files, lines, commits.

        A renamed file is listed under both its names, so that `paths` are all that it touches.
        """
        ...

    async def foreign(self, change: Change) -> Foreign:
        """What of a change is kept elsewhere, or otherwise than its files show."""
        ...

    async def diff(self, *, base: CommitId, head: CommitId) -> str:
        """The same as a unified patch."""
        ...

    async def contains(self, branch: str, commit: CommitId) -> bool:
        """Whether a branch's history holds a commit."""
        ...

    async def merge(self, order: MergeOrder) -> Merged | Conflicted:
        """Build a merge as a loose commit. Touches no branch and no checkout. May be repeated."""
        ...

    async def land(self, branch: str, *, old: CommitId, new: CommitId) -> None:
        """Move a branch from `old` to `new`, and the files of every checkout of it with it. May be repeated.

        The user's edits elsewhere stay as they are. Raises `TargetMoved` or `CheckoutInTheWay`, and `Refused` when
        `new` does not hold `old`; in all these cases nothing was changed.
        """
        ...
