"""A workspace that cannot be removed: a human sees what is in the way, and it is not tried for ever in silence."""

from bandstand.domain import events as e
from bandstand.domain.ask import RETRY, AskKind
from bandstand.domain.ids import TaskId
from bandstand.domain.left_behind import settled
from bandstand.domain.repairs import FAILURES
from bandstand.domain.stage import Landed
from bandstand.domain.state import State, fold
from tests.services.world import World, at, over, play


def test_after_a_few_tries_a_human_is_asked_and_the_answer_tries_again() -> None:
    """The task has landed all the same, and says so; nothing else waits for it."""

    async def story(world: World) -> None:
        world.workspaces.held_fast = True
        await world.submit("one")
        await world.until(at("one", Landed))
        while not world.state.open_asks():
            await world.passes(seconds=1)
        ask = await world.ask("one")
        assert (ask.kind, ask.title) == (AskKind.LEFT_BEHIND, "Removing the workspace does not work.")
        assert "it is busy" in ask.detail
        assert "Unmount" in ask.detail
        assert len(world.facts(e.StepFailed)) == FAILURES
        (row,) = (await world.daemon.views.list_tasks()).tasks
        assert row.words.startswith("landed as ")
        assert row.words.endswith(f"removing the workspace does not work ({ask.id})")
        world.workspaces.held_fast = False
        await world.answer(ask, RETRY.id)
        await world.until(over("one"))
        assert world.state.open_asks() == ()

    play(story)


def test_it_is_not_over_before_a_human_was_asked() -> None:
    """Whoever waits for the end of the task sees the ask: at no fact before that it counts as over."""

    async def story(world: World) -> None:
        world.workspaces.held_fast = True
        await world.submit("one")
        await world.until(at("one", Landed))
        while not world.state.open_asks():
            await world.passes(seconds=1)
        seen, state = [], State()
        for fact in world.log.facts:
            state = fold(state, [(fact.at, fact.event)])
            if (task := state.tasks.get(TaskId("one"))) is not None:
                seen.append((bool(state.open_asks()), settled(state, task)))
        assert {over for asked, over in seen if not asked} == {False}
        assert seen[-1] == (True, True)
        (row,) = (await world.daemon.views.list_tasks()).tasks
        assert row.over

    play(story)


def test_it_is_tried_once_an_hour_meanwhile_and_no_second_ask_is_raised() -> None:
    """What goes away by itself needs no answer: the ask goes with it."""

    async def story(world: World) -> None:
        world.workspaces.held_fast = True
        await world.submit("one")
        await world.until(at("one", Landed))
        for _ in range(24 * 4):
            await world.passes(minutes=15)
        assert len(world.facts(e.StepFailed)) < 45
        assert len(world.state.open_asks()) == 1
        world.workspaces.held_fast = False
        await world.passes(hours=1, minutes=1)
        await world.until(over("one"))
        assert world.state.open_asks() == ()

    play(story)


def test_retrying_by_name_tries_at_once() -> None:
    """The ask is withdrawn, since something is done about it."""

    async def story(world: World) -> None:
        world.workspaces.held_fast = True
        await world.submit("one")
        await world.until(at("one", Landed))
        while not world.state.open_asks():
            await world.passes(seconds=1)
        world.workspaces.held_fast = False
        await world.daemon.commands.retry(TaskId("one"), by="ada")
        await world.until(over("one"))
        assert world.state.open_asks() == ()

    play(story)
