"""Time as this machine counts it while it is awake."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bandstand.faults import wall_seconds

_SECOND = 1_000_000_000
GRACE = timedelta(minutes=1)
"""How long nothing expires after the machine has woken."""
_NAP_NS = 2 * _SECOND  # less than that is no sleep: the two clocks are not read at the same moment


def _wall() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=wall_seconds())


def _since_boot_ns() -> int:
    """Time since the machine was started, asleep or awake; only that awake where the system does not tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)


class AwakeClock:
    """UTC, taken from the wall clock once and counted on from there while the machine is awake.

    It stands still while the machine sleeps, and for some `grace` after that: who opens a laptop finds nothing expired,
    and the network has time to come back. A wall clock that is set never makes it jump or go backwards. `wall` tells
    the time of day at the beginning, `awake_ns` counts nanoseconds awake, `since_boot_ns` those asleep too.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = _wall,
        awake_ns: Callable[[], int] = time.monotonic_ns,
        since_boot_ns: Callable[[], int] = _since_boot_ns,
        grace: timedelta = GRACE,
    ) -> None:
        # On Linux and macOS the monotonic clock does not count a suspended machine's time.
        self._awake_ns = awake_ns
        self._since_boot_ns = since_boot_ns
        self._grace_ns = round(grace.total_seconds() * _SECOND)
        self._began_ns = awake_ns()
        self._began = wall().astimezone(UTC)
        self._slept_ns = since_boot_ns() - self._began_ns
        self._still_ns = 0  # awake time that does not count
        self._last_ns = 0  # what was told last, since we began
        self._stands_until_ns = self._began_ns

    def now(self) -> datetime:
        """The time now, in UTC."""
        return self._began + timedelta(microseconds=self._look()[0] // 1000)

    def _look(self) -> tuple[int, int]:
        """How much time counts since we began, and how long the clock still stands."""
        awake = self._awake_ns()
        slept = self._since_boot_ns() - awake
        if slept > self._slept_ns + _NAP_NS:
            # It woke since we looked last: within the time of grace from now, or that is over.
            shown = max(self._last_ns, awake - self._began_ns - self._still_ns - self._grace_ns)
            self._stands_until_ns = awake + self._grace_ns
            self._still_ns = self._stands_until_ns - self._began_ns - shown
        self._slept_ns = max(self._slept_ns, slept)
        stands = max(0, self._stands_until_ns - awake)
        self._last_ns = max(self._last_ns, awake + stands - self._began_ns - self._still_ns)
        return self._last_ns, stands

    async def sleep_until(self, when: datetime) -> None:
        """Return when `now()` has reached `when`; at once if it already has."""
        while True:
            # The event loop may wake us a moment early.
            counted, stands = self._look()
            left = (when - self._began - timedelta(microseconds=counted // 1000)).total_seconds()
            if left <= 0:
                return
            await asyncio.sleep(left + stands / _SECOND)
