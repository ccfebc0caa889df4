"""What is measured, what was found, and what follows from that: met, falls short, or could not be measured.

What stays true: a figure is judged by its median, one of losses by its worst, and one that nothing was found for is
never passed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any


class Judged(StrEnum):
    """What of a figure is held against its target."""

    OURS = "ours"
    WORST = "worst"
    RATIO = "ratio"
    DIFFERENCE = "difference"


class Verdict(StrEnum):
    """What became of a figure."""

    MET = "met"
    SHORT = "falls short"
    UNKNOWN = "could not be measured"
    TOLD = "for information"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table. `floor` says in words what ours is compared with; without a `target` it only informs."""

    key: str
    title: str
    unit: str
    floor: str = ""
    judged: Judged = Judged.OURS
    target: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the repetitions of one figure found, in its unit; and a remark for the reader."""

    ours: tuple[float, ...] = ()
    floor: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure with what was found."""

    figure: Figure
    found: Found

    @property
    def ratio(self) -> float | None:
        """How many times the floor ours is, if both are known."""
        if not self.found.ours or not self.found.floor or not median(self.found.floor):
            return None
        return median(self.found.ours) / median(self.found.floor)

    @property
    def compared(self) -> float | None:
        """What is held against the target; nothing when a part of it is missing."""
        ours, floor = self.found.ours, self.found.floor
        if not ours or (self.figure.judged in (Judged.RATIO, Judged.DIFFERENCE) and not floor):
            return None
        match self.figure.judged:
            case Judged.OURS:
                return median(ours)
            case Judged.WORST:
                return max(ours)
            case Judged.RATIO:
                return self.ratio
            case Judged.DIFFERENCE:
                return median(ours) - median(floor)

    @property
    def verdict(self) -> Verdict:
        """By what is compared."""
        if self.compared is None:
            return Verdict.UNKNOWN
        if self.figure.target is None:
            return Verdict.TOLD
        return Verdict.MET if self.compared <= self.figure.target else Verdict.SHORT

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        figure, found = self.figure, self.found
        return {
            "key": figure.key,
            "title": figure.title,
            "unit": figure.unit,
            "floor_is": figure.floor,
            "floor": list(found.floor),
            "ours": list(found.ours),
            "judged": figure.judged.value,
            "compared": self.compared,
            "target": figure.target,
            "verdict": self.verdict.value,
            "note": found.note,
        }


Findings = Mapping[str, Found]


def rows(figures: Sequence[Figure], findings: Findings, *, why: str) -> list[Row]:
    """A row for every figure. One that was not found says `why`."""
    return [Row(figure=figure, found=findings.get(figure.key, Found(note=why))) for figure in figures]


def number(value: float) -> str:
    """A number with three digits that count."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or not size else f"{value:.2g}"


def spread(values: Sequence[float]) -> str:
    """The median, and from where to where the others go."""
    if not values:
        return "-"
    if len(values) == 1:
        return number(values[0])
    return f"{number(median(values))} ({number(min(values))}-{number(max(values))})"
