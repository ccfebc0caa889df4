"""Time as the services see it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the fleet counts it: UTC, and standing still while the machine sleeps."""

    def now(self) -> datetime:
        """The time now, with its zone."""
        ...

    async def sleep_until(self, when: datetime) -> None:
        """Return when `now()` has reached `when`; at once if it already has."""
        ...
