"""Cancelling: whenever it happens, the run ends, the work is kept, and nobody is asked about it any more."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bandstand.domain import events as e
from bandstand.domain import stage
from bandstand.domain.activities import Activity, Move
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import TaskId
from bandstand.domain.run import EndReason
from bandstand.domain.stage import AgentReview, Blocked, Checking, HumanReview, InQueue, Queued, Working
from bandstand.services.reconcile import Perform
from tests.services.acting import asks_permission, breaks_its_repository, meanwhile, sits, waits_for, writes
from tests.services.world import World, at, landed, over, play, rules, spec

Reach = Callable[[World], Awaitable[None]]


async def in_a_turn(world: World) -> None:
    """The agent works."""
    world.agent_does("one", sits())
    await world.submit("one")
    await world.until(at("one", Working))


async def while_the_agent_asks(world: World) -> None:
    """The agent waits for an answer."""
    world.agent_does("one", asks_permission("May I?"))
    await world.submit("one")
    await world.ask("one")


async def while_checks_run(world: World) -> None:
    """The change is checked."""
    world.checks.hold("one.1")
    await world.submit("one")
    await world.until(at("one", Checking))


async def while_an_agent_reviews(world: World) -> None:
    """The reviewer reads."""
    world.reviewer_does("one", sits())
    await world.submit("one")
    await world.until(at("one", AgentReview))


async def while_a_human_reviews(world: World) -> None:
    """The human is asked."""
    await world.submit("one")
    await world.until(at("one", HumanReview))


async def while_it_is_parked(world: World) -> None:
    """The human is asked, and the run has ended."""
    await while_a_human_reviews(world)
    await world.passes(minutes=1)
    await world.until(lambda state: state.tasks[TaskId("one")].run is None)


async def while_it_is_blocked(world: World) -> None:
    """The human is asked how to go on."""
    world.agent_does("one", *[writes({"red.txt": f"{n}\n"}) for n in range(4)])
    await world.submit("one")
    await world.until(at("one", Blocked))


async def in_the_queue(world: World) -> None:
    """It waits for the one that it is stacked on."""
    await world.submit("below", spec("one", stacked_on="below"))
    await world.until(at("one", HumanReview))
    await world.review("one", approve=True)
    await world.until(at("one", InQueue))


MOMENTS: dict[str, tuple[str, Reach]] = {
    "turn": ("none", in_a_turn),
    "asking": ("none", while_the_agent_asks),
    "checking": ("none", while_checks_run),
    "agent review": ("agent", while_an_agent_reviews),
    "human review": ("human", while_a_human_reviews),
    "parked": ("human", while_it_is_parked),
    "blocked": ("none", while_it_is_blocked),
    "queue": ("human", in_the_queue),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_task_is_cancelled_at_any_moment(moment: str) -> None:
    """Nothing of it is left on the machine but what it had written."""
    review, reach = MOMENTS[moment]

    async def story(world: World) -> None:
        await reach(world)
        await world.settled()
        world.workspaces.write("one", {"work.txt": b"work\n"})
        await world.cancel("one")
        state = await world.until(over("one"))
        assert [ask for ask in state.open_asks() if ask.task == "one"] == []
        (retired,) = world.facts(e.WorkspaceRetired)
        assert retired.rescue is not None
        assert world.file("work.txt", ref=retired.rescue) == "work\n"
        assert [run for run in await world.host.live() if run.startswith("one")] == []
        assert [name for name in world.workspaces.held if "one" in name] == []

    play(story, lambda: World(rules(review=review)))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_daemon_that_dies_over_it_cancels_it_all_the_same(moment: str) -> None:
    """The next one ends what is still there."""
    review, reach = MOMENTS[moment]

    async def story(world: World) -> None:
        await reach(world)
        await world.settled()
        world.log.die_always()
        await world.cancel("one")
        await world.until(over("one"))
        assert len(world.facts(e.WorkspaceRetired)) == 1

    play(story, lambda: World(rules(review=review)))


def test_a_task_that_never_began_leaves_nothing() -> None:
    """There is no run and no workspace to end."""

    async def story(world: World) -> None:
        world.agent_does("first", sits())
        await world.submit("first", spec("one", depends_on=("first",)))
        await world.until(at("first", Working))
        assert at("one", Queued)(world.state)
        await world.cancel("one")
        await world.until(over("one"))
        assert [fact.rescue for fact in world.facts(e.WorkspaceRetired)] == [None]

    play(story)


def test_an_agent_that_destroyed_its_repository_can_be_cancelled() -> None:
    """There is nothing to keep a checkpoint of, but what it wrote is kept."""

    async def story(world: World) -> None:
        world.agent_does("one", breaks_its_repository(sits()))
        await world.submit("one")
        await world.until(at("one", Working))
        await world.settled()
        world.workspaces.write("one", {"work.txt": b"work\n"})
        await world.cancel("one")
        await world.until(over("one"))
        assert [fact.reason for fact in world.facts(e.RunEnded)] == [EndReason.CANCELLED]
        assert world.facts(e.WorkspaceRetired)[0].rescue is not None

    play(story)


def test_what_main_is_being_moved_to_cannot_be_stopped() -> None:
    """It may be half way there: everything is refused, and nobody's words are lost in silence."""

    async def story(world: World) -> None:
        sign = asyncio.Event()

        def slowly(perform: Perform) -> Perform:
            async def wait(activity: Activity) -> None:
                if isinstance(activity, Move):
                    await sign.wait()
                await perform(activity)

            return wait

        world.around = slowly
        await world.restart()
        await world.submit("one")
        await world.until(at("one", stage.Moving))
        with pytest.raises(Refused, match="is landing right now"):
            await world.cancel("one")
        with pytest.raises(Refused, match="is landing right now"):
            await world.send("one", "One more thing.")
        with pytest.raises(Refused, match="no change to review now"):
            await world.review("one", approve=False, text="One more thing.")
        sign.set()
        await world.until(landed("one"))
        with pytest.raises(Refused, match="has ended"):
            await world.cancel("one")
        with pytest.raises(Unknown, match="no task 'two'"):
            await world.cancel("two")

    play(story)


