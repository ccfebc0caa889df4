"""A daemon that dies is a pause: whenever it dies, the next one goes on from the facts, and nothing happens twice."""

import pytest

from bandstand.domain import events as e
from tests.services.acting import asks_permission, meanwhile, merges, requests_changes, writes
from tests.services.world import World, landed, play, rules, spec


async def the_whole_job(world: World) -> None:
    """A permission, a red check, a review with comments, a human's approval, a conflict, and a second task behind."""
    world.agent_does(
        "one",
        asks_permission("Fetch the docs?"),
        writes({"a.txt": "one\n", "red.txt": "red\n"}),
        meanwhile({"a.txt": "user\n"}, writes({"red.txt": None})),
        merges({"a.txt": "one and user\n"}),
    )
    world.reviewer_does("one", requests_changes("Not like this.", ("answer.txt", 1, "Why?")))
    await world.submit("one", spec("two", depends_on=("one",)))
    while not landed("one", "two")(world.state):
        await world.until(lambda state: landed("one", "two")(state) or bool(state.open_asks()))
        for ask in world.state.open_asks():
            await world.answer(ask, "1")


def with_all_reviews() -> World:
    """A world in which an agent and a human review."""
    return World(rules(review="agent+human"))


def outcome(world: World) -> dict[str, object]:
    """What came of it, whoever was there to see."""
    return {
        "files": dict(world.repository.at(world.repository.refs["refs/heads/main"]).files),
        "landed": [fact.task for fact in world.facts(e.ChangeLanded)],
        "prompts": [(turn.cwd, turn.number, turn.text) for turn in world.agents.prompts],
        "left": sorted(world.workspaces.held),
    }


def undisturbed() -> tuple[dict[str, object], int]:
    """What comes of it when nobody dies, and in how many writes."""
    found: list[tuple[dict[str, object], int]] = []

    async def story(world: World) -> None:
        await the_whole_job(world)
        found.append((outcome(world), world.log.writes))

    play(story, with_all_reviews)
    return found[0]


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
def test_a_daemon_may_die_around_any_fact(written: bool) -> None:
    """Just before a fact is written, or just after: the outcome is the same, prompt for prompt."""
    expected, writes_in_all = undisturbed()

    for moment in range(1, writes_in_all + 1):

        async def story(world: World, moment: int = moment) -> None:
            world.log.die(at=moment, written=written)
            await the_whole_job(world)
            assert outcome(world) == expected, f"died around write {moment}\n{world.story()}"

        play(story, with_all_reviews)


def test_a_daemon_may_die_after_every_fact() -> None:
    """One that never gets further than a single write still brings the job to its end."""
    expected, _ = undisturbed()

    async def story(world: World) -> None:
        world.log.die_always()
        await the_whole_job(world)
        assert outcome(world) == expected

    play(story, with_all_reviews)
