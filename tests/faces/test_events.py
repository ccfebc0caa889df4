"""The stream of events: facts in one order, each once; digests of the rest; and one run in full."""

import asyncio
import contextlib
from collections.abc import Callable

from bandstand.domain.agent import Said, Thought, ToolCalled, ToolKind
from bandstand.domain.errors import Unavailable
from bandstand.domain.ids import RunId, TaskId
from bandstand.faces.daemon.http import feed as feeds
from bandstand.faces.daemon.http.app import MOST_READERS
from bandstand.faces.daemon.http.feed import Feed, Wanted
from bandstand.services.fleet import Told
from tests.faces.web import Event, Web, facts, rows, surf, web
from tests.services.acting import asks_permission, sits, waits_for, writes
from tests.services.world import World, landed


def is_fact(sequence: int) -> Callable[[Event], bool]:
    """Whether an event is that fact."""
    return lambda event: event.id == sequence and event.kind == "fact"


def is_over(task: str) -> Callable[[Event], bool]:
    """Whether an event tells that a task is over."""
    return lambda event: event.kind == "tasks" and any(row["id"] == task and row["over"] for row in event.data["rows"])


async def told_until_ready(web: Web, after: int | None, **query: object) -> list[Event]:
    """All that a reader gets who comes now."""
    async with web.events(after=after, **query) as stream:
        return await stream.ready()


def test_a_reader_is_told_where_things_stand_and_then_what_happens() -> None:
    """First the rows, then every fact with its sentence, at last that the task is over."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", asks_permission("Fetch it?"))
        await world.submit("one")
        await world.ask("one")
        before = len(world.log.facts)
        async with web.events() as stream:
            first = await stream.ready()
            assert facts(first) == []
            assert (first[-1].id, rows(first)["one"]["mark"]) == (before, "needs-you")
            (asks,) = [event.data["asks"] for event in first if "asks" in event.data]
            assert [ask["id"] for ask in asks] == ["a1"]
            await web.post(f"{web.repository}/asks/a1/answer", {"choice": "1"})
            rest = await stream.until(is_over("one"))
        await world.until(landed("one"))
        assert facts(rest) == list(range(before + 1, len(world.log.facts) + 1))
        lines = [event.data["line"]["text"] for event in rest if event.kind == "fact" and event.data["line"]]
        assert any(line.startswith("landed as ") for line in lines)
        assert rows(rest)["one"]["glyph"] == "✓"

    surf(story)


def test_a_reader_who_was_cut_off_goes_on_at_every_place() -> None:
    """Behind any fact come all others, each once; also from another daemon, and from the log as from memory."""

    async def story(web: Web, world: World) -> None:
        await world.submit("one")
        await world.until(landed("one"))
        last = len(world.log.facts)
        for after in range(last + 1):
            told = await told_until_ready(web, after)
            assert facts(told) == list(range(after + 1, last + 1))
            assert told[-1].id == last
        await world.restart()
        web.band.__post_init__()
        assert facts(await told_until_ready(web, last // 2)) == list(range(last // 2 + 1, last + 1))
        async with web.events() as listening:
            await listening.ready()
            await world.submit("two")
            await world.until(landed("two"))
            await listening.until(is_over("two"))
            for after in range(last, len(world.log.facts) + 1):
                assert facts(await told_until_ready(web, after)) == list(range(after + 1, len(world.log.facts) + 1))

    surf(story)


def test_facts_of_many_repositories_come_in_one_order() -> None:
    """However they are heard: a fact that comes before another one is told before it."""

    async def main() -> None:
        one = World(slots=4)
        two = World(log=one.log, clock=one.clock, name="b" * 16, slots=4)
        async with asyncio.timeout(60), one, two, web(one, two) as opened:
            readers = [asyncio.create_task(_read(opened, after, 6)) for after in (None, 0)]
            await opened.readers(2)
            names = [f"task-{number}" for number in range(3)]
            await asyncio.gather(*(world.submit(name) for world in (one, two) for name in names))
            await asyncio.gather(*(world.until(landed(*names)) for world in (one, two)))
            for told in await asyncio.gather(*readers):
                assert facts(told) == list(range(1, len(one.log.facts) + 1))
                assert len({event.data["repository"] for event in told if event.kind == "fact"}) == 2
            only = await told_until_ready(opened, 0, repository="b" * 16)
            own = [fact.sequence for fact in one.log.facts if fact.repository == "b" * 16]
            assert facts(only) == own

    async def _read(opened: Web, after: int | None, ended: int) -> list[Event]:
        async with opened.events(after=after) as stream:
            found: list[Event] = []
            over: set[tuple[str, str]] = set()
            while len(over) < ended:
                event = await stream.next()
                assert event is not None
                found.append(event)
                if event.kind == "tasks":
                    over |= {(event.data["repository"], row["id"]) for row in event.data["rows"] if row["over"]}
            return found

    asyncio.run(main())


def test_filters_let_through_what_is_asked_for() -> None:
    """Facts, rows, asks and doings of one task, and of no other."""

    async def story(web: Web, world: World) -> None:
        signs = {name: asyncio.Event() for name in ("one", "two")}
        for name, sign in signs.items():
            world.agent_does(name, waits_for(sign, writes({f"{name}.txt": "a\n"})))
        await world.submit("one", "two")
        async with web.events(task="one", after=0) as stream:
            told = await stream.ready()
            for sign in signs.values():
                sign.set()
            told += await stream.until(is_over("one"))
        assert {event.data["task"] for event in told if event.kind == "fact"} == {"one"}
        assert rows(told).keys() == {"one"}
        assert {one["task"] for event in told if event.kind == "doing" for one in event.data["doing"]} <= {"one"}

    surf(story)


def test_what_agents_do_comes_as_a_digest_and_in_full_for_the_run_in_focus() -> None:
    """However much one says: the last of it, at most every 50 ms; and all of it, in order, to who asks for the run."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        fleet, run, count = world.daemon.fleet, RunId("one.1"), 2000
        async with web.events() as digests, web.events(focus=run) as focused:
            await digests.ready()
            await focused.ready()
            for number in range(count):
                fleet.tell(Told(task=TaskId("one"), run=run, update=Said(text=f"{number}")))
                if number % 100 == 0:
                    await asyncio.sleep(0.005)
            last = f"“{count - 1}”"
            told = await digests.until(lambda event: event.kind == "doing" and event.data["doing"][0]["text"] == last)
            assert 1 <= len([event for event in told if event.kind == "doing"]) < count / 20
            full: list[str] = []
            while not full or full[-1] != str(count - 1):
                event = await focused.next()
                assert event is not None
                if event.kind == "updates":
                    assert (event.data["run"], event.data["lost"]) == (run, 0)
                    full += [update["text"] for update in event.data["updates"] if update["type"] == "Said"]
            assert [text for text in full if text.isdigit()] == [str(number) for number in range(count)]

    surf(story)


