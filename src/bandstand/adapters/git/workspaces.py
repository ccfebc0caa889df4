"""Workspaces as full checkouts, each with a git dir of its own that borrows the objects of the user's repository.

The rule: once an agent may have touched a workspace, the host neither runs git in its git dir nor follows its links.
Whatever git has to do there it does in the sandbox, and what comes out of it is checked before it is believed.
"""

import asyncio
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from bandstand.adapters.git.including import Included
from bandstand.adapters.git.layout import VAULT, Facts, Layout, require_name
from bandstand.adapters.git.preparing import furnish
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.retiring import Retirement, destroy
from bandstand.adapters.git.rewinding import Rewinding
from bandstand.adapters.git.snapshots import Snapshots, shown_place
from bandstand.adapters.git.store import NewCommit
from bandstand.adapters.git.vault import Vault
from bandstand.domain.errors import Refused, Unavailable, Unknown
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.task import Fork
from bandstand.faults import fault
from bandstand.ports.git import CheckoutInTheWay, Signature
from bandstand.ports.sandbox import Sandbox
from bandstand.ports.workspaces import Rewound, Snapshot, Workspace


class GitWorkspaces:
    """The workspaces of one repository, below `root`, which is ours alone."""

    def __init__(self, repository: GitRepository, root: Path, sandbox: Sandbox) -> None:
        self._repository = repository
        self.root = root
        self.vault = Vault(repository, root / VAULT)
        self._snapshots = Snapshots(repository, self.vault, sandbox)
        self._rewinding = Rewinding(self.vault, self._snapshots, root)
        self._retirement = Retirement(repository, self.vault, self._snapshots, root)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, name: str) -> asyncio.Lock:
        """Held while something under this name is made, looked into or removed."""
        return self._locks[name]

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
        """A workspace with `base` checked out on branch `band/<name>`; the one that is there already, if it is."""
        layout = self._layout(name)
        async with self.lock(name):
            if Facts.read(layout.facts) is None:
                store = self._repository.store
                await self._repository.joined.ask(("commit", base), lambda: store.require(base))
                await self.vault.open()
                # Before anything borrows from the user's objects, what is borrowed is kept from being pruned.
                fault("workspace.pin.before")
                await store.point(pin(name), base, why="pin")
                fault("workspace.pin.after")
                head, files = (fork.head, fork.files) if fork is not None else (None, None)
                await store.require(*(one for one in (head, files) if one is not None))
                facts = Facts(
                    name=name, base=base, target=target, author=author, committer=committer, head=head, files=files
                )
                await self._make(layout, facts, inclusion)
            return self._workspace(layout)

    async def lend(self, name: str, number: int, *, to: str) -> Fork:
        """What another workspace can begin with; kept in the user's repository until that one is gone."""
        async with self.lock(name):
            _, facts = self._present(name)
            await self.vault.open()
            point = await self._rewinding.point(facts, number)
            require_name(to)
            await self.vault.send(point.files)
            await self.vault.send(point.proposed)
            for commit in (point.files, point.proposed):
                fault("fork.pin.before")
                await self._repository.store.point(f"{shown_place(to)}{commit}", commit, why="pin")
                fault("fork.pin.after")
        return Fork(task=TaskId(name), checkpoint=number, base=facts.base, head=point.proposed, files=point.files)

    async def unlend(self, to: str) -> None:
        """Keep no longer what was lent to a workspace that there never was."""
        if Facts.read(self._layout(to).facts) is None:
            await self._repository.store.drop(*await self._repository.store.refs(shown_place(to)))

    async def find(self, name: str) -> Workspace | None:
        """The workspace of that name, if it is whole."""
        layout = self._layout(name)
        return None if Facts.read(layout.facts) is None else self._workspace(layout)

    async def snapshot(self, name: str) -> Snapshot:
        """Keep all files of a workspace, ignored ones aside, as a commit in the vault. Its index and HEAD stay."""
        async with self.lock(name):
            layout, facts = self._present(name)
            await self.vault.open()
            capture = self._snapshots.capture(layout)
            agents = await capture.claims.agents()
            clean, _ = await self._snapshots.clean(capture, facts, agents)
            shown = await self._snapshots.shown(await self._snapshots.take(layout, facts, clean))
            return replace(shown, withheld=clean.head != agents.head)

    async def publish(self, task: TaskId, commit: CommitId) -> None:
        """Point branch `band/<task>` of the user's repository at a commit that the vault has. May be repeated.

        A checkout of that branch moves along. Raises `Unavailable` while edits of the user are in its way.
        """
        await self.vault.open()
        await self.vault.store.require(commit)
        await self.vault.send(commit)
        try:
            fault("branch.publish.before")
            await self._repository.publish(f"band/{task}", commit)
            fault("branch.publish.after")
        except CheckoutInTheWay as edits:
            raise Unavailable(
                f"Branch band/{task} is checked out at {edits.checkout}, with edits in the way: {edits}.",
                hint="Commit the edits there, or go to another branch.",
            ) from edits

    async def commit_leftovers(self, name: str, snapshot: Snapshot, *, message: str, author: Signature) -> Snapshot:
        """The snapshot with a commit of its files on top of `head` as its new head. The workspace is not touched."""
        _, facts = self._present(name)
        if snapshot.tree == snapshot.head_tree:
            return snapshot
        kept = {one.number: one for one in await self.vault.checkpoints(name)}
        at = kept[snapshot.number].at if snapshot.number in kept else None
        new = NewCommit(
            tree=snapshot.tree,
            parents=(snapshot.head,),
            message=message,
            author=author,
            committer=facts.committer,
            at=at,
        )
        fault("snapshot.commit.before")
        head = await self.vault.store.write_commit(new)
        await self.vault.store.point(f"refs/leftovers/{name}/{snapshot.number}", head, why="leftovers")
        fault("snapshot.commit.after")
        return replace(snapshot, head=head, head_tree=snapshot.tree, uncommitted=(), contents=())

    async def rewind(self, name: str, number: int, *, order: int) -> Rewound:
        """Have the workspace hold what it held at a snapshot, while nobody is at work there."""
        async with self.lock(name):
            layout, facts = self._present(name)
            await self.vault.open()
            return await self._rewinding.back(layout, facts, number, order=order)

    async def show_commit(self, name: str, *, ref: str, commit: CommitId) -> None:
        """Make a commit of the user's repository known inside a workspace under a full ref name. May be repeated."""
        async with self.lock(name):
            layout, _ = self._present(name)
            store = self._repository.store
            await store.require(commit)
            valid = await store.run("check-ref-format", ref, ok=(0, 1))
            if valid.code != 0 or not ref.startswith("refs/"):
                raise Refused(f"{ref!r} is not the full name of a ref.")
            await store.point(f"{shown_place(name)}{commit}", commit, why="pin")
            fault("workspace.show.before")
            await self._snapshots.capture(layout).claims.show(ref, commit)
            fault("workspace.show.after")

    async def retire(self, name: str, *, landed: bool) -> str | None:
        """Remove a workspace. What has not landed is kept and read back first; returns the rescue ref, if one was made.

        The only place where work is removed. Raises `Broken`, with nothing removed, when the rescue cannot be read
        back. Repeated for one that is gone and had not landed, it returns the last rescue ref of that name.
        """
        layout = self._layout(name)
        async with self.lock(name):
            facts = Facts.read(layout.facts)
            if facts is None:
                ref = None if landed else await self._retirement.last_rescue(name)
            else:
                await self.vault.open()
                ref = await self._retirement.save(layout, facts, landed=landed)
            await self._remove(layout)
            return ref

    async def discard(self, name: str) -> None:
        """Remove a throw-away checkout: one for a check or a review, which holds nobody's work. May be repeated.

        Raises `Refused` for a task's own workspace: a name without a dot.
        """
        layout = self._layout(name)
        if "." not in name:
            raise Refused(f"Workspace {name} is a task's own; it can only be retired.")
        async with self.lock(name):
            await self._remove(layout)

    async def _remove(self, layout: Layout) -> None:
        """Remove a workspace, or what is left of one, and all that was kept for its sake alone."""
        name = layout.folder.name
        if layout.folder.exists():
            await destroy(_gone(layout))
            fault("workspace.remove.before")
            layout.folder.rename(_gone(layout))
            fault("workspace.remove.after")
        fault("workspace.destroy.before")
        await destroy(_gone(layout))
        await destroy(_new(layout))
        fault("workspace.destroy.after")
        await self.vault.open()
        await self.vault.forget(name)
        fault("workspace.unpin.before")
        await self._repository.store.drop(pin(name), *await self._repository.store.refs(shown_place(name)))
        fault("workspace.unpin.after")

    async def _make(self, layout: Layout, facts: Facts, inclusion: Inclusion) -> None:
        new = Layout(folder=_new(layout))
        await destroy(new.folder)
        await furnish(self._repository, new, facts, inclusion=inclusion)
        fault("workspace.make.before")
        new.folder.rename(layout.folder)
        fault("workspace.make.after")

    def _layout(self, name: str) -> Layout:
        return Layout(folder=self.root / require_name(name))

    def _present(self, name: str) -> tuple[Layout, Facts]:
        layout = self._layout(name)
        facts = Facts.read(layout.facts)
        if facts is None:
            raise Unknown(f"There is no workspace {name}.")
        return layout, facts

    def _workspace(self, layout: Layout) -> Workspace:
        facts = Facts.read(layout.facts)
        objects = (*self._repository.store.objects(), *(facts.lenders if facts is not None else ()))
        included = Included.read(layout.included)
        return Workspace(
            name=layout.folder.name,
            folder=layout.tree,
            home=layout.home,
            objects=objects,
            included=tuple(one.path for one in included.files),
            left_out=included.left_out,
        )


def pin(name: str) -> str:
    """Where the user's repository pins the commit that a workspace began at."""
    return f"refs/bandstand/pins/{name}"


def _new(layout: Layout) -> Path:
    return layout.folder.with_name(f".{layout.folder.name}.new")


def _gone(layout: Layout) -> Path:
    return layout.folder.with_name(f".{layout.folder.name}.gone")
