"""What is passed on of all fleets: every fact in the order of the log, however it is heard; and each order once."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import BandstandError, Refused, Stale
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.state import State
from bandstand.ports.log import Recorded
from bandstand.services.broadcast import RING, Broadcast
from bandstand.services.fleet import Fleet, Recording, Told
from bandstand.services.orders import Orders
from bandstand.testing.clock import FakeClock
from bandstand.testing.log import MemoryLog

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ADA, BEA = RepositoryId("ada"), RepositoryId("bea")


class Listening:
    """Somebody who asks for facts as soon as there are some."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self.stirs: list[tuple[RepositoryId, TaskId | None]] = []
        self.errors: list[BandstandError | None] = []
        self.bell = asyncio.Event()

    def happened(self) -> None:
        """There is something."""
        self.bell.set()

    def stirred(self, repository: RepositoryId, task: TaskId | None) -> None:
        """Something is not as it was."""
        self.stirs.append((repository, task))

    def told(self, repository: RepositoryId, told: Told) -> None:
        """An agent does something."""

    def ended(self, error: BandstandError | None) -> None:
        """It is over."""
        self.errors.append(error)

    async def facts(self, *, after: int, until: int) -> list[int]:
        """The sequences of all facts up to one, as they come."""
        found: list[int] = []
        async with asyncio.timeout(10):
            while not found or found[-1] < until:
                said = await self.broadcast.facts(after=found[-1] if found else after)
                found += [fact.sequence for fact in said]
                if not said:
                    self.bell.clear()
                    await self.bell.wait()
        return found


async def write(log: MemoryLog, repository: RepositoryId, number: int) -> tuple[Recorded, ...]:
    """So many facts in one append."""
    known = len(await log.read(repository))
    events = [e.RepositoryOpened(path=str(one)) for one in range(number)]
    return await log.append(repository, events, expected=known, at=NOON)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_facts_come_in_the_order_of_the_log(order: Sequence[int]) -> None:
    """However they are heard, and whether they were written before anybody listened or after."""

    async def main() -> None:
        log = MemoryLog()
        broadcast = Broadcast(log)
        await write(log, ADA, 3)
        listening = Listening(broadcast)
        async with broadcast.listen(listening) as head:
            assert head == 3
            facts = [fact for name in (ADA, BEA, ADA, BEA) for fact in await write(log, name, 1)]
            for at in order:
                broadcast.hear(facts[at].repository, facts[at])
                await asyncio.sleep(0)
            assert await listening.facts(after=0, until=7) == [1, 2, 3, 4, 5, 6, 7]
            assert await listening.facts(after=5, until=7) == [6, 7]
            assert sorted(name for name, _ in listening.stirs) == [ADA, ADA, BEA, BEA]
            assert await broadcast.facts(after=7) == ()

    asyncio.run(main())


def test_whoever_comes_while_facts_are_written_misses_none() -> None:
    """Between the look at the log and the first fact that is heard nothing is lost."""

    async def main() -> None:
        log = MemoryLog()
        broadcast = Broadcast(log)

        async def speak() -> None:
            for _ in range(200):
                for fact in await write(log, ADA, 1):
                    broadcast.hear(ADA, fact)

        async def listen(delay: int) -> None:
            for _ in range(delay):
                await asyncio.sleep(0)
            listening = Listening(broadcast)
            async with broadcast.listen(listening) as head:
                assert await listening.facts(after=head, until=200) == list(range(head + 1, 201))

        await asyncio.gather(speak(), *(listen(delay) for delay in range(0, 150, 7)))
        assert broadcast.listeners == 0

    asyncio.run(main())


def test_who_is_far_behind_reads_the_log() -> None:
    """What is kept in memory is bounded."""

    async def main() -> None:
        log = MemoryLog()
        broadcast = Broadcast(log)
        listening = Listening(broadcast)
        async with broadcast.listen(listening):
            for fact in await write(log, ADA, 3 * RING):
                broadcast.hear(ADA, fact)
            assert len(broadcast._ring) == RING
            assert await listening.facts(after=0, until=3 * RING) == list(range(1, 3 * RING + 1))

    asyncio.run(main())


def test_an_order_without_a_key_is_carried_out_each_time() -> None:
    """And one that is refused leaves no key, nor does one from which nothing follows."""

    async def main() -> None:
        log = MemoryLog()
        fleet = Fleet(ADA, log=log, clock=FakeClock(NOON))
        orders = Orders(log)

        async def open_it(recording: Recording) -> None:
            await recording.record(lambda state: [e.RepositoryOpened(path=f"/{state.version}")])

        async def refuse(recording: Recording) -> None:
            def decide(state: State) -> Sequence[e.Event]:
                raise Refused("No.")

            await recording.record(decide)

        async def nothing(recording: Recording) -> None:
            await recording.record(lambda state: ())

        for version in (1, 2):
            receipt = await orders.take(fleet, open_it)
            assert [fact.version for fact in receipt.facts] == [version]
        with pytest.raises(Refused, match="No"):
            await orders.take(fleet, refuse, key="k", digest="d")
        assert (await orders.take(fleet, nothing, key="k", digest="d")).facts == ()
        first = await orders.take(fleet, open_it, key="k", digest="d")
        assert [type(fact.event) for fact in await log.read(ADA, after=2)] == [e.RepositoryOpened, e.OrderTaken]
        again = await Orders(log).take(fleet, refuse, key="k", digest="d")
        assert (again.facts, again.repeated, first.repeated) == (first.facts, True, False)
        with pytest.raises(Stale):
            await orders.take(fleet, open_it, key="k", digest="another")
        other = Fleet(BEA, log=log, clock=FakeClock(NOON))
        assert not (await orders.take(other, open_it, key="k", digest="d")).repeated

    asyncio.run(main())
