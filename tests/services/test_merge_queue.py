"""The merge queue: one change at a time, tested as what main will be, and given back when it does not fit."""

import asyncio

import pytest

from bandstand.domain import events as e
from bandstand.domain import stage
from bandstand.domain.activities import Activity, Move
from bandstand.domain.ask import CANCEL, RETRY, AskKind
from bandstand.domain.errors import Stale, Unavailable
from bandstand.domain.run import Cause
from bandstand.domain.stage import HumanReview, InQueue
from bandstand.services.reconcile import Perform
from tests.services.acting import meanwhile, merges, waits_for, writes
from tests.services.world import World, at, landed, over, play, rules, spec


def test_a_change_is_tested_on_top_of_what_has_landed() -> None:
    """Under a name of its own; a tree that was seen green needs no second look."""

    async def story(world: World) -> None:
        world.agent_does("one", meanwhile({"other.txt": "x\n"}, writes({"a.txt": "a\n"})))
        await world.submit("one", spec("two", depends_on=("one",)))
        await world.until(landed("one", "two"))
        assert [name for name, _ in world.checks.ran] == ["one.1", "one.2", "two.1"]
        assert world.repository.checkout.keys() >= {"other.txt", "a.txt", "two.txt"}

    play(story)


def test_a_conflict_goes_back_to_the_agent() -> None:
    """It merges what has landed, which it is shown, and the merge lands."""

    async def story(world: World) -> None:
        world.agent_does(
            "one",
            meanwhile({"a.txt": "user\n"}, writes({"a.txt": "agent\n"})),
            merges({"a.txt": "user and agent\n"}),
        )
        await world.submit("one")
        await world.until(landed("one"))
        assert world.file("a.txt") == "user and agent\n"
        (returned,) = world.facts(e.LandingReturned)
        assert returned.cause is Cause.CONFLICT
        assert "CONFLICT (content): a.txt" in world.prompts("one")[1]

    play(story)


def test_conflicts_without_end_end_with_a_human() -> None:
    """After the rounds that the rules allow."""

    async def story(world: World) -> None:
        acts = [meanwhile({"a.txt": f"user {n}\n"}, writes({"a.txt": f"agent {n}\n"})) for n in range(3)]
        world.agent_does("one", *acts)
        await world.submit("one")
        ask = await world.ask("one")
        assert ask.title == "one still conflicts after 1 repairs."
        assert "a.txt" in ask.detail
        world.agent_does("one", merges({"a.txt": "both\n"}))
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    play(story, lambda: World(rules(more="rounds.conflict = 1")))


def test_a_change_that_breaks_together_with_what_landed_goes_back() -> None:
    """Green alone is not enough; the agent is shown the main that it did not fit."""

    async def story(world: World) -> None:
        world.agent_does(
            "one",
            meanwhile({"left.txt": "x\n"}, writes({"right.txt": "x\n"})),
            writes({"right.txt": None, "fits.txt": "x\n"}),
        )
        await world.submit("one")
        await world.until(landed("one"))
        (returned,) = world.facts(e.LandingReturned)
        assert returned.cause is Cause.QUEUE_RED
        assert "It is failure." in world.prompts("one")[1]
        assert {"left.txt", "fits.txt"} <= world.repository.checkout.keys()
        assert "right.txt" not in world.repository.checkout

    play(story)


