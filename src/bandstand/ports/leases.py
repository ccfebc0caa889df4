"""What workspaces have of the machine for themselves."""

from typing import Protocol

from bandstand.domain.lease import Lease


class Leases(Protocol):
    """The leases of one repository's workspaces. No two workspaces of the machine that live have a port in common."""

    async def take(self, workspace: str) -> Lease:
        """The lease of a workspace that is there: the one that it has, if it has one. It ends with the workspace.

        Raises `Unavailable` if there is no more.
        """
        ...

    async def of(self, workspace: str) -> Lease | None:
        """The lease that a workspace has."""
        ...
