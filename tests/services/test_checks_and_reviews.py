"""Checks and reviews: what a change must have before it may land, and what happens to one that lacks it."""

import asyncio

import pytest

from bandstand.domain import events as e
from bandstand.domain.ask import AskKind
from bandstand.domain.check import Conclusion
from bandstand.domain.errors import Refused
from bandstand.domain.review import Reviewer, Verdict
from bandstand.domain.run import Cause, EndReason
from bandstand.domain.stage import AgentReview, Blocked, Checking, HumanReview
from tests.services.acting import approves, fails, requests_changes, says, sits, waits_for, writes
from tests.services.world import World, at, landed, play, rules

RED = writes({"red.txt": "red\n"})


def causes(world: World) -> list[Cause]:
    """Why there were turns."""
    return [fact.turn.cause for fact in world.facts(e.TurnQueued)]


def by_agent() -> World:
    """A world in which an agent reviews."""
    return World(rules(review="agent"))


def by_human() -> World:
    """A world in which a human reviews."""
    return World(rules(review="human"))


def by_both() -> World:
    """A world in which an agent reviews, and a human."""
    return World(rules(review="agent+human"))


def test_a_red_check_goes_back_to_the_same_session_with_its_output() -> None:
    """The agent mends it, and the new head is checked."""

    async def story(world: World) -> None:
        world.agent_does("one", RED, writes({"red.txt": None, "b.txt": "b\n"}))
        await world.submit("one")
        await world.until(landed("one"))
        assert causes(world) == [Cause.GOAL, Cause.CHECK_FAILED]
        assert "$ make test\nIt is failure.\n[ended with exit code 1]" in world.prompts("one")[1]
        assert len(world.facts(e.RunStarted)) == 1
        assert [name for name, _ in world.checks.ran] == ["one.1", "one.2"]

    play(story)


def test_checks_that_stay_red_end_with_a_human() -> None:
    """After the rounds that the rules allow; to try again starts the count anew."""

    async def story(world: World) -> None:
        world.agent_does("one", RED, *[writes({"red.txt": f"{n}\n"}) for n in range(3)])
        await world.submit("one")
        ask = await world.ask("one")
        assert ask.title == "The checks of one still fail after 2 repairs."
        assert "It is failure." in ask.detail
        world.agent_does("one", writes({"red.txt": "again\n"}), writes({"red.txt": None, "b.txt": "b\n"}))
        await world.answer(ask, "retry", "Look at the Makefile.")
        await world.until(landed("one"))
        assert any("Look at the Makefile." in prompt for prompt in world.prompts("one"))

    play(story, lambda: World(rules(more="rounds.check = 2")))


def test_a_check_that_took_too_long_is_red() -> None:
    """The agent is told how long it took."""

    async def story(world: World) -> None:
        world.judge = lambda files: Conclusion.TIMED_OUT if "red.txt" in files else Conclusion.SUCCESS
        world.agent_does("one", RED, writes({"red.txt": None, "b.txt": "b\n"}))
        await world.submit("one")
        await world.until(landed("one"))
        assert "[took longer than its limit (1 s)]" in world.prompts("one")[1]

    play(story)


def test_a_check_that_could_not_look_is_not_green() -> None:
    """No agent can mend that: a human is asked, and then the check looks again."""

    async def story(world: World) -> None:
        world.judge = lambda files: Conclusion.COULD_NOT_RUN
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.title, ask.detail) == ("The checks of one could not run: make test", "It is could_not_run.\n")
        assert at("one", Blocked)(world.state)
        await world.answer(ask, "retry")
        again = await world.ask("one")
        assert again.id != ask.id
        world.judge = lambda files: Conclusion.SUCCESS
        await world.answer(again, "retry")
        await world.until(landed("one"))
        assert causes(world) == [Cause.GOAL]

    play(story)


