"""What every event log promises, asked of the one in memory and of the one in SQLite."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.domain.errors import Broken
from bandstand.domain.events import (
    ChangeLanded,
    ChangeQueued,
    Event,
    LandingStarted,
    SandboxChosen,
    TaskCancelled,
    TaskSubmitted,
    WorkspaceRetired,
)
from bandstand.domain.ids import AgentName, CommitId, RepositoryId, TaskId
from bandstand.domain.past import PastTask, Totals
from bandstand.domain.task import TaskSpec
from bandstand.ports.log import EventLog, Opening, OutOfDate
from bandstand.testing.log import MemoryLog

NOON = datetime(2026, 3, 4, 12, 0, 0, 123456, tzinfo=UTC)
ADA = RepositoryId("ada")
BEA = RepositoryId("bea")

Opened = Callable[[], AbstractAsyncContextManager[EventLog]]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """A way to open an empty log of each kind."""

    @asynccontextmanager
    async def memory() -> AsyncIterator[EventLog]:
        yield MemoryLog()

    @asynccontextmanager
    async def sqlite() -> AsyncIterator[EventLog]:
        log = SqliteLog(tmp_path / "state" / "log.db")
        await log.open()
        try:
            yield log
        finally:
            await log.close()

    return memory if request.param == "memory" else sqlite


def cancelled(number: int) -> Event:
    """A fact that can be told from others."""
    return TaskCancelled(task=TaskId(f"t{number}"), by="ada", reason=f"because of {number}")


async def append_next(log: EventLog, repository: RepositoryId, event: Event) -> int:
    """Append behind whatever is there, reading on after each refusal; the number of refusals."""
    refusals = 0
    known = 0
    while True:
        try:
            await log.append(repository, [event], expected=known, at=NOON)
        except OutOfDate:
            refusals += 1
            known += len(await log.read(repository, after=known))
        else:
            return refusals


def test_facts_are_read_in_the_order_in_which_they_were_appended(opened: Opened) -> None:
    """Versions count from 1 without a gap, and everything comes back as it was given."""

    async def main() -> None:
        async with opened() as log:
            first = await log.append(ADA, [cancelled(1), cancelled(2)], expected=0, at=NOON)
            second = await log.append(ADA, [cancelled(3)], expected=2, at=NOON + timedelta(microseconds=1))
            facts = await log.read(ADA)
            assert facts == (*first, *second)
            assert [fact.version for fact in facts] == [1, 2, 3]
            assert [fact.event for fact in facts] == [cancelled(1), cancelled(2), cancelled(3)]
            assert [fact.at for fact in facts] == [NOON, NOON, NOON + timedelta(microseconds=1)]
            assert {fact.repository for fact in facts} == {ADA}

    asyncio.run(main())


def test_what_an_append_answers_is_what_is_read_later(opened: Opened) -> None:
    """A moment of any zone is kept as the same moment in UTC."""

    async def main() -> None:
        async with opened() as log:
            east = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
            answer = await log.append(ADA, [cancelled(1)], expected=0, at=east)
            assert await log.read(ADA) == answer
            assert answer[0].at == NOON
            assert answer[0].at.utcoffset() == timedelta(0)

    asyncio.run(main())


def test_a_moment_without_a_zone_is_no_moment(opened: Opened) -> None:
    """Nothing is written with it."""

    async def main() -> None:
        async with opened() as log:
            with pytest.raises(Broken):
                await log.append(ADA, [cancelled(1)], expected=0, at=NOON.replace(tzinfo=None))
            assert await log.read(ADA) == ()

    asyncio.run(main())


@pytest.mark.parametrize("expected", [0, 1, 3, -1])
def test_who_does_not_know_the_version_writes_nothing(opened: Opened, expected: int) -> None:
    """Behind an older and behind a future version alike; the log goes on as before."""

    async def main() -> None:
        async with opened() as log:
            before = await log.append(ADA, [cancelled(1), cancelled(2)], expected=0, at=NOON)
            with pytest.raises(OutOfDate):
                await log.append(ADA, [cancelled(3), cancelled(4)], expected=expected, at=NOON)
            assert await log.read(ADA) == before
            after = await log.append(ADA, [cancelled(5)], expected=2, at=NOON)
            assert await log.read(ADA) == before + after

    asyncio.run(main())


def test_appending_nothing_writes_nothing_but_still_compares(opened: Opened) -> None:
    """An empty append is a question: is the repository still at this version?"""

    async def main() -> None:
        async with opened() as log:
            assert await log.append(ADA, [], expected=0, at=NOON) == ()
            assert await log.repositories() == ()
            with pytest.raises(OutOfDate):
                await log.append(ADA, [], expected=1, at=NOON)
            await log.append(ADA, [cancelled(1)], expected=0, at=NOON)
            assert await log.append(ADA, [], expected=1, at=NOON) == ()
            assert len(await log.read(ADA)) == 1

    asyncio.run(main())


def test_reading_begins_behind_a_version(opened: Opened) -> None:
    """A reader who knows some facts gets the others; one who knows all gets none."""

    async def main() -> None:
        async with opened() as log:
            facts = await log.append(ADA, [cancelled(number) for number in range(5)], expected=0, at=NOON)
            assert await log.read(ADA, after=3) == facts[3:]
            assert await log.read(ADA, after=5) == ()
            assert await log.read(ADA, after=99) == ()
            assert await log.read(BEA) == ()

    asyncio.run(main())


def test_repositories_have_their_own_versions_and_share_one_sequence(opened: Opened) -> None:
    """What happens in one repository is no hindrance in another."""

    async def main() -> None:
        async with opened() as log:
            for number in range(3):
                await log.append(ADA, [cancelled(number)], expected=number, at=NOON)
                await log.append(BEA, [cancelled(-number), cancelled(-number)], expected=2 * number, at=NOON)
            ada, bea = await log.read(ADA), await log.read(BEA)
            assert [fact.version for fact in ada] == [1, 2, 3]
            assert [fact.version for fact in bea] == [1, 2, 3, 4, 5, 6]
            together = await log.read_all()
            assert [fact.repository for fact in together] == [ADA, BEA, BEA] * 3
            sequences = [fact.sequence for fact in together]
            assert sequences == sorted(set(sequences))
            assert sorted((*ada, *bea), key=lambda fact: fact.sequence) == list(together)
            assert await log.repositories() == (ADA, BEA)

    asyncio.run(main())


def test_all_facts_are_read_piece_by_piece(opened: Opened) -> None:
    """Who goes on behind the last sequence it saw sees each fact once."""

    async def main() -> None:
        async with opened() as log:
            for number in range(7):
                await log.append(RepositoryId(f"r{number % 3}"), [cancelled(number)], expected=number // 3, at=NOON)
            seen: list[Event] = []
            last = 0
            while piece := await log.read_all(after=last, limit=3):
                assert len(piece) <= 3
                seen.extend(fact.event for fact in piece)
                last = piece[-1].sequence
            assert seen == [cancelled(number) for number in range(7)]
            assert await log.read_all(limit=0) == ()
            assert await log.read_all(after=last + 100) == ()

    asyncio.run(main())


def test_the_last_sequence_is_known(opened: Opened) -> None:
    """Of all repositories; and what one append writes follows one another."""

    async def main() -> None:
        async with opened() as log:
            assert await log.latest() == 0
            await log.append(ADA, [submitted("one")], expected=0, at=NOON)
            facts = await log.append(BEA, [submitted(f"t{number}") for number in range(3)], expected=0, at=NOON)
            assert [fact.sequence for fact in facts] == list(range(facts[0].sequence, facts[0].sequence + 3))
            assert await log.latest() == facts[-1].sequence

    asyncio.run(main())


def test_many_tasks_append_at_once_and_every_fact_is_kept(opened: Opened) -> None:
    """Each of many writers of one repository gets through, and each fact is there once."""

    async def main() -> None:
        async with opened() as log:
            refusals = await asyncio.gather(*(append_next(log, ADA, cancelled(number)) for number in range(30)))
            facts = await log.read(ADA)
            assert [fact.version for fact in facts] == list(range(1, 31))
            assert {fact.event for fact in facts} == {cancelled(number) for number in range(30)}
            assert sum(refusals) > 0, "nobody was in anybody's way, so nothing was tried"

    asyncio.run(main())


def test_of_two_who_append_behind_the_same_version_one_is_taken(opened: Opened) -> None:
    """The refused one spoils nothing for the taken one, nor for one who waits with them."""

    async def main() -> None:
        async with opened() as log:
            answers = await asyncio.gather(
                log.append(ADA, [cancelled(1), cancelled(2)], expected=0, at=NOON),
                log.append(ADA, [cancelled(3)], expected=0, at=NOON),
                log.append(BEA, [cancelled(4)], expected=0, at=NOON),
                log.append(ADA, [cancelled(5)], expected=2, at=NOON),
                return_exceptions=True,
            )
            assert [type(answer) for answer in answers] == [tuple, OutOfDate, tuple, tuple]
            assert [fact.event for fact in await log.read(ADA)] == [cancelled(1), cancelled(2), cancelled(5)]
            assert [fact.event for fact in await log.read(BEA)] == [cancelled(4)]

    asyncio.run(main())


def test_a_reader_beside_writers_misses_nothing(opened: Opened) -> None:
    """Following the sequence while others write gives every fact once, in order."""

    async def main() -> None:
        async with opened() as log:

            async def write(name: str) -> None:
                for number in range(20):
                    event = LandingStarted(task=TaskId(f"{name}-{number}"))
                    await log.append(RepositoryId(name), [event, event], expected=2 * number, at=NOON)

            async def follow() -> list[int]:
                seen: list[int] = []
                while len(seen) < 160:
                    piece = await log.read_all(after=seen[-1] if seen else 0, limit=7)
                    seen.extend(fact.sequence for fact in piece)
                return seen

            async with asyncio.timeout(30):
                seen, *_ = await asyncio.gather(follow(), *(write(f"r{number}") for number in range(4)))
            assert seen == [fact.sequence for fact in await log.read_all()]

    asyncio.run(main())


def test_the_events_given_may_be_changed_later(opened: Opened) -> None:
    """The log holds what it was given at that time, not the caller's list."""

    async def main() -> None:
        async with opened() as log:
            events: list[Event] = [cancelled(1)]
            appending = asyncio.ensure_future(log.append(ADA, events, expected=0, at=NOON))
            await asyncio.sleep(0)
            events.append(ChangeQueued(task=TaskId("t")))
            await appending
            assert [fact.event for fact in await log.read(ADA)] == [cancelled(1)]

    asyncio.run(main())


