"""A run that comes near a limit is held still, and a human says how it goes on."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from bandstand.domain import events as e
from bandstand.domain.ask import GO_ON, RAISE, STOP, Ask, AskKind
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.limits import Limits
from bandstand.domain.run import EndReason
from bandstand.domain.slots import busy
from bandstand.domain.stage import Blocked, Queued, Working
from bandstand.services.watching import LOOK_AGAIN
from tests.services.acting import waits_for, writes
from tests.services.world import World, at, landed, play

GB = 1_000_000_000
RUN = RunId("one.1")
Story = Callable[[World, asyncio.Event], Coroutine[Any, Any, None]]


def watched(story: Story, limits: Limits, *, slots: int = 2) -> None:
    """A story of a task `one` whose agent works until a sign is given."""

    async def told(world: World) -> None:
        sign = asyncio.Event()
        world.limits = limits
        world.agent_does("one", waits_for(sign, writes({"one.txt": "x\n"})))
        await world.submit("one")
        await world.until(at("one", Working))
        await world.until(lambda state: (run := state.tasks[TaskId("one")].run) is not None and run.session is not None)
        await story(world, sign)

    play(told, lambda: World(slots=slots))


async def frozen(world: World) -> bool:
    """Whether the agent is held still."""
    return (await world.host.usage([RUN]))[RUN].frozen


async def asked(world: World) -> Ask:
    """The ask about a limit, which the last look put."""
    await world.daemon.watch.look()
    (ask,) = world.state.open_asks()
    assert ask.kind is AskKind.LIMIT
    return ask


def test_who_stays_below_its_limits_is_left_alone() -> None:
    """However often it is looked at."""

    async def story(world: World, sign: asyncio.Event) -> None:
        world.host.weigh(RUN, 8 * GB)
        world.folders.sizes["one"] = 10 * GB
        for _ in range(3):
            await world.daemon.watch.look()
        assert not world.state.asks
        assert not await frozen(world)
        sign.set()
        await world.until(landed("one"))

    watched(story, Limits(memory_bytes=9 * GB, disk_bytes=20 * GB))


@pytest.mark.parametrize(
    ("weight", "size", "title"),
    [
        (8 * GB, 0, "coder uses 8.0 GB of memory, and 8.5 GB is its limit."),
        (0, 19 * GB, "coder uses 19.0 GB on the disk, and 20.0 GB is its limit."),
    ],
)
def test_who_comes_near_a_limit_is_held_still_and_asked_about_once(weight: int, size: int, title: str) -> None:
    """It waits without a slot, and the ask says what becomes of it at the deadline."""

    async def story(world: World, _sign: asyncio.Event) -> None:
        world.host.weigh(RUN, weight)
        world.folders.sizes["one"] = size
        ask = await asked(world)
        assert (ask.title, ask.run, ask.otherwise) == (title, RUN, STOP)
        assert f"Without an answer it is stopped at {ask.deadline:%F %H:%M} UTC" in ask.detail
        assert await frozen(world)
        assert busy(world.state) == 0
        await world.daemon.watch.look()
        assert len(world.state.asks) == 1

    watched(story, Limits(memory_bytes=8 * GB + GB // 2, disk_bytes=20 * GB))


def test_with_a_higher_limit_it_goes_on_and_is_asked_about_near_that() -> None:
    """The limit is this task's alone."""

    async def story(world: World, sign: asyncio.Event) -> None:
        world.host.weigh(RUN, 8 * GB)
        ask = await asked(world)
        assert [choice.label for choice in ask.choices] == [
            "Raise its limit to 16.0 GB for this task",
            "Stop it; its work is kept",
        ]
        await world.answer(ask, RAISE)
        await world.settled()
        await world.daemon.watch.look()
        assert not await frozen(world)
        assert world.host.allowed[RUN].memory_bytes == 16 * GB
        world.host.weigh(RUN, 14 * GB)
        await world.daemon.watch.look()
        assert not world.state.open_asks()
        world.host.weigh(RUN, 15 * GB)
        again = await asked(world)
        assert again.title == "coder uses 15.0 GB of memory, and 16.0 GB is its limit."
        await world.answer(again, RAISE)
        await world.settled()
        await world.daemon.watch.look()
        sign.set()
        await world.until(landed("one"))

    watched(story, Limits(memory_bytes=8 * GB))


def test_let_on_as_it_is_it_is_asked_about_again_at_its_limit() -> None:
    """There it cannot go on as it is: that would be no limit."""

    async def story(world: World, _sign: asyncio.Event) -> None:
        world.folders.sizes["one"] = 19 * GB
        await world.answer(await asked(world), GO_ON)
        await world.settled()
        world.folders.sizes["one"] = 20 * GB - 1
        await world.daemon.watch.look()
        assert not await frozen(world)
        world.folders.sizes["one"] = 22 * GB
        assert [choice.id for choice in (await asked(world)).choices] == [RAISE, STOP]

    watched(story, Limits(disk_bytes=20 * GB))


