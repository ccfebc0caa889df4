"""What the agent of a task listens on."""

from dataclasses import dataclass, replace

from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.lease import Lease
from bandstand.ports.leases import Leases
from bandstand.ports.listening import Listener, RunNetworks
from bandstand.services.fleet import Fleet
from bandstand.services.views import never


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsView:
    """The ports of a task. Without a `run` no agent works on it now; `over` tells that none will.

    While the task has a workspace, the `count` ports from `base` on are its own, and so are the names of a `project` of
    Docker Compose and of a `database`.

    `own` tells that the run has a network of its own, where `process`, which began at `started`, is in. Otherwise its
    ports are the machine's.
    """

    task: TaskId
    over: bool
    run: RunId | None
    own: bool
    process: int
    started: int
    ports: tuple[Listener, ...]
    base: int = 0
    count: int = 0
    project: str = ""
    database: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What the runs of one repository listen on."""

    fleet: Fleet
    networks: RunNetworks
    leases: Leases

    async def of(self, task_id: TaskId) -> PortsView:
        """The ports of a task: of the agent that makes its change, else of one that reviews it. Raises `Unknown`."""
        task = await self.fleet.task(task_id)
        if task is None:
            raise never(task_id)
        lease = None if task.retired else await self.leases.of(task_id)
        for run in (task.run, task.review_run):
            if run is not None and (network := await self.networks.of(run.id)) is not None:
                return self._with_lease(
                    PortsView(
                        task=task_id,
                        over=False,
                        run=run.id,
                        own=network.own,
                        process=network.process,
                        started=network.started,
                        ports=network.listeners,
                    ),
                    lease,
                )
        nothing = PortsView(task=task_id, over=task.ended, run=None, own=False, process=0, started=0, ports=())
        return self._with_lease(nothing, lease)

    @staticmethod
    def _with_lease(view: PortsView, lease: Lease | None) -> PortsView:
        if lease is None:
            return view
        return replace(view, base=lease.base, count=lease.count, project=lease.project, database=lease.database)
