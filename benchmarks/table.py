"""The table of figures, for a terminal and for the page; and the machine that they were measured on."""

import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.figures import Judged, Row, Verdict, number, spread

HEADS = ("figure", "floor", "ours", "compared", "target", "verdict")
BEGIN, END = "<!-- The last table: make bench ARGS=--page -->", "<!-- End of the last table -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the figures were measured on, and how busy it was with other things when that began and when it ended."""

    cores: int
    kernel: str
    python: str
    began: datetime
    load_before: float
    yardstick_before: float
    load_after: float = 0.0
    yardstick_after: float = 0.0

    @classmethod
    def here(cls) -> "Machine":
        """This one, now."""
        return cls(
            cores=os.cpu_count() or 1,
            kernel=platform.release(),
            python=platform.python_version(),
            began=datetime.now().astimezone(),
            load_before=load(),
            yardstick_before=yardstick(),
        )

    def words(self) -> str:
        """In one line."""
        return (
            f"{self.began:%Y-%m-%d %H:%M %Z}, {self.cores} cores, Linux {self.kernel}, Python {self.python}; "
            f"load {self.load_before:.1f} before and {self.load_after:.1f} behind it, the measures' own included; "
            f"a fixed loop took {self.yardstick_before:.0f} ms of processor time before and "
            f"{self.yardstick_after:.0f} ms behind it"
        )


def yardstick() -> float:
    """The processor time of a fixed loop, in ms: it grows when others share the cores or their clock is low."""
    begun = time.process_time()
    text = ""
    for turn in range(300_000):
        text = f"{turn}{text[:10]}"
    return (time.process_time() - begun) * 1000


def load() -> float:
    """How many processes ran or waited to run in the last minute, on average."""
    return os.getloadavg()[0]


def cells(row: Row) -> tuple[str, ...]:
    """A row as words. The median comes first, then from where to where the repetitions go."""
    figure, found = row.figure, row.found
    unit = f" {figure.unit}" if figure.unit else ""
    title = figure.title + (f", {figure.unit}" if figure.unit else "")
    compared, target = "-", "-"
    if figure.judged is Judged.RATIO:
        compared = f"{row.compared:.2f}x" if row.compared is not None else "-"
        target = f"{figure.target:g}x" if figure.target is not None else "-"
    elif figure.judged is Judged.DIFFERENCE:
        compared = f"{row.compared:+.1f}{unit}" if row.compared is not None else "-"
        target = f"+{figure.target:g}{unit}" if figure.target is not None else "-"
    else:
        if row.ratio is not None:
            compared = f"{number(row.ratio)}x"
        target = f"{figure.target:g}{unit}" if figure.target is not None else "-"
    return title, spread(found.floor), spread(found.ours), compared, target, row.verdict.value


def text(rows: Sequence[Row]) -> str:
    """For a terminal."""
    table = [HEADS, *(cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    notes = [f"  {row.figure.title}: {row.found.note}" for row in rows if row.found.note]
    return "\n".join([*lines, *(["", "Remarks", *notes] if notes else [])])


def markdown(rows: Sequence[Row]) -> str:
    """For a page."""
    lines = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]
    for row in rows:
        *plain, verdict = cells(row)
        loud = f"**{verdict}**" if row.verdict in (Verdict.SHORT, Verdict.UNKNOWN) else verdict
        lines.append(f"| {' | '.join((*plain, loud))} |")
    notes = [f"- {row.figure.title}: {row.found.note}" for row in rows if row.found.note]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def summary(rows: Sequence[Row]) -> str:
    """How many of each verdict."""
    counts = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)


def put_into(page: Path, rows: Sequence[Row], machine: Machine, *, only: Sequence[str] = ()) -> None:
    """Put a new table where the page has the last one. With `only`, what else stands there stays, with its date."""
    found = re.compile(f"{re.escape(BEGIN)}\n(.*?)\n{re.escape(END)}", re.S)
    text = page.read_text()
    last = found.search(text)
    if only and last is not None:
        body = _renewed(last[1], rows, f"Measured anew, {', '.join(only)}: {machine.words()}.")
    else:
        body = f"\nMeasured {machine.words()}.\n\n{markdown(rows)}\n"
    page.write_text(found.sub(lambda _: f"{BEGIN}\n{body}\n{END}", text))


def _renewed(body: str, rows: Sequence[Row], words: str) -> str:
    """A table with some rows in place of those of the same title, or behind the one before; `words` tell of them."""
    lines = body.split("\n")
    place = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    lines.insert(place - 1, f"{words}\n")
    place += 1
    for line in markdown(rows).split("\n")[2:]:
        title = line.split(" | ")[0].split(": ")[0] if line.startswith("- ") else line.split(" | ")[0]
        same = [
            number for number, old in enumerate(lines) if old.startswith(title + (":" if line[:1] == "-" else " |"))
        ]
        if same:
            place = same[0]
            lines[place] = line
        elif line.startswith("|"):
            place += 1
            lines.insert(place, line)
        elif line:
            lines.append(line)
    return "\n".join(lines)
