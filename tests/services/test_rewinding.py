"""Going back: whenever it is ordered the files are what they were, no verdict on what is gone counts, and it lands."""

import asyncio

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import Refused, Stale, Unknown
from bandstand.domain.ids import AgentName, TaskId
from bandstand.domain.run import Cause, EndReason
from bandstand.domain.stage import HumanReview, InQueue, Queued, Rewinding, Working
from bandstand.domain.state import Task
from bandstand.domain.steering import Live
from bandstand.services.checkpoint_orders import CheckpointOrders
from bandstand.testing.checkpoints import MemoryCheckpoints
from tests.services.acting import says, sits, waits_for, writes
from tests.services.test_cancelling import MOMENTS
from tests.services.watching import MortalLog
from tests.services.world import World, at, landed, over, play, rules, spec

ONE, TWO = TaskId("one"), TaskId("two")


def orders(world: World) -> CheckpointOrders:
    """The orders of the daemon that there is now."""
    return CheckpointOrders(
        commands=world.daemon.commands,
        checkpoints=MemoryCheckpoints(world.workspaces),
        workspaces=world.workspaces,
    )


async def rewind(world: World, number: int, *, text: str = "", live: Live = Live.ASK) -> None:
    """The user takes `one` back."""
    await orders(world).rewind(ONE, number, text=text, live=live, by="ada")


async def reviewed_twice(world: World) -> None:
    """It has written two versions of a file, each a turn, and a human is asked about the second one."""
    world.agent_does("one", writes({"a.txt": "first\n"}), writes({"a.txt": "second\n", "b.txt": "more\n"}))
    await world.submit("one")
    await world.until(at("one", HumanReview))
    await world.send("one", "More, please.")
    await world.until(lambda state: state.tasks[ONE].turns == 2 and isinstance(state.tasks[ONE].stage, HumanReview))


def test_a_task_goes_back_and_lands_what_it_had() -> None:
    """With the checks and the review that this commit needs: what was said of the newer one, or before, is void."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        asked = (await world.ask("one")).id
        await rewind(world, 1)
        await world.until(lambda state: asked not in state.asks)
        (back,) = await _facts(world, e.TaskRewound)
        assert (back.checkpoint, back.saved) == (1, 2)
        ask = await world.ask("one")
        assert ask.id != asked
        assert ask.commit == back.change.head if back.change is not None else None
        assert world.file("a.txt", ref="refs/heads/band/one") == "first\n"
        await world.review("one", approve=True)
        await world.until(landed("one"))
        assert (world.file("a.txt"), world.file("b.txt")) == ("first\n", None)
        assert [reason.reason for reason in world.facts(e.RunEnded)][:1] == [EndReason.REWOUND]

    play(story, lambda: World(rules(review="human")))


async def _facts(world: World, kind: type[e.TaskRewound]) -> list[e.TaskRewound]:
    await world.until(lambda _: bool(world.facts(kind)))
    return world.facts(kind)


def test_an_approval_from_before_is_none() -> None:
    """Not even of the very commit that it goes back to: a human had a reason to go on from there."""

    async def story(world: World) -> None:
        world.agent_does("one", writes({"a.txt": "first\n"}), writes({"a.txt": "second\n"}))
        await world.submit("one")
        first = await world.ask("one")
        await world.review("one", approve=False, text="Otherwise.")
        await world.until(lambda state: state.tasks[ONE].turns == 2 and isinstance(state.tasks[ONE].stage, HumanReview))
        await rewind(world, 1)
        again = await world.until(
            lambda state: any(ask.commit == first.commit and ask.id != first.id for ask in state.open_asks())
        )
        assert again.tasks[ONE].voided == 1
        await world.review("one", approve=True)
        await world.until(landed("one"))

    play(story, lambda: World(rules(review="human")))


def test_its_agent_is_told_once_with_what_the_human_wants() -> None:
    """In its session, which it keeps."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        session = world.state.tasks[ONE].session
        world.agent_does("one", writes({"c.txt": "third\n"}), writes({"d.txt": "fourth\n"}))
        await rewind(world, 1, text="Keep it short.")
        await world.until(lambda state: state.tasks[ONE].turns == 3 and isinstance(state.tasks[ONE].stage, HumanReview))
        told = world.prompts("one")[-1]
        assert "taken your work back to checkpoint 1" in told
        assert "Keep it short." in told
        assert world.file("b.txt", ref="refs/heads/band/one") is None
        assert world.facts(e.RunStarted)[-1].run.resume == session
        await world.send("one", "And one more.")
        await world.until(lambda state: state.tasks[ONE].turns == 4 and isinstance(state.tasks[ONE].stage, HumanReview))
        assert "taken your work back" not in world.prompts("one")[-1]

    play(story, lambda: World(rules(review="human")))


