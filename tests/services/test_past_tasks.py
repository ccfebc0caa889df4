"""Tasks that are over leave the state, and nothing is forgotten of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.past import PastTask
from bandstand.services.views import RECENT
from tests.services.acting import waits_for, writes
from tests.services.watching import MortalLog
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


class SlowLog(MortalLog):
    """A log of which the past is told late: `meanwhile` happens while it is on its way, once."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def past(self, repository: RepositoryId, *, limit: int, only: Sequence[TaskId] = ()) -> tuple[PastTask, ...]:
        """What it is when it is asked."""
        found = await super().past(repository, limit=limit, only=only)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return found


@pytest.mark.parametrize("named", [False, True])
def test_a_task_that_comes_to_its_end_while_somebody_looks_is_shown(named: bool) -> None:
    """Once: it is always among those that live or among those that are over."""
    log = SlowLog()

    async def story(world: World) -> None:
        go_on = asyncio.Event()
        world.agent_does("two", waits_for(go_on, writes({"two.txt": "2\n"})))
        await world.submit("one", "two")
        await world.until(landed("one"))

        async def ends() -> None:
            go_on.set()
            await world.until(landed("two"))

        log.meanwhile = ends
        shown = await world.daemon.views.list_tasks([TaskId("one"), TaskId("two")] if named else ())
        assert [row.id for row in shown.tasks] == ["one", "two"]
        assert shown.omitted == 0

    play(story, lambda: World(log=log))
