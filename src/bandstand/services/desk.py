"""Everything that serves one repository, put together."""

import asyncio
from dataclasses import dataclass

from bandstand.ports.git import Repository
from bandstand.ports.sandbox import Sandbox
from bandstand.services.admission import Account
from bandstand.services.checkpoint_orders import CheckpointOrders
from bandstand.services.checkpoints import Checkpointing
from bandstand.services.commands import Commands
from bandstand.services.fleet import Fleet
from bandstand.services.housekeeping import Housekeeping
from bandstand.services.listening import Listening
from bandstand.services.policies import Policies
from bandstand.services.purging import Purging
from bandstand.services.reconcile import Brain
from bandstand.services.rescues import Rescuing
from bandstand.services.upstreams import Upstreams
from bandstand.services.views import Views
from bandstand.services.watching import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The services of one repository. Its brain runs as a task of its own."""

    repository: Repository
    sandbox: Sandbox
    fleet: Fleet
    commands: Commands
    views: Views
    policies: Policies
    account: Account
    housekeeping: Housekeeping
    rescuing: Rescuing
    purging: Purging
    upstreams: Upstreams
    checkpointing: Checkpointing
    listening: Listening
    checkpoint_orders: CheckpointOrders
    brain: Brain
    watch: Watch

    async def run(self) -> None:
        """Keep the fleet going, and watch over what its runs use, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.brain.run())
            group.create_task(self.watch.run())

    @property
    def live(self) -> bool:
        """Whether any task has not ended, or a run or workspace of one is still there."""
        return bool(self.fleet.state.tasks)


@dataclass(slots=True, kw_only=True)
class Going:
    """A desk and the task that its brain runs in."""

    desk: Desk
    brain: asyncio.Task[None]
