"""An agent that has nothing to do keeps no process for long; it comes back with its session when there is something."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bandstand.domain import events as e
from bandstand.domain import stage
from bandstand.domain.check import Conclusion
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.run import EndReason
from bandstand.domain.stage import AgentReview, Checking, InQueue, Working
from tests.services.acting import meanwhile, requests_changes, sits, waits_for, writes
from tests.services.world import World, at, is_live, landed, play, rules, spec

FIRST = RunId("one.1")
GoesOn = Callable[[], Awaitable[None]]
Waits = Callable[[World], Awaitable[GoesOn]]


async def checking(world: World) -> GoesOn:
    """Its checks take long, and then they are red."""
    sign = world.checks.hold("one.1")
    world.agent_does("one", writes({"red.txt": "x\n"}), writes({"red.txt": None, "one.txt": "x\n"}))
    await world.submit("one")
    await world.until(at("one", Checking))

    async def go_on() -> None:
        sign.set()

    return go_on


async def reviewing(world: World) -> GoesOn:
    """Its reviewer takes long, and then asks for changes."""
    sign = asyncio.Event()
    world.reviewer_does("one", waits_for(sign, requests_changes("Louder.")))
    await world.submit("one")
    await world.until(at("one", AgentReview))

    async def go_on() -> None:
        sign.set()

    return go_on


async def queued(world: World) -> GoesOn:
    """It stands in the queue behind a task whose checks take long; then a human has something to say."""
    sign = world.checks.hold("below.2")
    world.agent_does("below", meanwhile({"late.txt": "x\n"}, writes({"below.txt": "x\n"})))
    await world.submit("below", spec("one", stacked_on="below"))
    await world.until(at("one", InQueue))

    async def go_on() -> None:
        await world.send("one", "One more thing.")
        await world.until(lambda state: state.tasks[TaskId("one")].turns == 2)
        sign.set()

    return go_on


async def landing(world: World) -> GoesOn:
    """The checks of what main would be take long, and then they are red."""
    sign = world.checks.hold("one.2")
    together: list[bool] = [False]
    world.judge = lambda files: (
        Conclusion.FAILURE if {"late.txt", "one.txt"} <= files.keys() and not together[0] else Conclusion.SUCCESS
    )
    world.agent_does("one", meanwhile({"late.txt": "x\n"}, writes({"one.txt": "x\n"})))
    await world.submit("one")
    await world.until(at("one", stage.Testing))

    async def go_on() -> None:
        sign.set()
        await world.until(lambda state: state.tasks[TaskId("one")].turns == 2)
        together[0] = True

    return go_on


@pytest.mark.parametrize("waits", [checking, reviewing, queued, landing])
def test_an_agent_that_waits_for_others_is_parked(waits: Waits) -> None:
    """After a minute its process ends; when its next turn comes, its session is taken up again."""

    async def story(world: World) -> None:
        go_on = await waits(world)
        await world.settled()
        await world.passes(seconds=59)
        assert await is_live(world.host, FIRST)
        await world.passes(seconds=1)
        await world.until(lambda state: state.tasks[TaskId("one")].run is None)
        assert not await is_live(world.host, FIRST)
        await go_on()
        await world.until(landed("one"))
        own = [fact.run for fact in world.facts(e.RunStarted) if fact.run.id in (FIRST, "one.2")]
        assert [run.resume is not None for run in own] == [False, True]
        parked = [fact for fact in world.facts(e.RunEnded) if fact.run == FIRST]
        assert [fact.reason for fact in parked] == [EndReason.PARKED]
        assert "broke off" not in world.prompts("one")[1]

    play(story, lambda: World(rules(review="agent" if waits is reviewing else "none"), slots=3))


def test_an_agent_that_waits_for_a_slot_is_parked() -> None:
    """Its turn begins in a new run once there is one."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        held = world.checks.hold("one.1")
        world.agent_does("one", writes({"red.txt": "x\n"}), writes({"red.txt": None, "one.txt": "x\n"}))
        world.agent_does("two", waits_for(sign, writes({"two.txt": "x\n"})))
        await world.submit("one", "two")
        await world.until(at("two", Working))
        held.set()
        await world.until(at("one", Working))
        await world.passes(minutes=1)
        await world.until(lambda state: state.tasks[TaskId("one")].run is None)
        assert not await is_live(world.host, FIRST)
        sign.set()
        await world.until(landed("one", "two"))
        assert world.facts(e.RunStarted)[2].run.resume is not None

    play(story, lambda: World(slots=1))


def test_an_agent_within_its_turn_is_never_parked() -> None:
    """However long it thinks."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        await world.until(at("one", Working))
        await world.passes(minutes=50)
        assert await is_live(world.host, FIRST)
        assert world.facts(e.RunStopRequested) == []

    play(story)
