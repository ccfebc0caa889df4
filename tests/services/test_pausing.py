"""Pausing: whenever it happens the agent ends and all is kept, nothing starts until it goes on, and then it lands."""

import asyncio

import pytest

from bandstand.domain import events as e
from bandstand.domain import stage
from bandstand.domain.ask import RETRY
from bandstand.domain.errors import Refused, Stale
from bandstand.domain.ids import TaskId
from bandstand.domain.run import EndReason
from bandstand.domain.stage import AgentReview, Blocked, Checking, HumanReview, InQueue, Working
from bandstand.domain.standing import Mark, Owner, standing
from bandstand.domain.state import State, fold
from bandstand.ports.log import EventLog
from bandstand.services.fleet import Fleet
from bandstand.services.fleets import Fleets
from tests.services.acting import says, sits, waits_for, writes
from tests.services.test_cancelling import MOMENTS, in_a_turn, while_checks_run, while_it_is_blocked
from tests.services.world import World, at, landed, play, rules, spec

ONE = TaskId("one")


async def pause(world: World, task: str = "one") -> None:
    """The user pauses a task."""
    await world.daemon.commands.pause(TaskId(task), reason="lunch", by="ada")


async def resume(world: World, task: str = "one") -> None:
    """And lets it go on."""
    await world.daemon.commands.resume(TaskId(task), by="ada")


def quiet(state: State) -> bool:
    """No agent is left of the task."""
    return state.tasks[ONE].run is None and state.tasks[ONE].review_run is None


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_task_is_paused_at_any_moment_and_lands_when_it_goes_on(moment: str) -> None:
    """For days, and across a restart of the daemon."""
    review, reach = MOMENTS[moment]

    async def story(world: World) -> None:
        await reach(world)
        await world.settled()
        world.workspaces.write("one", {"work.txt": b"work\n"})
        await pause(world)
        await world.until(quiet)
        turns = len(world.prompts("one"))
        await world.restart()
        await world.passes(days=3)
        await world.settled()
        task = world.state.tasks[ONE]
        stood = standing(world.state, task)
        assert (stood.mark, stood.words, stood.owner) == (Mark.PAUSED, "paused by ada: lunch", Owner.HUMAN)
        assert [run for run in await world.host.live() if run.startswith("one")] == []
        assert world.workspaces.held["one"].files["work.txt"] == b"work\n", "its files are where they were"
        assert len(world.prompts("one")) == turns, "nothing is said to it"
        assert [fact.reason for fact in world.facts(e.RunEnded) if fact.task == ONE][-1:] in (
            [EndReason.PAUSED],
            [EndReason.PARKED],
            [],
        )
        for name in list(world.checks.held):
            world.checks.held[name].set()
        await resume(world)
        assert standing(world.state, world.state.tasks[ONE]).mark is not Mark.PAUSED

    play(story, lambda: World(rules(review=review)))


def test_an_interrupted_turn_is_given_again_to_the_same_session() -> None:
    """The agent is told that its turn broke off, and counts as neither crashed nor late."""

    async def story(world: World) -> None:
        await in_a_turn(world)
        await world.settled()
        world.agent_does("one", writes({"done.txt": "done\n"}))
        await pause(world)
        await world.until(quiet)
        session = world.state.tasks[ONE].session
        await resume(world)
        await world.until(landed("one"))
        first, second = [run.run for run in world.facts(e.RunStarted)]
        assert (first.resume, second.resume) == (None, session)
        assert "broke off" in world.prompts("one")[-1]
        assert world.task("one").crashes == 0
        assert world.file("done.txt") == "done\n"

    play(story)


def test_others_go_on_and_land_before_one_that_is_paused_in_the_queue() -> None:
    """It gives way, and keeps its place for later."""

    async def story(world: World) -> None:
        world.checks.hold("one.2")
        world.agent_does("one", writes({"one.txt": "1\n"}))
        world.agent_does("two", writes({"two.txt": "2\n"}))
        world.slots = 1
        await world.submit("one", "two")
        await world.until(at("one", stage.Testing, InQueue))
        await pause(world)
        await world.until(landed("two"))
        assert isinstance(world.state.tasks[ONE].stage, InQueue)
        for event in world.checks.held.values():
            event.set()
        await resume(world)
        await world.until(landed("one"))

    play(story)


