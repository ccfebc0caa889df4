"""What every host promises of the channels to a run: lines in and out, once and in order."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.domain.errors import Refused, Unavailable
from bandstand.ports.hosts import RecordKind, RunState
from tests.contracts.host_stage import KINDS, RUN, Stage, descriptors, everything, lines, read_until, staged


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A host of each kind."""
    with staged(request.param, tmp_path) as stage:
        yield stage


def test_what_is_said_comes_back_in_order(stage: Stage) -> None:
    """Lines in both directions are records of one journal; each begins where the one before ends."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        await channel.write("one", b"1\n")
        await read_until(channel, b"echo 1")
        await channel.write("two", b"2")
        seen = await read_until(channel, b"echo 2")
        await channel.close()
        assert lines(seen) == [b"1", b"echo 1", b"2", b"echo 2"]
        assert [record.key for record in seen if record.kind is RecordKind.TO_AGENT] == ["one", "two"]
        assert all(not record.key for record in seen if record.kind is not RecordKind.TO_AGENT)
        assert seen[0].offset == 0
        assert [record.end for record in seen[:-1]] == [record.offset for record in seen[1:]]

    stage.play(body())


def test_a_key_is_taken_once(stage: Stage) -> None:
    """A line may be sent again and again under its key, by this channel and by the next: the agent gets it once."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        first = await stage.attach(RUN)
        for line in (b"once", b"once", b"other words"):
            await first.write('re:"a b"%\u00e4', line)
        second = await stage.attach(RUN)
        await second.write('re:"a b"%\u00e4', b"once")
        await second.write("-", b"last")
        seen = await read_until(second, b"echo last")
        assert sorted(lines(seen)) == [b"echo last", b"echo once", b"last", b"once"]
        assert [record.key for record in seen if record.key] == ['re:"a b"%\u00e4', "-"]

    stage.play(body())


def test_the_newest_channel_writes_and_all_may_read(stage: Stage) -> None:
    """Attaching takes the writing over; who read before goes on reading."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        old = await stage.attach(RUN)
        await old.write("old", b"old")
        new = await stage.attach(RUN)
        with pytest.raises(Unavailable):
            await old.write("late", b"late")
        await new.write("new", b"new")
        both = await asyncio.gather(read_until(old, b"echo new"), read_until(new, b"echo new"))
        assert both[0] == both[1]
        assert b"late" not in lines(both[0])

    stage.play(body())


def test_reading_goes_on_where_it_stopped(stage: Stage) -> None:
    """From the end of a record on, exactly the later ones come."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        for number in range(5):
            await channel.write(f"k{number}", str(number).encode())
        await channel.write("bye", b"leave")
        whole = await everything(channel.records())
        for place in (0, 3, len(whole) - 1):
            assert await everything(channel.records(after=whole[place].end)) == whole[place + 1 :]
            assert await everything(stage.host.journal(RUN, after=whole[place].end)) == whole[place + 1 :]

    stage.play(body())


def test_reading_ends_behind_the_exit_record(stage: Stage) -> None:
    """The last record is a note about the exit; a reader who waits and one who comes later both end with it."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        reader = asyncio.create_task(everything(channel.records()))
        await channel.write("bye", b"leave")
        seen = await reader
        assert seen[-1].kind is RecordKind.NOTE
        assert b'"exit"' in seen[-1].payload
        assert await everything(channel.records()) == seen
        assert await everything(stage.host.journal(RUN)) == seen

    stage.play(body())


def test_a_channel_knows_where_it_came_in(stage: Stage) -> None:
    """What lies before the size at the attachment was said to earlier readers; the end of a record falls on it."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        first = await stage.attach(RUN)
        await first.write("one", b"1")
        await read_until(first, b"echo 1")
        second = await stage.attach(RUN)
        size = await second.caught_up()
        await second.write("two", b"2")
        seen = await read_until(second, b"echo 2")
        assert lines([record for record in seen if record.end <= size]) == [b"1", b"echo 1"]
        assert size in [record.end for record in seen]
        assert await first.caught_up() < size

    stage.play(body())


def test_closing_a_channel_leaves_the_run_alone(stage: Stage) -> None:
    """It may be done twice; readers end, writers are turned away, the run goes on, no descriptor is left."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        before = descriptors()
        channel = await stage.attach(RUN)
        await channel.write("one", b"1")
        await read_until(channel, b"echo 1")
        reader = asyncio.create_task(everything(channel.records()))
        await asyncio.sleep(0)
        await channel.close()
        await channel.close()
        await reader
        with pytest.raises(Unavailable):
            await channel.write("two", b"2")
        assert await everything(channel.records()) == []
        assert (await stage.host.status(RUN)).state is RunState.LIVE
        assert descriptors() == before

    stage.play(body())


def test_nothing_is_written_to_an_ended_run(stage: Stage) -> None:
    """Whoever writes too late learns it."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        await channel.write("bye", b"leave")
        await everything(channel.records())
        with pytest.raises(Unavailable):
            await channel.write("more", b"more")

    stage.play(body())


def test_a_line_is_one_line(stage: Stage) -> None:
    """Two lines under one key, or a line without a key, are refused before anything is sent."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        for key, line in (("two", b"a\nb"), ("", b"a")):
            with pytest.raises(Refused):
                await channel.write(key, line)
        await channel.close()
        assert lines(await everything(stage.host.journal(RUN))) == []

    stage.play(body())
