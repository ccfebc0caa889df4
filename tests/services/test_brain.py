"""The brain: what it does when a step of ours fails, when the log does, and how it shares slots with others."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable

import pytest

from bandstand.domain import events as e
from bandstand.domain.activities import Activity, Author, Build, Move, Retire, Reviewing, RunChecks, wake_at
from bandstand.domain.admission import Capacity
from bandstand.domain.ask import AskKind
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.slots import busy
from bandstand.domain.stage import Building, HumanReview, Landed, Queued, Working
from bandstand.services.admission import Admission
from bandstand.services.reconcile import Perform
from bandstand.testing.clock import FakeClock
from bandstand.testing.machine import FakeMachine
from tests.services.acting import sits, waits_for, writes
from tests.services.watching import MortalLog
from tests.services.world import START, World, at, landed, play, rules

Faults = dict[type[Activity], list[Exception]]


def with_faults(faults: Faults, *, review: str = "none") -> World:
    """A world in which performing an activity of a kind fails so many times first."""
    world = World(rules(review=review))

    def around(perform: Perform) -> Perform:
        async def faulty(activity: Activity) -> None:
            waiting = faults.get(type(activity), [])
            if waiting:
                raise waiting.pop(0)
            await perform(activity)

        return faulty

    world.around = around
    return world


KINDS: dict[type[Activity], str] = {
    Author: "Running the agent",
    RunChecks: "Checking",
    Reviewing: "Running the reviewer",
    Build: "Building the merge",
    Move: "Landing",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_fails_is_tried_again_after_a_while(kind: type[Activity]) -> None:
    """After one second, then after two: what was not there may be there then."""

    async def story(world: World) -> None:
        await world.submit("one")
        for seconds in (1, 2):
            await world.until(lambda state: bool(state.tasks[TaskId("one")].failures), why="it fails")
            failures = world.task("one").failures
            await world.settled()
            assert world.task("one").failures == failures, "not before its time"
            await world.passes(seconds=seconds)
        await world.until(landed("one"))
        assert [fact.message for fact in world.facts(e.StepFailed)] == ["No room.", "Still none."]

    faults: Faults = {kind: [Unavailable("No room."), Unavailable("Still none.")]}
    play(story, lambda: with_faults(faults, review="agent"))


@pytest.mark.parametrize("wait_minutes", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_keeps_failing_is_brought_to_a_human(kind: type[Activity], wait_minutes: int) -> None:
    """After the third time. However long the answer takes, trying again goes on where it stood."""

    async def story(world: World) -> None:
        await world.submit("one")
        for seconds in (1, 2):
            await world.settled()
            await world.passes(seconds=seconds)
        ask = await world.ask("one")
        assert ask.title == f"{KINDS[kind]} did not work."
        assert ask.detail == "The disk is full. Make room."
        await world.passes(minutes=wait_minutes)
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    faults: Faults = {kind: [Broken("The disk is full.", hint="Make room.") for _ in range(3)]}
    play(story, lambda: with_faults(faults, review="agent"))


def test_a_fault_of_ours_is_told_as_such() -> None:
    """An exception that nobody foresaw ends nothing but the step."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.settled()
        await world.passes(seconds=1)
        await world.until(landed("one"))
        (failure,) = world.facts(e.StepFailed)
        assert failure.message == "ZeroDivisionError: by nothing"
        assert failure.hint.startswith("This is a fault of Bandstand")

    play(story, lambda: with_faults({RunChecks: [ZeroDivisionError("by nothing")]}))


def test_a_step_that_fails_beside_a_waiting_human_loses_no_question() -> None:
    """The human says to try again, and is asked for the review that is still wanted."""
    faults: Faults = {}

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(at("one", HumanReview))
        faults[Author] = [Unavailable("No way to the agent.") for _ in range(3)]
        await world.restart()
        for seconds in (1, 2):
            await world.settled()
            await world.passes(seconds=seconds)
        ask = await world.ask("one")
        assert ask.kind is AskKind.BLOCKED
        await world.answer(ask, "retry")
        again = await world.ask("one")
        assert again.kind is AskKind.REVIEW
        await world.answer(again, "approve")
        await world.until(landed("one"))

    play(story, lambda: with_faults(faults, review="human"))


