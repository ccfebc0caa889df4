"""Admission: how the repositories of a user share one machine. Arithmetic only; what is counted is told by who counts.

Slots are shared by max-min fairness. No agent is ever stopped for another one, so what is shared out are free slots:
each goes to the repository that holds the fewest, and of those that hold as many to the one that was served longest
ago. So nothing stays free that anybody wants, one that is alone may have everything, and while a repository waits
without a slot, no other one is given a second.

Memory is reserved by what a run is expected to need, until it is seen to use it. A start that does not fit waits, and
after a while the others leave room for it.

A start waits, too, for room on the disk, and while the machine stands still for want of memory or of its disk.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from bandstand.domain.ids import AgentName, RepositoryId, RunId
from bandstand.domain.limits import in_bytes as _size

LOOK_AGAIN = timedelta(seconds=5)
"""How long a start waits for memory until it is looked whether there is some."""

PATIENCE = timedelta(minutes=5)
"""How long a start waits for memory until no other one may take what it needs."""

GROWN = timedelta(minutes=1)
"""How old a run is when what it uses tells what runs of its agent need."""

REMEMBERED = 8
"""Of how many runs of an agent it is remembered what they used."""

MEGABYTE = 1_000_000
_GIGABYTE = 1000 * MEGABYTE
_MOST_KEPT_FREE = _GIGABYTE
_PART_KEPT_FREE = 10
_PART_KEPT_ON_DISK = 50
MOST_MEMORY_PRESSURE = 10
MOST_DISK_PRESSURE = 60
"""For what part of the time, in percent, everything may stand still before nothing more is started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one repository holds, and whether it wants more. `served` orders repositories by when they last got any."""

    repository: RepositoryId
    held: int
    wants: bool
    served: int


def shares(claims: Sequence[Claim], *, slots: int) -> Mapping[RepositoryId, int]:
    """How many slots each repository may hold. Those that want more are levelled up from the lowest."""
    found = {claim.repository: claim.held for claim in claims}
    free = slots - sum(found.values())
    wanting = [claim for claim in claims if claim.wants]
    if free <= 0 or not wanting:
        return found

    def cost(level: int) -> int:
        return sum(max(0, level - claim.held) for claim in wanting)

    level = bisect_right(range(max(claim.held for claim in wanting) + free + 1), free, key=cost) - 1
    left = free - cost(level)
    found |= {claim.repository: max(level, claim.held) for claim in wanting}
    lowest = sorted((claim for claim in wanting if claim.held <= level), key=lambda one: (one.served, one.repository))
    for claim in lowest[:left]:
        found[claim.repository] += 1
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The memory of a machine, or of the part of it that we were given, in bytes."""

    available: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk under a folder, in bytes. `free` is what an ordinary user may still take of it."""

    path: str
    free: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """For what part of the last ten seconds, in percent, all that ran on the machine stood still for want of something.

    Processors are not among it: slots share them out, and that there is more to do than they can is the usual thing.
    """

    memory: float
    disk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a user lets agents have of the machine: slots, and how memory is reckoned, in bytes.

    `run` is expected of a run of which nothing is known, unless its agent is among `agents`; with 0 nothing is
    reckoned. `keep_on_disk` is what has to be free on a disk for anything to start; `None` is a fiftieth of it, a
    gigabyte at most. `keep_free` is what memory is left to everything else; `None` is a tenth, a gigabyte at most.
    """

    slots: int
    run: int = 0
    agents: Mapping[AgentName, int] = field(default_factory=dict)
    keep_free: int | None = None
    keep_on_disk: int | None = None

    def kept_free(self, memory: Memory) -> int:
        """How much memory no start may touch."""
        usual = min(_MOST_KEPT_FREE, memory.total // _PART_KEPT_FREE)
        return usual if self.keep_free is None else self.keep_free

    def kept_on(self, disk: Disk) -> int:
        """How much of a disk has to be free."""
        usual = min(_MOST_KEPT_FREE, disk.total // _PART_KEPT_ON_DISK)
        return usual if self.keep_on_disk is None else self.keep_on_disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The most that a run was seen to use, since when it is known, and whether it had `grown` by then."""

    run: RunId
    agent: AgentName
    since: datetime
    peak: int = 0
    grown: bool = False

    def seen(self, used: int, *, now: datetime) -> "Sighting":
        """The same after another look."""
        grown = self.grown or now >= self.since + GROWN
        return Sighting(run=self.run, agent=self.agent, since=self.since, peak=max(self.peak, used), grown=grown)


def expected(agent: AgentName, sightings: Iterable[Sighting], *, capacity: Capacity) -> int:
    """What a run of an agent will need: the most that its last runs used; what is set, until one of them has grown."""
    own = [one for one in sightings if one.agent == agent]
    grown = [one.peak for one in own if one.grown]
    return max(grown) if grown else max([capacity.agents.get(agent, capacity.run), *(one.peak for one in own)])


class Scarce(StrEnum):
    """What a start may wait for."""

    MEMORY = "memory"
    DISK = "disk"
    PRESSURE = "pressure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A start that waits: for what, how much of it it found, how much it wants, and since when.

    Of memory and disk these are bytes; of pressure percent, and less is wanted than was found. `where` is the folder
    whose disk is full, or the part of the machine that all wait for.
    """

    found: int
    wanted: int
    since: datetime
    of: Scarce = Scarce.MEMORY
    where: str = ""

    def in_words(self) -> str:
        """For a person, behind "waits for"."""
        match self.of:
            case Scarce.MEMORY:
                return f"memory: {_size(self.found)} free, {_size(self.wanted)} wanted"
            case Scarce.DISK:
                free = f"{_size(self.found)} free below {self.where}, {_size(self.wanted)} wanted"
                return f"room on the disk: {free} (`band gc` clears away what nobody needs)"
            case Scarce.PRESSURE:
                still = f"everything stands still for {self.found} % of the time, for want of {self.where}"
                return f"the machine to breathe: {still}"
            case _:
                assert_never(self.of)


def shortage(need: int, *, room: int, alone: bool, since: datetime) -> Shortage | None:
    """Why a start has to wait, if it has to.

    `room` is what is left when everybody has what they are expected to need. Where no other agent lives, any room will
    do: nobody would give back memory, and one agent at a time is better than none.
    """
    if room >= need or (alone and room > 0):
        return None
    return Shortage(found=max(0, room), wanted=need, since=since)


def disk_shortage(
    disks: Iterable[Disk], capacity: Capacity, *, before: Shortage | None, since: datetime
) -> Shortage | None:
    """Which disk is too full to start anything, if one is.

    Who waits already wants a quarter more, so that a file that comes and goes does not have agents begin and wait in
    turns. Here it is no help to be alone: an agent on a full disk loses what it does.
    """
    waits = before is not None and before.of is Scarce.DISK
    for disk in disks:
        wanted = capacity.kept_on(disk)
        wanted += wanted // 4 if waits else 0
        if disk.free < wanted:
            return Shortage(found=disk.free, wanted=wanted, since=since, of=Scarce.DISK, where=disk.path)
    return None


def pressed(pressure: Pressure, *, before: Shortage | None, alone: bool, since: datetime) -> Shortage | None:
    """Whether the machine is too busy with itself to start anything. Who waits already, waits until it is half of that.

    Where no other agent lives, it goes on: whatever it is that presses, it is none of ours, and may last.
    """
    if alone:
        return None
    waits = before is not None and before.of is Scarce.PRESSURE
    for found, most, where in (
        (pressure.memory, MOST_MEMORY_PRESSURE, "memory"),
        (pressure.disk, MOST_DISK_PRESSURE, "the disk"),
    ):
        wanted = most // 2 if waits else most
        if found >= wanted:
            return Shortage(found=round(found), wanted=wanted, since=since, of=Scarce.PRESSURE, where=where)
    return None


def room(memory: Memory, capacity: Capacity, *, reserved: Iterable[tuple[int, int]], before: Iterable[Shortage]) -> int:
    """What memory is left: without what is kept free, what runs that live may still need, and who waited before.

    `reserved` are, for each live run, what is expected of it and what it uses already.
    """
    growing = sum(max(0, need - used) for need, used in reserved)
    return (
        memory.available
        - capacity.kept_free(memory)
        - growing
        - sum(one.wanted for one in before if one.of is Scarce.MEMORY)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What agents of a repository wait for, in words behind "waits for": with a process, and without one.

    `until` is when memory is looked at again, if somebody waits for that.
    """

    slot: str = "a free slot"
    start: str = "a free slot"
    until: datetime | None = None


def wait(*, slots: int, elsewhere: int, short: Shortage | None, until: datetime | None) -> Wait:
    """What agents wait for. `elsewhere` are the slots that other repositories hold."""
    slot = f"a free slot, {elsewhere} of {slots} are used elsewhere" if elsewhere else "a free slot"
    return Wait(slot=slot, start=slot if short is None else short.in_words(), until=until)
