"""Sixty tasks of known length in a dependency graph: how long they take, beside list scheduling on the same slots.

List scheduling is what is possible if nothing but the agents' own time costs anything: whenever a slot is free, the
first task of the file that may start gets it. A task is over when its change has landed: only then may others begin.
"""

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.figures import Figure, Findings, Found, Judged
from benchmarks.ground import Ground, ground

TASKS, SLOTS, TIMES, COUNTED = 60, 4, 2, 12
ENOUGH_SECONDS, PATIENCE_SECONDS = 70.0, 200.0
FIGURES = (
    Figure(
        key="graph",
        title=f"{TASKS} tasks of 1-3 s in a graph, {SLOTS} slots: until all have landed",
        unit="s",
        floor="list scheduling of the same lengths",
        judged=Judged.RATIO,
        target=1.1,
    ),
    Figure(key="graph.cpu", title="Processor time for each of these tasks, landing included", unit="ms"),
    Figure(
        key="graph.git", title=f"Processes of git for each of {COUNTED} tasks that land, outside of sandboxes", unit=""
    ),
    Figure(key="graph.walls", title="Sandboxes for each of these, the agent's and its checks' included", unit=""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A task: how long its agent works, in seconds, and what must have landed before."""

    name: str
    seconds: float
    needs: tuple[str, ...]


def measure() -> Findings:
    """Twice the same graph; once where that takes long."""
    parts, begun = graph(), time.perf_counter()
    found = [_played(parts)]
    while len(found) < TIMES and time.perf_counter() < begun + ENOUGH_SECONDS:
        found.append(_played(parts))
    count = _counted(parts[:COUNTED])
    return {
        "graph.git": Found(ours=(count("git"),)),
        "graph.walls": Found(ours=(count("bwrap"),)),
        "graph": Found(ours=tuple(one for one, _ in found), floor=(list_scheduled(parts, slots=SLOTS),)),
        "graph.cpu": Found(ours=tuple(cpu for _, cpu in found)),
    }


def graph() -> list[Part]:
    """Always the same one: each task needs up to two of the fifteen before it."""
    chance = random.Random(60)
    parts: list[Part] = []
    for number in range(TASKS):
        before = [part.name for part in parts[-15:]]
        needs = tuple(chance.sample(before, k=min(len(before), chance.choice((0, 1, 1, 2)))))
        parts.append(Part(name=f"part-{number:02d}", seconds=round(chance.uniform(1, 3), 2), needs=needs))
    return parts


def list_scheduled(parts: list[Part], *, slots: int) -> float:
    """When the last of them would be over, in seconds."""
    waiting, over, at_work, now = list(parts), set[str](), list[tuple[float, str]](), 0.0
    while waiting or at_work:
        for part in [one for one in waiting if over.issuperset(one.needs)][: slots - len(at_work)]:
            waiting.remove(part)
            heapq.heappush(at_work, (now + part.seconds, part.name))
        now, name = heapq.heappop(at_work)
        over.add(name)
    return now


def _counted(parts: list[Part]) -> Callable[[str], float]:
    """How many processes of a program each of these tasks takes: a number that no other load changes much."""
    with ground(slots=SLOTS) as place:
        file = place.count_processes("git", "bwrap")
        repository = place.repository()
        place.band("ps", at=repository)
        before = Counter(file.read_text().split())
        _play(place, repository, parts)
        found = Counter(file.read_text().split()) - before
    return lambda program: found[program] / len(parts)


def _played(parts: list[Part]) -> tuple[float, float]:
    """Until all have landed, in seconds; and the processor time of each, in ms."""
    with ground(slots=SLOTS) as place:
        repository = place.repository()
        place.band("ps", at=repository)
        used, begun = processes.tree_seconds(), time.perf_counter()
        _play(place, repository, parts)
        wall = time.perf_counter() - begun
        return wall, (processes.tree_seconds() - used) / len(parts) * 1000


def _play(place: Ground, repository: Path, parts: list[Part]) -> None:
    """Hand the tasks over, and wait until the last has landed."""
    steps = {
        part.name: {
            "parts": [
                {
                    "steps": [
                        {"wait": part.seconds},
                        {"edit": {"path": f"{part.name}.txt", "content": f"{part.name}\n"}},
                        {"commit": f"Add {part.name}"},
                    ]
                }
            ]
        }
        for part in parts
    }
    tasks = [{"id": part.name, "goal": f"Play {part.name}.", "depends_on": list(part.needs)} for part in parts]
    place.band(*place.order(tasks, {"tasks": steps}), at=repository)
    reflog = repository / ".git" / "logs" / "refs" / "heads" / "main"
    # Not by asking git ten times a second, which would be counted as ours.
    processes.until(
        lambda: reflog.read_text().count("bandstand: land") == len(parts),
        "the last landing",
        within=PATIENCE_SECONDS,
        pause=0.05,
    )
    subjects = place.git(repository, "log", "--format=%(trailers:key=Bandstand-Task,valueonly)", "main")
    if len(set(subjects.split())) != len(parts):
        raise RuntimeError("main does not hold every task")
