"""Snapshots: from the files and commits of a workspace to a checkpoint in the vault."""

from collections.abc import Sequence
from dataclasses import replace

from bandstand.adapters.git.capture import Capture
from bandstand.adapters.git.claims import Agents
from bandstand.adapters.git.command import TooMuch
from bandstand.adapters.git.confined import ConfinedGit
from bandstand.adapters.git.layout import Facts, Layout
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.vault import Checkpoint, Vault, let_go
from bandstand.domain.errors import Refused
from bandstand.domain.ids import CommitId
from bandstand.ports.sandbox import Sandbox
from bandstand.ports.workspaces import Snapshot


class Snapshots:
    """Takes the checkpoints of all workspaces. One at a time in each."""

    def __init__(self, repository: GitRepository, vault: Vault, sandbox: Sandbox) -> None:
        self._repository = repository
        self._vault = vault
        self._sandbox = sandbox

    def capture(self, layout: Layout) -> Capture:
        """The way into one workspace."""
        git = self._repository.git
        facts = Facts.read(layout.facts)
        confined = ConfinedGit(
            self._sandbox,
            layout,
            objects=self._repository.store.objects(),
            lent=facts.lenders if facts is not None else (),
            search_path=git.search_path,
        )
        return Capture(confined, layout)

    async def known(self, facts: Facts) -> list[CommitId]:
        """The commits of the user's repository that a workspace was given: its base, and what it was shown."""
        return [facts.base, *(await self._repository.store.refs(shown_place(facts.name))).values()]

    async def clean(
        self, capture: Capture, facts: Facts, agents: Agents, strays: Sequence[CommitId] = ()
    ) -> tuple[Agents, tuple[CommitId, ...]]:
        """What the agent's git says, but for commits that hold what was copied into the workspace."""
        if not capture.withholding:
            return agents, tuple(strays)
        known = await self.known(facts)
        kept = await capture.withholding.without(strays, objects=agents.objects, known=known)
        head, _ = await capture.withholding.clean(agents.head, objects=agents.objects, known=known)
        return replace(agents, head=head), kept

    async def take(
        self, layout: Layout, facts: Facts, agents: Agents | None, *, strays: tuple[CommitId, ...] = ()
    ) -> Checkpoint:
        """Take what a workspace holds into the vault, `strays` too. Without `agents`, its files on top of its base.

        Raises `Refused` if its repository is not sound, or what it has of history holds what was copied into it.
        """
        try:
            return await self._take(layout, facts, agents, strays)
        except TooMuch:
            raise
        except Refused:
            # It may be our own copy that is broken; then a new one is not.
            layout.renew_work()
        return await self._take(layout, facts, agents, strays)

    async def shown(self, kept: Checkpoint) -> Snapshot:
        """A checkpoint as the port shows it."""
        head_tree = await self._vault.store.tree(kept.head)
        left = await self._vault.store.differences(head_tree, kept.tree)
        return Snapshot(
            number=kept.number,
            head=kept.head,
            head_tree=head_tree,
            commit=kept.commit,
            tree=kept.tree,
            uncommitted=tuple(left),
            contents=tuple(left.values()),
        )

    async def _take(
        self, layout: Layout, facts: Facts, agents: Agents | None, strays: tuple[CommitId, ...]
    ) -> Checkpoint:
        capture = self.capture(layout)
        head = agents.head if agents else facts.base
        tree = await capture.files(agents)
        commits = await self.known(facts)
        if agents and await capture.withholding.holds((head, *strays), objects=agents.objects, known=commits):
            raise Refused(f"Commits of workspace {facts.name} hold files that were copied into it.")
        # The trees too: against a commit git compares commits only, and would pack all files of a tree of ours.
        known = [*commits, *[await self._repository.tree(one) for one in commits]]
        async with self._vault.taking():
            keep = await self._vault.receive(lambda: capture.packing(agents), wanted=[head, tree, *strays], known=known)
            try:
                return await self._vault.keep(facts.name, head=head, tree=tree)
            finally:
                let_go(keep)


def shown_place(name: str) -> str:
    """Where the user's repository pins the commits that a workspace was shown."""
    return f"refs/bandstand/shown/{name}/"
