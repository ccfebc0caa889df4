"""A journal in parts: it is one journal to everybody, whatever becomes of the parts that the holder has left behind."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bandstand.adapters.hosts.journal import Form, find, scan, segments
from bandstand.adapters.hosts.local import LocalHost
from bandstand.adapters.hosts.upkeep import Upkeep
from bandstand.domain.remains import Beyond
from bandstand.ports.hosts import Channel, Record, RecordKind, RunState
from tests.adapters.holder_ground import RUN, Ground, Raw, eventually, grounded, said
from tests.contracts.host_stage import everything, read_until

# Says as many lines as it is told to, a hundred bytes long each, and then that it has; leaves at the end of its input.
TALKER = """
import sys
for line in sys.stdin.buffer:
    for number in range(int(line)):
        sys.stdout.buffer.write(b"%d ".ljust(100, b".") % number + b"\\n")
    sys.stdout.buffer.write(b"done " + line)
    sys.stdout.buffer.flush()
"""


def unsaid(records: Iterable[Record]) -> Iterable[Record]:
    """A gist: all but what the agent says."""
    return [record for record in records if record.kind is not RecordKind.FROM_AGENT or b"done" in record.payload]


SMALL = Upkeep(gist=unsaid, segment=4096)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A host whose journals have small parts."""
    with grounded(tmp_path) as ground:
        ground.host = LocalHost(ground.root, sys.executable, upkeep=SMALL)
        yield ground


TURNS = [f"turn-{number}" for number in range(9)]
LINES = [b"%d ".ljust(100, b".") % number for number in range(50)]


async def talk(channel: Channel, turns: list[str]) -> list[Record]:
    """Have the agent say fifty lines in each of these turns, which is more than a part; what it says."""
    heard: list[Record] = []
    for turn in turns:
        await channel.write(turn, b"50")
        heard += await read_until(channel, b"done 50", after=heard[-1].end if heard else 0)
    return heard


async def talked(ground: Ground) -> list[Record]:
    """A run that has said much; its whole journal, in eight parts or more."""
    heard = await talk(await ground.perform(TALKER), TURNS)
    assert len(segments(ground.place / "journal")) >= 8
    return heard


def test_parts_are_one_journal(ground: Ground) -> None:
    """Who reads as it grows, who reads from the middle, and who reads when the run is over, all read the same records,
    each at the offset where the one before ends; across a part's end as anywhere."""

    async def body() -> None:
        channel = await ground.perform(TALKER)
        live = asyncio.create_task(everything(channel.records()))
        seen = await talk(channel, TURNS)
        assert [one.offset for one in seen] == [0, *(one.end for one in seen[:-1])]
        assert said(seen) == [*LINES, b"done 50"] * len(TURNS)
        assert len(segments(ground.place / "journal")) >= 8
        for after in (seen[150], seen[-2]):
            assert (await read_until(channel, b"done 50", after=after.offset))[0] == after
        assert (await ground.host.stop(RUN)).state is RunState.EXITED
        whole = await live
        assert await ground.journal() == whole
        assert whole[: len(seen)] == seen
        assert await everything(ground.host.journal(RUN, after=seen[150].offset)) == whole[150:]

    ground.play(body())


def test_a_key_of_a_part_that_is_gone_is_still_taken(ground: Ground) -> None:
    """What was sent once is never sent again, and is found, with nothing left of its part but the gist."""

    async def body() -> None:
        await talked(ground)
        journal = ground.place / "journal"
        await replace(SMALL, most=1, beyond=Beyond.DROP).look_after(journal)
        assert all(part.forms == {Form.GIST} for part in segments(journal)[1:-1])
        found = find(journal, "turn-3")
        assert found is not None
        assert found.payload == b"50"
        channel = await ground.attach()
        await channel.write("turn-3", b"50")
        await channel.write("turn-9", b"1")
        await read_until(channel, b"done 1")
        assert [one.key for one in scan(journal) if one.kind is RecordKind.TO_AGENT] == [*TURNS, "turn-9"]

    ground.play(body())


@pytest.mark.parametrize("beyond", Beyond)
def test_what_is_too_much_goes_from_the_oldest_end(ground: Ground, beyond: Beyond) -> None:
    """Packed, it is read as before; dropped, its gist is left. The first part and the last stay as they are, and so
    do those that have room."""

    async def body() -> None:
        whole = await talked(ground)
        journal = ground.place / "journal"
        size = sum(path.stat().st_size for path in ground.place.glob("journal*"))
        before = segments(journal)
        await replace(SMALL, most=size - 5000, beyond=beyond).look_after(journal)
        after = segments(journal)
        kept = [part for part in after if Form.PLAIN in part.forms]
        assert [part.base for part in after] == [part.base for part in before]
        assert after[0] in kept
        assert Form.GIST in after[0].forms
        assert Form.PLAIN not in after[1].forms
        assert after[-2] in kept
        assert after[-1] in kept
        assert sum(path.stat().st_size for path in ground.place.glob("journal*")) <= size
        read = await ground.journal()
        match beyond:
            case Beyond.PACK:
                assert read == whole
            case Beyond.DROP:
                assert len(read) < len(whole)
                assert read == [one for one in whole if one in read]
                assert [one.key for one in read if one.key] == TURNS

    ground.play(body())


