"""Rescues as a person meets them: why they came to be, and that none goes unseen."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import AgentUpdate, Said
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import TaskId
from bandstand.services.rescues import Rescuing
from bandstand.testing.rescues import MemoryRescues
from tests.services.acting import Scene, sits
from tests.services.world import World, over, play

T = TaskId("one")


async def cancelled(world: World, name: str = "one") -> Rescuing:
    """A task that wrote something and was cancelled."""
    written = asyncio.Event()

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        scene.write({f"{name}.txt": name}, commit=False)
        yield Said(text="There is more to do.")
        written.set()
        await asyncio.Event().wait()

    world.agent_does(name, act)
    await world.submit(name)
    await written.wait()
    await world.daemon.commands.cancel(TaskId(name), reason="enough", by="ada")
    await world.until(over(name))
    rescues = MemoryRescues(world.repository)
    return Rescuing(fleet=world.daemon.fleet, repository=world.repository, rescues=rescues)


def story(tell: Callable[[World], Awaitable[None]]) -> None:
    """Play a story."""
    play(tell)


def test_it_is_told_why_something_was_kept() -> None:
    """And what it holds beyond the target."""

    async def tell(world: World) -> None:
        rescuing = await cancelled(world)
        (view,) = await rescuing.all()
        assert (view.task, view.title, view.why) == (T, "Do one", "it was cancelled: enough")
        shown = await rescuing.show(T)
        assert shown.change is not None
        assert [file.path for file in shown.change.files] == ["one.txt"]
        assert "+one" in shown.patch
        with pytest.raises(Unknown, match="no rescue 7 of one"):
            await rescuing.show(T, 7)
        with pytest.raises(Unknown, match="Nothing is kept of 'two'"):
            await rescuing.show(TaskId("two"))
        assert await rescuing.to_branch(T, None, "") == "rescued/one"
        assert world.file("one.txt", ref="refs/heads/rescued/one") == "one"

    story(tell)


def test_what_is_nowhere_else_goes_only_for_a_yes_and_the_log_has_it() -> None:
    """From then on the task is not said to be kept anywhere."""

    async def tell(world: World) -> None:
        rescuing = await cancelled(world)
        chosen = await rescuing.chosen([T], None)
        assert [one.nowhere_else for one in chosen] == [("one.txt",)]
        (kept,) = await rescuing.give_up(chosen, by="ada", lossy=frozenset())
        assert not kept.gone
        assert (await world.daemon.views.show_task(T)).rescue == "refs/bandstand/rescue/one/1"
        assert world.facts(e.RescueGivenUp) == []
        (gone,) = await rescuing.give_up(chosen, by="ada", lossy=frozenset({T}))
        assert gone.gone
        assert await rescuing.all() == ()
        (fact,) = world.facts(e.RescueGivenUp)
        assert (fact.refs, fact.nowhere_else, fact.by) == (("refs/bandstand/rescue/one/1",), 1, "ada")
        assert (await world.daemon.views.show_task(T)).rescue is None

    story(tell)


def test_of_two_alike_one_stays() -> None:
    """Each is the proof for the other, until one of them has gone."""

    async def tell(world: World) -> None:
        rescuing = await cancelled(world)
        world.repository.refs["refs/bandstand/rescue/two/1"] = world.repository.refs["refs/bandstand/rescue/one/1"]
        chosen = await rescuing.chosen([T, TaskId("two")], None)
        assert [one.nowhere_else for one in chosen] == [(), ()]
        assert [one.gone for one in await rescuing.give_up(chosen, by="ada", lossy=frozenset())] == [True, False]

    story(tell)


def test_by_age_only_what_is_over_goes_and_somebody_has_to_say_which() -> None:
    """What is being kept this moment is no rescue to be given up."""

    async def tell(world: World) -> None:
        rescuing = await cancelled(world)
        with pytest.raises(Refused, match="Say which"):
            await rescuing.chosen([], None)
        world.repository.refs["refs/bandstand/rescue/live/1"] = world.repository.refs["refs/bandstand/rescue/one/1"]
        world.agent_does("live", sits())
        await world.submit("live")
        assert [one.view.task for one in await rescuing.chosen([], timedelta(days=0))] == [T]
        with pytest.raises(Refused, match="has not ended"):
            await rescuing.chosen([TaskId("live")], None)
        assert await rescuing.chosen([], timedelta(days=10**6)) == ()
        await world.cancel("live")

    story(tell)
