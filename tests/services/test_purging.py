"""Purging one ended task: what was said and printed of it goes, facts stay, and work that is nowhere else is safe."""

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import TaskId
from bandstand.services.purging import Purging
from bandstand.services.rescues import Rescuing
from bandstand.testing.rescues import MemoryRescues
from tests.services.acting import sits
from tests.services.test_rescues import T, cancelled
from tests.services.world import World, over, play


def purging(world: World, rescuing: Rescuing | None = None) -> Purging:
    """Of the fleet that the daemon has now."""
    fleet = world.daemon.fleet
    own = rescuing or Rescuing(fleet=fleet, repository=world.repository, rescues=MemoryRescues(world.repository))
    return Purging(fleet=fleet, remains=(world.remains,), rescuing=own)


def test_what_is_kept_of_one_task_goes_and_the_log_says_so() -> None:
    """However young it is, and nothing of another task; who asks again is told that nothing is left."""

    async def story(world: World) -> None:
        world.remains.left = {"one.1": T, "one.2": T, "two.1": TaskId("two")}
        await world.submit("one", "two")
        await world.until(over("one"))
        await world.until(over("two"))
        found = await purging(world).find(T)
        assert [one.name for one in found.things] == ["one.1", "one.2"]
        assert world.facts(e.TaskPurged) == []
        assert await purging(world).purge(T, by="ada") == found
        assert world.remains.left.keys() == {"two.1"}
        assert world.facts(e.TaskPurged) == [e.TaskPurged(task=T, things=2, bytes=2, by="ada")]
        assert (await world.daemon.views.show_task(T)).row.title == "Do one"
        assert (await purging(world).purge(T, by="ada")).things == ()
        assert len(world.facts(e.TaskPurged)) == 1
        await world.restart()
        assert (await world.daemon.views.show_task(T)).landed

    play(story)


def test_an_order_that_broke_off_is_finished_by_the_next_and_recorded_once() -> None:
    """What was still there behind the fact goes, and the log does not say it twice."""

    async def story(world: World) -> None:
        world.remains.left = {"one.1": T, "one.2": T}
        await world.submit("one")
        await world.until(over("one"))
        purged = e.TaskPurged(task=T, things=3, bytes=3, by="ada")
        await world.daemon.fleet.record(lambda _: [purged])
        assert [one.name for one in (await purging(world).purge(T, by="ada")).things] == ["one.1", "one.2"]
        assert world.remains.left == {}
        assert world.facts(e.TaskPurged) == [purged]

    play(story)


def test_a_task_that_lives_is_not_purged_nor_one_that_never_was() -> None:
    """Each is refused with the next step, and nothing goes."""

    async def story(world: World) -> None:
        world.remains.left = {"one.1": T}
        world.agent_does("one", sits())
        await world.submit("one")
        with pytest.raises(Refused, match="has not ended") as told:
            await purging(world).purge(T, by="ada")
        assert "band cancel one" in told.value.hint
        with pytest.raises(Unknown):
            await purging(world).purge(TaskId("never"), by="ada")
        assert world.remains.left.keys() == {"one.1"}

    play(story)


def test_what_is_rescued_and_nowhere_else_is_given_up_first() -> None:
    """By an order of its own; then the rest goes."""

    async def story(world: World) -> None:
        rescuing = await cancelled(world)
        world.remains.left = {"one.1": T}
        with pytest.raises(Refused, match=r"nowhere else: one\.txt") as told:
            await purging(world, rescuing).purge(T, by="ada")
        assert "band rescue prune one --yes" in told.value.hint
        assert world.remains.left.keys() == {"one.1"}
        assert world.facts(e.TaskPurged) == []
        await rescuing.give_up(await rescuing.chosen([T], None), by="ada", lossy=frozenset({T}))
        await purging(world, rescuing).purge(T, by="ada")
        assert world.remains.left == {}

    play(story)


def test_a_rescue_of_which_all_is_elsewhere_goes_with_the_rest() -> None:
    """That is proved once more when its turn comes, and recorded as its end."""

    async def story(world: World) -> None:
        rescuing = await cancelled(world)
        await rescuing.to_branch(T, None, "mine")
        purged = await purging(world, rescuing).purge(T, by="ada")
        assert [one.view.task for one in purged.rescues] == [T]
        assert await rescuing.all() == ()
        assert len(world.facts(e.RescueGivenUp)) == 1

    play(story)
