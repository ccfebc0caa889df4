"""The cost of a start against the number of agents, for the chart: 1, 8, 32 and 128."""

from benchmarks import starts
from benchmarks.figures import Figure, Findings, Found

COUNTS = (1, 8, 32, 128)
FIGURES = tuple(
    figure
    for count in COUNTS
    for figure in (
        Figure(
            key=f"scale.cpu.{count}", title=f"{count} started: processor time for each", unit="ms", floor=starts.FLOOR
        ),
        Figure(key=f"scale.wall.{count}", title=f"{count} started: time until the last", unit="s", floor=starts.FLOOR),
    )
)


def measure() -> Findings:
    """Small numbers twice, since there chance weighs most."""
    found = {}
    for count in COUNTS:
        times = range(2 if count < 32 else 1)
        floors = [starts.floor(count) for _ in times]
        ours = [starts.band(count) for _ in times]
        found[f"scale.cpu.{count}"] = Found(ours=tuple(one.cpu for one in ours), floor=tuple(one.cpu for one in floors))
        found[f"scale.wall.{count}"] = Found(
            ours=tuple(one.wall for one in ours), floor=tuple(one.wall for one in floors)
        )
    return found