def test_from_the_beginning_it_begins_anew() -> None:
    """There is no change to go on with, and nobody is asked why nothing was changed."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        world.agent_does("one", writes({"new.txt": "new\n"}))
        await rewind(world, 0)
        await world.until(lambda state: state.tasks[ONE].turns == 3 and isinstance(state.tasks[ONE].stage, HumanReview))
        assert "back to where you began" in world.prompts("one")[-1]
        assert world.facts(e.TurnQueued)[-1].turn.cause is Cause.GOAL
        await world.review("one", approve=True)
        await world.until(landed("one"))
        assert (world.file("new.txt"), world.file("a.txt")) == ("new\n", None)

    play(story, lambda: World(rules(review="human")))


def test_a_live_turn_is_ended_or_waited_for_and_never_without_being_said() -> None:
    """What it had written by then is a checkpoint."""

    async def story(world: World) -> None:
        go_on = asyncio.Event()
        world.agent_does("one", says("Well."), waits_for(go_on, writes({"a.txt": "late\n"})), sits())
        await world.submit("one")
        await world.until(lambda state: state.tasks[ONE].turns == 2 and _plays(state.tasks[ONE].stage))
        await world.settled()
        with pytest.raises(Refused, match="in the middle of a turn"):
            await rewind(world, 0)
        await rewind(world, 0, live=Live.WAIT)
        with pytest.raises(Stale, match="going back already"):
            await rewind(world, 0, live=Live.WAIT)
        assert isinstance(world.state.tasks[ONE].stage, Working)
        go_on.set()
        await world.until(lambda _: len(world.facts(e.TaskRewound)) == 1)
        await world.until(lambda state: _plays(state.tasks[ONE].stage))
        world.workspaces.write("one", {"half.txt": b"half\n"})
        await rewind(world, 0, live=Live.END)
        await world.until(lambda _: len(world.facts(e.TaskRewound)) == 2)
        saved = world.facts(e.TaskRewound)[-1].saved
        assert "half.txt" in world.repository.at(world.workspaces.snapshots["one"][saved - 1].commit).files
        await world.until(landed("one"))
        assert (world.file("half.txt"), world.file("a.txt"), world.file("one.txt")) == (None, None, "turn 4\n")

    play(story)


def _is_back(task: Task) -> bool:
    return task.rewinds == 1 and task.rewind is None and not isinstance(task.stage, Rewinding)


def _plays(stage: object) -> bool:
    return isinstance(stage, Working) and stage.started and not stage.played


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_task_goes_back_at_any_moment(moment: str) -> None:
    """Whatever it waited for, it waits for it no more; and a daemon may die at any fact meanwhile."""
    review, reach = MOMENTS[moment]

    async def story(world: World) -> None:
        await reach(world)
        await world.settled()
        world.workspaces.write("one", {"work.txt": b"work\n"})
        world.log.die_always()
        await world._order(
            lambda commands: CheckpointOrders(
                commands=commands, checkpoints=MemoryCheckpoints(world.workspaces), workspaces=world.workspaces
            ).rewind(ONE, 0, text="", live=Live.END, by="ada")
        )
        await world.until(lambda state: bool(world.facts(e.TaskRewound)) and _is_back(state.tasks[ONE]))
        (back,) = world.facts(e.TaskRewound)
        kept = world.workspaces.snapshots["one"][back.saved - 1]
        assert world.repository.at(kept.commit).files["work.txt"] == b"work\n"
        assert "work.txt" not in world.workspaces.held["one"].files
        world.log.die_never()
        await world.restart()

    play(story, lambda: World(rules(review=review), log=MortalLog()))


def test_what_was_said_and_not_heard_is_said_behind_it() -> None:
    """A message that waited for its turn outlives that turn."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        world.slots = 0
        await world.send("one", "Mind the gap.")
        await world.until(at("one", Working))
        await rewind(world, 1)
        await world.until(lambda _: bool(world.facts(e.TaskRewound)))
        world.slots = 2
        world.daemon.brain.wake()
        await world.until(lambda state: state.tasks[ONE].turns >= 4 and isinstance(state.tasks[ONE].stage, HumanReview))
        assert any("Mind the gap." in text for text in world.prompts("one"))

    play(story, lambda: World(rules(review="human")))


