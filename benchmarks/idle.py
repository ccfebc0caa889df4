"""What an idle daemon costs: twenty repositories open, a thousand ended tasks, nothing to do, for a minute."""

import subprocess
import sys
import time

from benchmarks import history, processes
from benchmarks.figures import Figure, Findings, Found
from benchmarks.ground import Ground, ground

REPOSITORIES, ENDED, SECONDS, PARTS = 20, 1_000, 60.0, 4
FIGURES = (
    Figure(
        key="idle.cpu",
        title=f"Idle daemon, {REPOSITORIES} repositories and {ENDED:,} ended tasks: share of a core",
        unit="%",
        floor="a Python process that sleeps in asyncio",
        target=0.3,
    ),
    Figure(key="idle.rss", title="Resident memory of that daemon", unit="MB"),
)


def measure() -> Findings:
    """A minute in four parts, so that one disturbance does not decide."""
    with ground() as place:
        _open_all(place)
        daemon = place.daemon()
        time.sleep(3.0)  # what was started by opening comes to its end
        sleeper = subprocess.Popen(
            [sys.executable, "-c", "import asyncio; asyncio.run(asyncio.sleep(600))"], env=place.environment
        )
        time.sleep(1.0)
        ours, floor = [], []
        for _ in range(PARTS):
            before = processes.threads_seconds(daemon), processes.threads_seconds(sleeper.pid)
            ticks = processes.seconds_of([daemon])
            time.sleep(SECONDS / PARTS)
            after = processes.threads_seconds(daemon), processes.threads_seconds(sleeper.pid)
            # Threads and children that came and went meanwhile are in the ticks only.
            used = max(after[0] - before[0], processes.seconds_of([daemon]) - ticks)
            ours.append(used / (SECONDS / PARTS) * 100)
            floor.append((after[1] - before[1]) / (SECONDS / PARTS) * 100)
        sleeper.kill()
        sleeper.wait()
        held = processes.memory(daemon).rss
        return {"idle.cpu": Found(ours=tuple(ours), floor=tuple(floor)), "idle.rss": Found(ours=(held,))}


def _open_all(place: Ground) -> None:
    model = history.history(place)
    repositories = [place.repository(f"project{number:02d}") for number in range(REPOSITORIES)]
    for repository in repositories:
        history.identity(place, repository)
    place.band("down", at=repositories[0])
    for repository in repositories:
        history.write(place, model, repository, ended=ENDED // REPOSITORIES)
    fleets = [place.band_json("ps", at=repository) for repository in repositories]
    known = sum(len(fleet["tasks"]) + fleet["omitted"] for fleet in fleets)
    if known != ENDED:
        raise RuntimeError(f"the daemon knows {known} tasks, not {ENDED}")
