"""The ledger at work: repositories that share a machine, in memory but for nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest

from bandstand.domain import events as e
from bandstand.domain.admission import LOOK_AGAIN, Capacity, Disk, Pressure
from bandstand.domain.ids import AgentName, RepositoryId, RunId, TaskId
from bandstand.domain.slots import busy
from bandstand.domain.stage import Queued, Working
from bandstand.domain.standing import Owner
from bandstand.domain.state import State
from bandstand.ports.log import Recorded
from bandstand.services.admission import Admission
from bandstand.services.fleet import Notice
from bandstand.testing.clock import FakeClock
from bandstand.testing.machine import FakeMachine
from tests.services.acting import sits, waits_for, writes
from tests.services.world import START, World, at, landed, play, spec

MB, GB = 1_000_000, 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A machine, the repositories on it, and the runs of all of them in the order in which they started."""

    machine: FakeMachine
    worlds: list[World]
    order: list[str]


Story = Callable[[Shared], Awaitable[None]]


def share(story: Story, *, repositories: int, capacity: Capacity, available: int | None = None) -> None:
    """Play a story in repositories that share one machine and nothing else."""

    async def main() -> None:
        clock, machine = FakeClock(START), FakeMachine(available)
        ledger = Admission(capacity=lambda: capacity, machine=machine, clock=clock)
        worlds = [World(clock=clock, name=f"r{n}", ledger=ledger) for n in range(repositories)]
        order: list[str] = []
        for world in worlds:
            world.heard = partial(_note_start, order)
        async with asyncio.timeout(60), AsyncExitStack() as up:
            up.push_async_callback(ledger.stop)
            for world in worlds:
                await up.enter_async_context(world)
            await story(Shared(machine=machine, worlds=worlds, order=order))
            for world in worlds:
                world.keeps_the_laws()

    asyncio.run(main())


def _note_start(order: list[str], _: RepositoryId, notice: Notice) -> None:
    if isinstance(notice, Recorded) and isinstance(notice.event, e.RunStarted):
        order.append(notice.event.run.id)


async def words(world: World, task: str) -> str:
    """Where a task stands, for a person."""
    return (await world.daemon.views.show_task(TaskId(task))).row.words


def test_a_long_queue_does_not_keep_a_short_one_waiting() -> None:
    """The first slot that is given back goes to the repository that has none."""
    signs = [asyncio.Event() for _ in range(12)]

    async def story(shared: Shared) -> None:
        many, few = shared.worlds
        for number, sign in enumerate(signs):
            many.agent_does(f"m{number}", waits_for(sign, writes({f"m{number}.txt": "x\n"})))
        few.agent_does("single", writes({"single.txt": "x\n"}))
        await many.submit(*(f"m{number}" for number in range(12)))
        await many.settled()
        assert busy(many.state) == 2
        await few.submit("single")
        await few.settled()
        assert await words(few, "single") == "waits for a free slot, 2 of 2 are used elsewhere"
        signs[0].set()
        await few.until(landed("single"))
        assert shared.order[:3] == ["m0.1", "m1.1", "single.1"]
        for sign in signs:
            sign.set()
        await many.until(landed(*(f"m{number}" for number in range(12))))

    share(story, repositories=2, capacity=Capacity(slots=2))


def test_repositories_with_much_to_do_take_turns() -> None:
    """With one slot, each starts one after the other."""

    async def story(shared: Shared) -> None:
        for number, world in enumerate(shared.worlds):
            for task in range(3):
                world.agent_does(f"t{number}{task}", writes({f"t{number}{task}.txt": "x\n"}))
        await asyncio.gather(*(w.submit(*(f"t{n}{task}" for task in range(3))) for n, w in enumerate(shared.worlds)))
        for number, world in enumerate(shared.worlds):
            await world.until(landed(*(f"t{number}{task}" for task in range(3))))
        order = [run[1] for run in shared.order]
        assert [sorted(order[n : n + 3]) for n in (0, 3, 6)] == [["0", "1", "2"]] * 3

    share(story, repositories=3, capacity=Capacity(slots=1))