async def lands_slowly(world: World) -> None:
    """What main would be with the first is being checked, and the second waits behind it in the queue."""
    for name in ("one", "two"):
        world.agent_does(name, meanwhile({f"user-{name}.txt": "x\n"}, writes({f"{name}.txt": "x\n"})))
    world.checks.hold("one.2")
    await world.submit("one", spec("two", priority=-1))
    await world.until(at("one", stage.Testing))
    await world.until(at("two", InQueue))
    await world.settled()


def test_what_is_tested_before_it_lands_can_be_cancelled() -> None:
    """Its checks end at once, and the next one in the queue lands."""

    async def story(world: World) -> None:
        await lands_slowly(world)
        await world.cancel("one")
        await world.until(over("one"))
        await world.until(landed("two"))
        assert world.file("one.txt") is None
        assert world.facts(e.WorkspaceRetired)[0].rescue is not None

    play(story)


@pytest.mark.parametrize("order", ["send", "request changes"])
def test_what_is_tested_before_it_lands_goes_back_to_its_agent(order: str) -> None:
    """With what a human has to say; the next one lands meanwhile, and then it comes round again."""

    async def story(world: World) -> None:
        await lands_slowly(world)
        sign = asyncio.Event()
        world.agent_does("one", waits_for(sign, writes({"one.txt": "y\n"})))
        if order == "send":
            await world.send("one", "One more thing.")
        else:
            await world.review("one", approve=False, text="One more thing.")
        await world.until(landed("two"))
        assert at("one", Working)(world.state)
        assert "One more thing." in world.prompts("one")[1]
        sign.set()
        await world.until(landed("one"))
        assert world.file("one.txt") == "y\n"

    play(story)
