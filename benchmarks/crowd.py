"""A hundred live runs: what the daemon and the holders hold in memory, and how soon a new daemon has taken them up.

That a run is taken up is told by its holder: it notes in the journal, with the time, that a daemon has attached. The
clock begins when the command is given that starts the new daemon.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bandstand.adapters.hosts.journal import scan
from bandstand.adapters.hosts.records import note
from benchmarks import processes
from benchmarks.figures import Figure, Findings, Found
from benchmarks.ground import Ground, ground, submitted

RUNS, RESTARTS = 100, 3
SCORE = {"parts": [{"steps": [{"say": "I begin."}, "hang"]}]}
LIBRARIES = "import asyncio, json, logging, pathlib, sqlite3, subprocess, time; time.sleep(600)"
FIGURES = (
    Figure(
        key="crowd.rss",
        title=f"Resident memory of the daemon with {RUNS} live runs",
        unit="MB",
        floor="Python with asyncio, sqlite3, subprocess and logging",
        target=120,
    ),
    Figure(key="crowd.pss", title=f"Its own part of that (PSS), {RUNS} live runs", unit="MB"),
    Figure(
        key="crowd.holder",
        title="Own memory (PSS) of a holder, with all that comes with it",
        unit="MB",
        floor="`python -I -S` that sleeps",
        target=10,
    ),
    Figure(
        key="crowd.adopted",
        title=f"{RUNS} live runs taken up again behind a restart",
        unit="s",
        floor="the same with no run",
        target=3,
    ),
)


def measure() -> Findings:
    """Start them once; look at their memory; kill the daemon a few times."""
    with ground() as place:
        restarts = (_restart(place, place.repository(), runs=0),)
    with ground(slots=RUNS) as place:
        repository = place.repository()
        place.submit(submitted(RUNS), SCORE, at=repository)
        processes.until(lambda: _attached(place, after=0) == RUNS, f"the start of {RUNS} runs", within=120)
        found = _memory(place)
        adopted = tuple(_restart(place, repository, runs=RUNS) for _ in range(RESTARTS))
        return {**found, "crowd.adopted": Found(ours=adopted, floor=restarts)}


def _memory(place: Ground) -> dict[str, Found]:
    daemon = processes.memory(place.daemon())
    holders = [processes.memory(pid).pss for pid in processes.named("hosts/holder")]
    bare, library = (
        _sleeping(place, "-I", "-S", "-c", "import time; time.sleep(600)"),
        _sleeping(place, "-c", LIBRARIES),
    )
    return {
        "crowd.rss": Found(ours=(daemon.rss,), floor=(library.rss,)),
        "crowd.pss": Found(ours=(daemon.pss,)),
        "crowd.holder": Found(
            ours=(sum(holders) / RUNS,),
            floor=(bare.pss,),
            note=f"{len(holders)} processes for {RUNS} runs, {median(holders):.1f} MB each by the median",
        ),
    }


def _sleeping(place: Ground, *words: str) -> processes.Memory:
    """The memory of an interpreter that has loaded what it is told, and sleeps."""
    with subprocess.Popen([sys.executable, *words], env=place.environment) as process:
        time.sleep(1.0)
        held = processes.memory(process.pid)
        process.kill()
    return held


def _restart(place: Ground, repository: Path, *, runs: int) -> float:
    """Kill the daemon, and give a command that starts another: seconds until it has all of its runs."""
    place.band("ps", at=repository)
    daemon = place.daemon()
    subprocess.run(["kill", "-9", str(daemon)], check=True)
    processes.until(lambda: not processes.command(daemon), "the end of the daemon")
    time.sleep(1.0)
    begun = time.time()
    place.band("ps", at=repository)
    processes.until(lambda: _attached(place, after=begun) >= runs, f"the adoption of {runs} runs", within=60)
    return max((_last_attached(folder) for folder in place.run_folders()), default=time.time()) - begun


def _attached(place: Ground, *, after: float) -> int:
    """How many runs a daemon has attached to since then."""
    return sum(_last_attached(folder) > after for folder in place.run_folders())


def _last_attached(folder: Path) -> float:
    """When a daemon last attached to a run, in seconds since the epoch; long ago if none did."""
    times = [record.at_ms for record in scan(folder / "journal") if note(record).get("note") == "attach"]
    return max(times, default=0) / 1000