def test_a_workspace_that_cannot_be_removed_is_tried_again() -> None:
    """What has landed has landed; only the folder is still there."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(at("one", Landed))
        for seconds in (1, 2, 4, 8):
            await world.settled()
            assert not world.task("one").retired
            await world.passes(seconds=seconds)
        await world.until(landed("one"))

    play(story, lambda: with_faults({Retire: [Broken("It is in use.") for _ in range(4)]}))


def test_a_log_that_cannot_be_written_is_no_end() -> None:
    """The brain says why nothing goes on, and goes on when it can."""

    async def story(world: World) -> None:
        world.agent_does("one", sits(), writes({"a.txt": "a\n"}))
        await world.submit("one")
        await world.until(at("one", Working))
        await world.settled()
        world.log.full = True
        world.host.crash(RunId("one.1"))
        await world.settled()
        assert world.daemon.brain.trouble == "The disk is full. Make room."
        await world.passes(seconds=4)
        world.log.full = False
        await world.passes(seconds=5)
        await world.until(landed("one"))
        assert world.daemon.brain.trouble == ""

    play(story)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no room"),
        (errno.EROFS, "cannot be written"),
        (errno.EIO, "disk fails"),
        (errno.EACCES, "no permission"),
    ],
)
def test_a_disk_that_fails_is_no_fault_of_ours(number: int, words: str) -> None:
    """Whichever step meets it: it is said in words that name the file, and tried again."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.settled()
        await world.passes(seconds=1)
        await world.until(landed("one"))
        (failure,) = world.facts(e.StepFailed)
        assert words in failure.message and "/x/workspace.json" in failure.message
        assert failure.hint and "Bandstand" not in failure.hint

    faults: Faults = {Author: [OSError(number, os.strerror(number), "/x/workspace.json")]}
    play(story, lambda: with_faults(faults))


def two_repositories(slots: int) -> tuple[World, World]:
    """Two repositories on one machine, as the composition root wires them."""
    log, clock = MortalLog(), FakeClock(START)
    ledger = Admission(capacity=lambda: Capacity(slots=slots), machine=FakeMachine(), clock=clock)
    return (
        World(log=log, clock=clock, name="one", ledger=ledger),
        World(log=log, clock=clock, name="other", ledger=ledger),
    )


def play_both(story: Callable[[World, World], Awaitable[None]], *, slots: int) -> None:
    """Play a story in two repositories that share slots."""

    async def main() -> None:
        one, other = two_repositories(slots)
        async with asyncio.timeout(60), one, other:
            await story(one, other)
            one.keeps_the_laws()
            other.keeps_the_laws()

    asyncio.run(main())


def test_a_slot_that_is_given_back_in_one_repository_is_taken_in_another() -> None:
    """Who waits for it is woken."""
    sign = asyncio.Event()

    async def story(one: World, other: World) -> None:
        one.agent_does("first", waits_for(sign, writes({"a.txt": "a\n"})))
        await one.submit("first")
        await one.until(at("first", Working))
        await other.submit("second")
        await other.settled()
        assert at("second", Queued)(other.state)
        sign.set()
        await other.until(landed("second"))
        await one.until(landed("first"))

    play_both(story, slots=1)


def test_repositories_that_start_at_once_share_the_slots() -> None:
    """However their beats fall together, no more agents work than there are slots."""
    sign = asyncio.Event()

    async def story(one: World, other: World) -> None:
        for world in (one, other):
            world.agent_does("task", waits_for(sign, writes({"a.txt": "a\n"})))
        await asyncio.gather(one.submit("task"), other.submit("task"))
        await one.settled()
        assert busy(one.state) + busy(other.state) == 1
        sign.set()
        await one.until(landed("task"))
        await other.until(landed("task"))

    play_both(story, slots=1)


def test_a_landing_that_has_begun_is_brought_to_its_end_before_the_daemon_goes() -> None:
    """Nothing else is begun meanwhile: the next daemon does that."""
    moving, sign = asyncio.Event(), asyncio.Event()

    def around(perform: Perform) -> Perform:
        async def patient(activity: Activity) -> None:
            if isinstance(activity, Move):
                moving.set()
                await sign.wait()
            await perform(activity)

        return patient

    async def story(world: World) -> None:
        await world.submit("one")
        await moving.wait()
        await world.submit("two")
        draining = asyncio.create_task(world.daemon.brain.drain(seconds=10))
        await world.settled()
        assert not draining.done()
        sign.set()
        await draining
        assert [fact.task for fact in world.facts(e.ChangeLanded)] == ["one"]
        world.daemon.brain.wake()
        await world.settled()
        assert world.facts(e.WorkspaceRetired) == []
        await world.restart()
        await world.until(landed("one", "two"))

    def world() -> World:
        stage = World(slots=1)
        stage.around = around
        return stage

    play(story, world)


def test_an_idle_fleet_does_nothing() -> None:
    """No fact and no timer: however much time passes, there is nothing to do."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(landed("one"))
        await world.settled()
        writes_so_far = world.log.writes
        await world.passes(days=30)
        assert world.log.writes == writes_so_far
        assert wake_at(world.state, now=world.clock.now()) is None

    play(story)


def test_a_step_that_hangs_is_told_and_tried_again() -> None:
    """Nothing that Bandstand itself does may take for ever: an hour each, and after three a human looks."""
    hanging = [asyncio.Event()]

    def around(perform: Perform) -> Perform:
        async def stuck(activity: Activity) -> None:
            for never in hanging if isinstance(activity, Build) else ():
                await never.wait()
            await perform(activity)

        return stuck

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(at("one", Building))
        for _ in range(3):
            await world.passes(minutes=61)
        ask = await world.ask("one")
        assert "did not work" in ask.title
        assert "within an hour" in ask.detail
        hanging.clear()
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    def world() -> World:
        stage = World()
        stage.around = around
        return stage

    play(story, world)
