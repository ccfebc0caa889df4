"""What lands is what was reviewed, also when the ground under a change came to another end than it had begun with."""

from bandstand.domain import events as e
from bandstand.domain.ids import TaskId
from bandstand.domain.stage import Checking, HumanReview
from tests.services.acting import meanwhile, requests_changes, writes
from tests.services.world import World, at, landed, play, rules, spec

WEAK = "test:\n\ttrue\n"


def test_what_the_change_below_took_back_does_not_land_with_the_one_above() -> None:
    """The one above still has the weakened gate on its branch: with it, it needs a human, who sees just that."""

    async def story(world: World) -> None:
        world.reviewer_does("below", requests_changes("Leave the Makefile alone."))
        first, second = world.checks.hold("above.1"), world.checks.hold("below.2")
        world.agent_does("below", writes({"below.txt": "x\n", "Makefile": WEAK}), writes({"Makefile": None}))
        world.agent_does("above", writes({"above.txt": "x\n"}))
        await world.submit("below", spec("above", stacked_on=TaskId("below")))
        await world.until(at("above", Checking))
        second.set()
        await world.until(landed("below"))
        first.set()
        ask = await world.ask("above")
        assert at("above", HumanReview)(world.state)
        assert "Makefile" in ask.detail
        assert world.file("Makefile") != WEAK
        assert [fact.change.paths for fact in world.facts(e.ChangeReassessed)] == [("Makefile", "above.txt")]
        await world.answer(ask, "approve")
        await world.until(landed("above"))

    play(story, lambda: World(rules(review="agent", more='landing.method = "squash"')))


def test_rules_that_came_while_a_change_was_under_way_judge_it_too() -> None:
    """A change that writes what a new check runs needs a human, although it had begun before there was that check."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.1")
        stricter = rules(checks=("make test", "ci/lint.sh")).decode()
        world.agent_does("one", meanwhile({"bandstand.toml": stricter}, writes({"ci/lint.sh": "exit 0\n"})))
        await world.submit("one")
        await world.answer(await world.ask("one"), "confirm")
        sign.set()
        ask = await world.ask("one")
        assert at("one", HumanReview)(world.state)
        assert "ci/lint.sh" in ask.detail
        await world.answer(ask, "approve")
        await world.until(landed("one"))

    play(story)


def test_who_goes_on_without_one_cancelled_task_is_asked_about_the_next() -> None:
    """Each cancelled task that a change needs is a question of its own."""

    async def story(world: World) -> None:
        await world.submit("first", "second", spec("last", depends_on=(TaskId("first"), TaskId("second"))))
        await world.until(at("first", HumanReview))
        await world.until(at("second", HumanReview))
        for name in ("first", "second"):
            await world.cancel(name)
            ask = await world.ask("last")
            assert ask.title == f"{name}, which last needs, was cancelled."
            await world.answer(ask, "retry")
        await world.answer(await world.ask("last"), "approve")
        await world.until(landed("last"))

    play(story, lambda: World(rules(review="human")))
