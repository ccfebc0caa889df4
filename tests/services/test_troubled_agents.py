"""Agents that crash, vanish, refuse, say nothing, do nothing or leave things lying about."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import AgentUpdate, Said, StopReason
from bandstand.domain.errors import Refused
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.run import Cause, EndReason
from bandstand.domain.stage import HumanReview, Working
from bandstand.domain.task import Budget
from tests.services.acting import Scene, breaks_its_repository, fails, says, sits, waits_for, writes
from tests.services.world import World, at, is_live, landed, over, play, rules, spec

FIRST = RunId("one.1")


def causes(world: World) -> list[tuple[Cause, bool]]:
    """Why there were turns, and whether they stood in for one that broke off."""
    return [(fact.turn.cause, fact.turn.again) for fact in world.facts(e.TurnQueued)]


def ends(world: World) -> list[EndReason]:
    """Why runs ended."""
    return [fact.reason for fact in world.facts(e.RunEnded)]


def test_a_run_that_crashes_in_a_turn_is_followed_by_one_that_takes_up_the_session() -> None:
    """The agent remembers what it was doing; its files are where they were."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        await world.until(at("one", Working))
        await world.settled()
        world.workspaces.write("one", {"half.txt": b"half\n"})
        world.host.crash(FIRST)
        await world.until(landed("one"))
        first, second = (fact.run for fact in world.facts(e.RunStarted))
        assert (first.resume, second.resume) == (None, world.facts(e.SessionOpened)[0].session)
        assert causes(world) == [(Cause.GOAL, False), (Cause.GOAL, True)]
        assert "Your last turn broke off before it ended." in world.prompts("one")[1]
        assert world.file("half.txt") == "half\n"

    play(story)


