"""What an agent asks while it works: answered by the rules, by a human, or by the deadline."""

import asyncio

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import Choice, ToolKind
from bandstand.domain.ask import AskKind
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import AskId, TaskId
from bandstand.domain.stage import AgentReview, Working
from bandstand.domain.standing import Owner
from bandstand.domain.task import Budget
from tests.services.acting import ALLOW, REJECT, asks_permission, asks_question, waits_for, writes
from tests.services.world import Walls, World, at, landed, play, rules, spec

MAYBE = Choice(id="maybe", label="Maybe later", grants=False)


def with_permissions(**permissions: str) -> World:
    """A world whose rules say these things about permissions."""
    lines = [f'permissions.{kind} = "{said}"' for kind, said in permissions.items()]
    return World(rules(more="\n".join(lines)))


def walled() -> World:
    """A world whose sandbox keeps agents in."""
    world = World()
    world.walls = Walls()
    return world


@pytest.mark.parametrize(("rule", "given"), [("allow", "allow"), ("deny", "reject")])
def test_the_rules_answer_without_a_human(rule: str, given: str) -> None:
    """What is allowed or denied by the rules is never asked."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?", ToolKind.FETCH))
        await world.submit("one")
        await world.until(landed("one"))
        assert world.file("answer.txt") == f"{given}\n"
        assert world.facts(e.AskRaised) == []

    play(story, lambda: with_permissions(fetch=rule))


def test_what_is_denied_is_refused_also_where_the_agent_offers_no_refusal() -> None:
    """It is told that there is no answer, which refuses."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?", ToolKind.FETCH, ALLOW))
        await world.submit("one")
        await world.until(landed("one"))
        assert world.file("answer.txt") == "None\n"
        assert world.facts(e.AskRaised) == []

    play(story, lambda: with_permissions(fetch="deny"))


def test_inside_walls_what_cannot_leave_them_is_allowed() -> None:
    """An edit in the workspace needs nobody; reading from the network does."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Edit it?", ToolKind.EDIT))
        world.agent_does("two", asks_permission("Fetch it?", ToolKind.FETCH))
        await world.submit("one", spec("two", depends_on=("one",)))
        ask = await world.ask("two")
        assert landed("one")(world.state)
        assert ask.title == "Fetch it?"
        await world.answer(ask, "allow")
        await world.until(landed("two"))

    play(story, walled)


@pytest.mark.parametrize(("answer", "given"), [("allow", "allow"), ("2", "reject"), ("Rej", "reject")])
def test_a_human_answers_a_permission(answer: str, given: str) -> None:
    """By the id of a choice, its number, or the beginning of its label; the agent goes on with what was said."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Edit it?", ToolKind.EDIT))
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.kind, ask.title, ask.run) == (AskKind.PERMISSION, "Edit it?", "one.1")
        assert at("one", Working)(world.state)
        await world.answer(ask, answer)
        await world.until(landed("one"))
        assert world.file("answer.txt") == f"{given}\n"
        assert len(world.prompts("one")) == 1

    play(story)


def test_nobodys_answer_refuses_a_permission() -> None:
    """After the deadline the agent is told no, and goes on within the time that its turn has."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Edit it?", ToolKind.EDIT, ALLOW, MAYBE, REJECT))
        await world.submit(spec("one", budget=Budget(minutes=600)))
        await world.ask("one")
        await world.passes(minutes=59)
        assert len(world.state.open_asks()) == 1
        await world.passes(minutes=1)
        await world.until(landed("one"))
        assert world.file("answer.txt") == "maybe\n"
        assert [fact.answer.by for fact in world.facts(e.AskAnswered)] == ["deadline"]

    play(story, lambda: World(rules(more="ask_hours = 1")))


@pytest.mark.parametrize("restarts", [False, True])
def test_an_agent_that_waits_for_a_human_lets_another_one_work(restarts: bool) -> None:
    """Its answer comes when there is a slot again, also from another daemon; it is told what it waits for."""
    sign = asyncio.Event()

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Edit it?", ToolKind.EDIT))
        world.agent_does("two", waits_for(sign, writes({"two.txt": "x\n"})))
        await world.submit("one", "two")
        ask = await world.ask("one")
        await world.until(at("two", Working))
        await world.answer(ask, "allow")
        await world.settled()
        assert world.facts(e.AnswerReleased) == []
        row = (await world.daemon.views.show_task(TaskId("one"))).row
        assert (row.words, row.owner) == ("waits for a free slot: to go on with the answer", Owner.BANDSTAND)
        if restarts:
            await world.restart()
        sign.set()
        await world.until(landed("one", "two"))
        assert world.file("answer.txt") == "allow\n"
        assert len(world.prompts("one")) == 1

    play(story, lambda: World(slots=1))


def test_waiting_for_a_human_uses_up_no_time_of_the_turn() -> None:
    """A question is there until its deadline, however short the agent's own time is."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Edit it?", ToolKind.EDIT))
        await world.submit(spec("one", budget=Budget(minutes=10)))
        ask = await world.ask("one")
        await world.passes(hours=3)
        assert world.state.open_asks() == (ask,)
        await world.answer(ask, "allow")
        await world.until(landed("one"))
        assert len(world.prompts("one")) == 1

    play(story)


