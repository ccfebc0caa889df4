"""The fleet: what is written is known, whoever waits for it or has hung up."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from bandstand.domain import events as e
from bandstand.domain.errors import Unavailable
from bandstand.domain.ids import RepositoryId
from bandstand.domain.state import State
from bandstand.ports.log import Recorded
from bandstand.services.fleet import Fleet
from bandstand.testing.clock import FakeClock
from bandstand.testing.log import MemoryLog

HERE = RepositoryId("0123456789abcdef")


class SlowLog(MemoryLog):
    """A log that writes what it was given even if nobody waits for it any more, as one with a thread of its own does.

    A write begins, and `begun` is set; it ends, well or not, once `may_end` is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.full = False

    async def append(
        self, repository: RepositoryId, events: Sequence[e.Event], *, expected: int, at: datetime
    ) -> tuple[Recorded, ...]:
        """As the port says, in its own time."""

        async def write() -> tuple[Recorded, ...]:
            self.begun.set()
            await self.may_end.wait()
            if self.full:
                raise Unavailable("The disk is full.")
            return await MemoryLog.append(self, repository, events, expected=expected, at=at)

        return await asyncio.shield(asyncio.ensure_future(write()))


def fleet(log: MemoryLog) -> Fleet:
    """The fleet of one repository."""
    return Fleet(HERE, log=log, clock=FakeClock(datetime(2026, 1, 5, tzinfo=UTC)))


def opened(path: str) -> e.RepositoryOpened:
    """A fact."""
    return e.RepositoryOpened(path=path)


async def turns() -> None:
    """Let everybody do what needs no waiting."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_what_is_written_is_known_though_its_caller_hung_up() -> None:
    """Who waits for it is woken, and the next one writes behind it."""

    async def main() -> None:
        log = SlowLog()
        here = fleet(log)
        ordering = asyncio.create_task(here.record(lambda _: [opened("/first")]))
        waiting = asyncio.create_task(here.until(lambda state: state.path == "/first"))
        await log.begun.wait()
        ordering.cancel()
        await asyncio.wait([ordering])
        assert ordering.cancelled()
        log.may_end.set()
        async with asyncio.timeout(5):
            await waiting
        (next_one,) = await here.record(lambda state: [opened(f"{state.path}/second")])
        assert (next_one.version, here.state.path) == (2, "/first/second")

    asyncio.run(main())


def test_who_hangs_up_before_its_turn_has_nothing_written() -> None:
    """It was never decided."""

    async def main() -> None:
        log = SlowLog()
        here = fleet(log)
        first = asyncio.create_task(here.record(lambda _: [opened("/first")]))
        await log.begun.wait()
        second = asyncio.create_task(here.record(lambda _: [opened("/second")]))
        await turns()
        second.cancel()
        log.may_end.set()
        await first
        await turns()
        assert (here.state.version, here.state.path) == (1, "/first")

    asyncio.run(main())


def test_a_write_that_fails_behind_a_caller_who_hung_up_stops_nobody() -> None:
    """Nobody is left to be told, and the next one may write."""

    async def main() -> None:
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        log = SlowLog()
        here = fleet(log)
        log.full = True
        ordering = asyncio.create_task(here.record(lambda _: [opened("/first")]))
        await log.begun.wait()
        ordering.cancel()
        await asyncio.wait([ordering])
        log.may_end.set()
        await turns()
        log.full = False
        await here.record(lambda _: [opened("/second")])
        assert (here.state.version, here.state.path) == (1, "/second")
        assert complaints == []

    asyncio.run(main())


def test_an_error_reaches_who_waits_for_it() -> None:
    """What the log or the decision raises is raised, and nothing is blocked by it."""

    async def main() -> None:
        log = SlowLog()
        log.may_end.set()
        log.full = True
        here = fleet(log)
        with pytest.raises(Unavailable, match="full"):
            await here.record(lambda _: [opened("/first")])
        log.full = False

        def cannot(_: State) -> list[e.Event]:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await here.record(cannot)
        await here.record(lambda _: [opened("/first")])

    asyncio.run(main())


def test_what_somebody_else_wrote_wakes_those_who_wait() -> None:
    """Also if the newer state leaves nothing to be recorded."""

    async def main() -> None:
        log = MemoryLog()
        here, elsewhere = fleet(log), fleet(log)
        waiting = asyncio.create_task(here.until(lambda state: state.path == "/first"))
        await turns()
        await elsewhere.record(lambda _: [opened("/first")])
        assert await here.record(lambda state: [] if state.path else [opened("/second")]) == ()
        async with asyncio.timeout(5):
            await waiting

    asyncio.run(main())
