"""What is counted while the daemon lives, over all repositories. With each daemon it begins at zero."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from itertools import accumulate

from bandstand.domain import events as e
from bandstand.ports.log import Recorded

BEATS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the classes that beats are counted in, in seconds."""


class Measures:
    """Counts facts by type, verdicts of checks, landings, how runs ended, and how long beats take."""

    def __init__(self) -> None:
        self.facts: Counter[str] = Counter()
        self.checks: Counter[str] = Counter()
        self.runs_ended: Counter[str] = Counter()
        self.beats = 0
        self.beat_seconds = 0.0
        self._beats = [0] * len(BEATS)

    def recorded(self, facts: Iterable[Recorded]) -> None:
        """Count facts that have been recorded."""
        for fact in facts:
            self.facts[type(fact.event).__name__] += 1
            match fact.event:
                case e.CheckConcluded(outcome=outcome):
                    self.checks[outcome.conclusion.value] += 1
                case e.RunEnded(reason=reason):
                    self.runs_ended[reason.value] += 1
                case _:
                    pass

    def beat(self, took: timedelta) -> None:
        """Count one beat."""
        seconds = took.total_seconds()
        self.beats += 1
        self.beat_seconds += seconds
        for number, bound in enumerate(BEATS):
            if seconds <= bound:
                self._beats[number] += 1
                return

    def beat_classes(self) -> list[tuple[float, int]]:
        """For each bound, how many beats took no longer."""
        return list(zip(BEATS, accumulate(self._beats), strict=True))
