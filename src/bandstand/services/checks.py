"""Checks: running the project's commands on a commit and recording the verdict."""

from dataclasses import dataclass

from bandstand.domain import events as e
from bandstand.domain.activities import RunChecks
from bandstand.domain.check import CheckOutcome
from bandstand.domain.egress import ask_about_hosts
from bandstand.domain.ids import TaskId
from bandstand.domain.network import NetworkRole
from bandstand.domain.policy import Policy
from bandstand.domain.stage import Checking, Testing
from bandstand.domain.state import State
from bandstand.faults import fault
from bandstand.ports.checks import CheckRunner
from bandstand.services.egress import Egress
from bandstand.services.fleet import Fleet
from bandstand.services.policies import Policies
from bandstand.services.runs import confirmed
from bandstand.services.settingup import Setups


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Runs checks of one repository."""

    fleet: Fleet
    runner: CheckRunner
    policies: Policies
    setups: Setups
    egress: Egress

    async def perform(self, activity: RunChecks) -> None:
        """Check a commit by the confirmed rules and record the verdict. Rules that changed are asked about first."""
        if not await self.policies.still_confirmed(activity.task):
            return
        policy = confirmed(self.fleet.state)
        variables = await self.setups.variables()
        gates = await self._gates(activity, policy)
        fault("check.run.before")
        reach = self.egress.of_checks(activity.task)
        results = await self.runner.run(
            activity.name,
            activity.commit,
            (*await self.setups.before_checks(activity.task, activity.commit, policy), *policy.checks),
            variables,
            reach=reach,
            inclusion=policy.inclusion,
        )
        fault("check.run.after")
        outcome = CheckOutcome(
            name=activity.name,
            commit=activity.commit,
            tree=activity.tree,
            policy=policy.digest,
            results=results,
        )

        def conclude(state: State) -> list[e.Event]:
            if _waits_for(state, activity):
                concluded = e.CheckConcluded(task=activity.task, outcome=outcome, gates=gates)
                return [concluded, *self._asked(state, activity.task, outcome)]
            return []

        await self.fleet.record(conclude)

    def _asked(self, state: State, task: TaskId, outcome: CheckOutcome) -> list[e.Event]:
        """Asks about what the commands tried to reach and may not: with these allowed, the next check may be green."""
        refused = [host for result in outcome.results for host in result.refused]
        return ask_about_hosts(state, task, refused, NetworkRole.CHECKS, now=self.fleet.clock.now())

    async def _gates(self, activity: RunChecks, policy: Policy) -> tuple[str, ...] | None:
        """Where the task's own change touches what it is judged by, now that these are the rules."""
        change = self.fleet.state.tasks[activity.task].change
        if change is None or change.head != activity.commit:
            return None
        return await self.policies.touched(policy, change)


def _waits_for(state: State, activity: RunChecks) -> bool:
    """Whether the task still stands where it waits for this very check."""
    match state.tasks[activity.task].stage:
        case Checking(name=name):
            return name == activity.name
        case Testing(candidate=candidate):
            return candidate.check == activity.name
        case _:
            return False
