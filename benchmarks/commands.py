"""What a command costs: `band ps` beside a running daemon, and the very first one, which starts it."""

import os
import sys

from benchmarks import processes
from benchmarks.figures import Figure, Findings, Found, Judged
from benchmarks.ground import BAND, Ground, ground, submitted

WARM, COLD = 30, 5
FLOOR = "`python -c pass` of the same interpreter"
HANG = {"parts": [{"steps": ["hang"]}]}
FIGURES = (
    Figure(
        key="ps.cpu",
        title="Warm `band ps`: processor time of the command",
        unit="ms",
        floor=FLOOR,
        judged=Judged.DIFFERENCE,
        target=30,
    ),
    Figure(key="ps.wall", title="Warm `band ps`: time until the prompt is back", unit="ms", floor=FLOOR),
    Figure(key="ps.daemon", title="Warm `band ps`: processor time of the daemon", unit="ms"),
    Figure(
        key="cold.wall", title="Cold first command: time until the prompt is back", unit="ms", floor=FLOOR, target=600
    ),
    Figure(key="cold.cpu", title="Cold first command: processor time, the daemon's too", unit="ms", floor=FLOOR),
)


def measure() -> Findings:
    """Command and floor in turns."""
    with ground() as place:
        warm = _warm(place)
    return {**warm, **_cold()}


def _warm(place: Ground) -> Findings:
    repository = place.repository()
    place.submit(submitted(4), HANG, at=repository)
    processes.until(lambda: len(place.run_folders()) == 4, "the start of four agents")
    daemon = place.daemon()
    floors, ours = [], []
    before = processes.seconds_of([daemon])
    for _ in range(WARM):
        floors.append(_python(place))
        ours.append(_ran(processes.run([BAND, "ps"], cwd=repository, env=place.environment)))
    theirs = (processes.seconds_of([daemon]) - before) / WARM * 1000
    return {
        "ps.cpu": Found(ours=tuple(one.cpu * 1000 for one in ours), floor=tuple(one.cpu * 1000 for one in floors)),
        "ps.wall": Found(ours=tuple(one.wall * 1000 for one in ours), floor=tuple(one.wall * 1000 for one in floors)),
        "ps.daemon": Found(ours=(theirs,)),
    }


def _cold() -> Findings:
    floors, ours, used = [], [], []
    for _ in range(COLD):
        with ground() as place:
            repository = place.repository()
            floors.append(_python(place))
            before = processes.tree_seconds()
            ours.append(_ran(processes.run([BAND, "ps"], cwd=repository, env=place.environment)))
            used.append((processes.tree_seconds() - before) * 1000)
    wall = tuple(one.wall * 1000 for one in floors)
    return {
        "cold.wall": Found(ours=tuple(one.wall * 1000 for one in ours), floor=wall),
        "cold.cpu": Found(ours=tuple(used), floor=tuple(one.cpu * 1000 for one in floors)),
    }


def _python(place: Ground) -> processes.Ran:
    return _ran(processes.run([sys.executable, "-c", "pass"], cwd=place.root, env=place.environment))


def _ran(ran: processes.Ran) -> processes.Ran:
    """The same, if it did what it was to do."""
    if ran.code != os.EX_OK:
        raise RuntimeError(f"a command ended with {ran.code}")
    return ran
