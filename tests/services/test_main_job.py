"""The main job: from a goal to a landed change, in the order that tasks ask for."""

import asyncio

from bandstand.domain import events as e
from bandstand.domain.ids import TaskId
from bandstand.domain.slots import busy
from bandstand.domain.stage import AgentReview, HumanReview, InQueue, Queued, Working
from tests.services.acting import approves, sits, waits_for, writes
from tests.services.world import World, at, landed, over, play, rules, spec


def order(world: World, kind: type[e.ChangeLanded | e.TurnStarted | e.TurnPlayed]) -> list[str]:
    """The tasks in the order in which this happened to them."""
    return [fact.task for fact in world.facts(kind)]


def test_a_goal_becomes_a_landed_change() -> None:
    """The agent works in a workspace of its own; its change is checked, merged and landed, and nothing is left."""

    async def story(world: World) -> None:
        world.agent_does("greet", writes({"hello.txt": "Hello, world.\n"}))
        await world.submit("greet")
        await world.until(landed("greet"))
        assert world.file("hello.txt") == "Hello, world.\n"
        (change,) = world.facts(e.ChangeLanded)
        assert (change.checks, change.reviews) == ("make test", "none: the policy asks for no review")
        assert world.workspaces.held == {}
        assert await world.host.live() == frozenset()
        assert world.repository.checkout["hello.txt"] == b"Hello, world.\n"

    play(story)


def test_a_landing_says_who_and_what_stood_for_it() -> None:
    """The commit that lands a task names it, its agent, its checks and its reviews."""

    async def story(world: World) -> None:
        await world.submit(spec("greet", title="Say hello", goal="Say hello\nto everybody."))
        await world.until(landed("greet"))
        commit = world.repository.at(world.repository.refs["refs/heads/main"])
        assert commit.message == (
            "Say hello\n\nSay hello\nto everybody.\n\nBandstand-Task: greet\nBandstand-Agent: coder\n"
            "Bandstand-Checks: make test\nBandstand-Review: approved by critic\n"
        )
        assert (commit.author.name, commit.author.email) == ("coder", "coder@agents.bandstand.invalid")
        assert commit.committer.email == "ada@example.org"
        assert len(commit.parents) == 2

    play(story, lambda: World(rules(review="agent")))


def test_squashed_changes_land_as_one_commit() -> None:
    """Where the rules ask for it."""

    async def story(world: World) -> None:
        await world.submit("greet")
        await world.until(landed("greet"))
        commit = world.repository.at(world.repository.refs["refs/heads/main"])
        assert len(commit.parents) == 1

    play(story, lambda: World(rules(more='landing = { method = "squash" }')))


def test_without_check_commands_a_change_lands_and_its_record_says_so() -> None:
    """Nothing was looked at, and nobody is told otherwise."""

    async def story(world: World) -> None:
        await world.submit("greet")
        await world.until(landed("greet"))
        assert world.facts(e.ChangeLanded)[0].checks == "none: this repository has no check commands"

    play(story, lambda: World(rules(checks=())))


def test_a_task_starts_when_what_it_depends_on_has_landed() -> None:
    """Its workspace begins with that work, and not before."""

    async def story(world: World) -> None:
        await world.submit(spec("last", depends_on=("first", "second")), "first", spec("second", depends_on=("first",)))
        await world.until(landed("first", "second", "last"))
        assert order(world, e.TurnStarted) == ["first", "second", "last"]
        base = world.task("last").base
        assert base is not None
        assert {"first.txt", "second.txt"} <= world.repository.at(base).files.keys()

    play(story)


def test_a_stacked_task_begins_on_a_green_change_that_has_not_landed() -> None:
    """It lands after it, and its own change is what it adds to it."""

    async def story(world: World) -> None:
        await world.submit("below", spec("above", stacked_on="below"))
        await world.until(at("above", HumanReview))
        assert at("below", HumanReview)(world.state)
        above = world.task("above").change
        assert above is not None
        assert above.paths == ("above.txt",)
        await world.review("above", approve=True)
        await world.settled()
        assert at("above", InQueue)(world.state)
        await world.review("below", approve=True)
        await world.until(landed("below", "above"))
        assert order(world, e.ChangeLanded) == ["below", "above"]
        assert {"below.txt", "above.txt"} <= world.repository.checkout.keys()

    play(story, lambda: World(rules(review="human")))


