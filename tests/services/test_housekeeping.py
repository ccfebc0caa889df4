"""Clearing away: by order and after an ending, never of what lives, and told in the log."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import Broken
from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.remains import COLLECT_AFTER, RemainsKind, Remnant
from bandstand.ports.hosts import Launch
from bandstand.ports.remains import Known
from bandstand.services.housekeeping import ITSELF
from bandstand.testing.remains import MemoryRemains
from tests.services.acting import sits
from tests.services.world import World, landed, play

DAY = COLLECT_AFTER / timedelta(days=1)


class StuckRemains(MemoryRemains):
    """Things that cannot be removed."""

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """They are in somebody's hands."""
        raise Broken("It is busy.", hint="Let go of it.")


class SlowRemains(MemoryRemains):
    """Looking, and removing, takes longer than the fleet takes for its next step."""

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """As a git that is asked does."""
        await takes_a_while()
        return await super().find(known)

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """The same."""
        await takes_a_while()
        return await super().clear(remnant, known)


async def takes_a_while() -> None:
    """Everybody else comes to rest."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_what_is_over_goes_by_order_and_what_lives_stays() -> None:
    """Each thing is told with its reason, and the log has who said so."""

    async def story(world: World) -> None:
        world.remains.left = {"one.1": TaskId("one"), "two.1": TaskId("two")}
        world.agent_does("two", sits())
        await world.submit("one", "two")
        await world.until(landed("one"))
        keeping = world.daemon.performers.housekeeping
        (found,) = await keeping.find()
        assert (found.name, found.why) == ("one.1", "one has landed")
        assert world.remains.left.keys() == {"one.1", "two.1"}
        gone = [one async for one in keeping.collect(by="ada")]
        assert [(one.remnant, one.trouble) for one in gone] == [(found, "")]
        assert world.remains.left.keys() == {"two.1"}
        assert world.facts(e.RemainsCleared) == [e.RemainsCleared(things=1, bytes=1, by="ada")]
        await world.cancel("two")

    play(story)


@pytest.mark.parametrize("looks", [MemoryRemains, SlowRemains])
def test_after_an_ending_it_is_done_once_a_day_by_itself(looks: type[MemoryRemains]) -> None:
    """Not at the first ending of a new repository, and not at each; without an ending never. It may take its time."""

    async def story(world: World) -> None:
        world.remains = looks()
        await world.restart()
        await world.submit("one")
        await world.until(landed("one"))
        world.remains.left = {"one.1": TaskId("one")}
        await world.passes(days=2 * DAY)
        assert world.remains.left
        for name, left in (("two", {}), ("three", {"one.2": TaskId("one")})):
            await world.submit(name)
            await world.until(landed(name))
            await world.settled()
            assert world.remains.left == left
            world.remains.left["one.2"] = TaskId("one")
        assert world.facts(e.RemainsCleared) == [e.RemainsCleared(things=1, bytes=1, by=ITSELF)]

    play(story)


def test_an_agent_that_the_log_has_forgotten_is_ended_before_its_workspace_goes() -> None:
    """What it writes in its last moments is among what is kept, and it does not work in a folder that is gone."""
    run = RunId("lost.1")

    class Workspace(MemoryRemains):
        """One that may only go when nobody works in it."""

        async def clear(self, remnant: Remnant, known: Known) -> bool:
            """Look first."""
            assert run not in await world_of[0].host.live()
            return await super().clear(remnant, known)

    world_of: list[World] = []

    async def story(world: World) -> None:
        world_of.append(world)
        world.remains = Workspace({"lost": TaskId("lost")}, kind=RemainsKind.WORKSPACE)
        await world.restart()
        await world.submit("one")
        await world.until(landed("one"))
        await world.host.start(run, Launch(argv=("agent",), cwd=Path("/lost"), environment={}))
        await world.daemon.fleet.record(lambda _: [e.FactsLost(count=1, orphans=(TaskId("lost"),))])
        assert run in await world.host.live()
        (gone,) = [one async for one in world.daemon.performers.housekeeping.collect(by="ada")]
        assert (gone.remnant.name, gone.trouble) == ("lost", "")
        assert await world.host.live() == frozenset()

    play(story)


def test_what_a_person_sees_in_their_repository_goes_by_order_only() -> None:
    """A branch that has landed is in nobody's way."""

    async def story(world: World) -> None:
        world.remains = MemoryRemains({"band/one": TaskId("one")}, kind=RemainsKind.BRANCH)
        await world.restart()
        await world.submit("one")
        await world.until(landed("one"))
        await world.passes(days=2 * DAY)
        await world.submit("two")
        await world.until(landed("two"))
        await world.settled()
        assert world.remains.left
        assert [one.trouble async for one in world.daemon.performers.housekeeping.collect(by="ada")] == [""]
        assert not world.remains.left

    play(story)


def test_what_cannot_be_removed_is_told_and_keeps_nobody() -> None:
    """The rest goes, and a landing is not touched by it."""

    async def story(world: World) -> None:
        world.remains = StuckRemains({"one.1": TaskId("one")})
        await world.restart()
        await world.submit("one")
        await world.until(landed("one"))
        (told,) = [one async for one in world.daemon.performers.housekeeping.collect(by="ada")]
        assert told.trouble == "It is busy. Let go of it."
        assert world.facts(e.RemainsCleared) == [e.RemainsCleared(things=0, bytes=0, by="ada")]

    play(story)
