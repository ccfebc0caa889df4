"""Setting up a workspace: once before its agent begins, again where it has to be, else a human is asked."""

from collections.abc import Awaitable, Callable

from bandstand.domain import events as e
from bandstand.domain.ask import AskKind
from bandstand.domain.check import Conclusion
from bandstand.domain.ids import TaskId
from tests.services.acting import writes
from tests.services.world import World, landed, over, rules
from tests.services.world import play as play_in

SETUP = b'\n[setup]\ncommands = [{ command = "npm ci", when = ["package-lock.json"] }, "make deps"]\n'
FILES = {"package-lock.json": b"1\n"}
TOML = rules() + SETUP


def play(story: Callable[[World], Awaitable[None]], *, files: dict[str, bytes] | None = None) -> None:
    """Play a story in a repository with these rules, and with these files beside what there always is."""
    play_in(story, lambda: World(TOML, files=files))


def test_a_workspace_is_set_up_before_its_agent_begins_and_each_checkout_of_a_check_too() -> None:
    """The commands that its lock files want, in their order; it is recorded and shown."""

    async def story(world: World) -> None:
        world.agent_does("one", writes({"one.txt": "x\n"}))
        await world.submit("one")
        await world.until(landed("one"))
        assert world.checks.set_up == [("one.setup", ("npm ci", "make deps"))]
        (fact,) = world.facts(e.SetupConcluded)
        assert [one.command for one in fact.outcome.results] == ["npm ci", "make deps"]
        (checked, *_) = world.facts(e.CheckConcluded)
        assert [one.command for one in checked.outcome.results][:2] == ["npm ci", "make deps"]

    play(story, files=FILES)


def test_a_project_without_the_lock_file_needs_no_command_of_it() -> None:
    """The other one runs."""

    async def story(world: World) -> None:
        world.agent_does("one", writes({"one.txt": "x\n"}))
        await world.submit("one")
        await world.until(landed("one"))
        assert world.checks.set_up == [("one.setup", ("make deps",))]

    play(story)


def test_set_up_that_does_not_work_is_asked_about_and_tried_again() -> None:
    """The agent does not begin meanwhile; what the command said stands in the ask."""

    async def story(world: World) -> None:
        world.checks.sets_up["make deps"] = Conclusion.FAILURE
        world.agent_does("one", writes({"one.txt": "x\n"}))
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.kind, [choice.id for choice in ask.choices]) == (AskKind.BLOCKED, ["retry", "without", "cancel"])
        assert ask.title == "The workspace of one could not be set up: `make deps` ended with exit code 1."
        assert world.facts(e.SessionOpened) == []
        world.checks.sets_up.clear()
        await world.answer(ask, "retry")
        await world.until(landed("one"))
        assert [name for name, _ in world.checks.set_up] == ["one.setup", "one.setup"]

    play(story, files=FILES)


def test_a_human_may_have_the_task_go_on_without() -> None:
    """Then its agent begins, it is not tried again, and its checks do without, too."""

    async def story(world: World) -> None:
        world.checks.sets_up["npm ci"] = Conclusion.TIMED_OUT
        world.agent_does("one", writes({"one.txt": "x\n"}))
        await world.submit("one")
        ask = await world.ask("one")
        assert "`npm ci` took longer than its limit" in ask.title
        await world.answer(ask, "without")
        await world.until(landed("one"))
        assert len(world.checks.set_up) == 1
        assert [one.command for fact in world.facts(e.CheckConcluded) for one in fact.outcome.results] == ["make test"]

    play(story, files=FILES)


def test_a_human_may_give_the_task_up() -> None:
    """Nothing of it ever ran."""

    async def story(world: World) -> None:
        world.checks.sets_up["npm ci"] = Conclusion.COULD_NOT_RUN
        await world.submit("one")
        ask = await world.ask("one")
        assert "`npm ci` could not run" in ask.title
        await world.answer(ask, "cancel")
        await world.until(over("one"))
        assert world.facts(e.SessionOpened) == []

    play(story, files=FILES)


def test_a_task_that_is_paused_while_it_is_set_up_is_set_up_when_it_goes_on() -> None:
    """What was begun is broken off, and counts for nothing."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.setup")
        world.agent_does("one", writes({"one.txt": "x\n"}))
        await world.submit("one")
        await world.checks.under_way.wait()
        await world.daemon.commands.pause(TaskId("one"), reason="", by="ada")
        await world.until(lambda state: state.tasks[TaskId("one")].run is None)
        assert world.facts(e.SetupConcluded) == []
        sign.set()
        await world.daemon.commands.resume(TaskId("one"), by="ada")
        await world.until(landed("one"))
        assert world.checks.begun == ["one.setup", "one.setup"]

    play(story, files=FILES)


def test_a_daemon_that_dies_while_it_sets_up_does_it_again() -> None:
    """And one that dies afterwards does not."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.setup")
        world.agent_does("one", writes({"one.txt": "x\n"}))
        await world.submit("one")
        await world.checks.under_way.wait()
        await world.restart()
        sign.set()
        await world.until(landed("one"))
        assert world.checks.begun == ["one.setup", "one.setup"]
        assert len(world.facts(e.SetupConcluded)) == 1

    play(story, files=FILES)