def test_a_repository_in_trouble_keeps_no_slot_from_others() -> None:
    """What it cannot take is taken by who can."""
    sign = asyncio.Event()

    async def story(shared: Shared) -> None:
        one, other = shared.worlds
        other.agent_does("first", waits_for(sign, writes({"a.txt": "a\n"})))
        await other.submit("first")
        await other.until(at("first", Working))
        await one.submit("stuck")
        await other.submit("next", "after", "last")
        await one.settled()
        one.log.full = True
        sign.set()
        await other.until(landed("first", "next", "after", "last"))
        assert one.daemon.brain.trouble
        one.log.full = False
        await one.passes(seconds=5)
        await one.until(landed("stuck"))

    share(story, repositories=2, capacity=Capacity(slots=1))


def test_a_new_daemon_knows_what_is_held() -> None:
    """Before its first beat: nothing else starts beside what lives."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        await world.until(at("one", Working))
        await world.kill()
        ledger = Admission(capacity=lambda: Capacity(slots=1), machine=FakeMachine(), clock=world.clock)
        held = ledger.open(world.repository.id, state=lambda: world.state, host=world.host)
        other = ledger.open(RepositoryId("another"), state=State, host=world.host)
        assert (held.held, other.limits().slots) == (1, 0)
        await world.start()

    play(story, lambda: World(slots=1))


# --- memory ---------------------------------------------------------------------------------------------------------


def test_a_start_waits_for_memory_and_says_so() -> None:
    """Bandstand looks again by itself, every few seconds, and only while somebody waits."""
    sign = asyncio.Event()

    async def story(shared: Shared) -> None:
        (world,) = shared.worlds
        world.agent_does("one", waits_for(sign, writes({"one.txt": "x\n"})))
        await world.submit("one", "two")
        await world.settled()
        assert at("one", Working)(world.state)
        assert at("two", Queued)(world.state)
        row = (await world.daemon.views.show_task(TaskId("two"))).row
        assert row.words == "waits for memory: 1.2 GB free, 1.5 GB wanted"
        assert (row.owner, row.until) == (Owner.BANDSTAND, world.clock.now() + LOOK_AGAIN)
        await world.passes(seconds=6)
        assert at("two", Queued)(world.state)
        shared.machine.available = 4 * GB
        await world.passes(seconds=5)
        await world.until(landed("two"))
        looks = shared.machine.looks
        await world.passes(minutes=10)
        assert shared.machine.looks == looks
        sign.set()
        await world.until(landed("one"))

    capacity = Capacity(slots=4, run=1500 * MB, keep_free=0)
    share(story, repositories=1, capacity=capacity, available=2700 * MB)


@pytest.mark.parametrize("names", [("t0", "t1", "t2"), ("same", "same", "same")])
def test_memory_is_reserved_for_what_starts_elsewhere(names: tuple[str, ...]) -> None:
    """What a new run will need is not free, although nothing of it is used yet; whatever the tasks are called."""
    sign = asyncio.Event()

    async def story(shared: Shared) -> None:
        both = tuple(zip(shared.worlds, names, strict=True))
        for world, name in both:
            world.agent_does(name, waits_for(sign, writes({f"{name}.txt": "x\n"})))
        await asyncio.gather(*(world.submit(name) for world, name in both))
        for world in shared.worlds:
            await world.settled()
        assert sum(busy(world.state) for world in shared.worlds) == 2
        sign.set()
        for world, name in both:
            await world.passes(seconds=70)
            await world.until(landed(name))

    share(story, repositories=3, capacity=Capacity(slots=8, run=1 * GB, keep_free=500 * MB), available=2600 * MB)


def test_what_runs_use_is_seen() -> None:
    """An agent that needs little makes room for more of its kind."""
    sign = asyncio.Event()

    async def story(shared: Shared) -> None:
        (world,) = shared.worlds
        for number in range(3):
            world.agent_does(f"t{number}", waits_for(sign, writes({f"t{number}.txt": "x\n"})))
        await world.submit("t0", "t1", "t2")
        await world.settled()
        assert busy(world.state) == 1
        world.host.weigh(RunId("t0.1"), 100 * MB)
        await world.passes(seconds=30)
        assert busy(world.state) == 1, "it may still grow"
        await world.passes(seconds=60)
        assert busy(world.state) == 3
        sign.set()
        await world.until(landed("t0", "t1", "t2"))

    share(story, repositories=1, capacity=Capacity(slots=8, run=1 * GB, keep_free=0), available=1500 * MB)


def test_who_waited_long_for_memory_is_not_passed_by_for_ever() -> None:
    """After some minutes the others leave room for it."""
    signs = [asyncio.Event() for _ in range(3)]

    async def story(shared: Shared) -> None:
        big, small = shared.worlds
        small.agent_does("s0", waits_for(signs[0], writes({"s0.txt": "x\n"})))
        await small.submit("s0")
        await small.until(at("s0", Working))
        await big.submit(spec("large", agent=AgentName("critic")))
        await big.settled()
        assert at("large", Queued)(big.state)
        await small.submit("s1")
        await small.until(landed("s1"))
        await small.passes(minutes=5)
        await small.submit("s2")
        await small.settled()
        assert at("s2", Queued)(small.state)
        shared.machine.available = 6 * GB
        await small.passes(seconds=10)
        await big.until(landed("large"))
        await small.until(landed("s2"))
        signs[0].set()
        await small.until(landed("s0"))

    capacity = Capacity(slots=8, run=500 * MB, agents={AgentName("critic"): 4 * GB}, keep_free=0)
    share(story, repositories=2, capacity=capacity, available=3 * GB)


def test_a_machine_that_does_not_tell_keeps_nobody_waiting() -> None:
    """Nor does one on which memory is not to be reckoned."""
    quick = timedelta(0)

    async def story(shared: Shared) -> None:
        (world,) = shared.worlds
        await world.submit("one", "two")
        await world.until(landed("one", "two"))
        assert world.clock.now() - START == quick

    share(story, repositories=1, capacity=Capacity(slots=2, run=1 * GB))
    share(story, repositories=1, capacity=replace(Capacity(slots=2), run=0), available=1)


# --- disk and pressure ----------------------------------------------------------------------------------------------


def test_a_start_waits_for_room_on_the_disk_of_its_repository_and_says_so() -> None:
    """It is looked at again by itself; another repository, on another disk, starts."""

    async def story(shared: Shared) -> None:
        world, other = shared.worlds
        world.agent_does("one", writes({"one.txt": "x\n"}))
        other.agent_does("two", writes({"two.txt": "x\n"}))
        shared.machine.disks["/memory/repository"] = Disk(path="/memory/repository", free=GB // 2, total=100 * GB)
        await world.submit("one")
        await world.settled()
        said = "waits for room on the disk: 500 MB free below /memory/repository, 1.0 GB wanted"
        assert (await words(world, "one")).startswith(said)
        shared.machine.disks["/memory/repository"] = Disk(path="/memory/repository", free=2 * GB, total=100 * GB)
        await world.passes(seconds=5)
        await world.until(landed("one"))

    share(story, repositories=2, capacity=Capacity(slots=4))


def test_while_the_machine_stands_still_one_agent_works() -> None:
    """And no second one begins until it breathes again."""
    sign = asyncio.Event()

    async def story(shared: Shared) -> None:
        (world,) = shared.worlds
        world.agent_does("one", waits_for(sign, writes({"one.txt": "x\n"})))
        world.agent_does("two", writes({"two.txt": "x\n"}))
        shared.machine.pressed = Pressure(memory=40.0, disk=0.0)
        await world.submit("one", "two")
        await world.settled()
        assert at("one", Working)(world.state)
        assert "everything stands still for 40 % of the time, for want of memory" in await words(world, "two")
        shared.machine.pressed = Pressure(memory=1.0, disk=1.0)
        await world.passes(seconds=5)
        await world.until(landed("two"))
        sign.set()
        await world.until(landed("one"))

    share(story, repositories=1, capacity=Capacity(slots=4))
