"""Fakes that stop where a test says so: a log that dies as a daemon does, and checks that wait for a sign."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from bandstand.domain.check import CheckCommand, CommandResult
from bandstand.domain.errors import Unavailable
from bandstand.domain.events import Event
from bandstand.domain.ids import CommitId, RepositoryId
from bandstand.ports.log import Recorded
from bandstand.testing.checks import Script, ScriptedChecks
from bandstand.testing.log import MemoryLog


class MortalLog(MemoryLog):
    """A log whose writer may be killed around one write: before it, or after it and before anybody knows.

    `facts` are all that were written, `writes` how many batches they came in. `die(at)` chooses the batch; `dead` is
    set when the moment has come, and from then on no write ends until `revive`. While `full`, it refuses every write.
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

    def die(self, *, at: int, written: bool) -> None:
        """Die at batch number `at`, counted from now; with `written`, just after it."""
        self._at, self._written = self.writes + at, written

    def die_always(self) -> None:
        """Die after every batch from now on."""
        self._always = True

    def revive(self) -> None:
        """Somebody has started anew."""
        self.dead.clear()

    async def append(
        self, repository: RepositoryId, events: Sequence[Event], *, expected: int, at: datetime
    ) -> tuple[Recorded, ...]:
        """As the port says, unless the writer dies here."""
        await self._still_alive()
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
            await asyncio.Event().wait()

    async def _perish(self) -> None:
        self._at = 0
        self.dead.set()
        await asyncio.Event().wait()


class PatientChecks(ScriptedChecks):
    """Scripted checks, of which each named in `held` waits until its event is set."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.held: dict[str, asyncio.Event] = {}

    def hold(self, name: str) -> asyncio.Event:
        """Let the check of that name wait for the event that is returned."""
        self.held[name] = asyncio.Event()
        return self.held[name]

    async def run(
        self, name: str, commit: CommitId, commands: Sequence[CheckCommand], environment: Mapping[str, str]
    ) -> tuple[CommandResult, ...]:
        """What the script says, in its time."""
        if name in self.held:
            await self.held[name].wait()
        return await super().run(name, commit, commands, environment)
