"""Leases in memory: of workspaces that last as long as the test."""

from bandstand.domain.lease import Blocks, Lease, bases


class MemoryLeases:
    """Those of one repository, or of several that share it."""

    def __init__(self) -> None:
        self.held: dict[str, Lease] = {}

    async def take(self, workspace: str) -> Lease:
        """The lease of a workspace, always the same one."""
        if workspace not in self.held:
            base = next(bases(workspace, Blocks(), self.held.values()))
            self.held[workspace] = Lease(workspace=workspace, base=base, count=Blocks().count)
        return self.held[workspace]

    async def of(self, workspace: str) -> Lease | None:
        """The lease that a workspace has."""
        return self.held.get(workspace)
