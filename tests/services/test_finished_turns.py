"""A turn that came to its end is never prompted again, whatever kept that end from being recorded."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from bandstand.domain import events as e
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.run import EndReason
from bandstand.domain.stage import AgentReview, Blocked
from bandstand.domain.task import Budget
from tests.services.acting import Act, approves, breaks_its_repository, fails, says, waits_for, writes
from tests.services.world import World, at, landed, play, rules, spec

FIRST = RunId("one.1")
DEATHS: dict[str, Callable[[World, RunId], None]] = {
    "crashed": lambda world, run: world.host.crash(run),
    "lost": lambda world, run: world.host.kill(run),
}


async def passes_step_by_step(world: World) -> None:
    """Time for a step that fails to be tried three times."""
    for seconds in (1, 2, 4):
        await world.settled()
        await world.passes(seconds=seconds)


async def ends_its_turn_alone(world: World, act: Act, *, task: str = "one") -> None:
    """The agent goes on while no daemon is there, until nothing is left for it to do."""
    sign = asyncio.Event()
    world.agent_does(task, waits_for(sign, act))
    await world.submit(spec(task, budget=Budget(minutes=5)))
    await world.until(lambda state: bool((run := state.tasks[TaskId(task)].run) and run.session))
    await world.settled()
    await world.kill()
    sign.set()
    await world.settled()


@pytest.mark.parametrize("minutes", [0, 2, 90])
def test_a_turn_whose_branch_cannot_be_moved_is_taken_in_later(minutes: int) -> None:
    """The user's own edits are in the way. However long they stay there, the agent has nothing more to do."""

    async def story(world: World) -> None:
        world.workspaces.guarded = True
        await world.submit("one")
        await passes_step_by_step(world)
        ask = await world.ask("one")
        assert "edits in the way" in ask.detail
        await world.passes(minutes=minutes)
        assert at("one", Blocked)(world.state)
        world.workspaces.guarded = False
        await world.answer(ask, "retry")
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1
        assert len(world.facts(e.RunStarted)) == 1

    play(story)


@pytest.mark.parametrize("death", DEATHS)
def test_a_turn_that_ended_while_nobody_was_there_has_ended(death: str) -> None:
    """The daemon is away when the agent says that it is done, and then its process dies, too: the journal tells."""

    async def story(world: World) -> None:
        await ends_its_turn_alone(world, writes({"one.txt": "x\n"}, say="It is done."))
        DEATHS[death](world, FIRST)
        await world.start()
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1
        assert [fact.message for fact in world.facts(e.TurnEnded)] == ["It is done."]
        assert world.file("one.txt") == "x\n"

    play(story)


@pytest.mark.parametrize("death", DEATHS)
def test_it_has_ended_also_if_its_branch_cannot_be_moved_yet(death: str) -> None:
    """The process is gone and the branch is in use: neither is a reason to prompt again."""

    async def story(world: World) -> None:
        await ends_its_turn_alone(world, writes({"one.txt": "x\n"}))
        DEATHS[death](world, FIRST)
        world.workspaces.guarded = True
        await world.start()
        await passes_step_by_step(world)
        ask = await world.ask("one")
        await world.passes(minutes=10)
        world.workspaces.guarded = False
        await world.answer(ask, "retry")
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1

    play(story)


def test_a_message_that_waits_is_heard_after_the_turn_that_ended_alone() -> None:
    """The next turn begins in a run of its own and is not taken for one that broke off."""

    async def story(world: World) -> None:
        await ends_its_turn_alone(world, writes({"one.txt": "x\n"}))
        world.host.crash(FIRST)
        await world.daemon.fleet.record(lambda _: [e.MessageSent(task=TaskId("one"), text="And sign it.", by="ada")])
        await world.start()
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 2
        assert world.prompts("one")[1].endswith("And sign it.")
        assert "broke off" not in world.prompts("one")[1]

    play(story)


def test_a_turn_that_ended_in_time_is_not_late() -> None:
    """Its time was up only when somebody came to look."""

    async def story(world: World) -> None:
        await ends_its_turn_alone(world, writes({"one.txt": "x\n"}))
        await world.clock.advance(timedelta(minutes=6))
        await world.start()
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1

    play(story)


def test_a_prompt_that_failed_while_nobody_was_there_is_told_in_the_agents_words() -> None:
    """That is no end of its own: the turn is tried again."""

    async def story(world: World) -> None:
        await ends_its_turn_alone(world, fails("overloaded"))
        world.host.crash(FIRST)
        await world.start()
        await world.until(landed("one"))
        ended = world.facts(e.RunEnded)[0]
        assert (ended.reason, ended.detail) == (EndReason.CRASHED, "overloaded")
        assert len(world.prompts("one")) == 2

    play(story)


def test_an_agent_that_broke_its_repository_costs_no_further_prompt() -> None:
    """However often a human says to try again; once the repository is mended, what was done counts."""

    async def story(world: World) -> None:
        world.agent_does("one", breaks_its_repository(writes({"a.txt": "a\n"}, commit=False)))
        await world.submit("one")
        for _ in range(3):
            await passes_step_by_step(world)
            ask = await world.ask("one")
            assert "no longer a repository" in ask.detail
            await world.passes(minutes=3)
            await world.answer(ask, "retry")
        world.workspaces.held["one"].broken = False
        await passes_step_by_step(world)
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1
        assert world.file("a.txt") == "a\n"

    play(story)


@pytest.mark.parametrize("death", DEATHS)
def test_a_verdict_that_was_given_while_nobody_was_there_was_given(death: str) -> None:
    """The reviewer's process is gone, and no second one is started."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.reviewer_does("one", waits_for(sign, approves("It is fine.")))
        await world.submit("one")
        await world.until(at("one", AgentReview))
        await world.settled()
        await world.kill()
        sign.set()
        await world.settled()
        DEATHS[death](world, RunId("one.review.1"))
        await world.start()
        await world.until(landed("one"))
        assert [fact.review.summary for fact in world.facts(e.ReviewConcluded)] == ["It is fine."]
        assert world.task("one").review_runs == 1

    play(story, lambda: World(rules(review="agent")))


def test_a_reviewer_that_said_nothing_useful_and_died_is_replaced() -> None:
    """What the journal has of it is no verdict."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.reviewer_does("one", waits_for(sign, says("Hm.")))
        await world.submit("one")
        await world.until(at("one", AgentReview))
        await world.settled()
        await world.kill()
        sign.set()
        await world.settled()
        world.host.crash(RunId("one.review.1"))
        await world.start()
        await world.until(landed("one"))
        assert world.task("one").review_runs == 2

    play(story, lambda: World(rules(review="agent")))