# --- opening --------------------------------------------------------------------------------------------------------


def submitted(name: str) -> Event:
    """A task is handed in."""
    return TaskSubmitted(spec=TaskSpec(id=TaskId(name), title=name, goal=name, agent=AgentName("a")), by="ada")


def over(name: str, *, landed: bool) -> list[Event]:
    """Everything with which a task leaves the state."""
    task = TaskId(name)
    end: Event = TaskCancelled(task=task, by="ada", reason="")
    if landed:
        end = ChangeLanded(task=task, commit=CommitId("c"), onto=CommitId("b"), checks="", reviews="")
    return [end, WorkspaceRetired(task=task)]


def test_what_is_over_is_not_read_again_at_the_opening(opened: Opened) -> None:
    """The facts of live tasks and of the repository as a whole are there in order; of the rest, what came of it."""

    async def main() -> None:
        async with opened() as log:
            nothing = Opening()
            assert await log.opening(ADA) == nothing
            story = [SandboxChosen(name="none", by="ada"), *(submitted(name) for name in ("one", "two", "three"))]
            story += [*over("one", landed=True), ChangeQueued(task=TaskId("two")), *over("three", landed=False)]
            facts = await log.append(ADA, story, expected=0, at=NOON)
            opening = await log.opening(ADA)
            assert opening.version == len(story)
            assert opening.past == {"one": True, "three": False}
            assert opening.numbers == {"two": 2}
            assert opening.totals == Totals(submitted=3, asked=0, queued=1)
            assert opening.facts == (facts[0], facts[2], facts[6])
            assert await log.opening(BEA) == nothing
            assert await log.read_task(ADA, TaskId("three")) == (facts[3], facts[7], facts[8])

    asyncio.run(main())


def test_summaries_are_kept_beside_the_facts(opened: Opened) -> None:
    """Those that are missing can be named, the last ones come first to be known, and some can be asked for."""

    async def main() -> None:
        async with opened() as log:
            story = [submitted(f"t{number}") for number in range(5)]
            for number in range(4):
                story += over(f"t{number}", landed=True)
            await log.append(ADA, story, expected=0, at=NOON)
            assert sorted(await log.unsummarised(ADA, limit=10)) == ["t0", "t1", "t2", "t3"]
            assert len(await log.unsummarised(ADA, limit=2)) == 2
            kept = [
                PastTask(id=TaskId(f"t{number}"), number=number + 1, title="Ä", agent=AgentName("a"), ended=NOON)
                for number in range(3)
            ]
            await log.summarise(ADA, kept)
            assert await log.unsummarised(ADA, limit=10) == ("t3",)
            assert await log.past(ADA, limit=2) == tuple(kept[1:])
            assert await log.past(ADA, limit=9, only=[TaskId("t0"), TaskId("t3")]) == (kept[0],)
            assert await log.past(BEA, limit=9) == ()

    asyncio.run(main())
