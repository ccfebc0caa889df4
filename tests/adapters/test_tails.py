"""Readers of many journals: what the holder of each sends arrives once and in order, whatever the others do."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bandstand.adapters.hosts.tail import Tail, Tails
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.ids import RunId
from tests.contracts.host_stage import descriptors

SECONDS = 30.0
PAYLOAD = b"x" * 50


class Holder:
    """The other end of one tail, which sends what a test has it send."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        place = os.open(folder, os.O_PATH)
        self._server = socket.create_server(f"/proc/self/fd/{place}/sock", family=socket.AF_UNIX)
        os.close(place)
        self._peer: socket.socket | None = None
        self._crammed = 0

    def tail(self, tails: Tails, *, after: int = 0) -> Tail:
        """A reader of this one, whose first word was heard."""
        tail = tails.open(RunId(self.folder.name), self.folder, after=after)
        self._peer, _ = self._server.accept()
        assert self._peer.recv(1000) == b'{"op": "tail", "from": %d}\n' % after
        return tail

    def send(self, data: bytes) -> None:
        """Send it whole."""
        assert self._peer
        self._peer.sendall(data)

    def cram(self, data: bytes) -> int:
        """Send it again and again until no more is taken: how many bytes were."""
        assert self._peer
        self._peer.setblocking(False)
        start = self._crammed
        with contextlib.suppress(BlockingIOError):
            while True:
                self._crammed += self._peer.send(memoryview(data)[self._crammed % len(data) :])
        return self._crammed - start

    def hang_up(self) -> None:
        """End the connection."""
        if self._peer:
            self._peer.close()

    def close(self) -> None:
        """End everything."""
        self.hang_up()
        self._server.close()


@contextmanager
def held(root: Path, count: int) -> Iterator[list[Holder]]:
    """So many holders."""
    holders = [Holder(root / f"run-{number}") for number in range(count)]
    try:
        yield holders
    finally:
        for holder in holders:
            holder.close()


def record(number: int, *, filling: bytes = PAYLOAD) -> bytes:
    """A record with a number in it."""
    return b"< 1 %d - %d %s\n" % (len(b"%d " % number) + len(filling), number, filling)


async def numbers(tail: Tail, until: int) -> list[int]:
    """The numbers of the records that come, up to one."""
    found: list[int] = []
    async with asyncio.timeout(SECONDS):
        while not found or found[-1] != until:
            records = await tail.next()
            assert records, "The other end has hung up."
            found += [int(one.payload.split()[0]) for one in records]
    return found


def test_each_reader_gets_its_own_in_order(tmp_path: Path) -> None:
    """Many at once, what is sent in pieces that end anywhere."""

    async def body(holders: list[Holder]) -> None:
        tails = Tails()
        open_ = [holder.tail(tails) for holder in holders]
        reading = [asyncio.create_task(numbers(tail, 1000 * place + 99)) for place, tail in enumerate(open_)]
        said = [b"".join(record(1000 * place + number) for number in range(100)) for place in range(len(holders))]
        for start in range(0, max(map(len, said)), 701):
            for holder, data in zip(holders, said, strict=True):
                holder.send(data[start : start + 701])
            await asyncio.sleep(0)
        for place, task in enumerate(reading):
            assert await task == [1000 * place + number for number in range(100)]
        for tail in open_:
            tail.close()

    with held(tmp_path, 20) as holders:
        asyncio.run(body(holders))


def test_one_that_is_not_read_is_not_taken_in_and_keeps_nobody(tmp_path: Path) -> None:
    """Its holder has to wait; the next one is read all the same; and in the end nothing of it is lost."""

    async def body(deaf: Holder, other: Holder) -> None:
        tails = Tails()
        left, tail = deaf.tail(tails), other.tail(tails)
        sent = 0
        for number in range(100):  # rounds of the other, each behind one of the first
            sent += deaf.cram(record(7))
            other.send(record(number))
            assert await numbers(tail, number) == [number]
        assert deaf.cram(record(7)) == 0, "It was taken in without end."
        got = 0
        async with asyncio.timeout(SECONDS):
            while got < sent // len(record(7)):
                got += len(await left.next())
        left.close()
        tail.close()

    with held(tmp_path, 2) as holders:
        asyncio.run(body(*holders))


@pytest.mark.parametrize("filling", [PAYLOAD, 3000 * PAYLOAD], ids=["short", "long"])
def test_one_that_never_stops_keeps_nobody_from_being_read(tmp_path: Path, filling: bytes) -> None:
    """Though there is always more of it, in lines of whatever length, others get their turn."""

    async def body(loud: Holder, other: Holder) -> None:
        tails = Tails()
        left, tail = loud.tail(tails), other.tail(tails)
        said = record(7, filling=filling)

        async def drain() -> None:
            while await left.next():
                loud.cram(said)

        loud.cram(said)
        draining = asyncio.create_task(drain())
        for number in range(20):
            other.send(record(number))
            assert await numbers(tail, number) == [number]
        assert not draining.done()
        draining.cancel()
        left.close()
        tail.close()

    with held(tmp_path, 2) as holders:
        asyncio.run(body(*holders))


def test_an_end_is_told_behind_what_came_before_it(tmp_path: Path) -> None:
    """One that hung up gives nothing more, one that sends nonsense is `Broken`, and the third does not notice."""

    async def body(gone: Holder, mad: Holder, other: Holder) -> None:
        tails = Tails()
        ended, damaged, tail = gone.tail(tails), mad.tail(tails), other.tail(tails, after=70)
        gone.send(record(1) + record(2)[:5])
        gone.hang_up()
        assert await numbers(ended, 1) == [1]
        assert await ended.next() == []
        mad.send(record(1)[:-1] + b"no line break")
        with pytest.raises(Broken, match="damaged"):
            await damaged.next()
        other.send(record(3))
        assert await numbers(tail, 3) == [3]
        tail.close()
        tail.close()
        assert await tail.next() == []

    with held(tmp_path, 3) as holders:
        asyncio.run(body(*holders))


def test_nothing_stays_open_behind_the_last_reader(tmp_path: Path) -> None:
    """Also when it is closed with something still to be read; and the next one begins anew, in whichever loop."""

    async def body(tails: Tails, holder: Holder) -> None:
        tail = holder.tail(tails)
        holder.send(record(1))
        assert await numbers(tail, 1) == [1]
        holder.send(record(2))
        await asyncio.sleep(0)
        tail.close()
        holder.hang_up()

    with held(tmp_path, 1) as holders:
        tails, before = Tails(), descriptors()
        for _ in range(3):
            asyncio.run(body(tails, holders[0]))
        assert descriptors() == before
        with pytest.raises(Unavailable, match="no holder"):
            tails.open(RunId("absent"), tmp_path, after=0)
        assert descriptors() == before
