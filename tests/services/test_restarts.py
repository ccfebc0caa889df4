"""A daemon that dies is a pause: whenever it dies, the next one goes on from the facts, and nothing happens twice."""

from collections.abc import Awaitable, Callable

import pytest

from bandstand.domain import events as e
from bandstand.domain.check import Conclusion
from tests.services.acting import asks_permission, meanwhile, merges, requests_changes, writes
from tests.services.world import World, landed, play, rules, spec

Job = Callable[[World], Awaitable[None]]
Outcome = dict[str, object]


async def repairs(world: World) -> None:
    """A permission, a red check, a conflict, a merge that is checked anew, and a task that waits for another one."""
    world.agent_does(
        "one",
        asks_permission("Fetch the docs?"),
        meanwhile({"answer.txt": "user\n"}, writes({"a.txt": "one\n"})),
        merges({"answer.txt": "user and agent\n"}),
    )
    world.judge = lambda files: Conclusion.SUCCESS if "a.txt" in files else Conclusion.FAILURE
    world.agent_does("two", meanwhile({"late.txt": "late\n"}, writes({"two.txt": "two\n"})))
    await world.submit("one", spec("two", depends_on=("one",)))
    await to_the_end(world, "one", "two")


async def reviews(world: World) -> None:
    """An agent's comments, and a human's approval."""
    world.reviewer_does("one", requests_changes("Not like this.", ("one.txt", 1, "Why?")))
    await world.submit("one")
    await to_the_end(world, "one")


async def to_the_end(world: World, *tasks: str) -> None:
    """Answer whatever is asked with its first choice until the tasks have landed."""
    while not landed(*tasks)(world.state):
        await world.until(lambda state: landed(*tasks)(state) or bool(state.open_asks()))
        for ask in world.state.open_asks():
            await world.answer(ask, "1")


JOBS: dict[str, tuple[Job, str]] = {"repairs": (repairs, "none"), "reviews": (reviews, "agent+human")}


def outcome(world: World) -> Outcome:
    """What came of it, whoever was there to see."""
    return {
        "files": dict(world.repository.at(world.repository.refs["refs/heads/main"]).files),
        "landed": [fact.task for fact in world.facts(e.ChangeLanded)],
        "prompts": [(turn.cwd, turn.number, turn.text) for turn in world.agents.prompts],
        "left": sorted(world.workspaces.held),
    }


def undisturbed(job: Job, review: str) -> tuple[Outcome, int]:
    """What comes of a job when nobody dies, and in how many writes."""
    found: list[tuple[Outcome, int]] = []

    async def story(world: World) -> None:
        await job(world)
        found.append((outcome(world), world.log.writes))

    play(story, lambda: World(rules(review=review)))
    return found[0]


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", JOBS)
def test_a_daemon_may_die_around_any_fact(name: str, written: bool) -> None:
    """Just before a fact is written, or just after: the outcome is the same, prompt for prompt."""
    job, review = JOBS[name]
    expected, writes_in_all = undisturbed(job, review)
    assert writes_in_all > 25

    for moment in range(1, writes_in_all + 1):

        async def story(world: World, moment: int = moment) -> None:
            world.log.die(at=moment, written=written)
            await job(world)
            assert outcome(world) == expected, f"died around write {moment}\n{world.story()}"

        play(story, lambda: World(rules(review=review)))


@pytest.mark.parametrize("name", JOBS)
def test_a_daemon_may_die_after_every_fact(name: str) -> None:
    """One that never gets further than a single write still brings the job to its end."""
    job, review = JOBS[name]
    expected, _ = undisturbed(job, review)

    async def story(world: World) -> None:
        world.log.die_always()
        await job(world)
        assert outcome(world) == expected

    play(story, lambda: World(rules(review=review)))
