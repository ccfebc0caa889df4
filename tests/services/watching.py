"""Fakes that stop where a test says so: a log that dies as a daemon does, checks that wait, a machine that is full."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bandstand.domain.check import CheckCommand, CommandResult
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.events import Event
from bandstand.domain.ids import CommitId, RepositoryId, RunId, TaskId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.network import Reach
from bandstand.ports.hosts import Host, Launch, RunState
from bandstand.ports.log import Recorded
from bandstand.ports.workspaces import Workspace
from bandstand.testing.checks import Script, ScriptedChecks
from bandstand.testing.git import MemoryRepository
from bandstand.testing.hosts import MemoryHost
from bandstand.testing.hosts import Script as Process
from bandstand.testing.log import MemoryLog
from bandstand.testing.workspaces import MemoryWorkspaces


class MortalLog(MemoryLog):
    """A log whose writer may be killed around one write: before it, or after it and before anybody knows.

    `facts` are all that were written, `writes` how many batches they came in. `die(at)` chooses the batch; `dead` is
    set when the moment has come, and from then on no write ends until `revive`. While `full`, it refuses every write.
    After `hold` every write waits until `let_go`; `held` is set when the first one does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[Recorded] = []
        self.writes = 0
        self.dead = asyncio.Event()
        self.full = False
        self._at = 0
        self._written = False
        self._always = False
        self._never = asyncio.Event()
        self.held = asyncio.Event()
        self._may_go = asyncio.Event()
        self._may_go.set()

    def die(self, *, at: int, written: bool) -> None:
        """Die at batch number `at`, counted from now; with `written`, just after it."""
        self._at, self._written = self.writes + at, written

    def die_always(self) -> None:
        """Die after every batch from now on."""
        self._always = True

    def die_never(self) -> None:
        """Live from now on."""
        self._always = False

    def hold(self) -> None:
        """Let every write wait from now on."""
        self._may_go.clear()

    def let_go(self) -> None:
        """Let them go on."""
        self._may_go.set()

    def revive(self) -> None:
        """Somebody has started anew."""
        self.dead.clear()

    async def append(
        self, repository: RepositoryId, events: Sequence[Event], *, expected: int, at: datetime
    ) -> tuple[Recorded, ...]:
        """As the port says, unless the writer dies here."""
        await self._still_alive()
        if not self._may_go.is_set():
            self.held.set()
            await self._may_go.wait()
        if self.full:
            raise Unavailable("The disk is full.", hint="Make room.")
        if self.writes + 1 == self._at and not self._written:
            await self._perish()
        recorded = await super().append(repository, events, expected=expected, at=at)
        self.facts.extend(recorded)
        self.writes += 1
        if (self.writes == self._at and self._written) or self._always:
            await self._perish()
        return recorded

    async def _still_alive(self) -> None:
        if self.dead.is_set():
            await self._never.wait()

    async def _perish(self) -> None:
        self._at = 0
        self.dead.set()
        await self._never.wait()


class PatientChecks(ScriptedChecks):
    """Scripted checks, of which each named in `held` waits until its event is set."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.held: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        self.under_way = asyncio.Event()

    def hold(self, name: str) -> asyncio.Event:
        """Let the check of that name wait for the event that is returned."""
        self.held[name] = asyncio.Event()
        return self.held[name]

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
        """What the script says, in its time."""
        if name in self.held:
            await self.held[name].wait()
        return await super().run(name, commit, commands, environment, reach=reach, inclusion=inclusion)

    async def run_in(
        self,
        name: str,
        workspace: Workspace,
        commands: Sequence[CheckCommand],
        environment: Mapping[str, str],
        *,
        reach: Reach,
    ) -> tuple[CommandResult, ...]:
        """The same in a workspace that is there."""
        self.begun.append(name)
        self.under_way.set()
        if name in self.held:
            await self.held[name].wait()
        return await super().run_in(name, workspace, commands, environment, reach=reach)


class CrowdedHost(MemoryHost):
    """A host that has no room for the runs that `full` says so of. `refused` counts how often it said so."""

    def __init__(self, scripts: Mapping[str, Process], *, clock: Callable[[], int]) -> None:
        super().__init__(scripts, clock=clock)
        self.full: Callable[[RunId], bool] = lambda run: False
        self.refused = 0

    async def start(self, run: RunId, launch: Launch) -> None:
        """Start a run, if there is room."""
        await asyncio.sleep(0)
        if self.full(run):
            self.refused += 1
            raise Unavailable(f"There is no room to start run {run}.")
        await super().start(run, launch)


class GuardedWorkspaces(MemoryWorkspaces):
    """Workspaces whose branches cannot be moved while `guarded`, and that cannot be removed while `held_fast`."""

    def __init__(self, repository: MemoryRepository) -> None:
        super().__init__(repository)
        self.guarded = False
        self.held_fast = False

    async def publish(self, task: TaskId, commit: CommitId) -> None:
        """Move the task's branch, unless the user's edits are in the way."""
        if self.guarded:
            raise Unavailable(f"Branch band/{task} is checked out, with edits in the way.", hint="Commit them.")
        await super().publish(task, commit)

    async def retire(self, name: str, *, landed: bool) -> str | None:
        """Remove a workspace, unless something holds it."""
        if self.held_fast:
            raise Broken(f"The folder of {name} could not be removed: it is busy.", hint="Unmount what is in it.")
        return await super().retire(name, landed=landed)


async def is_live(host: Host, run: str) -> bool:
    """Whether the process of a run is there."""
    return (await host.status(RunId(run))).state is RunState.LIVE
