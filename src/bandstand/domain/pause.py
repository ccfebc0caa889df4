"""A pause: a human holds a task wherever it stands, and lets it go on when they like."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Nothing is started for the task; what ran for it is ended. `fleet` tells that all were stopped together."""

    by: str
    since: datetime
    reason: str = ""
    fleet: bool = False