def test_a_candidate_that_could_not_be_looked_at_does_not_land() -> None:
    """It goes on from its place in the queue when a human says so."""

    async def story(world: World) -> None:
        world.judge = lambda files: Conclusion.COULD_NOT_RUN if "late.txt" in files else Conclusion.SUCCESS
        world.reviewer_does("one", waits_for(sign, approves()))
        await world.submit("one")
        await world.until(at("one", AgentReview))
        world.repository.commit({"late.txt": b"late\n"})
        sign.set()
        ask = await world.ask("one")
        assert ask.title == "The checks of one could not run: make test"
        world.judge = lambda files: Conclusion.SUCCESS
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    sign = asyncio.Event()
    play(story, by_agent)


def test_an_agent_reviews() -> None:
    """In a checkout of its own that is thrown away, with the change before its eyes."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(landed("one"))
        (prompt,) = [turn for turn in world.agents.prompts if "review" in turn.cwd]
        assert prompt.cwd == "/memory/workspaces/review-one.review.1/tree"
        assert "+turn 1" in prompt.text
        assert world.facts(e.ChangeLanded)[0].reviews == "approved by critic"

    play(story, by_agent)


def test_requested_changes_are_the_next_turn_of_the_same_session() -> None:
    """The comments go back to the agent, and the new head is reviewed by a new run."""

    async def story(world: World) -> None:
        world.reviewer_does("one", requests_changes("Not yet.", ("a.py", 3, "Why?"), ("b.py", 0, "Where is it?")))
        await world.submit("one")
        await world.until(landed("one"))
        assert causes(world) == [Cause.GOAL, Cause.CHANGES_REQUESTED]
        assert "Not yet.\na.py:3: Why?\nb.py:0: Where is it?" in world.prompts("one")[1]
        assert [fact.run.id for fact in world.facts(e.RunStarted)] == ["one.1", "one.review.1", "one.review.2"]

    play(story, by_agent)


def test_a_reviewer_that_is_never_content_ends_with_a_human() -> None:
    """Its requests are followed for the rounds that the rules allow; a human's verdict stands above them."""

    async def story(world: World) -> None:
        world.reviewer_does("one", *[requests_changes(f"No {n}.") for n in range(3)])
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.kind, ask.detail) == (AskKind.REVIEW, "critic still asks for changes")
        assert causes(world).count(Cause.CHANGES_REQUESTED) == 2
        await world.answer(ask, "approve")
        await world.until(landed("one"))

    play(story, lambda: World(rules(review="agent", more="rounds.review = 2")))


def test_an_unreadable_verdict_is_asked_for_once_more() -> None:
    """The reviewer is told what is wrong with it, in the same session."""

    async def story(world: World) -> None:
        world.reviewer_does("one", says("Looks good to me!"), approves())
        await world.submit("one")
        await world.until(landed("one"))
        first, second = [turn.text for turn in world.agents.prompts if "review" in turn.cwd]
        assert first.startswith("Task: one\nReason: review\n")
        assert second.startswith("Reason: verdict\n\nYour answer could not be read. The message does not end with")

    play(story, by_agent)


def test_reviewers_that_give_no_verdict_end_with_a_human() -> None:
    """Twice unreadable is broken off; the third that broke off is the last."""

    async def story(world: World) -> None:
        world.reviewer_does("one", *[says("Looks good to me!") for _ in range(4)], fails("overloaded"))
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.kind, ask.detail) == (AskKind.REVIEW, "no agent could review it")
        ends = [fact for fact in world.facts(e.RunEnded) if "review" in fact.run]
        assert [end.reason for end in ends] == [EndReason.CRASHED] * 3
        assert ends[0].detail.startswith("critic gave no verdict that can be read. The message does not end")
        assert ends[2].detail == "overloaded"
        await world.answer(ask, "approve")
        await world.until(landed("one"))
        assert world.facts(e.ChangeLanded)[0].reviews == "approved by ada"

    play(story, by_agent)


def test_a_reviewer_that_comes_to_no_end_is_ended() -> None:
    """Its time is limited; another one is tried."""

    async def story(world: World) -> None:
        world.reviewer_does("one", sits())
        await world.submit("one")
        await world.until(at("one", AgentReview))
        await world.settled()
        await world.passes(minutes=30)
        await world.until(landed("one"))
        assert EndReason.BUDGET in [fact.reason for fact in world.facts(e.RunEnded) if "review" in fact.run]

    play(story, by_agent)