def test_a_question_in_words_is_answered_in_words() -> None:
    """The agent gets the text, and a choice where there are some."""

    async def story(world: World) -> None:
        red, blue = (Choice(id=colour, label=colour, grants=True) for colour in ("red", "blue"))
        world.agent_does("one", asks_question("Which time zone?"))
        world.agent_does("two", asks_question("Which colour?", red, blue))
        await world.submit("one", spec("two", depends_on=("one",)))
        first = await world.ask("one")
        assert (first.kind, first.title, first.choices) == (AskKind.QUESTION, "Which time zone?", ())
        await world.answer(first, text="UTC")
        second = await world.ask("two")
        assert world.file("answer.txt") == "UTC\n"
        await world.answer(second, "blue")
        await world.until(landed("two"))
        assert world.file("answer.txt") == "blue\n"

    play(story)


def test_nobodys_answer_leaves_a_question_unanswered() -> None:
    """The agent is told that there is no answer."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_question("Which time zone?"))
        await world.submit(spec("one", budget=Budget(minutes=600)))
        await world.ask("one")
        await world.passes(hours=1)
        await world.until(landed("one"))
        assert world.file("answer.txt") == "nothing\n"

    play(story, lambda: World(rules(more="ask_hours = 1")))


def test_a_reviewer_may_ask_too() -> None:
    """Its question stands in the inbox, and waiting for it is not held against it."""

    async def story(world: World) -> None:
        world.reviewer_does("one", asks_permission("Run the linter?", ToolKind.EXECUTE))
        await world.submit("one")
        ask = await world.ask("one")
        assert at("one", AgentReview)(world.state)
        assert ask.run == "one.review.1"
        await world.passes(hours=2)
        assert world.state.open_asks() == (ask,)
        await world.answer(ask, "allow")
        await world.until(landed("one"))

    play(story, lambda: World(rules(review="agent")))


def test_several_alike_are_answered_at_once() -> None:
    """All of them, or none."""

    async def story(world: World) -> None:
        for name in ("one", "two"):
            world.agent_does(name, asks_permission("Edit it?", ToolKind.EDIT))
        await world.submit("one", "two")
        first, second = await world.ask("one"), await world.ask("two")
        commands = world.daemon.commands
        with pytest.raises(Unknown):
            await commands.answer(first.id, "allow", text="", by="ada", alike=[AskId("a99")])
        assert len(world.state.open_asks()) == 2
        await commands.answer(first.id, "allow", text="", by="ada", alike=[second.id])
        with pytest.raises(Refused, match="answered already"):
            await commands.answer(first.id, "allow", text="", by="ada")
        await world.until(landed("one", "two"))

    play(story)


def test_an_ask_of_a_turn_that_ended_is_withdrawn() -> None:
    """The agent went away while it was asking: nobody needs to answer."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Edit it?", ToolKind.EDIT), writes({"a.txt": "a\n"}))
        await world.submit("one")
        ask = await world.ask("one")
        assert ask.run is not None
        world.host.crash(ask.run)
        await world.until(landed("one"))
        assert world.state.open_asks() == ()
        assert world.file("answer.txt") is None

    play(story)


def test_an_answer_given_while_the_agent_could_not_be_reached_arrives() -> None:
    """The daemon dies between the answer and its delivery."""

    async def story(world: World) -> None:
        world.agent_does("one", asks_permission("Edit it?", ToolKind.EDIT))
        await world.submit("one")
        ask = await world.ask("one")
        world.log.die(at=1, written=True)
        await world.answer(ask, "allow")
        await world.until(landed("one"))
        assert world.file("answer.txt") == "allow\n"

    play(story)
