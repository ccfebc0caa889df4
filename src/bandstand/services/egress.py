"""The network of runs and checks: what each may reach, followed as answers come, and asks about what was refused."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from bandstand.domain.agent import AgentProfile, HostRefused
from bandstand.domain.egress import ask_about_hosts, reach_of, role_of
from bandstand.domain.errors import Unavailable
from bandstand.domain.events import Event
from bandstand.domain.ids import TaskId
from bandstand.domain.network import NetworkPolicy, NetworkRole, Reach, model_hosts
from bandstand.domain.run import Run
from bandstand.domain.state import State
from bandstand.ports.hosts import Host
from bandstand.services.fleet import Fleet
from bandstand.services.launching import Launching


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """What the runs and checks of one repository reach."""

    fleet: Fleet
    host: Host
    launching: Launching

    async def of_run(self, run: Run, profile: AgentProfile) -> Reach:
        """What a run may reach now."""
        models = model_hosts(profile, await self.launching.own_variables(profile))
        state = self.fleet.state
        task = state.tasks[run.task]
        return reach_of(state, task, role_of(task, run.part), models=models)

    def of_checks(self, task: TaskId) -> Reach:
        """What the checks of a task may reach now: they have no model."""
        return reach_of(self.fleet.state, self.fleet.state.tasks[task], NetworkRole.CHECKS)

    async def prepare(self, run: Run, profile: AgentProfile) -> Reach:
        """What a run that is about to start may reach; its host knows of it behind this."""
        reach = await self.of_run(run, profile)
        await self.host.let_reach(run.id, reach.rules)
        return reach

    async def follow(self, run: Run, profile: AgentProfile) -> None:
        """As long as it is let, tell the host of a live run what that may reach, whenever it is something else.

        Whoever comes to a run that was started by somebody else begins by telling, for an answer may have come since.
        A run behind a proxy stays there, and one that is not cannot be put there.
        """
        told: Reach | None = None
        while True:
            seen = self._facts(self.fleet.state, run)
            reach = await self.of_run(run, profile)
            if reach != told and reach.policy is not NetworkPolicy.OPEN:
                with contextlib.suppress(Unavailable):  # the disk is full, say: with the next change it is tried again
                    await self.host.let_reach(run.id, reach.rules)
                    told = reach
            await self.fleet.until(lambda state, seen=seen: self._facts(state, run) != seen)  # type: ignore[misc]

    async def refused(self, run: Run, host: HostRefused) -> None:
        """Have a human asked about a host that a run was refused, unless somebody was."""

        def ask(state: State) -> Sequence[Event]:
            if run.task not in state.tasks:
                return ()
            role = role_of(state.tasks[run.task], run.part)
            return ask_about_hosts(state, run.task, [host], role, now=self.fleet.clock.now())

        await self.fleet.record(ask)

    @staticmethod
    def _facts(state: State, run: Run) -> tuple[object, ...]:
        """All that decides what a run may reach."""
        task = state.tasks.get(run.task)
        network = state.policy.network if state.policy is not None else None
        return (state.allowed, network, task.allowed if task is not None else ())
