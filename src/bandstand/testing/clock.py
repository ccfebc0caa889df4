"""A clock that is moved by hand."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

SETTLING_ROUNDS = 100
"""How many rounds of the event loop a woken task and those that it wakes have before the clock goes on."""


class FakeClock:
    """A `Clock` that stands still until it is advanced. It begins at `start`, which has a time zone."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"The moment {start} has no time zone.")
        self._now = start.astimezone(UTC)
        self._order = count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The time now, in UTC."""
        return self._now

    async def sleep_until(self, when: datetime) -> None:
        """Return when the clock was advanced to `when`; at once if it already was."""
        if when <= self._now:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (when, next(self._order), woken))
        await woken

    async def advance(self, delta: timedelta) -> None:
        """Go on by `delta`, and wake who sleeps until then: in the order of their times, each at its own time.

        A woken task has time to do what needs no waiting, and to sleep again, before the next one wakes.
        """
        if delta < timedelta(0):
            raise ValueError("Time does not go backwards.")
        end = self._now + delta
        await _settled()
        while self._sleepers and self._sleepers[0][0] <= end:
            when, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self._now = max(self._now, when.astimezone(UTC))
                woken.set_result(None)
                await _settled()
        self._now = max(self._now, end)
        await _settled()


async def _settled() -> None:
    for _ in range(SETTLING_ROUNDS):
        await asyncio.sleep(0)