def test_a_lost_run_is_followed_by_another() -> None:
    """The machine went down under the holder."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        await world.until(at("one", Working))
        await world.settled()
        await world.kill()
        world.host.kill(FIRST)
        await world.start()
        await world.until(landed("one"))
        assert ends(world) == [EndReason.LOST, EndReason.FINISHED]

    play(story)


def test_an_agent_that_keeps_crashing_ends_with_a_human_who_is_told_its_last_words() -> None:
    """After three in a row; to try again starts the count anew, with the session."""

    async def story(world: World) -> None:
        world.agent_does("one", sits(), sits(), sits(), sits())
        await world.submit("one")
        for number in range(1, 4):
            await world.until(lambda state, n=number: state.tasks[TaskId("one")].runs == n)  # type: ignore[misc]
            await world.settled()
            world.host.complain(RunId(f"one.{number}"), f"out of memory {number}")
            world.host.crash(RunId(f"one.{number}"))
        ask = await world.ask("one")
        assert (ask.title, ask.detail) == ("The agent coder does not run.", "out of memory 3")
        await world.answer(ask, "retry")
        await world.until(lambda state: state.tasks[TaskId("one")].runs == 4)
        await world.settled()
        world.host.crash(RunId("one.4"))
        await world.until(landed("one"))

    play(story)


def test_a_run_that_crashes_between_turns_is_started_again_when_it_is_needed() -> None:
    """Nobody is bothered while there is nothing for it to do."""

    async def story(world: World) -> None:
        await world.submit("one")
        ask = await world.ask("one")
        world.host.crash(FIRST)
        await world.until(lambda state: state.tasks[TaskId("one")].run is None)
        assert at("one", HumanReview)(world.state)
        await world.answer(ask, "request-changes", "Say it louder.")
        await world.answer(await world.ask("one"), "approve")
        await world.until(landed("one"))
        assert [fact.run.resume is not None for fact in world.facts(e.RunStarted)] == [False, True]
        assert causes(world) == [(Cause.GOAL, False), (Cause.CHANGES_REQUESTED, False)]

    play(story, lambda: World(rules(review="human")))


def test_a_run_that_waits_for_a_human_is_parked() -> None:
    """After a minute its process ends, and its session is taken up again when there is something to do."""

    async def story(world: World) -> None:
        await world.submit("one")
        ask = await world.ask("one")
        assert await is_live(world.host, FIRST)
        await world.passes(minutes=1)
        await world.until(lambda state: state.tasks[TaskId("one")].run is None)
        assert not await is_live(world.host, FIRST)
        assert ends(world) == [EndReason.PARKED]
        await world.answer(ask, "request-changes", "Louder.")
        await world.answer(await world.ask("one"), "approve")
        await world.until(landed("one"))
        assert world.facts(e.RunStarted)[1].run.resume is not None

    play(story, lambda: World(rules(review="human")))


def test_an_agent_that_cannot_remember_is_told_the_whole_task_again() -> None:
    """It got a new session where the old one was asked for."""

    async def story(world: World) -> None:
        world.agents._loads = False
        await world.submit("one")
        ask = await world.ask("one")
        world.host.crash(FIRST)
        await world.until(lambda state: state.tasks[TaskId("one")].run is None)
        await world.answer(ask, "request-changes", "Louder.")
        await world.answer(await world.ask("one"), "approve")
        await world.until(landed("one"))
        assert "# Do one" in world.prompts("one")[1]
        assert "Louder." in world.prompts("one")[1]

    play(story, lambda: World(rules(review="human")))


def test_an_agent_that_will_not_open_is_told_to_the_human_in_its_words() -> None:
    """It is not logged in: no second try is of use before somebody did something."""

    async def story(world: World) -> None:
        world.agents.refusal = Refused("coder says: Please log in.", hint="Run `coder login`.")
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.title, ask.detail) == (
            "The agent coder does not run.",
            "coder says: Please log in. Run `coder login`.",
        )
        assert ends(world) == [EndReason.REFUSED]
        world.agents.refusal = None
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    play(story)


def test_a_program_that_is_not_there_is_told_to_the_human() -> None:
    """The holder cannot execute it."""

    async def story(world: World) -> None:
        await world.submit("one")
        ask = await world.ask("one")
        assert ask.title == "The agent coder does not run."
        assert "cannot be executed" in ask.detail

    play(story, lambda: World(rules().replace(b'["agent"]', b'["nowhere"]')))


def test_an_agent_that_answers_a_prompt_with_an_error_is_tried_again() -> None:
    """In a new run that takes up the session; three in a row are for the human."""

    async def story(world: World) -> None:
        world.agent_does("one", fails("overloaded"), fails("overloaded"))
        world.agent_does("two", *[fails(f"overloaded {n}") for n in range(3)])
        await world.submit("one", "two")
        ask = await world.ask("two")
        assert (ask.title, ask.detail) == ("The agent coder does not run.", "overloaded 2")
        await world.answer(ask, "retry")
        await world.until(landed("one", "two"))

    play(story)


def test_an_agent_that_changes_nothing_is_asked_once_more() -> None:
    """And then the human is, with what it said."""

    async def story(world: World) -> None:
        world.agent_does("one", says("All done!"), writes({"a.txt": "a\n"}))
        world.agent_does("two", says("All done!"), says("There is nothing to do."))
        await world.submit("one", "two")
        ask = await world.ask("two")
        assert ask.title == "coder says that two is done, but nothing changed."
        assert ask.detail == "There is nothing to do."
        await world.until(landed("one"))
        await world.answer(ask, "retry", "Add a file.")
        await world.until(landed("two"))
        assert Cause.NOTHING_CHANGED in [cause for cause, _ in causes(world)]

    play(story)


def test_an_agent_that_refuses_is_told_to_the_human() -> None:
    """In its words; to try again starts the turn again."""

    async def story(world: World) -> None:
        world.agent_does("one", says("I cannot help with that.", stop=StopReason.REFUSAL))
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.title, ask.detail) == ("coder refuses to go on.", "I cannot help with that.")
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    play(story)


def test_an_agent_that_stops_at_a_limit_is_asked_to_go_on() -> None:
    """Its own limit of tokens or requests is no end of the task."""

    async def story(world: World) -> None:
        world.agent_does("one", says("I was", stop=StopReason.MAX_TOKENS))
        await world.submit("one")
        await world.until(landed("one"))
        assert world.prompts("one")[1].endswith("You stopped at a limit. Please go on.")

    play(story)


def test_a_task_has_no_more_turns_than_its_budget() -> None:
    """Then a human is asked, with what the next turn would be about."""

    async def story(world: World) -> None:
        world.agent_does("one", *[says("Hm.", stop=StopReason.MAX_TOKENS) for _ in range(9)])
        await world.submit(spec("one", budget=Budget(turns=3)))
        ask = await world.ask("one")
        assert ask.title == "one used up its 3 turns."
        assert len(world.prompts("one")) == 3
        await world.answer(ask, "cancel")
        await world.until(over("one"))

    play(story)


def test_a_turn_has_no_more_time_than_its_budget() -> None:
    """The run ends, what it wrote is kept, and a human says whether it may go on."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit(spec("one", budget=Budget(minutes=5)))
        await world.until(at("one", Working))
        await world.settled()
        world.workspaces.write("one", {"half.txt": b"half\n"})
        await world.passes(minutes=5)
        ask = await world.ask("one")
        assert ask.title == "one used up the 5 minutes of a turn."
        assert ends(world) == [EndReason.BUDGET]
        await world.answer(ask, "retry")
        await world.until(landed("one"))
        assert world.file("half.txt") == "half\n"

    play(story)


