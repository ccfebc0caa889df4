"""A repository and its workspaces in memory. They keep the promises of the ports; files are merged whole, not by line.

A test plays the user with `MemoryRepository.commit` and `edit`, and the agent with `MemoryWorkspaces.write` and
`commit`. Every commit is known to everybody at once, as if vault, repository and workspaces shared one object store.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from bandstand.domain.change import Change, Foreign
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import CommitId, RepositoryId, TaskId, TreeId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.ports.git import CheckoutInTheWay, Conflicted, Merged, MergeOrder, Signature, TargetMoved
from bandstand.ports.workspaces import Snapshot, Workspace
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
        return CommitId(_digest(self.tree, self.parents, self.message, self.author, self.committer, self.at))

    @property
    def tree(self) -> TreeId:
        """Made of the files."""
        return TreeId(_digest(sorted(self.files.items())))


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
        commit = MemoryCommit(files=_edited(self.at(old).files, files), parents=(old,), message=message, author=ADA)
        new = self.refs[f"refs/heads/{branch}"] = self.add(commit)
        if branch == self.checked_out:
            self.checkout = _edited(self.checkout, files)
        return new

    def edit(self, path: str, content: bytes | None) -> None:
        """The user edits a file in the checkout and does not commit it."""
        self.checkout = _edited(self.checkout, {path: content})

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
        files = tuple(file_change(path, old.get(path), new.get(path)) for path in _changed(old, new))
        count = len(self.history(head) - self.history(base))
        return Change(base=start, head=head, tree=self.at(head).tree, files=files, commits=count)

    async def foreign(self, change: Change) -> Foreign:
        """What a test says of a path that a change leaves."""
        left = {file.path for file in change.files if file.status != "D"}
        return Foreign(links=tuple(path for path in self.links if path in left))

    async def diff(self, *, base: CommitId, head: CommitId) -> str:
        """The same as a unified patch."""
        old, new = self.at(_merge_base(self, base, head) or base).files, self.at(head).files
        return "".join(line for path in _changed(old, new) for line in patch(path, old.get(path), new.get(path)))

    async def contains(self, branch: str, commit: CommitId) -> bool:
        """Whether a branch's history holds a commit."""
        return commit in self.history(await self.tip(branch))

    async def merge(self, order: MergeOrder) -> Merged | Conflicted:
        """Build a merge as a loose commit. A file that both sides changed differently is a conflict."""
        base = _merge_base(self, order.onto, order.change)
        before = self.at(base).files if base else {}
        ours, theirs = self.at(order.onto).files, self.at(order.change).files
        clashes = tuple(
            path for path in _changed(before, theirs) if ours.get(path) not in (before.get(path), theirs.get(path))
        )
        if clashes:
            return Conflicted(paths=clashes, detail="\n".join(f"CONFLICT (content): {path}" for path in clashes))
        files = _edited(ours, {path: theirs.get(path) for path in _changed(before, theirs)})
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


@dataclass(slots=True, kw_only=True)
class MemoryWorkspace:
    """What one workspace holds. `files` include ignored ones; `refs` are those that were shown inside."""

    workspace: Workspace
    base: CommitId
    head: CommitId
    files: dict[str, bytes]
    refs: dict[str, CommitId]
    author: Signature
    broken: bool = False