def test_who_takes_a_run_over_reads_the_gist(ground: Ground) -> None:
    """It is taken of each part as soon as that is complete, and its reader goes on with every record behind it."""

    async def body() -> None:
        channel = await ground.perform(TALKER)
        reader = asyncio.create_task(everything(channel.recall()))
        journal = ground.place / "journal"
        whole = await talk(channel, TURNS)
        await eventually(lambda: sum(Form.GIST in part.forms for part in segments(journal)) >= 5, "gists are taken")
        successor = await ground.attach()
        recalled = asyncio.create_task(everything(successor.recall()))
        await successor.write("turn-9", b"3")
        await read_until(successor, b"done 3", after=whole[-1].end)
        await ground.host.stop(RUN)
        now = await ground.journal()
        assert await reader == now, "who reads on misses nothing"
        found = await recalled
        assert len(found) < len(now) - 5 * len(LINES) // 2
        assert found == [one for one in now if one in found]
        assert [one for one in found if one.key or one.kind is RecordKind.NOTE] == [
            one for one in now if one.key or one.kind is RecordKind.NOTE
        ]

    ground.play(body())


def test_what_was_said_while_nobody_looked_after_it_gets_its_gist(ground: Ground) -> None:
    """Whoever takes the run over first reads all of it, and gists are taken behind it; the next one reads those."""

    async def body() -> None:
        whole = await talked(ground)
        journal = ground.place / "journal"
        assert not any(Form.GIST in part.forms for part in segments(journal)), "nobody has looked after it"
        first = await ground.attach()
        assert await read_recalled(first, upto=whole[-1].end) == whole
        complete = [part.base for part in segments(journal) if part.end is not None]
        await eventually(lambda: with_gist(journal) == complete, "each part that is complete has its gist")
        second = await ground.attach()
        found = await read_recalled(second, upto=whole[-1].end)
        assert len(found) < len(whole) // 2
        assert [one.key for one in found if one.key] == TURNS

    ground.play(body())


async def read_recalled(channel: Channel, *, upto: int) -> list[Record]:
    """What somebody reads who takes a run over, to an offset."""
    found = []
    async for record in channel.recall():
        found.append(record)
        if record.end >= upto:
            break
    return found


def with_gist(journal: Path) -> list[int]:
    """Where the parts begin of which there is the gist."""
    return [part.base for part in segments(journal) if Form.GIST in part.forms]


def test_a_reader_goes_on_when_its_part_is_put_away(ground: Ground) -> None:
    """A tail that is far behind, in a part that is packed before it comes to that, gets every record."""

    async def body() -> None:
        whole = await talked(ground)
        slow = (await ground.attach()).records()
        seen = [await anext(slow) for _ in range(3)]
        raw = Raw(ground.place)  # one without the manners of a channel: a holder hangs up on it
        await replace(SMALL, most=1).look_after(ground.place / "journal")
        raw.send(b'{"op": "tail", "from": %d}\n' % segments(ground.place / "journal")[1].base)
        assert raw.hung_up()
        raw.close()
        async for record in slow:
            seen.append(record)
            if len(seen) == len(whole):
                break
        assert seen[: len(whole)] == whole
        await slow.aclose()

    ground.play(body())


def test_a_line_is_in_one_part(ground: Ground) -> None:
    """A line that takes several records is not torn apart by the end of a part, so that a gist has all of it or
    nothing."""

    async def body() -> None:
        code = "import sys; w = sys.stdout.buffer.write; w(b'x' * (20 << 20) + b'\\n'); w(b'y\\n' * 3000)"
        found = await ground.whole(sys.executable, "-I", "-S", "-c", code)
        long = [one for one in found if one.payload[:1] == b"x"]
        assert [one.kind for one in long] == [RecordKind.PIECE, RecordKind.PIECE, RecordKind.FROM_AGENT]
        bases = [part.base for part in segments(ground.place / "journal")]
        assert len({sum(base <= one.offset for base in bases) for one in long}) == 1
        assert said(found)[1:] == [b"y"] * 3000

    ground.play(body())


def test_a_part_that_vanishes_between_the_look_and_the_reading(ground: Ground) -> None:
    """Packed meanwhile, it is read packed."""

    async def body() -> None:
        whole = await talked(ground)
        journal = ground.place / "journal"
        reading = scan(journal)
        part = segments(journal)[2]
        seen = [next(reading)]
        stale = part.records((Form.PLAIN, Form.PACKED))
        await replace(SMALL, most=1).look_after(journal)
        assert [*stale] == [one for one in whole if part.base <= one.offset < (part.end or 0)]
        assert [*seen, *reading] == whole

    ground.play(body())
