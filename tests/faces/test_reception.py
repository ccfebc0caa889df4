"""The daemon's reception: one operation for each connection, whatever comes over it."""

import asyncio
import json

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import Broken, Refused, Unavailable, Unknown
from bandstand.domain.ids import TaskId
from bandstand.faces.wire import INSTALL, Json, Outlived, encode
from tests.faces.front import Front, operation, serve
from tests.services.acting import asks_permission, sits
from tests.services.world import World, landed, rules


def error(answer: bytes) -> Json:
    """The one error that an answer holds."""
    (line,) = answer.splitlines()
    return json.loads(line)["error"]


@pytest.mark.parametrize(
    ("request_line", "message"),
    [
        (b"\n", "The request is not a line of JSON."),
        (b"GET / HTTP/1.1\r\n", "The request is not a line of JSON."),
        (b"\xff\xfe\x00\n", "The request is not a line of JSON."),
        (b"[]\n", "The request names no operation."),
        (b"{}\n", "The request names no operation."),
        (b'{"op": 3}\n', "The request names no operation."),
        (b'{"op": "ps", "args": []}\n', "The arguments of an operation are an object."),
        (b'{"op": "ps"}\n', "The operation does not say from where it was called."),
        (b'{"op": "ps", "args": {"path": 3}}\n', "The operation does not say from where it was called."),
        (b'{"op": "dance"}\n', "The daemon knows no operation 'dance'."),
    ],
)
def test_what_is_no_request_is_refused(request_line: bytes, message: str) -> None:
    """With a sentence, and the reception goes on."""

    async def story(front: Front, world: World) -> None:
        told = error(await front.raw(request_line))
        assert (told["kind"], told["message"]) == ("refused", message)
        assert (await front.call("ps"))["tasks"] == []

    serve(story)


def test_who_hangs_up_without_a_word_is_no_harm() -> None:
    """Neither is who says half a line."""

    async def story(front: Front, world: World) -> None:
        for data in (b"", b'{"op": "p'):
            async with front.connection(data):
                pass
        assert (await front.call("ps"))["tasks"] == []

    serve(story)


def test_a_fault_of_ours_is_told_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a sentence, the log the whole story."""

    async def story(front: Front, world: World) -> None:
        front.band.fault = ZeroDivisionError("by nothing")
        with pytest.raises(Broken, match="Bandstand made a mistake: ZeroDivisionError: by nothing"):
            await front.call("ps")
        front.band.fault = None
        assert (await front.call("ps"))["tasks"] == []

    serve(story)
    assert "an operation failed" in caplog.text


@pytest.mark.parametrize("kind", [Refused, Unknown, Unavailable, Broken])
def test_an_error_arrives_as_what_it_is(kind: type[Refused]) -> None:
    """With its sentence and its hint."""

    async def story(front: Front, world: World) -> None:
        front.band.fault = kind("It is so.", hint="Do this.")
        with pytest.raises(kind) as raised:
            await front.call("ps")
        assert type(raised.value) is kind
        assert (raised.value.message, raised.value.hint) == ("It is so.", "Do this.")

    serve(story)


def test_a_daemon_says_who_it_is_and_ends_when_it_is_told() -> None:
    """Whatever installation asks."""

    async def story(front: Front, world: World) -> None:
        assert (await front.call("hello"))["outlived"] == ""
        assert not front.over.is_set()
        await front.call("down")
        assert front.over.is_set()

    serve(story)


def test_a_daemon_makes_way_for_another_installation() -> None:
    """It answers nothing but that it goes."""

    async def story(front: Front, world: World) -> None:
        told = error(await front.raw(encode({"op": "ps", "args": {}, "install": "9.9.9 /elsewhere"})))
        assert told["kind"] == "outlived"
        assert INSTALL in told["message"]
        assert front.over.is_set()

    serve(story)


VERSION, PLACE = INSTALL.split(" ", 1)


@pytest.mark.parametrize(
    ("install", "told"),
    [
        (INSTALL, ""),
        (f"{VERSION} /elsewhere", "outlived"),
        ("9.9.9 /elsewhere", "outlived"),
        ("0.0.1 /elsewhere", "refused"),
        ("0.0.1rc1 /else where", "refused"),
        (f"0.0.1 {PLACE}", "outlived"),
        (f"9.9.9 {PLACE}", "outlived"),
        ("", "refused"),
    ],
)
def test_which_installations_a_daemon_answers(install: str, told: str) -> None:
    """Its own; for one that is as new, or lies in its place, it makes way; an older one is told to be too old."""

    async def story(front: Front, world: World) -> None:
        answer = json.loads(await front.raw(encode({"op": "ready", "install": install})))
        assert answer.get("error", {"kind": ""})["kind"] == told
        assert front.over.is_set() == (told == "outlived")
        hello = json.loads(await front.raw(encode({"op": "hello", "install": install})))["result"]
        assert bool(hello["outlived"]) == (told == "outlived")

    serve(story)


def test_an_older_command_is_told_so_in_one_sentence() -> None:
    """And what to do; the daemon stays."""

    async def story(front: Front, world: World) -> None:
        told = error(await front.raw(encode({"op": "ps", "args": {}, "install": "0.0.1 /elsewhere"})))
        words = f"The daemon is Bandstand {VERSION}, and this command is 0.0.1: it is too old to speak to it."
        assert told["message"] == words
        assert told["hint"] == f"Use the `band` of {PLACE}. To go back for good, end the daemon first: band down"

    serve(story)


def test_who_watched_before_is_answered_by_any_daemon() -> None:
    """It says nothing of its installation."""

    async def story(front: Front, world: World) -> None:
        assert json.loads(await front.raw(encode({"op": "ready"}))) == {"result": None}
        assert not front.over.is_set()

    serve(story)


def test_a_daemon_that_makes_way_comes_to_an_end_with_its_answers() -> None:
    """An order that it has is carried out and answered, once; nothing else is, and who asks is told to wait."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        await world.until(lambda state: state.tasks[TaskId("one")].session is not None)
        await world.settled()
        world.log.hold()
        ordering = asyncio.create_task(front.call("cancel", task="one", reason="Enough.", by="ada"))
        await world.log.held.wait()
        told = error(await front.raw(encode({"op": "ps", "args": {}, "install": "9.9.9 /elsewhere"})))
        assert told["kind"] == "outlived"
        with pytest.raises(Outlived):
            await front.call("send", task="one", text="Too late.")
        assert front.band.places.lock.read_text().endswith("way\n")
        draining = asyncio.create_task(front.reception.drain())
        await world.settled()
        assert not draining.done()
        world.log.let_go()
        assert await ordering == {"task": "one"}
        await draining
        assert [fact.reason for fact in world.facts(e.TaskCancelled)] == ["Enough."]
        assert world.facts(e.MessageSent) == []

    serve(story)