class MemoryWorkspaces:
    """The workspaces of a repository in memory. `archived` are the ignored files of those that are gone."""

    def __init__(self, repository: MemoryRepository) -> None:
        self.repository = repository
        self.held: dict[str, MemoryWorkspace] = {}
        self.snapshots: dict[str, list[Snapshot]] = {}
        self.archived: dict[str, dict[str, bytes]] = {}

    def write(self, name: str, files: Mapping[str, bytes | None]) -> None:
        """The agent writes files; `None` removes one."""
        self.held[name].files = _edited(self.held[name].files, files)

    def commit(self, name: str, message: str = "agent's work") -> CommitId:
        """The agent commits all files but the ignored ones."""
        held = self.held[name]
        new = MemoryCommit(files=_tracked(held.files), parents=(held.head,), message=message, author=held.author)
        held.head = self.repository.add(new)
        return held.head

    def break_repository(self, name: str) -> None:
        """The agent removes the git dir."""
        self.held[name].broken = True

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
        """A workspace with `base` checked out; the one that is there already, if it is."""
        if name not in self.held:
            given = _included(self.repository.checkout, inclusion, files := dict(self.repository.at(base).files))
            folder = Path("/memory/workspaces") / name
            plain = Workspace(name=name, folder=folder / "tree", home=folder / "home", objects=())
            self.held[name] = MemoryWorkspace(
                workspace=replace(plain, included=tuple(sorted(given))),
                base=base,
                head=base,
                files=files | given,
                refs={f"refs/heads/band/{name}": base, f"refs/remotes/origin/{target}": base},
                author=author,
            )
        return self.held[name].workspace

    async def find(self, name: str) -> Workspace | None:
        """The workspace of that name."""
        return self.held[name].workspace if name in self.held else None

    async def snapshot(self, name: str) -> Snapshot:
        """Keep all files of a workspace, ignored ones aside. The last snapshot again, if nothing has changed."""
        held = self._present(name)
        self._require_whole(name)
        return self._keep(name, held.head)

    async def publish(self, task: TaskId, commit: CommitId) -> None:
        """Point branch `band/<task>` of the user's repository at a commit."""
        self.repository.at(commit)
        self.repository.refs[f"refs/heads/band/{task}"] = commit

    async def commit_leftovers(self, name: str, snapshot: Snapshot, *, message: str, author: Signature) -> Snapshot:
        """The snapshot with a commit of its files on top of `head` as its new head."""
        self._present(name)
        if snapshot.tree == snapshot.head_tree:
            return snapshot
        files = self.repository.at(snapshot.commit).files
        new = MemoryCommit(files=files, parents=(snapshot.head,), message=message, author=author)
        return replace(snapshot, head=self.repository.add(new), head_tree=snapshot.tree, uncommitted=(), contents=())

    async def show_commit(self, name: str, *, ref: str, commit: CommitId) -> None:
        """Make a commit known inside a workspace under a ref name."""
        held = self._present(name)
        self.repository.at(commit)
        if not ref.startswith("refs/"):
            raise Refused(f"{ref!r} is not the full name of a ref.")
        self._require_whole(name)
        held.refs[ref] = commit

    async def retire(self, name: str, *, landed: bool) -> str | None:
        """Remove a workspace. What has not landed is at the rescue ref."""
        place = f"refs/bandstand/rescue/{name}/"
        number = sum(ref.startswith(place) for ref in self.repository.refs)
        if name not in self.held:
            return f"{place}{number}" if number and not landed else None
        held = self.held[name]
        last = self._keep(name, held.base if held.broken else held.head)
        given = held.workspace.included
        ignored = {path: held.files[path] for path in held.files.keys() - _tracked(held.files).keys() - {*given}}
        if ignored:
            self.archived[name] = ignored
        del self.held[name]
        self.snapshots.pop(name)
        published = any(
            last.head in self.repository.history(commit)
            for ref, commit in self.repository.refs.items()
            if ref.startswith("refs/heads/")
        )
        if last.tree == last.head_tree and (last.head == held.base or (landed and published)):
            return None
        self.repository.refs[f"{place}{number + 1}"] = last.commit
        return f"{place}{number + 1}"

    async def discard(self, name: str) -> None:
        """Remove a throw-away checkout. Raises `Refused` for a name without a dot."""
        if "." not in name:
            raise Refused(f"Workspace {name} is a task's own; it can only be retired.")
        self.held.pop(name, None)
        self.snapshots.pop(name, None)

    def _keep(self, name: str, head: CommitId) -> Snapshot:
        kept = self.snapshots.setdefault(name, [])
        files = _tracked(self.held[name].files)
        number = len(kept) + 1
        new = MemoryCommit(files=files, parents=(head,), message=f"Checkpoint {number} of {name}", author=ADA)
        before = self.repository.at(head)
        if kept and (kept[-1].head, kept[-1].tree) == (head, new.tree):
            return kept[-1]
        left = _changed(before.files, files)
        kept.append(
            Snapshot(
                number=number,
                head=head,
                head_tree=before.tree,
                commit=self.repository.add(new),
                tree=new.tree,
                uncommitted=left,
                contents=tuple(_digest(files[path]) if path in files else "" for path in left),
            )
        )
        return kept[-1]

    def _present(self, name: str) -> MemoryWorkspace:
        if name not in self.held:
            raise Unknown(f"There is no workspace {name}.")
        return self.held[name]

    def _require_whole(self, name: str) -> None:
        if self.held[name].broken:
            raise Refused("What the workspace holds is no longer a repository.")


def _move_checkout(repository: MemoryRepository, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> None:
    if repository.under_way:
        raise CheckoutInTheWay((), repository.path, reason=repository.under_way)
    paths, there = _changed(old, new), repository.checkout
    edits = tuple(path for path in paths if there.get(path) not in (old.get(path), new.get(path)))
    if edits:
        raise CheckoutInTheWay(edits, repository.path)
    repository.checkout = _edited(there, {path: new.get(path) for path in paths})


def _merge_base(repository: MemoryRepository, one: CommitId, other: CommitId) -> CommitId | None:
    common = repository.history(one) & repository.history(other)
    best = [commit for commit in common if not any(commit in repository.history(c) - {c} for c in common)]
    return min(best, default=None)


def _tracked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that the top `.gitignore` leaves, whose lines are taken as simple patterns."""
    patterns = files.get(".gitignore", b"").decode().split()
    return {path: data for path, data in files.items() if not any(fnmatch(path, pattern) for pattern in patterns)}


def _included(checkout: Mapping[str, bytes], inclusion: Inclusion, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What of a checkout is to be copied beside the files of a commit."""
    ignored = checkout.keys() - _tracked(checkout).keys() - files.keys()
    return {path: checkout[path] for path in ignored if any(fnmatch(path, one) for one in inclusion.patterns)}


def _edited(files: Mapping[str, bytes], edits: Mapping[str, bytes | None]) -> dict[str, bytes]:
    whole: dict[str, bytes | None] = {**files, **edits}
    return {path: data for path, data in whole.items() if data is not None}


def _changed(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[str, ...]:
    return tuple(sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def _digest(*parts: object) -> str:
    return hashlib.sha1(repr(parts).encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
