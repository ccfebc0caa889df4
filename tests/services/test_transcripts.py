"""What was said and done in a task, read while it goes on."""

from collections import Counter
from collections.abc import AsyncIterator

from bandstand.domain.agent import PermissionRequested, Prompted, Said
from bandstand.domain.ids import RunId, TaskId
from bandstand.ports.hosts import Record
from bandstand.services.fleet import Told
from bandstand.services.transcripts import TaskTranscript
from bandstand.testing.hosts import MemoryHost
from tests.services.acting import asks_permission, writes
from tests.services.world import World, landed, play, rules


class CountingHost(MemoryHost):
    """Counts how often each record of a journal was read."""

    def __init__(self, inner: MemoryHost) -> None:
        super().__init__({})
        self.inner = inner
        self.read: Counter[tuple[RunId, int]] = Counter()

    async def journal(self, run: RunId, *, after: int = 0) -> AsyncIterator[Record]:
        """The records of the other host, counted."""
        async for record in self.inner.journal(run, after=after):
            self.read[run, record.offset] += 1
            yield record


def test_a_transcript_that_grows_is_read_on_and_never_again() -> None:
    """However often it is looked at, each record is read once and each entry told once, reviews included."""

    async def story(world: World) -> None:
        host = CountingHost(world.host)
        runs = [RunId("one.1")]
        said = TaskTranscript(lambda: runs, host=host, protocol=world.agents)
        assert await said.whole() == []
        world.agent_does("one", asks_permission("Fetch it?"), writes({"a.txt": "b\n"}))
        await world.submit("one")
        ask = await world.ask("one")
        told = [await said.news() for _ in range(5)]
        assert [type(entry.update) for _, entry in told[0]] == [Prompted, PermissionRequested]
        assert told[1:] == [[]] * 4
        await world.daemon.commands.answer(ask.id, "allow", text="", by="ada")
        await world.until(landed("one"))
        runs.append(RunId("one.review.1"))
        told.append(await said.whole())
        whole = await (await world.daemon.views.transcript(TaskId("one"))).whole()
        assert [pair for pairs in told for pair in pairs] == whole
        assert {run for run, _ in whole} == {RunId("one.1"), RunId("one.review.1")}
        assert set(host.read.values()) == {1}

    play(story, lambda: World(rules(review="agent")))


def test_who_looks_anew_need_not_hear_what_was_told_before() -> None:
    """What waits for a watcher can be let go of; what comes after is told."""

    async def story(world: World) -> None:
        fleet = world.daemon.fleet
        async with fleet.watch() as notices:
            for text in ("a", "b", "c"):
                fleet.tell(Told(task=TaskId("one"), run=RunId("one.1"), update=Said(text=text)))
            notices.skip()
            fleet.tell(Told(task=TaskId("one"), run=RunId("one.1"), update=Said(text="d")))
            notice = await anext(notices)
            assert isinstance(notice, Told)
            assert notice.update == Said(text="d")

    play(story)
