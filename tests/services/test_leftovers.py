"""What an agent wrote and did not commit: when it becomes part of its change, and when it does not."""

from collections.abc import AsyncGenerator

from bandstand.domain import events as e
from bandstand.domain.agent import AgentUpdate, Said
from tests.services.acting import Act, Scene, writes
from tests.services.world import World, landed, play


def commits_and_leaves(files: dict[str, str | None], left: dict[str, str | None]) -> Act:
    """Commit some files and leave others as they are."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        scene.write(files, commit=True)
        scene.write(left, commit=False)
        yield Said(text="Done.")

    return act


def test_an_edit_to_a_file_that_was_left_before_is_not_ignored() -> None:
    """The agent mends it in a turn without a commit of its own: what the file says now is new."""

    async def story(world: World) -> None:
        world.agent_does(
            "one",
            commits_and_leaves({"red.txt": "x\n"}, {"src.txt": "first\n"}),
            writes({"src.txt": "mended\n"}, commit=False),
            writes({"red.txt": None}),
        )
        await world.submit("one")
        await world.until(landed("one"))
        assert [fact.committed_for_agent for fact in world.facts(e.TurnEnded)][:2] == [False, True]
        assert world.file("src.txt") == "mended\n"

    play(story)


def test_a_file_that_was_left_and_stays_as_it_is_stays_out() -> None:
    """It is listed, and nothing is committed for an agent that wrote nothing new."""

    async def story(world: World) -> None:
        world.agent_does(
            "one",
            commits_and_leaves({"red.txt": "x\n"}, {"debug.txt": "noise\n"}),
            writes({"debug.txt": "noise\n"}, commit=False),
            writes({"red.txt": None, "debug.txt": None, "one.txt": "x\n"}),
        )
        await world.submit("one")
        await world.until(landed("one"))
        turns = world.facts(e.TurnEnded)
        assert [turn.committed_for_agent for turn in turns] == [False, False, False]
        assert [turn.leftovers for turn in turns] == [("debug.txt",), ("debug.txt",), ()]
        assert world.file("debug.txt") is None

    play(story)


def test_files_that_were_once_committed_for_it_stay_in_the_change() -> None:
    """Also after a turn in which the agent makes a commit of its own."""

    async def story(world: World) -> None:
        world.agent_does(
            "one",
            writes({"src.txt": "first\n", "red.txt": "x\n"}, commit=False),
            commits_and_leaves({"red.txt": None, "more.txt": "more\n"}, {"src.txt": "second\n"}),
        )
        await world.submit("one")
        await world.until(landed("one"))
        assert (world.file("src.txt"), world.file("more.txt")) == ("second\n", "more\n")

    play(story)
