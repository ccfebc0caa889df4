"""What a live view of the command line is told: the items of the stream, to the end of the tasks, over any daemon."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from bandstand.domain.errors import Unavailable, Unknown
from bandstand.domain.past import subject
from bandstand.faces.cli.watching import Watching
from bandstand.faces.stream import Api
from bandstand.faces.wire import Json, Lost, NotRunning
from tests.faces.front import CALLER
from tests.faces.web import Web, surf
from tests.services.acting import sits, waits_for, writes
from tests.services.world import World, landed, rules, spec


async def items(web: Web, watching: Watching) -> list[Json]:
    """All that it is told, until everything is over."""
    return await asyncio.to_thread(lambda: list(watching.items(Api(web.places.api_socket))))


def watching(*tasks: str, after: int | None = None) -> Watching:
    """Of the tasks of the caller's repository."""
    return Watching(CALLER, tasks, repository="", after=after)


def sequences(told: list[Json]) -> list[int]:
    """Which facts were told."""
    return [item["sequence"] for item in told if item["kind"] == "fact"]


def test_watching_ends_with_the_tasks() -> None:
    """First where they stand, then every fact and sentence, at last that they have landed."""

    async def story(web: Web, world: World) -> None:
        sign = asyncio.Event()
        world.agent_does("one", waits_for(sign, writes({"a.txt": "a\n"})))
        await world.submit("one", spec("two", depends_on=("one",)))
        reading = asyncio.create_task(items(web, watching("one")))
        await web.readers(1)
        sign.set()
        told = await reading
        assert told[0]["kind"] == "state"
        assert [row["mark"] for row in told[-1]["rows"]] == ["landed"]
        lines = [item["text"] for item in told if item["kind"] == "line"]
        assert "joins the merge queue" in lines
        assert any(line.startswith("landed as ") for line in lines)
        assert {item["task"] for item in told if item["kind"] in ("line", "doing")} == {"one"}
        assert "“Done.”" in [item["text"] for item in told if item["kind"] == "doing"]
        await world.until(landed("two"))
        assert [item["kind"] for item in await items(web, watching("one"))].count("fact") == 0
        assert (await items(web, watching()))[-1]["rows"] == []
        with pytest.raises(Unknown):
            await items(web, watching("three"))

    surf(story)


def test_without_names_the_live_ones_are_watched() -> None:
    """Those that are there at the beginning, and no other ones."""

    async def story(web: Web, world: World) -> None:
        signs = {name: asyncio.Event() for name in ("one", "two")}
        for name, sign in signs.items():
            world.agent_does(name, waits_for(sign, writes({f"{name}.txt": "a\n"})))
        await world.submit("one")
        reading = asyncio.create_task(items(web, watching()))
        await web.readers(1)
        await asyncio.sleep(0.1)
        await world.submit("two")
        signs["one"].set()
        told = await reading
        assert [row["id"] for row in told[-1]["rows"]] == ["one"]
        assert "two" not in json.dumps(told)
        signs["two"].set()
        await world.until(landed("two"))

    surf(story)


def test_what_happened_since_an_order_comes_too() -> None:
    """Also if it is over by then, and for any number of names."""

    async def story(web: Web, world: World) -> None:
        await world.submit("one")
        await world.until(landed("one"))
        told = await items(web, watching("one", after=0))
        assert sequences(told) == [fact.sequence for fact in world.log.facts if subject(fact.event) == "one"]
        assert told[-1]["rows"][0]["mark"] == "landed"

    surf(story)


def test_who_was_cut_off_goes_on_where_it_was() -> None:
    """Every fact is told exactly once, and what is asked is told when it is known that it is open."""

    async def story(web: Web, world: World) -> None:
        await world.submit("one")
        await world.ask("one")
        one = watching("one", after=0)
        first: list[Json] = []

        def a_few() -> None:
            stream = one.items(Api(web.places.api_socket))
            for item in stream:
                first.append(item)
                if item["kind"] == "state" and item["asks"]:
                    break
            close(stream)

        await asyncio.to_thread(a_few)
        assert sequences(first) == [fact.sequence for fact in world.log.facts if subject(fact.event) == "one"]
        head = world.task("one").change
        assert head is not None
        reading = asyncio.create_task(items(web, one))
        await web.readers(1)
        await world.review("one", approve=True, commit=head.head)
        rest = await reading
        told = sequences(first) + sequences(rest)
        assert told == sorted(set(told))
        assert [row["mark"] for row in rest[-1]["rows"]] == ["landed"]

    surf(story, lambda: World(rules(review="human")))


def close(stream: Iterator[Json]) -> None:
    """Hang up."""
    getattr(stream, "close", lambda: None)()


def test_an_ask_that_is_gone_is_no_longer_told() -> None:
    """A view that shows asks is told when one is gone, or goes on with a new deadline."""

    async def story(web: Web, world: World) -> None:
        await world.submit("one")
        ask = await world.ask("one")
        async with web.events(task="one") as stream:
            first = await stream.ready()
            deadlines = [one["deadline"] for event in first for one in event.data.get("asks", ())]
            assert len(deadlines) == 1
            await world.passes(hours=24)
            rest = await stream.until(lambda event: "asks" in event.data)
            assert [one["id"] for one in rest[-1].data["asks"]] == [ask.id]
            assert rest[-1].data["asks"][0]["deadline"] != deadlines[0]
            await world.cancel("one")
            last = await stream.until(lambda event: "asks" in event.data)
            assert last[-1].data["asks"] == []

    surf(story, lambda: World(rules(review="human")))


def test_a_daemon_that_ends_is_told_apart_from_one_that_is_lost() -> None:
    """The one says so; behind the other one a new one is looked for."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        for error, raised in ((Unavailable("The daemon was stopped."), Unavailable), (None, Lost)):
            reading = asyncio.create_task(items(web, watching("one")))
            await web.readers(1)
            web.band.broadcast.close(error)
            with pytest.raises(raised) as told:
                await reading
            assert type(told.value) is raised
            await web.readers(0)
        web.places.api_socket.unlink()
        with pytest.raises(NotRunning):
            await items(web, watching("one"))

    surf(story)