def test_a_reviewer_that_dies_is_replaced() -> None:
    """The next one begins anew, in a checkout of its own."""

    async def story(world: World) -> None:
        world.reviewer_does("one", sits())
        await world.submit("one")
        await world.until(at("one", AgentReview))
        await world.settled()
        (run,) = [run for run in await world.host.live() if "review" in run]
        world.host.complain(run, "segmentation fault")
        world.host.crash(run)
        await world.until(landed("one"))
        assert world.facts(e.RunEnded)[0].detail == "segmentation fault"

    play(story, by_agent)


def test_a_human_reviews() -> None:
    """Where the rules say so. What the human wants changed goes back to the agent, as often as it takes."""

    async def story(world: World) -> None:
        await world.submit("one")
        for n in range(4):
            ask = await world.ask("one")
            assert (ask.kind, ask.detail) == (AskKind.REVIEW, "the policy asks for a human")
            with pytest.raises(Refused, match="without saying which"):
                await world.review("one", approve=False)
            await world.review("one", approve=False, text=f"Please change line {n}.")
        await world.answer(await world.ask("one"), "approve")
        await world.until(landed("one"))
        assert causes(world) == [Cause.GOAL] + [Cause.CHANGES_REQUESTED] * 4
        assert "Please change line 3." in world.prompts("one")[-1]
        assert world.facts(e.ChangeLanded)[0].reviews == "approved by ada"

    play(story, by_human)


def test_a_human_sees_the_answer_of_an_agent_that_changed_nothing() -> None:
    """It was told to say why not: a human who asked for changes decides again, and the agent is not prompted on."""

    async def story(world: World) -> None:
        world.agent_does("one", writes({"a.txt": "a\n"}), says("This is on purpose."))
        await world.submit("one")
        ask = await world.ask("one")
        await world.answer(ask, "request-changes", "Rename it.")
        again = await world.ask("one")
        assert again.kind is AskKind.REVIEW
        assert len(world.prompts("one")) == 2
        await world.answer(again, "approve")
        await world.until(landed("one"))

    play(story, by_human)


def test_an_agent_reviews_first_where_both_do() -> None:
    """And both stand on the record of the landing."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.answer(await world.ask("one"), "approve")
        await world.until(landed("one"))
        reviewers = [(fact.review.by, fact.review.verdict) for fact in world.facts(e.ReviewConcluded)]
        assert reviewers == [(Reviewer.AGENT, Verdict.APPROVED), (Reviewer.HUMAN, Verdict.APPROVED)]
        assert world.facts(e.ChangeLanded)[0].reviews == "approved by critic and ada"

    play(story, by_both)


def test_a_human_may_review_unasked() -> None:
    """While the checks run: the verdict counts for that head."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.1")
        await world.submit("one")
        await world.until(at("one", Checking))
        await world.review("one", approve=False, text="Wrong file.")
        sign.set()
        await world.answer(await world.ask("one"), "approve")
        await world.until(landed("one"))
        assert causes(world) == [Cause.GOAL, Cause.CHANGES_REQUESTED]

    play(story, by_human)


def test_there_must_be_something_to_review() -> None:
    """A verdict on nothing is refused."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        with pytest.raises(Refused, match="has no change to review now"):
            await world.review("one", approve=True)

    play(story, by_human)


def test_a_change_that_touches_its_own_gates_needs_a_human() -> None:
    """However content the reviewing agent is."""

    async def story(world: World) -> None:
        new = rules(review="agent", checks=("true",)).decode()
        world.agent_does("one", writes({"bandstand.toml": new}))
        await world.submit("one")
        ask = await world.ask("one")
        assert at("one", HumanReview)(world.state)
        assert "bandstand.toml" in ask.detail
        assert [fact.review.by for fact in world.facts(e.ReviewConcluded)] == [Reviewer.AGENT]
        await world.answer(ask, "approve")
        await world.until(landed("one"))
        assert world.facts(e.ChangeLanded)[0].checks == "make test"

    play(story, by_agent)