def test_who_reads_slowly_misses_updates_and_never_facts() -> None:
    """What waits for them is bounded; what is lost of a run is counted."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        run, repository = RunId("one.1"), world.repository.id
        feed = Feed(
            web.band.repositories, web.band.broadcast, Wanted(focus=frozenset({run})), redaction=web.band.redaction
        )
        async with web.band.broadcast.listen(feed) as head:
            await feed.begin(head)
            for number in range(feeds.MOST_UPDATES + 50):
                feed.told(repository, Told(task=TaskId("one"), run=run, update=Thought(text=str(number))))
            big = Told(task=TaskId("one"), run=run, update=Said(text="x" * (feeds.MOST_CHARACTERS // 4)))
            for _ in range(8):
                feed.told(repository, big)
            assert feed._characters <= feeds.MOST_CHARACTERS
            for number in range(10_000):
                feed.told(repository, Told(task=TaskId("one"), run=RunId(f"r{number % 7}"), update=_called(number)))
            assert len(feed._doing) <= 8
            await world.send("one", "more")
            said = b""
            while b"event: ready" not in said:
                said += await feed.next() or b""
            assert said.count(b"event: fact") == len(world.log.facts) - head
            assert said.count(b'"lost":0') == 0
            lost = int(said.partition(b'"lost":')[2].partition(b"}")[0])
            assert lost > feeds.MOST_UPDATES

    surf(story)


def _called(number: int) -> ToolCalled:
    return ToolCalled(call=str(number), title=f"call {number}", kind=ToolKind.READ)


def test_a_reader_who_never_reads_costs_no_more_than_one_who_does() -> None:
    """The stream of one who stopped reading stands still; others go on, and it goes on when it is read."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        async with web.events(focus="one.1", after=0) as slow, web.events() as quick:
            await quick.ready()
            for number in range(60):
                update = Said(text=f"{number} " + "x" * 100_000)
                world.daemon.fleet.tell(Told(task=TaskId("one"), run=RunId("one.1"), update=update))
                await asyncio.sleep(0.002)
            await world.send("one", "more")
            last = len(world.log.facts)
            await quick.until(is_fact(last))
            told = await slow.until(is_fact(last))
            assert facts(told) == list(range(1, last + 1))

    surf(story)


def test_one_update_of_a_task_is_not_told_before_its_fact_is() -> None:
    """What an agent did comes before the fact that follows from it."""

    async def story(web: Web, world: World) -> None:
        sign = asyncio.Event()
        world.agent_does("one", waits_for(sign, writes({"a.txt": "a\n"})))
        await world.submit("one")
        async with web.events() as stream:
            await stream.ready()
            sign.set()
            told = await stream.until(is_over("one"))
        kinds = [event.data.get("type", event.kind) for event in told]
        assert kinds.index("doing") < kinds.index("TurnEnded")

    surf(story)


def test_readers_are_let_go_when_they_hang_up_and_told_when_the_daemon_ends() -> None:
    """An end without a word would look as if the daemon was lost."""

    async def story(web: Web, world: World) -> None:
        world.agent_does("one", sits())
        await world.submit("one")
        async with web.events() as stream:
            await stream.ready()
            assert web.band.broadcast.listeners == 1
        await web.readers(0)
        async with web.events() as stream:
            await stream.ready()
            await web.serving.close(Unavailable("The daemon was stopped."))
            last = (await stream.until(lambda event: event.kind == "error"))[-1]
            assert last.data["error"]["message"] == "The daemon was stopped."
            assert await stream.next() is None
        assert not world.task("one").ended

    surf(story)


def test_no_more_than_so_many_may_read() -> None:
    """Each costs memory; the next one is told to come back."""

    async def story(web: Web, world: World) -> None:
        async with contextlib.AsyncExitStack() as readers:
            for _ in range(MOST_READERS):
                stream = await readers.enter_async_context(web.events())
                await stream.ready()
            answer = await web.get("/events")
            assert (answer.status, answer.error["kind"]) == (503, "unavailable")
        await web.readers(0)
        assert (await told_until_ready(web, None))[-1].kind == "ready"

    surf(story)
