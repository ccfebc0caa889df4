"""What is shown and said cannot be forged, cut short or overrun by a repository or a stranger."""

import asyncio
import json
import unicodedata
from datetime import UTC, datetime

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import Choice
from bandstand.domain.ask import Answer, Ask, AskKind
from bandstand.domain.ids import AskId, TaskId
from bandstand.domain.state import State
from bandstand.faces.cli.run import rule_lines
from bandstand.faces.text import told
from tests.faces.front import Front, operation, serve
from tests.faces.test_lines import PLAIN, planned
from tests.faces.test_wire import answering
from tests.services.acting import asks_permission
from tests.services.world import World, landed

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_an_answer_is_told_by_what_was_chosen() -> None:
    """An agent's own ids may look like the numbers of choices; what is told is the choice that was made."""
    choices = tuple(Choice(id=str(2 - n), label=f"Choice {n}", grants=n == 0) for n in range(2))
    ask = Ask(
        id=AskId("a1"), kind=AskKind.PERMISSION, task=TaskId("t"), title="?", choices=choices, raised=NOW, deadline=NOW
    )
    event = e.AskAnswered(ask=ask.id, answer=Answer(choice=choices[1].id, text="", by="ada"))
    line = told(event, State(asks={ask.id: ask}))
    assert line is not None
    assert line.text == "a1 answered by ada: Choice 1"


@pytest.mark.parametrize("said", [b'{"resu', b"garbage\n", b'{"thing": 1}\n', b"[]\n"])
def test_a_daemon_that_hangs_up_in_the_middle_of_a_line_is_lost(said: bytes) -> None:
    """What came of its answer is no answer: the caller is told that the daemon is lost."""
    with answering(said) as client, pytest.raises(Exception) as raised:
        client.call("show")
    assert type(raised.value).__module__.startswith("bandstand"), repr(raised.value)


@pytest.mark.parametrize("command", ["make test\nreview    none", "make \u202etset", "make test\x9b2K"])
def test_the_rules_that_are_confirmed_are_shown_as_they_are(command: str) -> None:
    """A repository cannot forge the screen on which its rules are confirmed."""
    for line in rule_lines(planned(checks=[command]), PLAIN):
        assert not [char for char in line if unicodedata.category(char)[0] == "C"], repr(line)


def test_the_transcript_is_streamed_and_followed() -> None:
    """Each entry comes once and whole, also where several stand in one record of the journal."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?"))
        await world.submit("one")
        await world.ask("one")
        kinds = [entry["kind"] for entry in await front.stream("log", task="one")]
        assert kinds == ["prompt", "permission"]
        following = asyncio.create_task(front.stream("log", task="one", follow=True))
        await front.serving(1)
        await front.call("answer", ask="a1", choice="1")
        await world.until(landed("one"))
        assert await following == await front.stream("log", task="one")

    serve(story)


def test_a_request_may_have_something_behind_it() -> None:
    """Only who closes the connection has hung up."""

    async def story(front: Front, world: World) -> None:
        answer = await front.raw(operation("ps") + b"\n")
        assert json.loads(answer)["result"]["tasks"] == []

    serve(story)


def test_a_request_that_is_too_long_is_refused() -> None:
    """It is answered, with what to do instead."""

    async def story(front: Front, world: World) -> None:
        answer = await front.raw(b"x" * (1 << 21) + b"\n")
        assert json.loads(answer)["error"]["kind"] == "refused"

    serve(story)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000 + b"\n",
        operation("show"),
        operation("answer"),
        operation("show", task=3),
        operation("ps", tasks=3),
    ],
)
def test_a_bad_request_is_no_mistake_of_ours(line: bytes) -> None:
    """Missing and odd arguments are refused; they are no fault of Bandstand."""

    async def story(front: Front, world: World) -> None:
        told = json.loads(await front.raw(line))["error"]
        assert told["kind"] in ("refused", "unknown"), told

    serve(story)
