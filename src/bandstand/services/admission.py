"""The ledger of what all repositories of a user share: slots and memory. Each repository has an account in it.

Nothing is counted up and down here. What a repository holds is told by its brain at every beat, from the state; which
runs live is read from the state when it matters; what they use is read from the processes. So after a restart the
first beats make the ledger anew, and it cannot drift.

A brain asks before it starts anything, and takes what it was granted in the same moment, before that is recorded. When
it has come to rest it says whether it wants more. Whoever may then have something, and does not know, is woken.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from bandstand.domain.admission import (
    LOOK_AGAIN,
    PATIENCE,
    REMEMBERED,
    Capacity,
    Claim,
    Memory,
    Shortage,
    Sighting,
    Wait,
    disk_shortage,
    expected,
    pressed,
    room,
    shares,
    shortage,
    wait,
)
from bandstand.domain.errors import BandstandError
from bandstand.domain.ids import AgentName, RepositoryId, RunId
from bandstand.domain.run import Run
from bandstand.domain.slots import Limits, busy
from bandstand.domain.state import State
from bandstand.ports.clock import Clock
from bandstand.ports.hosts import Host
from bandstand.ports.machine import Machine

_FRESH = timedelta(seconds=1)
_WEIGH_AGAIN = timedelta(seconds=10)
_log = logging.getLogger(__name__)

Place = tuple[RepositoryId, RunId]
"""A run of this machine: ids of runs are unique in their repository only."""


class Admission:
    """One ledger for all repositories. `capacity` tells what the user lets agents have, and may be another each time.
    There has to be room on the disks of `folders` and of the repository before anything starts.

    Raises what `capacity` raises, wherever something is granted.
    """

    def __init__(
        self, *, capacity: Callable[[], Capacity], machine: Machine, clock: Clock, folders: Sequence[str] = ()
    ) -> None:
        self.capacity = capacity
        self.clock = clock
        self.accounts: dict[RepositoryId, Account] = {}
        self._machine = machine
        self._folders = tuple(folders)
        self._memory: tuple[datetime, Memory | None] | None = None
        self._served = 0
        self._weighed: datetime | None = None
        self._weighing: asyncio.Task[None] | None = None
        self._sightings: dict[Place, Sighting] = {}
        self._used: Mapping[Place, int] = {}
        self._past: dict[AgentName, deque[Sighting]] = {}

    def open(self, repository: RepositoryId, *, state: Callable[[], State], host: Host) -> "Account":
        """The account of a repository whose runs live at `host`."""
        account = self.accounts[repository] = Account(self, repository, state=state, host=host)
        return account

    def close(self, account: "Account") -> None:
        """Let go of an account. What it holds does not count until it is opened again."""
        if self.accounts.get(account.repository) is account:
            del self.accounts[account.repository]
            self.tell(account)

    def share(self, account: "Account") -> int:
        """How many slots a repository may hold that wants as many as it can have."""
        return shares(self._claims(account), slots=self.capacity().slots)[account.repository]

    def serve(self) -> int:
        """A number for whoever was served last."""
        self._served += 1
        return self._served

    def tell(self, speaker: "Account") -> None:
        """Wake everybody but the speaker who may have more than they hold."""
        try:
            may = shares(self._claims(), slots=self.capacity().slots)
        except BandstandError:
            return  # whoever asks for a slot will hear of it
        for account in tuple(self.accounts.values()):
            if account is not speaker and account.wants and may[account.repository] > account.held:
                account.wake()

    def _claims(self, asking: "Account | None" = None) -> list[Claim]:
        return [
            Claim(repository=one.repository, held=one.held, wants=one.wants or one is asking, served=one.served)
            for one in self.accounts.values()
        ]

    # --- memory -----------------------------------------------------------------------------------------------------

    def shortage(self, account: "Account", run: Run) -> Shortage | None:
        """Why a run cannot start now for want of disk, of memory, or since all is busy with itself, if so."""
        capacity, now = self.capacity(), self.clock.now()
        since = account.short_since or now
        live = {(one.repository, name): agent for one in self.accounts.values() for name, agent in one.live_runs()}
        live.pop((account.repository, run.id), None)
        before = account.short
        disks = [disk for path in (*self._folders, account.path) if (disk := self._machine.disk(path)) is not None]
        if (found := disk_shortage(disks, capacity, before=before, since=since)) is not None:
            return found
        if (found := self._for_memory(account, run, live=live, capacity=capacity, now=now)) is not None:
            return found
        pressure = self._machine.pressure()
        return pressed(pressure, before=before, alone=not live, since=since) if pressure is not None else None

    def _for_memory(
        self, account: "Account", run: Run, *, live: Mapping[Place, AgentName], capacity: Capacity, now: datetime
    ) -> Shortage | None:
        memory = self._look()
        if memory is None or not capacity.run:
            return None
        since = account.short_since or now
        self._weigh_soon(live, now)
        waited = [one.short for one in self.accounts.values() if one is not account and one.short is not None]
        before = [one for one in waited if one.since <= min(now - PATIENCE, since)]
        reserved = [(self._expected(agent, capacity), self._used.get(name, 0)) for name, agent in live.items()]
        left = room(memory, capacity, reserved=reserved, before=before)
        return shortage(self._expected(run.agent, capacity), room=left, alone=not live, since=since)

    def _expected(self, agent: AgentName, capacity: Capacity) -> int:
        return expected(agent, [*self._sightings.values(), *self._past.get(agent, ())], capacity=capacity)

    def _look(self) -> Memory | None:
        now = self.clock.now()
        if self._memory is None or now >= self._memory[0] + _FRESH:
            self._memory = (now, self._machine.memory())
        return self._memory[1]

    def _weigh_soon(self, live: Mapping[Place, AgentName], now: datetime) -> None:
        """See what live runs use, if that was not done just now. Runs that have ended are remembered for a while."""
        for name in self._sightings.keys() - live.keys():
            gone = self._sightings.pop(name)
            self._past.setdefault(gone.agent, deque(maxlen=REMEMBERED)).append(gone)
        for name, agent in live.items():
            self._sightings.setdefault(name, Sighting(run=name[1], agent=agent, since=now))
        due = self._weighed is None or now >= self._weighed + _WEIGH_AGAIN
        if live and due and self._weighing is None:
            self._weighed = now
            self._weighing = asyncio.create_task(self._weigh(), name="weighing")

    async def _weigh(self) -> None:
        try:
            found: dict[Place, int] = {}
            for account in tuple(self.accounts.values()):
                seen = await account.host.memory()
                found |= {(account.repository, run): used for run, used in seen.items()}
            now = self.clock.now()
            self._used = found
            for name, used in found.items():
                if (sighting := self._sightings.get(name)) is not None:
                    self._sightings[name] = sighting.seen(used, now=now)
        except BandstandError as error:
            _log.warning("what runs use could not be seen: %s", error)
        finally:
            self._weighing = None
        for account in tuple(self.accounts.values()):
            if account.short is not None:
                account.wake()

    async def stop(self) -> None:
        """End what goes on in the background."""
        if self._weighing is not None:
            self._weighing.cancel()
            await asyncio.gather(self._weighing, return_exceptions=True)


def _nobody() -> None:
    """Nobody waits yet."""


class Account:
    """What one repository holds, wants and waits for. Its brain is the only one to write in it.

    `wake` is called when it may have what it wanted. `held` are the slots that it holds, those included whose start is
    being recorded. `short` is the start that waits for memory, if there is one, and `short_since` when one began to and
    none has started since.
    """

    def __init__(self, ledger: Admission, repository: RepositoryId, *, state: Callable[[], State], host: Host) -> None:
        self.repository = repository
        self.host = host
        self.wake = _nobody
        self.held = busy(state())
        self.wants = False
        self.served = 0
        self.short: Shortage | None = None
        self.short_since: datetime | None = None
        self._ledger = ledger
        self._state = state
        self._seen: tuple[State, tuple[Run, ...]] | None = None
        self._starting: Run | None = None
        self._look_again: datetime | None = None

    @property
    def path(self) -> str:
        """Where the repository is."""
        return self._state().path

    def limits(self) -> Limits:
        """What this repository may have now."""
        return Limits(slots=self._ledger.share(self))

    def admits(self, run: Run | None) -> bool:
        """Whether the machine has room for one more run, if there is one. If not, `look_again` is when to ask next."""
        self.short = self._ledger.shortage(self, run) if run is not None else None
        self._look_again = self._ledger.clock.now() + LOOK_AGAIN if self.short is not None else None
        if self.short is not None:
            self.short_since = self.short.since
        elif run is not None:
            self.short_since = None
        return self.short is None

    def take(self, held: int, run: Run | None) -> None:
        """Hold so many slots from now on, for the start of `run` if there is one."""
        if held > self.held:
            self.served = self._ledger.serve()
        self.held, self._starting = held, run

    def settle(self, held: int, *, more: bool) -> None:
        """Nothing more follows here. `more` tells that it would, if there were another slot."""
        self.held, self.wants, self._starting = held, more, None
        if not more and self.short is None:
            self.short_since = None
        self._ledger.tell(self)

    def rest(self, held: int) -> None:
        """Nothing can be started here for a while, so nothing is wanted."""
        self.held, self.wants, self.short, self._look_again, self._starting = held, False, None, None, None
        self._ledger.tell(self)

    @property
    def look_again(self) -> datetime | None:
        """When to look again for memory, if a start waits for it."""
        return self._look_again

    def wait(self) -> Wait:
        """What a start waits for here."""
        elsewhere = sum(one.held for one in self._ledger.accounts.values() if one is not self)
        try:
            slots = self._ledger.capacity().slots
        except BandstandError:
            return Wait()
        return wait(slots=slots, elsewhere=min(elsewhere, slots), short=self.short, until=self._look_again)

    def live_runs(self) -> Iterator[tuple[RunId, AgentName]]:
        """The runs that live here, and the one that is about to."""
        state = self._state()
        if self._seen is None or self._seen[0] is not state:
            tasks = state.tasks.values()
            self._seen = state, tuple(run for task in tasks for run in (task.run, task.review_run) if run is not None)
        for run in (*self._seen[1], *([self._starting] if self._starting is not None else [])):
            yield run.id, run.agent
