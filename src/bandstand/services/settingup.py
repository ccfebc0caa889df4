"""Setting up a task's workspace, before its agent begins there for the first time.

It is done once for what it depends on: the commands that were confirmed, and the lock files of the commit that the
workspace began at. If the daemon dies meanwhile it is done again, so a command has to bear that.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bandstand.domain import events as e
from bandstand.domain.asking import ask_setup
from bandstand.domain.check import CheckCommand, CommandResult
from bandstand.domain.egress import ask_about_hosts
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.network import NetworkRole
from bandstand.domain.policy import Policy
from bandstand.domain.run import Run
from bandstand.domain.setup import SetupCommand, SetupOutcome, as_checks, lock_files, stamp, wanted
from bandstand.domain.state import State
from bandstand.faults import fault
from bandstand.ports.checks import CheckRunner
from bandstand.ports.workspaces import Workspace
from bandstand.services.conversation import wanted as still_wanted
from bandstand.services.egress import Egress
from bandstand.services.fleet import Fleet
from bandstand.services.launching import Launching, base_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Setups:
    """Sets up the workspaces of one repository."""

    fleet: Fleet
    runner: CheckRunner
    launching: Launching
    egress: Egress

    async def ready(self, run: Run, workspace: Workspace, policy: Policy) -> bool:
        """See to it that a workspace is set up. If that does not work a human is asked, and the task waits.

        False if its agent is not to begin now.
        """
        task = self.fleet.state.tasks[run.task]
        if not policy.setup or task.base is None or task.setup_waived:
            return True
        repository = self.launching.repository
        files = await repository.files(task.base)
        commands = wanted(policy.setup, files)
        locks = {path: await repository.read(task.base, path) for path in lock_files(commands, files)}
        name = stamp(commands, locks)
        done = task.setup is not None and task.setup.stamp == name and task.setup.failed is None
        if not commands or done:
            return True
        results = await self._run(run, workspace, commands)
        if results is None:
            return False
        outcome = SetupOutcome(stamp=name, results=results)
        await self.fleet.record(lambda state: self._concluded(state, run, outcome))
        return outcome.failed is None

    async def variables(self) -> Mapping[str, str]:
        """What set-up commands and checks get of the caller's environment: no agent's keys."""
        return base_environment(await self.launching.environment.load())

    async def before_checks(self, task: TaskId, commit: CommitId, policy: Policy) -> tuple[CheckCommand, ...]:
        """What sets up the checkout of a check: a fresh one, in which nothing was ever set up.

        If it does not work the check is red, for it did work in the task's own workspace. Where a human lets the task
        go on without, its checks do so too.
        """
        live = self.fleet.state.tasks[task]
        if not policy.checks or not policy.setup or live.setup_waived:
            return ()
        return as_checks(wanted(policy.setup, await self.launching.repository.files(commit)))

    async def _run(
        self, run: Run, workspace: Workspace, commands: Sequence[SetupCommand]
    ) -> tuple[CommandResult, ...] | None:
        """What the commands did; nothing if the run was to end meanwhile."""
        variables = await self.variables()
        fault("setup.run.before")
        work = asyncio.create_task(
            self.runner.run_in(
                f"{run.task}.setup", workspace, as_checks(commands), variables, reach=self.egress.of_checks(run.task)
            ),
            name=f"setup {run.id}",
        )
        ending = asyncio.create_task(self.fleet.until(lambda state: not still_wanted(state, run)))
        try:
            await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return None
            results = await work
            fault("setup.run.after")
            return results
        finally:
            for one in (work, ending):
                one.cancel()
            await asyncio.gather(work, ending, return_exceptions=True)

    def _concluded(self, state: State, run: Run, outcome: SetupOutcome) -> Sequence[e.Event]:
        task = state.tasks.get(run.task)
        if task is None or not still_wanted(state, run):
            return []
        facts: list[e.Event] = [e.SetupConcluded(task=run.task, outcome=outcome)]
        if outcome.failed is not None:
            now = self.fleet.clock.now()
            facts.append(ask_setup(state, task, outcome.failed, now=now))
            refused = [host for result in outcome.results for host in result.refused]
            behind = replace(state, totals=replace(state.totals, asked=state.totals.asked + 1))
            facts += ask_about_hosts(behind, run.task, refused, NetworkRole.CHECKS, now=now)
        return facts