def test_main_that_moves_under_a_landing_is_built_upon_anew() -> None:
    """What was tested is no longer what main would be."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.2")
        world.agent_does("one", meanwhile({"before.txt": "x\n"}, writes({"a.txt": "a\n"})))
        await world.submit("one")
        await world.until(at("one", stage.Testing))
        world.repository.commit({"between.txt": b"x\n"})
        sign.set()
        await world.until(landed("one"))
        (restarted,) = world.facts(e.LandingRestarted)
        assert restarted.reason == "main moved in the meantime."
        assert {"before.txt", "between.txt", "a.txt"} <= world.repository.checkout.keys()

    play(story)


def test_a_user_who_edits_the_same_file_is_asked_and_keeps_the_edits() -> None:
    """Main does not move; trying again lands."""

    async def story(world: World) -> None:
        world.repository.edit("a.txt", b"my own\n")
        before = world.repository.refs["refs/heads/main"]
        world.agent_does("one", writes({"a.txt": "a\n"}))
        await world.submit("one")
        ask = await world.ask("one")
        assert ask.kind is AskKind.BLOCKED
        assert ask.title == "Your edits in /memory/repository are in the way of landing one."
        assert ask.detail == "Commit, stash or revert: a.txt. main has not moved."
        assert world.repository.refs["refs/heads/main"] == before
        assert world.repository.checkout["a.txt"] == b"my own\n"
        await world.answer(ask, "retry")
        again = await world.ask("one")
        world.repository.edit("a.txt", None)
        await world.answer(again, "retry")
        await world.until(landed("one"))
        assert world.repository.checkout["a.txt"] == b"a\n"

    play(story)


def test_a_user_in_the_middle_of_a_rebase_is_told_so() -> None:
    """There may be no file to name: what is under way is, and what ends it. Trying again lands."""

    async def story(world: World) -> None:
        world.repository.under_way = "A rebase of main is under way"
        world.agent_does("one", writes({"a.txt": "a\n"}))
        await world.submit("one")
        ask = await world.ask("one")
        assert ask.title == "A rebase of main is under way in /memory/repository; landing one waits for you."
        assert ask.detail == "Finish it or abort it. main has not moved."
        world.repository.under_way = ""
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    play(story)


def test_a_target_that_is_gone_is_asked_about_and_lands_when_it_is_back() -> None:
    """Renamed or removed in the middle of a turn: the agent has nothing to do with it and its work is kept."""

    async def story(world: World) -> None:
        sign = asyncio.Event()
        world.agent_does("one", waits_for(sign, writes({"a.txt": "a\n"})))
        await world.submit("one")
        await world.settled()
        tip = world.repository.refs.pop("refs/heads/main")
        sign.set()
        for seconds in (1, 2):
            await world.settled()
            await world.passes(seconds=seconds)
        ask = await world.ask("one")
        assert "The repository has no branch 'main' with a commit. `git branch` lists" in ask.detail
        assert "Mend its workspace" not in ask.detail
        world.repository.refs["refs/heads/main"] = tip
        await world.answer(ask, "retry")
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1

    play(story)


def test_others_land_while_one_waits_for_its_user() -> None:
    """A change that is in somebody's way is in nobody else's."""

    async def story(world: World) -> None:
        world.repository.edit("a.txt", b"my own\n")
        world.agent_does("one", writes({"a.txt": "a\n"}))
        await world.submit("one")
        ask = await world.ask("one")
        await world.submit("two")
        await world.until(landed("two"))
        world.repository.edit("a.txt", None)
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    play(story)


def test_the_first_in_the_queue_is_the_most_urgent() -> None:
    """By priority, then in the order in which they came."""

    async def story(world: World) -> None:
        world.repository.edit("hold.txt", b"my own\n")
        names = ["hold", "one", "two", "urgent"]
        for name in names:
            world.agent_does(name, meanwhile({f"user-{name}.txt": "x\n"}, writes({f"{name}.txt": "x\n"})))
        await world.submit(*[spec(name, priority=int(name == "urgent")) for name in names])
        for name in names:
            await world.until(at(name, HumanReview))
        sign = world.checks.hold("hold.2")
        await world.review("hold", approve=True)
        await world.until(at("hold", stage.Testing))
        for name in ("two", "one", "urgent"):
            await world.review(name, approve=True)
            await world.until(at(name, InQueue))
        sign.set()
        world.repository.edit("hold.txt", None)
        await world.until(landed(*names))
        assert [fact.task for fact in world.facts(e.ChangeLanded)] == ["hold", "urgent", "two", "one"]

    play(story, lambda: World(rules(review="human"), slots=4))


def test_a_human_may_take_a_change_out_of_the_queue() -> None:
    """With a verdict that asks for changes: it goes back to its agent."""

    async def story(world: World) -> None:
        await world.submit("below", spec("one", stacked_on="below"))
        await world.until(at("one", HumanReview))
        await world.review("one", approve=True)
        await world.until(at("one", InQueue))
        await world.review("one", approve=False, text="On second thoughts.")
        await world.until(lambda state: len(world.prompts("one")) == 2)
        assert "On second thoughts." in world.prompts("one")[1]

    play(story, lambda: World(rules(review="human")))


def moves_fail(failing: list[bool]) -> World:
    """A world in which main is moved and what comes behind that fails, as long as the first of `failing` says so."""
    world = World()

    def around(perform: Perform) -> Perform:
        async def moved_and_failed(activity: Activity) -> None:
            if isinstance(activity, Move) and failing[0]:
                candidate = activity.candidate
                await world.repository.land("main", old=candidate.onto, new=candidate.commit)
                raise Unavailable("There is no space left.")
            await perform(activity)

        return moved_and_failed

    world.around = around
    return world


def landings(world: World) -> list[str]:
    """The tasks that main has commits of."""
    history = world.repository.history(world.repository.refs["refs/heads/main"])
    lines = [line for commit in history for line in world.repository.at(commit).message.splitlines()]
    return sorted(line.removeprefix("Bandstand-Task: ") for line in lines if line.startswith("Bandstand-Task:"))


def test_a_move_that_was_made_and_not_recorded_is_not_made_again() -> None:
    """What fails behind it, again and again, takes the task back to its place in the queue until a human says go on."""
    failing = [True]

    async def story(world: World) -> None:
        await world.submit("one", "two")
        for _ in range(4):
            await world.passes(minutes=1)
        ask = await world.ask("one")
        failing[0] = False
        await world.answer(ask, RETRY.id)
        for other in [one for one in world.state.open_asks() if one.id != ask.id]:
            await world.answer(other, RETRY.id)
        await world.until(landed("one", "two"))
        assert landings(world) == ["one", "two"]

    play(story, lambda: moves_fail(failing))


@pytest.mark.parametrize("order", ["cancel", "answer"])
def test_a_change_that_main_was_moved_to_cannot_be_cancelled(order: str) -> None:
    """Whoever cancels while that could not be recorded is told that it has landed, and then it is recorded."""

    async def story(world: World) -> None:
        await world.submit("one")
        for _ in range(4):
            await world.passes(minutes=1)
        ask = await world.ask("one")
        with pytest.raises(Stale, match="The change of one has landed"):
            await (world.cancel("one") if order == "cancel" else world.answer(ask, CANCEL.id))
        await world.until(landed("one"))
        assert world.facts(e.TaskCancelled) == []
        assert len(world.facts(e.ChangeLanded)) == 1
        assert landings(world) == ["one"]
        await world.until(lambda state: not state.open_asks())

    play(story, lambda: moves_fail([True]))


def test_a_change_that_main_could_not_be_moved_to_can_be_cancelled() -> None:
    """It is looked at, and is not there."""

    async def story(world: World) -> None:
        world.agent_does("one", writes({"shared.txt": "theirs\n"}))
        world.repository.edit("shared.txt", b"mine\n")
        await world.submit("one")
        ask = await world.ask("one")
        await world.answer(ask, CANCEL.id)
        await world.until(over("one"))
        assert len(world.facts(e.TaskCancelled)) == 1
        assert landings(world) == []

    play(story)
