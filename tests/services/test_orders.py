"""Orders: what a submission may change, what a verdict is on, and that a refused one leaves everything as it was."""

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import Choice, ToolKind
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import TaskId
from bandstand.domain.stage import AgentReview, Checked, Checking, HumanReview
from bandstand.domain.standing import standing
from bandstand.services.commands import Submission
from tests.services.acting import asks_permission, sits
from tests.services.world import Walls, World, at, landed, over, play, rules, spec


async def submission(world: World, name: str, *, target: str = "main", sandbox: str = "none") -> Submission:
    """An order for one plain task, from a shell with a search path of its own."""
    return Submission(
        specs=(spec(name),),
        policy=await world.daemon.policies.current(target),
        path="/memory/repository",
        sandbox=sandbox,
        by="ada",
        variables={"PATH": f"/{name}"},
    )


def test_an_order_for_another_branch_waits_for_live_tasks() -> None:
    """They would land there otherwise, and nobody asked for that."""

    async def story(world: World) -> None:
        world.repository.refs["refs/heads/develop"] = world.repository.refs["refs/heads/main"]
        sign = world.checks.hold("one.1")
        await world.submit("one")
        await world.until(at("one", Checking))
        with pytest.raises(Refused, match=r"Live tasks of this repository land on main: one\.") as refused:
            await world.daemon.commands.submit(await submission(world, "two", target="develop"))
        assert refused.value.hint == "Use --target main, or wait for them or cancel them."
        sign.set()
        await world.until(landed("one"))
        assert world.file("one.txt", ref="refs/heads/develop") is None
        world.agent_does("two", sits())
        await world.daemon.commands.submit(await submission(world, "two", target="develop"))
        assert world.state.policy is not None and world.state.policy.target == "develop"

    play(story)


def test_a_refused_order_leaves_the_environment_of_the_last_one() -> None:
    """Runs that go on do so with what their own submitter had."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        await world.daemon.commands.submit(await submission(world, "one"))
        for refused in (await submission(world, "one"), await submission(world, "two", sandbox="bubblewrap")):
            with pytest.raises(Refused):
                await world.daemon.commands.submit(refused)
        world.log.full = True
        with pytest.raises(Unavailable):
            await world.daemon.commands.submit(await submission(world, "two"))
        world.log.full = False
        assert world.environment.kept == {"PATH": "/one"}
        await world.daemon.commands.submit(await submission(world, "two"))
        assert world.environment.kept == {"PATH": "/two"}

    play(story)


def test_an_approval_is_of_the_change_that_was_seen() -> None:
    """It moved while a human looked at it: they look again."""

    async def story(world: World) -> None:
        await world.submit("one")
        first = await world.ask("one")
        seen, _ = await world.daemon.views.look(TaskId("one"))
        assert seen.change is not None and seen.change.head == first.commit
        await world.send("one", "One more thing.")
        await world.until(lambda state: bool(state.open_asks()) and state.open_asks()[0].id != first.id)
        second = await world.ask("one")
        assert second.commit not in (None, first.commit)
        with pytest.raises(Refused, match="has moved"):
            await world.review("one", approve=True, commit=seen.change.head[:12])
        assert at("one", HumanReview)(world.state)
        await world.review("one", approve=True)
        await world.until(landed("one"))
        assert [fact.review.commit for fact in world.facts(e.ReviewConcluded)] == [second.commit]

    play(story, lambda: World(rules(review="human")))


def test_an_approval_that_nobody_asked_for_names_its_commit() -> None:
    """What was asked of no human is approved as it was seen, or not at all."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.1")
        await world.submit("one")
        await world.until(at("one", Checking))
        with pytest.raises(Refused, match="has to say of which commit"):
            await world.review("one", approve=True)
        change = world.task("one").change
        assert change is not None
        await world.review("one", approve=True, commit=change.head)
        sign.set()
        await world.until(landed("one"))
        assert world.facts(e.ChangeLanded)[0].reviews == "approved by ada"

    play(story, lambda: World(rules(review="human")))


def test_a_change_that_waits_for_a_reviewer_can_be_reviewed_by_a_human() -> None:
    """Every slot is taken: it says so, and nobody has to wait for one."""

    async def story(world: World) -> None:
        world.agent_does("one", sits())
        world.agent_does("two", sits())
        sign = world.checks.hold("three.1")
        await world.submit("three")
        await world.until(at("three", Checking))
        await world.submit("one", "two")
        await world.until(lambda state: all(state.tasks[TaskId(name)].run for name in ("one", "two")))
        sign.set()
        await world.until(at("three", Checked))
        await world.settled()
        words = standing(world.state, world.task("three")).words
        assert words == "waits for a free slot: to be reviewed by critic"
        change = world.task("three").change
        assert change is not None
        await world.review("three", approve=True, commit=change.head)
        await world.until(landed("three"))
        assert not world.facts(e.AskRaised)
        assert not any(at(name, AgentReview)(world.state) for name in ("one", "two"))
        for name in ("one", "two"):
            await world.cancel(name)
            await world.until(over(name))

    play(story, lambda: World(rules(review="agent")))


@pytest.mark.parametrize(
    ("rule", "given"),
    [("allow", "once"), ("deny", "no")],
)
def test_the_rules_grant_one_request_and_not_all_to_come(rule: str, given: str) -> None:
    """An agent that is told `always` asks no more, whatever it is about to do next."""
    choices = (
        Choice(id="always", label="Always", grants=True, lasting=True),
        Choice(id="once", label="Once", grants=True),
        Choice(id="never", label="Never", grants=False, lasting=True),
        Choice(id="no", label="No", grants=False),
    )

    async def story(world: World) -> None:
        world.walls = Walls()
        await world.restart()
        world.agent_does("one", asks_permission("make", ToolKind.EXECUTE, *choices))
        await world.submit("one")
        await world.until(landed("one"))
        assert world.file("answer.txt") == f"{given}\n"

    play(story, lambda: World(rules(more=f'permissions.execute = "{rule}"')))
