"""The workspaces of a repository in memory. They keep the promises of the port.

A test plays the agent with `MemoryWorkspaces.write` and `commit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.task import Fork
from bandstand.ports.git import Signature
from bandstand.ports.workspaces import Rewound, Snapshot, Workspace
from bandstand.testing.git import ADA, MemoryCommit, MemoryRepository, changed, digest, edited, tracked


@dataclass(slots=True, kw_only=True)
class MemoryWorkspace:
    """What one workspace holds. `files` include ignored ones; `refs` are those that were shown inside."""

    workspace: Workspace
    base: CommitId
    head: CommitId
    begin: tuple[CommitId, CommitId]
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
        self.leftovers: dict[tuple[str, int], CommitId] = {}
        self.rewinds: dict[tuple[str, int], int] = {}
        self.taken_back: dict[str, list[CommitId]] = {}

    def write(self, name: str, files: Mapping[str, bytes | None]) -> None:
        """The agent writes files; `None` removes one."""
        self.held[name].files = edited(self.held[name].files, files)

    def commit(self, name: str, message: str = "agent's work") -> CommitId:
        """The agent commits all files but the ignored ones."""
        held = self.held[name]
        new = MemoryCommit(files=tracked(held.files), parents=(held.head,), message=message, author=held.author)
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
        fork: Fork | None = None,
        inclusion: Inclusion = NOTHING,
    ) -> Workspace:
        """A workspace with `base` checked out, or what was lent; the one that is there already, if it is."""
        head, whole = (fork.head, fork.files) if fork is not None else (base, base)
        if name not in self.held:
            given = _included(self.repository.checkout, inclusion, files := dict(self.repository.at(whole).files))
            folder = Path("/memory/workspaces") / name
            plain = Workspace(name=name, folder=folder / "tree", home=folder / "home", objects=())
            self.held[name] = MemoryWorkspace(
                workspace=replace(plain, included=tuple(sorted(given))),
                base=base,
                head=head,
                begin=(head, whole),
                files=files | given,
                refs={f"refs/heads/band/{name}": head, f"refs/remotes/origin/{target}": base},
                author=author,
            )
        return self.held[name].workspace

    async def lend(self, name: str, number: int, *, to: str) -> Fork:
        """What another workspace can begin with."""
        held = self._present(name)
        head, files = self._point(name, number)
        head = self.leftovers.get((name, number), head)
        for commit in (head, files):
            self.repository.refs[f"refs/bandstand/shown/{to}/{commit}"] = commit
        return Fork(task=TaskId(name), checkpoint=number, base=held.base, head=head, files=files)

    async def unlend(self, to: str) -> None:
        """Keep it no longer."""
        if to in self.held:
            return
        place = f"refs/bandstand/shown/{to}/"
        for ref in [ref for ref in self.repository.refs if ref.startswith(place)]:
            del self.repository.refs[ref]

    def _point(self, name: str, number: int) -> tuple[CommitId, CommitId]:
        """The head and all files at a snapshot; 0 is what it began with."""
        if number == 0:
            return self.held[name].begin
        for one in self.snapshots.get(name, []):
            if one.number == number:
                return one.head, one.commit
        raise Unknown(f"There is no checkpoint {number} of {name}.")

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
        made = self.leftovers[name, snapshot.number] = self.repository.add(new)
        return replace(snapshot, head=made, head_tree=snapshot.tree, uncommitted=(), contents=())

    async def rewind(self, name: str, number: int, *, order: int) -> Rewound:
        """Have the workspace hold what it held at a snapshot; ignored files stay."""
        held = self._present(name)
        self._require_whole(name)
        head, commit = self._point(name, number)
        present = self._keep(name, held.head)
        saved = self.rewinds.setdefault((name, order), present.number)
        whole = self.repository.at(commit)
        if (present.tree, present.head) != (whole.tree, head):
            self.taken_back.setdefault(name, []).append(present.commit)
        ignored = {path: data for path, data in held.files.items() if path not in tracked(held.files)}
        held.files, held.head = {**ignored, **whole.files}, head
        held.refs[f"refs/heads/band/{name}"] = head
        made = self.leftovers.get((name, number))
        left = () if made else changed(self.repository.at(head).files, whole.files)
        return Rewound(
            saved=saved,
            head=head,
            proposed=made or head,
            uncommitted=left,
            contents=tuple(digest(whole.files[path]) if path in whole.files else "" for path in left),
        )

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
        ignored = {path: held.files[path] for path in held.files.keys() - tracked(held.files).keys() - {*given}}
        if ignored:
            self.archived[name] = ignored
        del self.held[name]
        self.snapshots.pop(name)
        await self.unlend(name)
        self.leftovers = {place: commit for place, commit in self.leftovers.items() if place[0] != name}
        self.rewinds = {place: saved for place, saved in self.rewinds.items() if place[0] != name}
        published = any(
            last.head in self.repository.history(commit)
            for ref, commit in self.repository.refs.items()
            if ref.startswith("refs/heads/")
        )
        back = self.taken_back.pop(name, [])
        if last.tree == last.head_tree and not back and (last.head == held.base or (landed and published)):
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
        files = tracked(self.held[name].files)
        number = len(kept) + 1
        new = MemoryCommit(files=files, parents=(head,), message=f"Checkpoint {number} of {name}", author=ADA)
        before = self.repository.at(head)
        if kept and (kept[-1].head, kept[-1].tree) == (head, new.tree):
            return kept[-1]
        left = changed(before.files, files)
        kept.append(
            Snapshot(
                number=number,
                head=head,
                head_tree=before.tree,
                commit=self.repository.add(new),
                tree=new.tree,
                uncommitted=left,
                contents=tuple(digest(files[path]) if path in files else "" for path in left),
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


def _included(checkout: Mapping[str, bytes], inclusion: Inclusion, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What of a checkout is to be copied beside the files of a commit."""
    ignored = checkout.keys() - tracked(checkout).keys() - files.keys()
    return {path: checkout[path] for path in ignored if any(fnmatch(path, one) for one in inclusion.patterns)}
