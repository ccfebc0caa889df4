"""What every clock promises, asked of the fake and of the real one; and what each promises beyond."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bandstand.adapters.clock import AwakeClock
from bandstand.ports.clock import Clock
from bandstand.testing.clock import FakeClock
from tests.hand_machine import NOON, HandMachine

TICK = timedelta(milliseconds=10)

Running = Callable[[], AbstractAsyncContextManager[Clock]]


@pytest.fixture(params=["fake", "awake"])
def running(request: pytest.FixtureRequest) -> Running:
    """A way to have each clock go on by itself."""

    @asynccontextmanager
    async def awake() -> AsyncIterator[Clock]:
        yield AwakeClock()

    @asynccontextmanager
    async def fake() -> AsyncIterator[Clock]:
        clock = FakeClock(NOON)

        async def go_on() -> None:
            while True:
                await clock.advance(TICK / 10)

        going = asyncio.create_task(go_on())
        try:
            yield clock
        finally:
            going.cancel()

    return fake if request.param == "fake" else awake


def test_the_time_is_told_in_utc(running: Running) -> None:
    """Nobody has to ask for the zone."""

    async def main() -> None:
        async with running() as clock:
            assert clock.now().utcoffset() == timedelta(0)

    asyncio.run(main())


def test_who_sleeps_wakes_at_that_time_or_later(running: Running) -> None:
    """Not a moment before, whatever zone it is told in."""

    async def main() -> None:
        async with running() as clock:
            for zone in (UTC, timezone(timedelta(hours=-9, minutes=-30))):
                when = (clock.now() + TICK).astimezone(zone)
                await clock.sleep_until(when)
                assert clock.now() >= when

    asyncio.run(main())


def test_a_time_that_has_come_is_not_waited_for(running: Running) -> None:
    """Now and the past return at once."""

    async def main() -> None:
        async with running() as clock:
            await clock.sleep_until(clock.now())
            await clock.sleep_until(clock.now() - timedelta(days=9000))

    asyncio.run(main())


def test_sleepers_wake_in_the_order_of_their_times(running: Running) -> None:
    """Whoever went to sleep first."""

    async def main() -> None:
        async with running() as clock:
            start = clock.now()
            woken: list[int] = []

            async def sleep(ticks: int) -> None:
                await clock.sleep_until(start + ticks * TICK)
                woken.append(ticks)

            await asyncio.gather(*(sleep(ticks) for ticks in (5, 1, 9, 3)))
            assert woken == [1, 3, 5, 9]

    asyncio.run(main())


def test_a_sleeper_may_be_cancelled(running: Running) -> None:
    """Others sleep on and wake."""

    async def main() -> None:
        async with running() as clock:
            when = clock.now() + TICK
            cancelled = asyncio.create_task(clock.sleep_until(when))
            other = asyncio.create_task(clock.sleep_until(when))
            await asyncio.sleep(0)
            cancelled.cancel()
            await other
            assert cancelled.cancelled()
            assert clock.now() >= when

    asyncio.run(main())


def test_time_never_goes_backwards(running: Running) -> None:
    """Each look at the clock tells the time of the one before, or later."""

    async def main() -> None:
        async with running() as clock:
            times = []
            for _ in range(200):
                times.append(clock.now())
                await asyncio.sleep(0)
            assert times == sorted(times)

    asyncio.run(main())


def test_the_fake_clock_stands_still_until_it_is_advanced() -> None:
    """And then it shows exactly the new time."""

    async def main() -> None:
        clock = FakeClock(NOON)
        sleeping = asyncio.create_task(clock.sleep_until(NOON + timedelta(hours=1)))
        await clock.advance(timedelta(minutes=59))
        assert (clock.now(), sleeping.done()) == (NOON + timedelta(minutes=59), False)
        await clock.advance(timedelta(minutes=1))
        assert (clock.now(), sleeping.done()) == (NOON + timedelta(hours=1), True)

    asyncio.run(main())


def test_each_sleeper_of_the_fake_clock_wakes_at_its_own_time() -> None:
    """One long advance is like many short ones: who sleeps again within it wakes again within it."""

    async def main() -> None:
        clock = FakeClock(NOON)
        seen: list[tuple[str, int]] = []

        async def every(name: str, seconds: int) -> None:
            while True:
                await clock.sleep_until(clock.now() + timedelta(seconds=seconds))
                seen.append((name, round((clock.now() - NOON).total_seconds())))

        tasks = [asyncio.create_task(every("two", 2)), asyncio.create_task(every("three", 3))]
        await clock.advance(timedelta(seconds=7))
        for task in tasks:
            task.cancel()
        assert seen == [("two", 2), ("three", 3), ("two", 4), ("three", 6), ("two", 6)]

    asyncio.run(main())


def test_the_fake_clock_does_not_go_backwards() -> None:
    """That would be a test of something that cannot happen."""
    with pytest.raises(ValueError, match="backwards"):
        asyncio.run(FakeClock(NOON).advance(timedelta(seconds=-1)))


def test_setting_the_wall_clock_does_not_move_the_awake_clock() -> None:
    """It is asked for the time of day once; from there only time awake counts."""
    told = iter([NOON])
    awake = iter([5_000_000_000, 5_000_000_000, 8_500_001_999])
    clock = AwakeClock(wall=lambda: next(told), awake_ns=lambda: next(awake))
    assert clock.now() == NOON
    assert clock.now() == NOON + timedelta(seconds=3, microseconds=500_001)


def test_nothing_expires_for_a_minute_after_a_suspended_machine_wakes() -> None:
    """The awake clock stands for that minute, and goes on from where it stood."""
    machine = HandMachine()
    machine.works(100)
    assert machine.shown == 100
    machine.sleeps(8 * 3600)
    for seconds in (0, 1, 30, 28.9):
        machine.works(seconds)
        assert machine.shown == 100
    machine.works(0.1)
    machine.works(5)
    assert machine.shown == 105
    machine.works(1000)
    assert machine.shown == 1105


def test_a_suspend_that_is_noticed_late_counts_too() -> None:
    """Nobody looked for a while: what may have passed since the machine woke does not count, the rest does."""
    machine = HandMachine()
    machine.works(100)
    assert machine.shown == 100
    machine.sleeps(3600)
    machine.works(20)  # a timer set before the suspend wakes us now
    assert machine.shown == 100
    machine.works(60)
    assert machine.shown == 100
    machine.works(1000)
    machine.sleeps(3600)
    machine.works(1000)
    assert machine.shown == 100 + 2000 - 60
    machine.works(60 + 7)
    assert machine.shown == 100 + 2000 - 60 + 7


def test_each_suspend_gives_another_minute() -> None:
    """Also within the minute of the one before; the clock never goes backwards."""
    machine = HandMachine()
    machine.works(10)
    shown = [machine.shown]
    for _ in range(5):
        machine.sleeps(60)
        machine.works(40)
        shown.append(machine.shown)
    assert shown == [10] * 6
    machine.works(61)
    assert machine.shown == 11


def test_clocks_that_are_read_a_moment_apart_are_no_suspend() -> None:
    """A process that is stopped between two looks at its clocks has not slept."""
    machine = HandMachine()
    for drift in (1.5, -30, 1.5, 0):
        machine.asleep = round(drift * 1e9)
        machine.works(10)
    assert machine.shown == 40


def test_who_sleeps_over_a_suspend_sleeps_on_for_the_time_of_grace() -> None:
    """Without looking at the clocks again and again meanwhile."""

    async def main() -> None:
        looks = asleep = 0

        def since_boot() -> int:
            nonlocal looks
            looks += 1
            return time.monotonic_ns() + asleep

        clock = AwakeClock(since_boot_ns=since_boot, grace=10 * TICK)
        when = clock.now() + TICK
        sleeping = asyncio.create_task(clock.sleep_until(when))
        await asyncio.sleep(0)
        asleep = 3_600_000_000_000
        woken = time.monotonic_ns()
        await sleeping
        assert clock.now() >= when
        assert timedelta(microseconds=(time.monotonic_ns() - woken) // 1000) >= 10 * TICK
        assert looks < 20

    asyncio.run(main())


def test_the_awake_clock_begins_at_the_time_of_day() -> None:
    """Its first time is between what the wall clock tells before and after."""
    before = datetime.now(UTC)
    clock = AwakeClock()
    shown = clock.now()
    assert before - timedelta(minutes=1) <= shown <= datetime.now(UTC) + timedelta(minutes=1)
