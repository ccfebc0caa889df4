"""The chart of cost against the number of agents: an SVG, drawn by hand, that is read in light and in dark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2
from statistics import median

from benchmarks.figures import Row, number

WIDTH, HEIGHT, PANEL, LEFT, TOP, DEEP = 860, 340, 340, 60, 60, 210
OURS, FLOOR = "#2f6fde", "#8a8f98"
_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #3a3f47; }
    .title { font-weight: 600; } .grid { stroke: #8a8f9840; }
    @media (prefers-color-scheme: dark) { text { fill: #c9ced6; } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One quantity against the number of agents: title, and points of ours and of the floor."""

    title: str
    ours: tuple[tuple[int, float], ...]
    floor: tuple[tuple[int, float], ...]


def panels(rows: Sequence[Row]) -> list[Panel]:
    """The panels that rows named `scale.QUANTITY.N` make; none if they are not whole."""
    titles = {"cpu": "Processor time for each agent, ms", "wall": "Time until the last has begun, s"}
    found = []
    for quantity, title in titles.items():
        chosen = [row for row in rows if row.figure.key.startswith(f"scale.{quantity}.") and row.found.ours]
        counts = [int(row.figure.key.rpartition(".")[2]) for row in chosen]
        ours = tuple((count, median(row.found.ours)) for count, row in zip(counts, chosen, strict=True))
        floor = tuple((count, median(row.found.floor)) for count, row in zip(counts, chosen, strict=True))
        if len(ours) > 1:
            found.append(Panel(title=title, ours=ours, floor=floor))
    return found


def svg(panels: Sequence[Panel], *, caption: str) -> str:
    """The picture as text."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{caption}">',
        f"<style>{_STYLE}</style>",
        *(line for place, panel in enumerate(panels) for line in _panel(panel, x=LEFT + place * (PANEL + LEFT + 20))),
        _key(LEFT, OURS, "Bandstand"),
        _key(LEFT + 110, FLOOR, "git worktree add, and the same agent"),
        f'<text x="{WIDTH - 20}" y="{HEIGHT - 10}" text-anchor="end">{caption}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _key(x: int, colour: str, words: str) -> str:
    y = HEIGHT - 10
    return f'<circle cx="{x + 5}" cy="{y - 4}" r="5" fill="{colour}"/><text x="{x + 16}" y="{y}">{words}</text>'


def _panel(panel: Panel, *, x: int) -> list[str]:
    most = max(value for _, value in (*panel.ours, *panel.floor))
    last = log2(max(count for count, _ in panel.ours))
    step = _step(most)
    top = step * (int(most / step) + 1)

    def across(count: int) -> float:
        return x + PANEL * log2(count) / last

    def down(value: float) -> float:
        return TOP + DEEP * (1 - value / top)

    lines = [f'<text class="title" x="{x}" y="{TOP - 24}">{panel.title}</text>']
    for tick in range(int(top / step) + 1):
        y = down(tick * step)
        lines.append(f'<line class="grid" x1="{x}" x2="{x + PANEL}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{number(tick * step)}</text>')
    for count, _ in panel.ours:
        lines.append(f'<text x="{across(count):.1f}" y="{TOP + DEEP + 20}" text-anchor="middle">{count}</text>')
    return [*lines, *_line(panel.floor, FLOOR, across, down), *_line(panel.ours, OURS, across, down)]


def _step(most: float) -> float:
    """A round step, so that there are three to eight of them."""
    step = 10.0 ** int(log2(most) / log2(10) if most >= 1 else -2)
    while most / step > 8:
        step *= 2 if str(step).startswith("1") or step * 2 % 10 == 0 else 2.5
    while most / step < 3:
        step /= 2
    return step


def _line(
    points: Sequence[tuple[int, float]], colour: str, across: Callable[[int], float], down: Callable[[float], float]
) -> list[str]:
    places = [(across(count), down(value), value) for count, value in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    lines = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>']
    for x, y, value in places:
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{number(value)}</title></circle>')
    return lines