def test_what_waits_for_a_paused_task_waits_on() -> None:
    """And starts once that has landed."""

    async def story(world: World) -> None:
        go_on = asyncio.Event()
        world.agent_does("below", waits_for(go_on, writes({"below.txt": "b\n"})))
        await world.submit("below", spec("one", depends_on=(TaskId("below"),)))
        await world.until(at("below", Working))
        await pause(world, "below")
        await world.until(lambda state: state.tasks[TaskId("below")].run is None)
        go_on.set()
        await world.passes(hours=5)
        assert standing(world.state, world.state.tasks[ONE]).words == "waits for below to land"
        await resume(world, "below")
        await world.until(landed("below", "one"))

    play(story)


def test_a_message_to_a_paused_task_waits_for_it_to_go_on() -> None:
    """It is a turn of its own behind the one that was interrupted."""

    async def story(world: World) -> None:
        await in_a_turn(world)
        await world.settled()
        world.agent_does("one", writes({"a.txt": "a\n"}), says("Noted."))
        await pause(world)
        await world.until(quiet)
        await world.send("one", "Mind the tests.")
        await world.settled()
        assert quiet(world.state)
        await resume(world)
        await world.until(landed("one"))
        assert "Mind the tests." in world.prompts("one")[-1]

    play(story)


def test_what_is_paused_is_not_paused_again_and_what_is_not_does_not_go_on() -> None:
    """The refusal says where it stands."""

    async def story(world: World) -> None:
        await in_a_turn(world)
        await world.settled()
        with pytest.raises(Stale, match="not paused"):
            await resume(world)
        await pause(world)
        with pytest.raises(Stale, match="paused already"):
            await pause(world)
        with pytest.raises(Stale, match="is paused"):
            await world.daemon.commands.retry(ONE, by="ada")
        await world.cancel("one")
        await world.until(lambda state: ONE in state.past)
        with pytest.raises(Refused, match="has ended"):
            await pause(world)

    play(story)


# --- trying again ---------------------------------------------------------------------------------------------------


async def retry(world: World) -> tuple[str, ...]:
    """The user wants what hangs to begin anew."""
    return await world.daemon.commands.retry(ONE, by="ada")


def test_an_agent_that_hangs_is_ended_and_gets_its_turn_again() -> None:
    """In a new run of the same session."""

    async def story(world: World) -> None:
        await in_a_turn(world)
        await world.settled()
        world.agent_does("one", writes({"done.txt": "done\n"}))
        assert await retry(world) == ("RunStopRequested",)
        await world.until(landed("one"))
        assert next(fact.reason for fact in world.facts(e.RunEnded)) is EndReason.RETRIED
        assert world.task("one").crashes == 0

    play(story)


def test_a_review_that_hangs_begins_anew() -> None:
    """With another run of the reviewer."""

    async def story(world: World) -> None:
        world.reviewer_does("one", sits())
        await world.submit("one")
        await world.until(at("one", AgentReview))
        await world.settled()
        await retry(world)
        await world.until(lambda state: state.tasks[ONE].review_runs == 2 if ONE in state.tasks else True)
        await world.until(landed("one"))

    play(story, lambda: World(rules(review="agent")))


def test_checks_that_hang_begin_anew() -> None:
    """Under another name; the old ones count no more."""

    async def story(world: World) -> None:
        await while_checks_run(world)
        assert await retry(world) == ("CheckStarted",)
        await world.until(landed("one"))
        assert isinstance(world.facts(e.CheckStarted)[0], e.CheckStarted)
        assert [fact.name for fact in world.facts(e.CheckStarted)] == ["one.1", "one.2"]

    play(story)


def test_a_merge_that_hangs_begins_anew() -> None:
    """What main would be is built and tested once more."""

    async def story(world: World) -> None:
        world.checks.hold("one.2")
        world.agent_does("one", writes({"one.txt": "1\n"}))
        world.agent_does("two", writes({"two.txt": "2\n"}))
        world.slots = 1
        await world.submit("two", "one")
        await world.until(lambda state: at("one", stage.Testing)(state) or landed("one")(state))
        if at("one", stage.Testing)(world.state):
            assert await retry(world) == ("LandingRestarted",)
        await world.until(landed("one", "two"))

    play(story)


def test_a_blocked_task_goes_on_as_if_its_ask_had_been_answered() -> None:
    """The ask is answered with it."""

    async def story(world: World) -> None:
        await while_it_is_blocked(world)
        ask = await world.ask("one")
        world.agent_does("one", writes({"red.txt": None, "fine.txt": "fine\n"}))
        assert "AskAnswered" in await retry(world)
        await world.until(landed("one"))
        (answered,) = world.facts(e.AskAnswered)
        assert (answered.ask, answered.answer.choice, answered.answer.by) == (ask.id, RETRY.id, "ada")

    play(story)