def test_a_paused_task_goes_back_and_stays_paused() -> None:
    """A human may look at it first."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        await world.daemon.commands.pause(ONE, reason="", by="ada")
        await rewind(world, 1)
        await world.until(lambda _: bool(world.facts(e.TaskRewound)))
        assert world.state.tasks[ONE].paused is not None
        await world.daemon.commands.resume(ONE, by="ada")
        await world.until(at("one", HumanReview))

    play(story, lambda: World(rules(review="human")))


def test_what_has_no_checkpoint_goes_nowhere() -> None:
    """One that has not begun, one that is over, one that there never was, and a number that there is not."""

    async def story(world: World) -> None:
        world.agent_does("below", sits())
        await world.submit("below", spec("one", depends_on=("below",)), "two")
        await world.until(landed("two"))
        assert isinstance(world.state.tasks[ONE].stage, Queued)
        with pytest.raises(Refused, match="no workspace"):
            await rewind(world, 0)
        with pytest.raises(Stale, match="has ended"):
            await orders(world).rewind(TWO, 1, text="", live=Live.ASK, by="ada")
        with pytest.raises(Unknown):
            await orders(world).rewind(TaskId("none"), 1, text="", live=Live.ASK, by="ada")
        with pytest.raises(Unknown, match="no checkpoint 7"):
            await orders(world).rewind(TaskId("below"), 7, text="", live=Live.END, by="ada")
        assert world.facts(e.RewindOrdered) == []

    play(story)


def test_a_checkpoint_is_taken_when_somebody_asks() -> None:
    """Also in the middle of a turn; and one can go back there."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        await world.until(lambda state: _plays(state.tasks[ONE].stage))
        await world.settled()
        world.workspaces.write("one", {"half.txt": b"half\n"})
        assert await orders(world).take(ONE, by="ada") == 1
        assert [(fact.number, fact.by) for fact in world.facts(e.CheckpointTaken)] == [(1, "ada")]
        world.workspaces.write("one", {"half.txt": b"spoilt\n"})
        world.agent_does("one", writes({"done.txt": "done\n"}))
        await rewind(world, 1, text="Go on.", live=Live.END)
        await world.until(landed("one"))
        assert world.file("half.txt") == "half\n"

    play(story)


# --- forks -----------------------------------------------------------------------------------------------------------


def test_a_fork_goes_on_from_a_checkpoint_beside_its_origin() -> None:
    """With another agent, if that is wanted. Both land; whichever is second gets its conflict back as any task does."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        before = world.state.tasks[ONE]
        await orders(world).fork(ONE, 1, TWO, words="Shorter.", agent=AgentName("critic"), by="ada")
        world.agent_does("two", writes({"a.txt": "forked\n"}))
        await world.until(at("two", HumanReview))
        assert world.state.tasks[ONE] == before
        task = world.state.tasks[TWO]
        assert (task.spec.agent, task.spec.goal) == ("critic", "Do one.\n\nShorter.")
        assert task.spec.fork is not None
        assert (task.spec.fork.task, task.spec.fork.checkpoint) == ("one", 1)
        assert "one@1" in world.prompts("two")[0]
        assert world.file("a.txt", ref="refs/heads/band/two") == "forked\n"
        assert world.file("b.txt", ref="refs/heads/band/two") is None
        await world.review("one", approve=True)
        await world.until(landed("one"))
        world.agent_does("two", writes({"a.txt": "second\n", "c.txt": "settled\n"}))
        await world.review("two", approve=True)
        await world.until(lambda state: state.tasks[TWO].turns == 2 and isinstance(state.tasks[TWO].stage, HumanReview))
        assert world.facts(e.LandingReturned)[-1].cause is Cause.CONFLICT

    play(story, lambda: World(rules(review="human")))


def test_a_fork_needs_what_its_origin_needs_but_not_that_one() -> None:
    """It lands though its origin is cancelled; not before what both are stacked on."""

    async def story(world: World) -> None:
        await world.submit("below", spec("one", stacked_on="below"))
        await world.until(at("one", HumanReview))
        await orders(world).fork(ONE, 1, TWO, words="", agent=None, by="ada")
        await world.cancel("one")
        await world.until(at("two", HumanReview))
        await world.review("two", approve=True)
        await world.until(at("two", InQueue))
        assert world.state.tasks[TWO].spec.needs == ("below",)
        await world.review("below", approve=True)
        await world.until(landed("below", "two"))
        assert world.file("one.txt") == "turn 1\n"

    play(story, lambda: World(rules(review="human")))


def test_a_fork_outlives_its_origin() -> None:
    """Its files are kept from the moment of the order, though it has not begun; and go with it."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        world.slots = 0
        await orders(world).fork(ONE, 1, TWO, words="", agent=None, by="ada")
        await world.cancel("one")
        await world.until(over("one"))
        assert [ref for ref in world.repository.refs if "shown/two" in ref] != []
        world.slots = 2
        world.daemon.brain.wake()
        await world.until(at("two", HumanReview))
        assert world.file("a.txt", ref="refs/heads/band/two") == "first\n"
        await world.cancel("two")
        await world.until(over("two"))
        assert [ref for ref in world.repository.refs if "shown/two" in ref] == []
        assert world.task("two").rescue is not None

    play(story, lambda: World(rules(review="human")))


def test_a_fork_that_is_refused_leaves_nothing() -> None:
    """An id that is taken, and a checkpoint that there is not."""

    async def story(world: World) -> None:
        await reviewed_twice(world)
        refs = dict(world.repository.refs)
        with pytest.raises(Refused, match="already a task"):
            await orders(world).fork(ONE, 1, ONE, words="", agent=None, by="ada")
        with pytest.raises(Unknown):
            await orders(world).fork(ONE, 9, TWO, words="", agent=None, by="ada")
        assert world.repository.refs == refs
        assert [spec.spec.id for spec in world.facts(e.TaskSubmitted)] == ["one"]

    play(story, lambda: World(rules(review="human")))
