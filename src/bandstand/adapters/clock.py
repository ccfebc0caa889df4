"""Time as this machine counts it while it is awake."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _wall() -> datetime:
    return datetime.now(UTC)


class AwakeClock:
    """UTC, taken from the wall clock once and counted on from there while the machine is awake.

    It stands still while the machine sleeps, and a wall clock that is set never makes it jump or go backwards. `wall`
    tells the time of day at the beginning, `awake_ns` counts nanoseconds awake.
    """

    def __init__(
        self, *, wall: Callable[[], datetime] = _wall, awake_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        # On Linux and macOS the monotonic clock does not count a suspended machine's time.
        self._awake_ns = awake_ns
        self._began_ns = awake_ns()
        self._began = wall().astimezone(UTC)

    def now(self) -> datetime:
        """The time now, in UTC."""
        return self._began + timedelta(microseconds=(self._awake_ns() - self._began_ns) // 1000)

    async def sleep_until(self, when: datetime) -> None:
        """Return when `now()` has reached `when`; at once if it already has."""
        while True:
            # The event loop may wake us a moment early.
            left = (when - self.now()).total_seconds()
            if left <= 0:
                return
            await asyncio.sleep(left)
