"""How soon a log of half a million facts is open, with what is kept beside the facts, and with that deleted.

It is opened as the daemon opens it, in a process of its own: the file, then the state of its one large repository.
"""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from benchmarks import history
from benchmarks.figures import Figure, Findings, Found
from benchmarks.ground import Ground, ground

FACTS, LIVE, TIMES = 500_000, 50, 5
ENOUGH_SECONDS, PATIENCE_SECONDS = 40.0, 30.0
FLOOR = "SQLite counts the bytes of all facts"
FIGURES = (
    Figure(key="log.open", title=f"A log of {FACTS:,} facts is open", unit="s", floor=FLOOR, target=1),
    Figure(
        key="log.rebuilt", title="The same, all that is kept beside the facts deleted", unit="s", floor=FLOOR, target=1
    ),
    Figure(key="log.file", title="Of it the file, with what is kept beside the facts", unit="s"),
    Figure(key="log.remade", title="Of it the file, with that deleted", unit="s"),
    Figure(key="log.opening", title="Beside it: what the log has for the state, read alone", unit="s"),
    Figure(key="log.rss", title="Resident memory behind opening it", unit="MB"),
)
OPEN = """
import asyncio, json, sys, time
from pathlib import Path
from bandstand.adapters.clock import AwakeClock
from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.domain.ids import RepositoryId
from bandstand.services.fleet import Fleet
def tell(**found):
    print(json.dumps(found), flush=True)
async def timed(work):
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun
async def main():
    log, name = SqliteLog(Path(sys.argv[1])), RepositoryId(sys.argv[2])
    tell(file=await timed(log.open()))
    if sys.argv[3] == "opening":
        return tell(opening=await timed(log.opening(name)))
    fleet = Fleet(name, log=log, clock=AwakeClock())
    state = await timed(fleet.open())
    live = sum(not task.ended for task in fleet.state.tasks.values())
    lines = Path("/proc/self/status").read_text().splitlines()
    rss = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    tell(state=state, live=live, rss=rss * 1024 / 1e6)
asyncio.run(main())
"""
Times = dict[str, float]


def measure() -> Findings:
    """Write it once; open it several times, both ways in turns, fewer times if that takes long."""
    with ground() as place:
        model = history.history(place)
        repository = place.repository("long")
        name = history.identity(place, repository)
        place.band("down", at=repository)
        facts = history.write(place, model, repository, ended=FACTS // len(model.task), live=LIVE)
        path = history.database(place)
        kept, remade, alone, floor = list[Times](), list[Times](), list[Times](), list[float]()
        _opened(place, path, name, what="opening")
        begun = time.monotonic()
        while not kept or (len(kept) < TIMES and time.monotonic() < begun + ENOUGH_SECONDS):
            floor.append(_counted(path))
            alone.append(_opened(place, path, name, what="opening"))
            kept.append(_opened(place, path, name))
            _delete_kept(path)
            remade.append(_opened(place, path, name))
        note = f"{facts:,} facts of {facts // len(model.task):,} ended tasks in {path.stat().st_size / 1e6:.0f} MB"
        if any("state" not in one for one in (*kept, *remade)):
            note += f"; an opening that took {PATIENCE_SECONDS:.0f} s was ended, and counts as that"
        return {
            "log.open": Found(ours=tuple(map(_whole, kept)), floor=tuple(floor), note=note),
            "log.rebuilt": Found(ours=tuple(map(_whole, remade)), floor=tuple(floor)),
            "log.file": Found(ours=tuple(one["file"] for one in kept)),
            "log.remade": Found(ours=tuple(one["file"] for one in remade)),
            "log.opening": Found(ours=tuple(one["opening"] for one in alone)),
            "log.rss": Found(ours=tuple(one["rss"] for one in kept if "rss" in one)),
        }


def _whole(one: Times) -> float:
    return one["file"] + one.get("state", PATIENCE_SECONDS)


def _opened(place: Ground, path: Path, name: str, *, what: str = "state") -> Times:
    """How long each part took; without the last if that took too long."""
    words = [sys.executable, "-c", OPEN, str(path), name, what]
    try:
        said = subprocess.run(
            words, env=place.environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        ).stdout
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"the log does not open: {error.stderr.strip().splitlines()[-1]}") from None
    except subprocess.TimeoutExpired as late:
        said = str(late.stdout or b"", "utf-8")
    found: Times = {}
    for line in said.splitlines():
        found |= json.loads(line)
    if found.get("live", LIVE) != LIVE:
        raise RuntimeError(f"{found['live']:.0f} tasks live in that log, not {LIVE}")
    return found


def _delete_kept(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM repositories")
        connection.execute("DELETE FROM tasks")


def _counted(path: Path) -> float:
    begun = time.perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*), sum(length(payload)) FROM events").fetchone()
    return time.perf_counter() - begun