@pytest.mark.parametrize("by", ["ada", "deadline"])
def test_stopped_it_can_be_tried_again(by: str) -> None:
    """Nobody's answer stops it too; what it did is kept, and a human says how the task goes on."""

    async def story(world: World, sign: asyncio.Event) -> None:
        world.host.weigh(RUN, 8 * GB)
        ask = await asked(world)
        if by == "deadline":
            await world.passes(minutes=24 * 60)
        else:
            await world.answer(ask, STOP)
        await world.until(at("one", Blocked))
        (ended,) = world.facts(e.RunEnded)
        assert ended.reason is EndReason.LIMIT
        assert world.facts(e.AskAnswered)[0].answer.by == by
        assert "one" in world.workspaces.held
        world.host.weigh(RUN, 0)
        sign.set()
        await world.answer(await world.ask("one"), "retry")
        await world.until(landed("one"))

    watched(story, Limits(memory_bytes=8 * GB))


def test_it_stays_still_over_the_death_of_a_daemon() -> None:
    """The next one finds it so and leaves it so; one that died between both has it ask again."""

    async def story(world: World, sign: asyncio.Event) -> None:
        world.host.weigh(RUN, 8 * GB)
        ask = await asked(world)
        await world.restart()
        await world.daemon.watch.look()
        assert await frozen(world)
        await world.host.thaw(RUN)
        await world.daemon.watch.look()
        assert await frozen(world)
        await world.kill()
        await world.start()
        await world.answer(ask, RAISE)
        await world.settled()
        await world.daemon.watch.look()
        assert not await frozen(world)
        assert world.host.allowed[RUN].memory_bytes == 16 * GB
        await world.host.freeze(RUN)  # by one that died before it could record why
        await world.daemon.watch.look()
        assert not await frozen(world)
        sign.set()
        await world.until(landed("one"))

    watched(story, Limits(memory_bytes=8 * GB))


def test_while_it_is_still_another_one_has_its_slot() -> None:
    """It goes on once there is one for it again."""

    async def story(world: World, sign: asyncio.Event) -> None:
        other = asyncio.Event()
        world.agent_does("two", waits_for(other, writes({"two.txt": "x\n"})))
        await world.submit("two")
        await world.settled()
        assert at("two", Queued)(world.state)
        world.host.weigh(RUN, 8 * GB)
        ask = await asked(world)
        await world.until(at("two", Working))
        await world.answer(ask, RAISE)
        await world.settled()
        await world.daemon.watch.look()
        assert await frozen(world)
        other.set()
        await world.until(landed("two"))
        await world.settled()
        await world.daemon.watch.look()
        assert not await frozen(world)
        sign.set()
        await world.until(landed("one"))

    watched(story, Limits(memory_bytes=8 * GB), slots=1)


class Slow:
    """A host at which looking takes so long that something happens meanwhile."""

    def __init__(self, host: Any, meanwhile: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._host = host
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    async def usage(self, runs: Any) -> Any:
        """What is used, before something happens."""
        seen = await self._host.usage(runs)
        await self._meanwhile()
        return seen


def test_an_answer_given_while_it_is_looked_holds() -> None:
    """Nobody is asked again about what they have just allowed."""

    async def story(world: World, sign: asyncio.Event) -> None:
        world.host.weigh(RUN, 8 * GB)
        ask = await asked(world)

        async def meanwhile() -> None:
            await world.answer(ask, RAISE)
            await world.settled()

        slow: Any = Slow(world.host, meanwhile)
        await replace(world.daemon.watch, host=slow).look()
        assert not world.state.open_asks()
        assert not await frozen(world)
        sign.set()
        await world.until(landed("one"))

    watched(story, Limits(memory_bytes=8 * GB))


def test_folders_are_walked_when_the_disk_fills() -> None:
    """Not at each look: a walk costs as much as there are files."""

    async def story(world: World, _sign: asyncio.Event) -> None:
        for size in (GB, GB, GB + GB // 2, GB):
            world.folders.sizes["one"] = size
            await world.daemon.watch.look()
        assert world.folders.walked == ["one"]
        world.folders.sizes["one"] = 3 * GB
        await world.daemon.watch.look()
        assert world.folders.walked == ["one", "one"]

    watched(story, Limits(disk_bytes=20 * GB))


def test_a_watch_looks_by_itself_and_only_while_somebody_works() -> None:
    """What is answered is seen to at once, without waiting for the next look."""

    async def story(world: World, sign: asyncio.Event) -> None:
        watching = asyncio.create_task(world.daemon.watch.run())
        try:
            await world.settled()
            world.host.weigh(RUN, 8 * GB)
            await world.passes(seconds=LOOK_AGAIN.total_seconds())
            ask = await world.ask("one")
            await world.settled()
            assert await frozen(world)
            await world.answer(ask, RAISE)
            await world.settled()
            assert not await frozen(world)
            sign.set()
            await world.until(landed("one"))
            await world.settled()
            assert not watching.done()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    watched(story, Limits(memory_bytes=8 * GB))
