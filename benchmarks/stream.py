"""Fifty agents that speak a hundred times a second each: what arrives at a subscriber, how late, and for what price.

The clock of an update begins when the agent writes it, which it says in it, and ends when the subscriber has read it:
one that watches all of them, in a process of its own. The price is the processor time of the daemon and the holders, in
the seconds in which they all speak; that of agents and subscriber is told beside it.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

from bandstand.adapters.hosts.journal import scan
from bandstand.faces.stream import Api
from bandstand.ports.hosts import RecordKind
from benchmarks import processes
from benchmarks.figures import Figure, Findings, Found, Judged
from benchmarks.ground import Ground, ground, submitted

RUNS, RATE, SECONDS, TIMES = 50, 100, 10, 3
UPDATES = RATE * SECONDS
READY, GATE = "ready", "gate"
SCORE = {
    "parts": [
        {
            "steps": [
                {"run": f"mkfifo .git/{GATE} && touch .git/{READY} && read -r line < .git/{GATE}"},
                {"flood": {"updates": UPDATES, "bytes": 100, "every": 1 / RATE, "timed": True}},
                "hang",
            ]
        }
    ]
}
FIGURES = (
    Figure(
        key="stream.lost",
        title=f"{RUNS} runs, {RATE} updates/s each: out of order or lost",
        unit="",
        judged=Judged.WORST,
        target=0,
    ),
    Figure(key="stream.p99", title="From the agent's line to a subscriber, 99 of 100 within", unit="ms", target=50),
    Figure(key="stream.p50", title="The same, half of them within", unit="ms"),
    Figure(
        key="stream.cpu",
        title="Processor time for each update: daemon and holders",
        unit="µs",
        floor="a bare loop that reads as many pipes and parses the lines",
        target=80,
    ),
    Figure(key="stream.daemon", title="Of it the daemon", unit="µs"),
    Figure(key="stream.holders", title="Of it the holders", unit="µs"),
    Figure(key="stream.agents", title="Beside it the agents and their sandboxes", unit="µs"),
    Figure(key="stream.subscriber", title="Beside it the subscriber", unit="µs"),
    Figure(key="stream.rate", title="Updates in a second, all runs together", unit=""),
)
_NUMBER = re.compile(r"(\d+) (\d{16}) x")
Arrivals = dict[str, list[tuple[int, float]]]


def measure() -> Findings:
    """The same from the beginning, a few times."""
    found = [_streamed() for _ in range(TIMES)]
    return {
        key: Found(
            ours=tuple(value for one in found for value in one[key].ours),
            floor=tuple(value for one in found for value in one[key].floor),
            note=first.note,
        )
        for key, first in found[0].items()
    }


def _streamed() -> Findings:
    """Everybody waits at a gate; it is opened; the last update ends it."""
    with ground(slots=RUNS) as place:
        repository = place.repository()
        place.submit(submitted(RUNS), SCORE, at=repository)
        ready = f"repositories/*/workspaces/*/tree/.git/{READY}"
        processes.until(lambda: len(list(place.state.glob(ready))) == RUNS, f"the start of {RUNS} agents", within=90)
        heard = place.root / "heard"
        subscriber = _subscribe(place, heard)
        time.sleep(2.0)  # until it has everything that there was
        before, begun = _used(place, subscriber.pid), time.time()
        for tree in place.workspaces():
            with (tree / ".git" / GATE).open("w") as gate:
                gate.write("go\n")
        processes.until(lambda: _spoken(place) == RUNS, "the last update", within=120, pause=0.5)
        ended = time.time()
        time.sleep(1.0)  # for what is still under way
        after = _used(place, subscriber.pid)
        subscriber.kill()
        subscriber.wait()
        return _found(_sent(place), _arrivals(heard), before, after, ended - begun)


def _found(
    sent: Arrivals, heard: Arrivals, before: dict[str, float], after: dict[str, float], seconds: float
) -> Findings:
    total = sum(len(updates) for updates in sent.values())
    told = {name: (after[name] - before[name]) / total * 1e6 for name in after}
    late, wrong = [], 0
    for run, updates in sent.items():
        arrived = dict(heard.get(run, []))
        late += [(arrived[number] - at) * 1000 for number, at in updates if number in arrived]
        wrong += _wrong([number for number, _ in updates], [number for number, _ in heard.get(run, [])])
    marks = quantiles(late, n=100) if len(late) > 1 else []
    floor = _floor(total)
    return {
        "stream.lost": Found(ours=(float(wrong),), note=f"of {total:,}"),
        "stream.p99": Found(ours=(marks[98],) if marks else ()),
        "stream.p50": Found(ours=(marks[49],) if marks else ()),
        "stream.cpu": Found(ours=(told["daemon"] + told["holders"],), floor=(floor,)),
        "stream.daemon": Found(ours=(told["daemon"],)),
        "stream.holders": Found(ours=(told["holders"],)),
        "stream.agents": Found(ours=(told["agents"],)),
        "stream.subscriber": Found(ours=(told["subscriber"],)),
        "stream.rate": Found(ours=(total / seconds,)),
    }


def _wrong(sent: list[int], heard: list[int]) -> int:
    """How many updates did not arrive, or not behind all that were sent before them, or twice."""
    lost = len(set(sent) - set(heard))
    return lost + sum(later <= earlier for earlier, later in pairwise(heard))


# --- the subscriber ---------------------------------------------------------------------------------------------------


def updates(door: Path, runs: list[str]) -> Iterator[tuple[float, str, str]]:
    """Every update as it arrives: when, of which run, and what it says. The one place that knows how to subscribe."""
    for said in Api(door).events({"focus": runs}):
        if said.kind == "updates":
            now = time.time()
            yield from ((now, said.data["run"], update.get("text", "")) for update in said.data["updates"])


def subscribe(door: Path, runs: list[str], heard: Path) -> None:
    """Write down what arrives until killed: a line each, in no buffer that would be lost."""
    with heard.open("wb", buffering=0) as file:
        for at, run, text in updates(door, runs):
            for number, _ in _NUMBER.findall(text):
                file.write(f"{at:.6f} {run} {number}\n".encode())


def _subscribe(place: Ground, heard: Path) -> "subprocess.Popen[bytes]":
    runs = [folder.name for folder in place.run_folders()]
    words = [sys.executable, "-m", "benchmarks.stream", str(place.api), str(heard), *runs]
    here = str(Path(__file__).resolve().parents[1])
    process = subprocess.Popen(words, env={**place.environment, "PYTHONPATH": here})
    processes.until(heard.exists, "the subscriber")
    return process


def _arrivals(heard: Path) -> Arrivals:
    found: Arrivals = {}
    for line in heard.read_text().splitlines():
        at, run, number = line.split()
        found.setdefault(run, []).append((int(number), float(at)))
    return found


# --- the other side ---------------------------------------------------------------------------------------------------


def _sent(place: Ground) -> Arrivals:
    """What the holders have from the agents, and when these said it, in seconds since the epoch."""
    found: Arrivals = {}
    for folder in place.run_folders():
        for record in scan(folder / "journal"):
            if record.kind is RecordKind.FROM_AGENT and b"agent_message_chunk" in record.payload:
                text = json.loads(record.payload)["params"]["update"]["content"]["text"]
                if number := _NUMBER.search(text):
                    found.setdefault(folder.name, []).append((int(number[1]), int(number[2]) / 1e6))
    return found


def _spoken(place: Ground) -> int:
    """How many agents have said their last."""
    last = re.compile(rf"\b{UPDATES} \d{{16}} x".encode())
    return sum(last.search(_end(folder / "journal")) is not None for folder in place.run_folders())


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2000))
        return file.read()


def _used(place: Ground, subscriber: int) -> dict[str, float]:
    """The processor time until now of everybody, in seconds."""
    holders, daemon = set(processes.named("hosts/holder")), place.daemon()
    others = set(processes.below(os.getpid())) - holders - {daemon, subscriber}
    return {
        "daemon": processes.seconds_of([daemon]),
        "holders": processes.seconds_of(holders),
        "agents": processes.seconds_of(others),
        "subscriber": processes.seconds_of([subscriber]),
    }


def _floor(total: int) -> float:
    """Microseconds for each line when one loop reads all pipes and parses what comes."""
    said = subprocess.run([sys.executable, "-c", _LOOP, str(RUNS), str(RATE), "2"], capture_output=True, check=True)
    return float(said.stdout) if total else 0.0


_LOOP = """
import json, os, selectors, sys, time
runs, rate, seconds = map(int, sys.argv[1:])
update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "x" * 100}}
line = json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}})
line = line.encode() + b"\\n"
pipes = [os.pipe() for _ in range(runs)]
if os.fork() == 0:
    for _ in range(rate * seconds):
        for _, end in pipes:
            os.write(end, line)
        time.sleep(1 / rate)
    os._exit(0)
selector, count = selectors.DefaultSelector(), 0
for start, end in pipes:
    os.close(end)
    selector.register(start, selectors.EVENT_READ)
begun = time.process_time()
while selector.get_map():
    for key, _ in selector.select():
        data = os.read(key.fd, 65536)
        if not data:
            selector.unregister(key.fd)
        for one in data.splitlines():
            json.loads(one)
            count += 1
print((time.process_time() - begun) / count * 1e6)
"""

if __name__ == "__main__":
    subscribe(Path(sys.argv[1]), sys.argv[3:], Path(sys.argv[2]))
