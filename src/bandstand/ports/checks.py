"""Running check commands."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from bandstand.domain.check import CheckCommand, CommandResult
from bandstand.domain.ids import CommitId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.network import Reach
from bandstand.ports.workspaces import Workspace


class CheckRunner(Protocol):
    """Runs check commands on a commit: in a clean checkout, behind the walls of an agent, without its secrets."""

    async def run(
        self,
        name: str,
        commit: CommitId,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        *,
        reach: Reach,
        inclusion: Inclusion = NOTHING,
    ) -> tuple[CommandResult, ...]:
        """Run the commands in order until one does not succeed. The output is kept under `name`. May be repeated.

        They reach no more than `reach` says, where the walls are real. The checkout has what `inclusion` names, too.
        """
        ...

    async def run_in(
        self,
        name: str,
        workspace: Workspace,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        *,
        reach: Reach,
    ) -> tuple[CommandResult, ...]:
        """The same in a workspace that is there, which stays."""
        ...

    async def output(self, name: str) -> str:
        """All output that was kept under `name`; empty if there is none."""
        ...