def test_a_daemon_whose_state_was_removed_makes_way() -> None:
    """It would write into files that nobody finds."""

    async def story(front: Front, world: World) -> None:
        front.band.places.lock.unlink()
        with pytest.raises(Outlived, match="Its state was removed"):
            await front.call("ps")
        assert front.over.is_set()

    serve(story)


def test_orders_and_questions_go_through() -> None:
    """The whole way from a caller to the fleet and back."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?"))
        await world.submit("one")
        await world.ask("one")
        (ask,) = await front.call("asks")
        assert (ask["id"], ask["kind"], ask["task"]) == ("a1", "permission", "one")
        with pytest.raises(Refused, match="is no answer to a1"):
            await front.call("answer", ask="a1", choice="maybe")
        assert await front.call("answer", ask="a1", choice="1", by="ada") == {"answered": ["a1"]}
        await world.until(landed("one"))
        (row,) = (await front.call("ps"))["tasks"]
        assert (row["id"], row["glyph"], row["mark"]) == ("one", "✓", "landed")
        assert (await front.call("show", task="one"))["branch"] == "band/one"
        assert "+allow" in (await front.call("diff", task="one"))["patch"]
        with pytest.raises(Unknown, match="no task 'two'"):
            await front.call("show", task="two")
        with pytest.raises(Refused, match="has ended"):
            await front.call("send", task="one", text="Hello?")
        with pytest.raises(Refused, match="in no git repository"):
            await front.call("ps", path="/elsewhere")

    serve(story)


def test_several_alike_are_answered_at_once() -> None:
    """Those that ask the same."""

    async def story(front: Front, world: World) -> None:
        for name, title in (("one", "Fetch it?"), ("two", "Fetch it?"), ("three", "Fetch that?")):
            world.agent_does(name, asks_permission(title))
        await world.submit("one", "two", "three")
        asks = {name: await world.ask(name) for name in ("one", "two", "three")}
        answered = await front.call("answer", ask=asks["one"].id, choice="allow", alike=True)
        assert sorted(answered["answered"]) == sorted([asks["one"].id, asks["two"].id])
        with pytest.raises(Unknown, match="no open ask"):
            await front.call("answer", ask=asks["one"].id, choice="allow", alike=True)
        await world.until(landed("one", "two"))

    serve(story, lambda: World(slots=3))


def test_a_review_and_a_cancellation_go_through() -> None:
    """By whom it was is kept."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("two", sits())
        await world.submit("one", "two")
        await world.ask("one")
        seen = await front.call("look", task="one")
        head = seen["task"]["change"]["head"]
        assert seen == {"task": await front.call("show", task="one"), **await front.call("diff", task="one")}
        with pytest.raises(Refused, match="has moved: you saw 0123456789ab"):
            await front.call("review", task="one", approve=True, by="grace", commit="0123456789abcdef")
        assert await front.call("review", task="one", approve=True, by="grace", commit=head[:12]) == {"task": "one"}
        await world.until(landed("one"))
        assert (await front.call("show", task="one"))["reviews"][0]["name"] == "grace"
        await front.call("cancel", task="two", reason="Enough.")
        rows = (await front.call("ps", tasks=["two"]))["tasks"]
        assert [row["words"] for row in rows] == ["cancelled: Enough."]

    serve(story, lambda: World(rules(review="human")))


def test_hanging_up_ends_the_operation_and_nothing_else() -> None:
    """The task that was followed goes on."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        async with front.connection(operation("log", task="one", follow=True)) as reader:
            assert json.loads(await reader.readline())["item"]["kind"] == "prompt"
            await front.serving(1)
        await front.serving(0)
        assert not world.task("one").ended

    serve(story)


def test_who_follows_a_daemon_that_is_stopped_is_told() -> None:
    """An end without a word would look like the end of the tasks."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        watching = asyncio.create_task(front.stream("log", task="one", follow=True))
        await front.serving(1)
        await front.reception.close()
        with pytest.raises(Unavailable, match="The daemon was stopped"):
            await watching

    serve(story)
