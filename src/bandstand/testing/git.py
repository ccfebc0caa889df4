"""A repository in memory. It keeps the promises of the port; files are merged whole, not by line.

A test plays the user with `MemoryRepository.commit` and `edit`. Every commit is known to everybody
at once, as if vault, repository and workspaces shared one object store.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from bandstand.domain.change import Change, Foreign
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import CommitId, RepositoryId, TreeId
from bandstand.ports.git import CheckoutInTheWay, Conflicted, Merged, MergeOrder, Signature, TargetMoved
from bandstand.testing.patches import file_change, patch

ADA = Signature(name="Ada Example", email="ada@example.org")
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCommit:
    """A commit: its files whole."""

    files: Mapping[str, bytes]
    parents: tuple[CommitId, ...]
    message: str
    author: Signature
    committer: Signature = ADA
    at: datetime = _EPOCH

    @property
    def id(self) -> CommitId:
        """Made of everything in it."""
        return CommitId(digest(self.tree, self.parents, self.message, self.author, self.committer, self.at))

    @property
    def tree(self) -> TreeId:
        """Made of the files."""
        return TreeId(digest(sorted(self.files.items())))


class MemoryRepository:
    """The user's repository, with its first branch checked out. `refs` are by their full names.

    `under_way` is what the user is in the middle of in the checkout, `links` are paths that stand for commits of other
    repositories.
    """

    def __init__(
        self, files: Mapping[str, bytes] | None = None, *, branch: str = "main", user: Signature | None = ADA
    ) -> None:
        self.id = RepositoryId("0123456789abcdef")
        self.path = Path("/memory/repository")
        self.commits: dict[CommitId, MemoryCommit] = {}
        self.refs: dict[str, CommitId] = {}
        self.checked_out = branch
        self.under_way = ""
        self.links: set[str] = set()
        self.checkout: dict[str, bytes] = dict(files or {"README.md": b"Hello.\n"})
        self._user = user
        first = MemoryCommit(files=dict(self.checkout), parents=(), message="first", author=ADA)
        self.refs[f"refs/heads/{branch}"] = self.add(first)

    def add(self, commit: MemoryCommit) -> CommitId:
        """Keep a commit; no branch moves."""
        self.commits[commit.id] = commit
        return commit.id

    def commit(self, files: Mapping[str, bytes | None], *, branch: str = "main", message: str = "change") -> CommitId:
        """The user commits files on a branch; one that is not there begins at `main`. `None` removes a file."""
        old = self.refs.get(f"refs/heads/{branch}", self.refs["refs/heads/main"])
        commit = MemoryCommit(files=edited(self.at(old).files, files), parents=(old,), message=message, author=ADA)
        new = self.refs[f"refs/heads/{branch}"] = self.add(commit)
        if branch == self.checked_out:
            self.checkout = edited(self.checkout, files)
        return new

    def edit(self, path: str, content: bytes | None) -> None:
        """The user edits a file in the checkout and does not commit it."""
        self.checkout = edited(self.checkout, {path: content})

    def at(self, commit: CommitId) -> MemoryCommit:
        """A commit. Raises `Unknown`."""
        if commit not in self.commits:
            raise Unknown(f"The repository has no commit {commit}.")
        return self.commits[commit]

    async def user(self) -> Signature:
        """Who the user is. Raises `Refused` for a repository made without one."""
        if self._user is None:
            raise Refused("Git does not know who you are.", hint="Run `git config --global user.name NAME`.")
        return self._user

    async def default_branch(self) -> str:
        """`main` or `master` if it exists, else the branch that is checked out."""
        names = ("main", "master", self.checked_out)
        return next(name for name in names if f"refs/heads/{name}" in self.refs)

    async def tip(self, branch: str) -> CommitId:
        """The commit a branch points to. Raises `Unknown`."""
        if f"refs/heads/{branch}" not in self.refs:
            raise Unknown(
                f"The repository has no branch {branch!r} with a commit.",
                hint="`git branch` lists those that there are.",
            )
        return self.refs[f"refs/heads/{branch}"]

    async def branches(self, name: str) -> tuple[str, ...]:
        """The branches that are called `name` or lie below it, as `name/…`, sorted."""
        heads = (ref.removeprefix("refs/heads/") for ref in self.refs if ref.startswith("refs/heads/"))
        return tuple(sorted(head for head in heads if head == name or head.startswith(f"{name}/")))

    async def read(self, commit: CommitId, path: str) -> bytes | None:
        """A file as it stands in a commit."""
        return self.at(commit).files.get(path)

    async def files(self, commit: CommitId) -> tuple[str, ...]:
        """The paths of a commit, sorted."""
        return tuple(sorted(self.at(commit).files))

    async def absent(self, commit: CommitId) -> tuple[str, ...]:
        """There are no submodules in memory."""
        return ()

    async def tree(self, commit: CommitId) -> TreeId:
        """The tree of a commit."""
        return self.at(commit).tree

    async def change(self, *, base: CommitId, head: CommitId) -> Change:
        """What lies between the merge base of both and `head`."""
        start = _merge_base(self, base, head) or base
        old, new = self.at(start).files, self.at(head).files
        files = tuple(file_change(path, old.get(path), new.get(path)) for path in changed(old, new))
        count = len(self.history(head) - self.history(base))
        return Change(base=start, head=head, tree=self.at(head).tree, files=files, commits=count)

    async def foreign(self, change: Change) -> Foreign:
        """What a test says of a path that a change leaves."""
        left = {file.path for file in change.files if file.status != "D"}
        return Foreign(links=tuple(path for path in self.links if path in left))

    async def diff(self, *, base: CommitId, head: CommitId) -> str:
        """The same as a unified patch."""
        old, new = self.at(_merge_base(self, base, head) or base).files, self.at(head).files
        return "".join(line for path in changed(old, new) for line in patch(path, old.get(path), new.get(path)))

    async def contains(self, branch: str, commit: CommitId) -> bool:
        """Whether a branch's history holds a commit."""
        return commit in self.history(await self.tip(branch))

    async def merge(self, order: MergeOrder) -> Merged | Conflicted:
        """Build a merge as a loose commit. A file that both sides changed differently is a conflict."""
        base = _merge_base(self, order.onto, order.change)
        before = self.at(base).files if base else {}
        ours, theirs = self.at(order.onto).files, self.at(order.change).files
        clashes = tuple(
            path for path in changed(before, theirs) if ours.get(path) not in (before.get(path), theirs.get(path))
        )
        if clashes:
            return Conflicted(paths=clashes, detail="\n".join(f"CONFLICT (content): {path}" for path in clashes))
        files = edited(ours, {path: theirs.get(path) for path in changed(before, theirs)})
        parents = (order.onto,) if order.squash else (order.onto, order.change)
        new = MemoryCommit(
            files=files,
            parents=parents,
            message=order.message,
            author=order.author,
            committer=order.committer,
            at=order.at,
        )
        return Merged(commit=self.add(new), tree=new.tree)

    async def land(self, branch: str, *, old: CommitId, new: CommitId) -> None:
        """Move a branch and the files of its checkout. Raises `TargetMoved` or `CheckoutInTheWay`."""
        if old not in self.history(new):
            raise Refused(f"Commit {new} does not hold {old}; landing it would take commits off {branch}.")
        tip = await self.tip(branch)
        if new in self.history(tip):
            return
        if tip != old:
            raise TargetMoved
        if branch == self.checked_out:
            _move_checkout(self, self.at(old).files, self.at(new).files)
        self.refs[f"refs/heads/{branch}"] = new

    def history(self, commit: CommitId) -> set[CommitId]:
        """A commit and all that it holds."""
        found: set[CommitId] = set()
        ahead = [commit]
        while ahead:
            one = ahead.pop()
            if one not in found:
                found.add(one)
                ahead.extend(self.at(one).parents)
        return found


