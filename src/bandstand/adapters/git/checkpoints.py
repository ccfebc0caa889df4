"""Checkpoints as they lie in the vault, each compared with the one before."""

from bandstand.adapters.git import changes
from bandstand.adapters.git.layout import Facts, Layout
from bandstand.adapters.git.vault import Checkpoint as Kept
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.errors import Unknown
from bandstand.domain.ids import CommitId, TreeId
from bandstand.ports.checkpoints import Checkpoint


class GitCheckpoints:
    """The checkpoints of the workspaces of one repository."""

    def __init__(self, workspaces: GitWorkspaces) -> None:
        self._root = workspaces.root
        self._vault = workspaces.vault

    async def of(self, name: str) -> tuple[Checkpoint, ...]:
        """All of one workspace, in their order."""
        found = []
        for before, kept in await self._pairs(name):
            files = await changes.files_between(self._vault.store, old=before, new=kept.tree)
            found.append(Checkpoint(number=kept.number, at=kept.at, commit=kept.commit, head=kept.head, files=files))
        return tuple(found)

    async def commit(self, name: str, number: int) -> CommitId:
        """The commit of all files at one of them."""
        return (await self._one(name, number))[1].commit

    async def patch(self, name: str, number: int) -> str:
        """What one of them changed since the one before."""
        before, kept = await self._one(name, number)
        return await changes.patch_of_trees(self._vault.store, old=before, new=kept.tree)

    async def _one(self, name: str, number: int) -> tuple[TreeId, Kept]:
        """One checkpoint behind the tree of the one before."""
        pairs = await self._pairs(name)
        for before, kept in pairs:
            if kept.number == number:
                return before, kept
        there = f"1 to {pairs[-1][1].number}" if pairs else "none"
        raise Unknown(f"There is no checkpoint {number} of {name}.", hint=f"There are: {there}.")

    async def _pairs(self, name: str) -> list[tuple[TreeId, Kept]]:
        """Each checkpoint behind the tree of the one before, or of the commit that the workspace began at."""
        facts = Facts.read(Layout(folder=self._root / name).facts)
        if facts is None:
            return []
        await self._vault.open()
        before, found = await self._vault.store.tree(facts.files or facts.base), []
        for kept in await self._vault.checkpoints(name):
            found.append((before, kept))
            before = kept.tree
        return found
