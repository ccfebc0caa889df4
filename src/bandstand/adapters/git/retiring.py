"""The end of a workspace: first everything in it that has not landed is kept and read back, then it is removed.

    refs/bandstand/rescue/<name>/<n>   in the user's repository: a commit of all files; its parents are the agent's last
                                       commit, and every checkpoint and stray commit that nothing else would keep
    <root>/archive.d/<name>-<c>.tar.gz what git left out of checkpoint <c>: ignored files, repositories inside, names
                                       that git refuses, files too large for it; the git dir itself if it is broken

Folders that tools fill anew from what is in git are left out of the archive. Where git can take nothing of the files,
for they are too many or too large together, all of them are in the archive, and nothing is left out.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from bandstand.adapters.git.archiving import REBUILT, Archives
from bandstand.adapters.git.capture import Capture
from bandstand.adapters.git.command import OutOfTime, TooMuch, execute
from bandstand.adapters.git.layout import Facts, Layout
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.snapshots import Snapshots
from bandstand.adapters.git.store import BANDSTAND, NewCommit
from bandstand.adapters.git.vault import Checkpoint, Vault
from bandstand.domain.errors import Broken, Refused
from bandstand.domain.ids import CommitId, TreeId
from bandstand.faults import fault
from bandstand.ports.hosts import Launch

PLACE = "refs/bandstand/rescue/"
DEADLINE_SECONDS = 1800.0
_RESCUED = "Rescued from workspace {name}\n\nIts files; the first parent is the last commit there."
_ARCHIVED = "Rescued from workspace {name}\n\nGit could not take its files. All of them are in\n{archive}"


class Retirement:
    """Saves what a workspace holds, before it goes."""

    def __init__(self, repository: GitRepository, vault: Vault, snapshots: Snapshots, root: Path) -> None:
        self._repository = repository
        self._vault = vault
        self._snapshots = snapshots
        self._archives = Archives(root)

    async def save(self, layout: Layout, facts: Facts, *, landed: bool) -> str | None:
        """Keep everything of a workspace that would be lost with it; returns the rescue ref, if one was needed.

        Raises `Broken` when that cannot be read back, `Unavailable` where there is no room for it. May be repeated.
        """
        async with self._vault.taking():
            return await self._save(layout, facts, landed=landed)

    async def _save(self, layout: Layout, facts: Facts, *, landed: bool) -> str | None:
        capture = self._snapshots.capture(layout)
        try:
            last, strays = await self._last(capture, layout, facts, landed=landed)
        except (Refused, Broken, OutOfTime):
            return await self._save_whole(capture, facts)
        found = await capture.others(await self._links(last.tree))
        others = await capture.withholding.for_archive(found, rebuilt=REBUILT)
        # A repository that gave us nothing may still hold commits for who can mend it.
        also: tuple[str, ...] = ()
        if strays is None and await capture.has_git_dir():
            also = await capture.withholding.for_archive((".git",), rebuilt=())
        await self._archives.keep(capture, _archive_name(facts, last), (*others, *also))
        if await self._is_kept(last, facts, strays or (), landed=landed):
            return None
        return await self._rescue(last, facts, strays or (), message=_RESCUED.format(name=facts.name))

    async def _save_whole(self, capture: Capture, facts: Facts) -> str:
        """Keep a workspace of which git can take nothing: all of it in an archive, which a rescue ref tells of."""
        base = await self._repository.store.tree(facts.base)
        last = await self._vault.keep(facts.name, head=facts.base, tree=base)
        archive = await self._archives.keep_all(capture, _archive_name(facts, last))
        return await self._rescue(last, facts, (), message=_ARCHIVED.format(name=facts.name, archive=archive))

    async def last_rescue(self, name: str) -> str | None:
        """The newest rescue ref of a workspace's name."""
        place = _place(name)
        found = [ref for ref in await self._repository.store.refs(place) if ref.removeprefix(place).isdigit()]
        return max(found, key=lambda ref: int(ref.removeprefix(place)), default=None)

    async def _last(
        self, capture: Capture, layout: Layout, facts: Facts, *, landed: bool
    ) -> tuple[Checkpoint, tuple[CommitId, ...] | None]:
        """The last checkpoint of a workspace, and its stray commits: `None` where its repository gives nothing."""
        try:
            agents, strays = await capture.claims.everything(reflogs=not landed)
            agents, strays = await self._snapshots.clean(capture, facts, agents, strays)
        except Refused:
            return await self._snapshots.take(layout, facts, None), None
        for also in dict.fromkeys((strays, ())):
            try:
                return await self._snapshots.take(layout, facts, agents, strays=also), also
            except TooMuch:
                raise
            except Refused:
                continue
        return await self._snapshots.take(layout, facts, None), None

    async def _is_kept(self, last: Checkpoint, facts: Facts, strays: Sequence[CommitId], *, landed: bool) -> bool:
        """Whether nothing would be lost without a rescue."""
        kept = await (self._vault.rewound(facts.name) if landed else self._vault.kept(facts.name))
        others = {*strays, *kept} - {last.commit}
        if landed and await self._is_published(last, facts):
            return not await self._tips(others, last, facts)
        if last.tree != await self._vault.store.tree(last.head) or await self._tips(others, last, facts):
            return False
        if last.head == facts.base:
            return True
        store = self._repository.store
        if not landed or not await store.holds(last.head):
            return False
        places = ("refs/heads/", "refs/remotes/", "refs/tags/")
        return bool((await store.run("for-each-ref", "--count=1", "--contains", last.head, *places)).text)

    async def _is_published(self, last: Checkpoint, facts: Facts) -> bool:
        """Whether the task's branch holds exactly these files on top of the agent's last commit.

        It does so too where the agent had left them uncommitted, and a commit was made of them.
        """
        store = self._repository.store
        published = await store.resolve(f"refs/heads/band/{facts.name}")
        if published is None or not await store.holds(last.head) or await store.tree(published) != last.tree:
            return False
        if last.head == published:
            return True
        said = await store.run("merge-base", "--is-ancestor", last.head, published, ok=(0, 1))
        return said.code == 0

    async def _rescue(self, last: Checkpoint, facts: Facts, strays: Sequence[CommitId], *, message: str) -> str:
        """Keep a checkpoint, and all that led to it, at a rescue ref; the one it is at, if it is."""
        store, place = self._repository.store, _place(facts.name)
        others = {*strays, *await self._vault.kept(facts.name)} - {last.commit}
        new = NewCommit(
            tree=last.tree,
            parents=(last.head, *await self._tips(others, last, facts)),
            message=message,
            author=BANDSTAND,
            committer=BANDSTAND,
            at=last.at,
        )
        commit = await self._vault.store.write_commit(new)
        await self._vault.send(commit)
        there = await store.refs(place)
        for ref, kept in there.items():
            if kept == commit:
                return ref
        numbers = [int(ref.removeprefix(place)) for ref in there if ref.removeprefix(place).isdigit()]
        ref = f"{place}{max(numbers, default=0) + 1}"
        fault("rescue.point.before")
        await store.create(ref, commit, why="rescue")
        fault("rescue.point.after")
        if await store.resolve(ref) != commit or await store.tree(commit) != last.tree:
            raise Broken(f"The rescue of workspace {facts.name} cannot be read back from {ref}; nothing was removed.")
        return ref

    async def _tips(self, commits: set[CommitId], last: Checkpoint, facts: Facts) -> tuple[CommitId, ...]:
        """Those commits that hold something of their own, and that none of them nor `last` nor the user's reach."""
        store, known = self._vault.store, [last.head, *await self._snapshots.known(facts)]
        commits = commits - {*known}
        if not commits:
            return ()
        stdin = "".join([*(f"{one}\n" for one in commits), *(f"^{one}\n" for one in known)]).encode()
        said = await store.run("rev-list", "--parents", "--stdin", stdin=stdin)
        behind = {line.split(" ")[0]: line.split(" ")[1:] for line in said.text.splitlines()}
        inner = {parent for parents in behind.values() for parent in parents}
        trees = {last.tree, *[await store.tree(one) for one in known]}
        chosen = []
        for commit in sorted(commit for commit in commits if commit in behind and commit not in inner):
            tree = await store.tree(commit)
            # A checkpoint is only its files; one with files that are kept already says nothing new. A stash may have
            # the files of its base and hold what it is about in its parents.
            if tree not in trees or any(parent in behind for parent in behind[commit]):
                chosen.append(commit)
            trees.add(tree)
        return tuple(chosen)

    async def _links(self, tree: TreeId) -> tuple[str, ...]:
        """The paths of a tree where it has the commit of another repository."""
        said = await self._vault.store.run("ls-tree", "-r", "-z", "--full-tree", tree)
        return tuple(record.partition("\t")[2] for record in said.names if record.startswith("160000 "))


async def destroy(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep and however locked, following no link.

    The one place where anything is destroyed: call it behind the rescue, or for a folder nobody was ever let into.
    """
    remove = Launch(argv=("rm", "-rf", "--", str(folder)), cwd=folder.parent, environment={"PATH": os.defpath})
    unlock = Launch(argv=("chmod", "-R", "u+rwX", "--", str(folder)), cwd=folder.parent, environment=remove.environment)
    complaint = ""
    for step in (remove, unlock, remove):
        if _is_there(folder):
            complaint = (await execute(step, deadline_seconds=DEADLINE_SECONDS)).complaint
    if _is_there(folder):
        raise Broken(f"The folder {folder} could not be removed: {complaint}")


def _archive_name(facts: Facts, last: Checkpoint) -> str:
    return f"{facts.name}-{last.commit[:12]}"


def _place(name: str) -> str:
    return f"{PLACE}{name}/"


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)
