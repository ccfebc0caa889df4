"""Tasks that are over leave the state, and nothing is forgotten of them."""

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import TaskId
from bandstand.services.views import RECENT
from tests.services.world import World, landed, over, play, spec


def test_a_task_that_is_over_is_shown_as_it_was() -> None:
    """With its change, its checks and its words, before and after a restart; orders for it are refused."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(landed("one"))
        assert world.state.tasks == {}
        before = await world.daemon.views.show_task(TaskId("one"))
        (fact,) = world.facts(e.ChangeLanded)
        assert before.landed == fact.commit
        assert before.checked == "success"
        assert await world.daemon.views.diff(TaskId("one"))
        await world.restart()
        assert await world.daemon.views.show_task(TaskId("one")) == before
        (row,) = (await world.daemon.views.list_tasks()).tasks
        assert (row.id, row.over, row.words) == ("one", True, f"landed as {fact.commit[:10]}")
        with pytest.raises(Refused, match="has ended"):
            await world.daemon.commands.cancel(TaskId("one"), reason="", by="ada")
        with pytest.raises(Unknown):
            await world.daemon.views.show_task(TaskId("two"))

    play(story)


def test_an_id_is_given_once_and_numbers_go_on() -> None:
    """Also when all that had them before are over, and the daemon has forgotten what it knew."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(landed("one"))
        await world.restart()
        with pytest.raises(Refused, match="one"):
            await world.submit("one")
        await world.submit("two")
        await world.until(landed("two"))
        rows = (await world.daemon.views.list_tasks()).tasks
        assert [(row.id, row.submitted) for row in rows] == [("one", 1), ("two", 2)]

    play(story)


def test_what_depends_on_a_task_that_is_over_goes_by_what_came_of_it() -> None:
    """One that landed long ago is no reason to wait; of one that was cancelled the user is asked."""

    async def story(world: World) -> None:
        await world.submit("good", "bad")
        await world.cancel("bad")
        await world.until(landed("good"))
        await world.until(over("bad"))
        await world.restart()
        await world.submit(spec("after", depends_on=(TaskId("good"),)), spec("late", depends_on=(TaskId("bad"),)))
        await world.until(landed("after"))
        ask = await world.ask("late")
        assert ask.title == "bad, which late needs, was cancelled."
        await world.answer(ask, "retry")
        await world.until(landed("late"))

    play(story)


def test_a_list_shows_what_is_going_on_and_the_last_that_are_over() -> None:
    """How many more there are is said, and all of them can be asked for."""
    names = [f"t{number:02}" for number in range(RECENT + 5)]

    async def story(world: World) -> None:
        await world.submit(*names)
        await world.until(landed(*names))
        few = await world.daemon.views.list_tasks()
        assert [row.id for row in few.tasks] == names[5:]
        assert few.omitted == 5
        everything = await world.daemon.views.list_tasks(past=1000)
        assert [row.id for row in everything.tasks] == names
        assert everything.omitted == 0
        named = await world.daemon.views.list_tasks([TaskId("t00")])
        assert [row.id for row in named.tasks] == ["t00"]

    play(story)
