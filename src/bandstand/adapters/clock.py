"""Time as this machine counts it while it is awake, from one daemon to the next."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

_SECOND = 1_000_000_000
GRACE = timedelta(minutes=1)
"""How long nothing expires after the machine has woken."""
_NAP_NS = 2 * _SECOND  # less than that is no sleep: the two clocks are not read at the same moment
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _wall() -> datetime:
    return datetime.now(UTC)


def _since_boot_ns() -> int:
    """Time since the machine was started, asleep or awake; only that awake where the system does not tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)


def this_boot() -> str:
    """A name for the time since the machine was started; empty where the system has none."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a clock showed: the time `at`, when the machine of this `boot` had been awake and asleep for so long.

    For `still_ns` more it was to stand.
    """

    boot: str
    awake_ns: int
    slept_ns: int
    still_ns: int
    at: datetime

    def save(self, path: Path) -> None:
        """Keep it in a file for its owner alone."""
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({**asdict(self), "at": self.at.isoformat()}))
        draft.replace(path)

    @classmethod
    def kept(cls, path: Path) -> "Self | None":
        """The one that a file keeps; nothing if there is none that can be read."""
        try:
            said = json.loads(path.read_text())
            numbers = {name: int(said[name]) for name in ("awake_ns", "slept_ns", "still_ns")}
            return cls(boot=str(said["boot"]), at=datetime.fromisoformat(said["at"]).astimezone(UTC), **numbers)
        except (OSError, ValueError, TypeError, KeyError):
            return None


class AwakeClock:
    """UTC, taken from the wall clock once and counted on from there while the machine is awake.

    It stands still while the machine sleeps, and for some `grace` after that: who opens a laptop finds nothing expired,
    and the network has time to come back. A wall clock that is set never makes it jump or go backwards.

    With a reading of an earlier clock it goes on from there: since the same start of the machine by what it was awake
    meanwhile, else from where that one stood, for a machine that is off is not awake. So it may be behind the wall
    clock; `catch_up` is for when nobody minds.

    `wall` tells the time of day, `awake_ns` counts nanoseconds awake, `since_boot_ns` those asleep too.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = _wall,
        awake_ns: Callable[[], int] = time.monotonic_ns,
        since_boot_ns: Callable[[], int] = _since_boot_ns,
        grace: timedelta = GRACE,
        boot: str = "",
        earlier: Reading | None = None,
    ) -> None:
        # On Linux and macOS the monotonic clock does not count a suspended machine's time.
        self._wall = wall
        self._awake_ns = awake_ns
        self._since_boot_ns = since_boot_ns
        self._grace_ns = round(grace.total_seconds() * _SECOND)
        self._boot = boot
        awake = awake_ns()
        first = Reading(
            boot=boot,
            awake_ns=awake,
            slept_ns=since_boot_ns() - awake,
            still_ns=0,
            at=(earlier.at if earlier is not None else wall().astimezone(UTC)),
        )
        if earlier is not None and boot and earlier.boot == boot and earlier.awake_ns <= awake:
            first = earlier
        self._began_ns = first.awake_ns
        self._began = first.at
        self._slept_ns = first.slept_ns
        self._still_ns = first.still_ns  # awake time that does not count
        self._last_ns = 0  # what was told last, since we began
        self._stands_until_ns = first.awake_ns + first.still_ns

    def now(self) -> datetime:
        """The time now, in UTC."""
        return self._began + timedelta(microseconds=self._look()[0] // 1000)

    def reading(self) -> Reading:
        """What another clock goes on from."""
        counted, stands = self._look()
        return Reading(
            boot=self._boot,
            awake_ns=self._stands_until_ns - stands if stands else self._awake_at(counted),
            slept_ns=self._slept_ns,
            still_ns=stands,
            at=self._began + timedelta(microseconds=counted // 1000),
        )

    def _awake_at(self, counted: int) -> int:
        """For how long the machine had been awake when so much was counted."""
        return self._began_ns + self._still_ns + counted

    def not_before(self, when: datetime) -> None:
        """Go on from `when` if that is later: something is known to have happened then."""
        self._began += max(timedelta(0), when - self.now())

    def catch_up(self) -> None:
        """Show the time of day, if that is later. For a moment at which nothing could expire by it."""
        self.not_before(self._wall().astimezone(UTC))

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