def test_what_an_agent_left_without_a_commit_is_committed_for_it() -> None:
    """In its name, and the facts say so."""

    async def story(world: World) -> None:
        world.agent_does("one", writes({"a.txt": "a\n"}, commit=False))
        await world.submit("one")
        await world.until(landed("one"))
        (turn,) = world.facts(e.TurnEnded)
        assert (turn.committed_for_agent, turn.leftovers) == (True, ())
        assert turn.change is not None
        commit = world.repository.at(turn.change.head)
        assert commit.message == "Do one\n\ncoder left these edits without a commit.\n"
        assert commit.author.name == "coder"
        assert world.file("a.txt") == "a\n"

    play(story)


def test_what_an_agent_left_beside_its_commits_is_listed() -> None:
    """It knows how to commit: what it did not is not part of its change, and kept when it lands."""

    async def story(world: World) -> None:
        async def half(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
            scene.write({"a.txt": "a\n"}, commit=True)
            scene.write({"debug.log.txt": "noise\n"}, commit=False)
            yield Said(text="Done.")

        world.agent_does("one", half)
        await world.submit("one")
        await world.until(landed("one"))
        (turn,) = world.facts(e.TurnEnded)
        assert (turn.committed_for_agent, turn.leftovers) == (False, ("debug.log.txt",))
        assert world.file("debug.log.txt") is None
        (retired,) = world.facts(e.WorkspaceRetired)
        assert retired.rescue is not None
        assert world.file("debug.log.txt", ref=retired.rescue) == "noise\n"

    play(story)


def test_a_message_sent_during_a_turn_becomes_the_next_one() -> None:
    """Never a second prompt while a turn runs; what was said twice comes at once."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.agent_does("one", waits_for(sign, writes({"a.txt": "a\n"})))
        await world.submit("one")
        await world.until(at("one", Working))
        await world.send("one", "Use tabs.")
        await world.send("one", "And be quick.")
        await world.settled()
        assert len(world.prompts("one")) == 1
        sign.set()
        await world.until(landed("one"))
        assert world.prompts("one")[1].endswith("\n\nUse tabs.\n\nAnd be quick.")
        assert len(world.prompts("one")) == 2

    play(story)


def test_a_message_sent_while_nothing_runs_becomes_a_turn_at_once() -> None:
    """A human who is asked for a review may say something instead; the new head is reviewed."""

    async def story(world: World) -> None:
        await world.submit("one")
        first = await world.ask("one")
        await world.send("one", "One more thing.")
        await world.until(lambda state: state.tasks[TaskId("one")].turns == 2)
        second = await world.ask("one")
        assert second.id != first.id
        await world.answer(second, "approve")
        await world.until(landed("one"))

    play(story, lambda: World(rules(review="human")))


def test_a_message_to_a_change_in_the_queue_takes_it_out() -> None:
    """It lands with what was asked for, and is checked again."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.agent_does("first", waits_for(sign, writes({"first.txt": "x\n"})))
        await world.submit(spec("first", priority=1), spec("one", stacked_on="first"))
        sign.set()
        ask = await world.ask("first")
        await world.answer(await world.ask("one"), "approve")
        await world.settled()
        await world.send("one", "One more thing.")
        await world.answer(await world.ask("one"), "approve")
        await world.answer(ask, "approve")
        await world.until(landed("first", "one"))
        assert world.prompts("one")[1].endswith("One more thing.")

    play(story, lambda: World(rules(review="human")))


def test_an_empty_message_or_one_to_an_ended_task_is_refused() -> None:
    """Nothing is promised that nobody will hear."""

    async def story(world: World) -> None:
        await world.submit("one")
        with pytest.raises(Refused, match="nothing to send"):
            await world.send("one", "  ")
        await world.until(landed("one"))
        with pytest.raises(Refused, match="has ended"):
            await world.send("one", "Hello?")

    play(story)


def test_an_agent_that_destroyed_its_repository_is_told_to_the_human() -> None:
    """What it wrote is kept when the task is cancelled."""

    async def story(world: World) -> None:
        world.agent_does("one", breaks_its_repository(writes({"a.txt": "a\n"}, commit=False)))
        await world.submit("one")
        for seconds in (1, 2):
            await world.settled()
            await world.passes(seconds=seconds)
        ask = await world.ask("one")
        assert ask.detail == (
            "What the workspace holds is no longer a repository. "
            "Mend its workspace, or cancel one: then its files are kept."
        )
        await world.answer(ask, "cancel")
        await world.until(over("one"))
        (retired,) = world.facts(e.WorkspaceRetired)
        assert retired.rescue is not None
        assert world.file("a.txt", ref=retired.rescue) == "a\n"

    play(story)