def test_a_step_that_waits_to_be_tried_again_is_tried_at_once() -> None:
    """Its failures are forgotten."""

    async def story(world: World) -> None:
        world.checks.hold("one.1")
        await world.submit("one")
        await world.until(at("one", Checking))
        failure = e.StepFailed(task=ONE, step="Checking", message="No room.")
        await world.daemon.fleet.record(lambda _: [failure])
        assert "trying again" in standing(world.state, world.state.tasks[ONE]).words
        assert await retry(world) == ("StepRetried",)
        assert world.state.tasks[ONE].failures == 0
        world.checks.held["one.1"].set()
        await world.until(landed("one"))

    play(story)


def test_where_there_is_nothing_to_try_again_that_is_said() -> None:
    """And where to look."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(at("one", HumanReview))
        with pytest.raises(Refused, match="nothing of one to try again"):
            await retry(world)

    play(story, lambda: World(rules(review="human")))


# --- everything at once ---------------------------------------------------------------------------------------------


class Note:
    """A note that is kept in memory."""

    def __init__(self) -> None:
        self.who: str | None = None

    def write(self, by: str) -> None:
        """Somebody wants it."""
        self.who = by

    def by(self) -> str | None:
        """Who it was."""
        return self.who

    def clear(self) -> None:
        """It is done."""
        self.who = None


def fleets(world: World, note: Note) -> Fleets:
    """The fleets of a daemon that has not opened any desk yet."""
    log: EventLog = world.log
    return Fleets(log=log, clock=world.clock, desks=lambda: (), stopped=note)


def test_everything_is_stopped_while_no_daemon_is_there_and_held_by_the_next_one() -> None:
    """Those that were paused before stay paused when the others go on."""

    async def story(world: World) -> None:
        world.slots = 4
        for name in ("one", "two", "held"):
            world.agent_does(name, sits(), writes({f"{name}.txt": "x\n"}))
        await world.submit("one", "two", "held")
        await world.until(lambda state: all(isinstance(task.stage, Working) for task in state.tasks.values()))
        await pause(world, "held")
        await world.until(lambda state: state.tasks[TaskId("held")].run is None)
        await world.kill()
        for run in await world.host.live():
            await world.host.stop(run)
        note = Note()
        note.write("ada")
        (steered,) = await fleets(world, note).heed_stop()
        assert set(steered.tasks) == {"one", "two"}
        assert note.by() is None
        assert await fleets(world, note).heed_stop() == ()
        await world.start()
        await world.until(lambda state: all(task.run is None for task in state.tasks.values()))
        await world.passes(hours=9)
        assert await world.host.live() == frozenset()
        words = {standing(world.state, task).words for task in world.state.tasks.values()}
        assert words == {"stopped with the whole fleet by ada", "paused by ada: lunch"}
        await world.kill()
        (going,) = await fleets(world, note).resume_all(by="ada")
        assert set(going.tasks) == {"one", "two"}
        await world.start()
        await world.until(landed("one", "two"))
        assert world.state.tasks[TaskId("held")].paused is not None

    play(story)


def test_a_repository_that_nothing_goes_on_in_is_left_alone() -> None:
    """No fact is written there."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(landed("one"))
        before = len(world.log.facts)
        note = Note()
        assert await fleets(world, note).stop_all(by="ada") == ((), 0)
        assert len(world.log.facts) == before
        other = Fleet(world.repository.id, log=world.log, clock=world.clock)
        await other.open()
        assert other.state.tasks == {}

    play(story)


def test_a_blocked_task_that_is_paused_stays_blocked_when_it_goes_on() -> None:
    """Its ask is still open."""

    async def story(world: World) -> None:
        await while_it_is_blocked(world)
        ask = await world.ask("one")
        await pause(world)
        await world.until(quiet)
        await resume(world)
        assert isinstance(world.state.tasks[ONE].stage, Blocked)
        assert [one.id for one in world.state.open_asks()] == [ask.id]

    play(story)


def test_who_lets_all_go_on_is_not_overtaken_by_a_stop_that_was_noted_before() -> None:
    """The daemon could not be asked when all was stopped, and does not hold the tasks after they were to go on."""

    async def story(world: World) -> None:
        world.agent_does("one", sits(), writes({"one.txt": "x\n"}))
        await world.submit("one")
        await world.until(at("one", Working))
        note = Note()
        note.write("ada")
        (steered,) = await fleets(world, note).resume_all(by="ada")
        assert (steered.tasks, note.by()) == ((ONE,), None)
        assert fold(State(), [(fact.at, fact.event) for fact in world.log.facts]).tasks[ONE].paused is None
        await world.cancel("one")

    play(story)