def test_a_stacked_task_waits_for_green() -> None:
    """A change that fails its checks is nothing to build on."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.agent_does("below", writes({"red.txt": "red\n"}), waits_for(sign, writes({"red.txt": None, "b": "b\n"})))
        await world.submit("below", spec("above", stacked_on="below"))
        await world.until(lambda state: state.tasks[TaskId("below")].turns == 2)
        await world.settled()
        assert at("above", Queued)(world.state)
        sign.set()
        await world.until(landed("below", "above"))

    play(story)


def test_what_needs_a_cancelled_task_asks_whether_to_go_on_without_it() -> None:
    """Trying again goes on without it; the other one is still waited for."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.agent_does("gone", sits())
        world.agent_does("kept", waits_for(sign, writes({"kept.txt": "kept\n"})))
        await world.submit("gone", "kept", spec("last", depends_on=("gone", "kept")))
        await world.until(at("gone", Working))
        await world.cancel("gone")
        ask = await world.ask("last")
        assert ask.title == "gone, which last needs, was cancelled."
        await world.answer(ask, "retry")
        await world.settled()
        assert at("last", Queued)(world.state)
        sign.set()
        await world.until(landed("kept", "last"))

    play(story)


def test_work_of_a_cancelled_task_lands_with_nobody_who_was_not_reviewed_with_it() -> None:
    """A change that began on its branch goes round once more, and is reviewed with all that it holds."""

    async def story(world: World) -> None:
        world.agent_does("above", writes({"above.txt": "x\n"}), writes({"below.txt": None}))
        await world.submit("below", spec("above", stacked_on="below"))
        await world.until(at("above", HumanReview))
        await world.review("above", approve=True)
        await world.until(at("above", InQueue))
        await world.cancel("below")
        await world.answer(await world.ask("above"), "retry")
        ask = await world.ask("above")
        assert at("above", HumanReview)(world.state)
        change = world.task("above").change
        assert change is not None
        assert change.paths == ("above.txt",)
        assert "Take its work out of your branch." in world.prompts("above")[1]
        await world.answer(ask, "approve")
        await world.until(landed("above"))
        assert "below.txt" not in world.repository.checkout

    play(story, lambda: World(rules(review="human")))


def test_a_task_that_had_not_begun_on_a_cancelled_branch_begins_on_the_target() -> None:
    """It goes on without it."""

    async def story(world: World) -> None:
        await world.submit("below", "other", spec("above", stacked_on="below", depends_on=("other",)))
        await world.until(at("below", HumanReview))
        await world.cancel("below")
        await world.answer(await world.ask("above"), "retry")
        await world.review("other", approve=True)
        await world.answer(await world.ask("above"), "approve")
        await world.until(landed("other", "above"))
        assert "below.txt" not in world.repository.checkout

    play(story, lambda: World(rules(review="human")))


def test_a_task_may_be_given_up_with_what_it_needs() -> None:
    """The answer to the same question may be to cancel it."""

    async def story(world: World) -> None:
        world.agent_does("gone", sits())
        await world.submit("gone", spec("last", depends_on=("gone",)))
        await world.cancel("gone")
        await world.answer(await world.ask("last"), "cancel")
        await world.until(over("last"))
        assert world.state.open_asks() == ()

    play(story)


def test_no_more_agents_work_than_there_are_slots() -> None:
    """Who comes first goes first, but for priority; an agent between two turns takes no slot."""
    signs = {name: asyncio.Event() for name in ("one", "two", "three", "late")}

    async def story(world: World) -> None:
        for name, sign in signs.items():
            world.agent_does(name, waits_for(sign, writes({f"{name}.txt": "x\n"})))
        await world.submit("one", "two", "three")
        await world.until(at("one", Working))
        await world.submit(spec("late", priority=5))
        for name in ("one", "late", "two", "three"):
            await world.until(at(name, Working))
            await world.settled()
            assert busy(world.state) == 1
            signs[name].set()
        await world.until(landed("one", "two", "three", "late"))
        assert order(world, e.TurnStarted) == ["one", "late", "two", "three"]
        assert order(world, e.TurnPlayed) == ["one", "late", "two", "three"], "each slot was given back by its agent"

    play(story, lambda: World(slots=1))


def test_a_reviewer_takes_a_slot() -> None:
    """While it reads, the next author waits."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.reviewer_does("one", waits_for(sign, approves()))
        await world.submit("one")
        await world.until(at("one", AgentReview))
        await world.submit("two")
        await world.settled()
        assert at("two", Queued)(world.state)
        sign.set()
        await world.until(landed("one", "two"))

    play(story, lambda: World(rules(review="agent"), slots=1))