def _move_checkout(repository: MemoryRepository, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> None:
    if repository.under_way:
        raise CheckoutInTheWay((), repository.path, reason=repository.under_way)
    paths, there = changed(old, new), repository.checkout
    edits = tuple(path for path in paths if there.get(path) not in (old.get(path), new.get(path)))
    if edits:
        raise CheckoutInTheWay(edits, repository.path)
    repository.checkout = edited(there, {path: new.get(path) for path in paths})


def _merge_base(repository: MemoryRepository, one: CommitId, other: CommitId) -> CommitId | None:
    common = repository.history(one) & repository.history(other)
    best = [commit for commit in common if not any(commit in repository.history(c) - {c} for c in common)]
    return min(best, default=None)


def tracked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that the top `.gitignore` leaves, whose lines are taken as simple patterns."""
    patterns = files.get(".gitignore", b"").decode().split()
    return {path: data for path, data in files.items() if not any(fnmatch(path, pattern) for pattern in patterns)}


def edited(files: Mapping[str, bytes], edits: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Files with some others instead; `None` removes one."""
    whole: dict[str, bytes | None] = {**files, **edits}
    return {path: data for path, data in whole.items() if data is not None}


def changed(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[str, ...]:
    """The paths in which files differ, sorted."""
    return tuple(sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def digest(*parts: object) -> str:
    """A name for some values: the same for the same."""
    return hashlib.sha1(repr(parts).encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
