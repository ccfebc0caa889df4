"""Performing: which hand carries out which activity."""

from dataclasses import dataclass
from typing import Self, assert_never

from bandstand.domain import events as e
from bandstand.domain.activities import Activity, Author, Build, GoBack, Move, Push, Retire, Reviewing, RunChecks
from bandstand.domain.stage import Landed
from bandstand.ports.agents import AgentProtocol
from bandstand.ports.checks import CheckRunner
from bandstand.ports.hosts import Host
from bandstand.ports.workspaces import Workspaces
from bandstand.services.checks import Checks
from bandstand.services.egress import Egress
from bandstand.services.fleet import Fleet
from bandstand.services.housekeeping import Housekeeping
from bandstand.services.landing import Landing
from bandstand.services.launching import Launching
from bandstand.services.policies import Policies
from bandstand.services.proposing import Proposing
from bandstand.services.reviews import Reviewers
from bandstand.services.rewinding import Rewinds
from bandstand.services.runs import Authors
from bandstand.services.settingup import Setups
from bandstand.services.upstreams import Upstreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Performers:
    """Everything that Bandstand does by itself in one repository."""

    fleet: Fleet
    authors: Authors
    reviewers: Reviewers
    checks: Checks
    landing: Landing
    workspaces: Workspaces
    housekeeping: Housekeeping
    upstreams: Upstreams
    rewinds: Rewinds

    @classmethod
    def of(
        cls,
        fleet: Fleet,
        *,
        host: Host,
        protocol: AgentProtocol,
        workspaces: Workspaces,
        launching: Launching,
        policies: Policies,
        runner: CheckRunner,
        housekeeping: Housekeeping,
        upstreams: Upstreams,
    ) -> Self:
        """Put together from what they need of the world."""
        repository = launching.repository
        egress = Egress(fleet=fleet, host=host, launching=launching)
        proposing = Proposing(repository=repository, workspaces=workspaces, policies=policies)
        setups = Setups(fleet=fleet, runner=runner, launching=launching, egress=egress)
        return cls(
            fleet=fleet,
            workspaces=workspaces,
            housekeeping=housekeeping,
            upstreams=upstreams,
            authors=Authors(
                fleet=fleet,
                host=host,
                protocol=protocol,
                workspaces=workspaces,
                launching=launching,
                policies=policies,
                proposing=proposing,
                egress=egress,
                setups=setups,
            ),
            rewinds=Rewinds(fleet=fleet, workspaces=workspaces, policies=policies, proposing=proposing),
            reviewers=Reviewers(
                fleet=fleet,
                host=host,
                protocol=protocol,
                repository=repository,
                workspaces=workspaces,
                launching=launching,
                policies=policies,
                egress=egress,
            ),
            checks=Checks(fleet=fleet, runner=runner, policies=policies, setups=setups, egress=egress),
            landing=Landing(
                fleet=fleet, repository=repository, launching=launching, policies=policies, upstreams=upstreams
            ),
        )

    async def perform(self, activity: Activity) -> None:  # noqa: C901 - one match over a sum type
        """Carry out one activity and record what came of it."""
        match activity:
            case Author():
                await self.authors.perform(activity)
            case Reviewing():
                await self.reviewers.perform(activity)
            case RunChecks():
                await self.checks.perform(activity)
            case Build():
                await self.landing.build(activity)
            case Move():
                await self.landing.move(activity)
            case GoBack():
                await self.rewinds.perform(activity)
            case Push():
                await self.upstreams.push(activity)
            case Retire():
                await self._retire(activity)
            case _:
                assert_never(activity)

    async def _retire(self, activity: Retire) -> None:
        """Remove the workspace of an ended task; what has not landed is kept first."""
        task = self.fleet.state.tasks[activity.task]
        if task.doubtful:
            await self.authors.end_strays(task)
        landed = isinstance(task.stage, Landed)
        rescue = await self.workspaces.retire(activity.task, landed=landed)
        await self.fleet.record(
            lambda state: (
                [e.WorkspaceRetired(task=activity.task, rescue=rescue)] if activity.task in state.tasks else []
            )
        )
        await self.housekeeping.after_ending()
