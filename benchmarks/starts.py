"""From N tasks to N started agents: Bandstand beside plain `git worktree add` and the same agent.

An agent counts as started when it has been prompted and has written its first file. The clock begins with `band run`,
beside a daemon that runs already, as it does behind the first command of a day (`commands` has the price of that).
Where there is one, all of it lies on a file system in memory: both sides write some 50,000 files.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bandstand import rehearsal
from bandstand.config.score import parse
from benchmarks import processes
from benchmarks.figures import Figure, Findings, Found, Judged
from benchmarks.ground import FILES, Ground, ground, in_memory, submitted

TASKS, TIMES = 32, 3
SCORE = {"parts": [{"steps": [{"edit": {"path": "begun.txt", "content": "{task}\n"}}, "hang"]}]}
FLOOR = "`git worktree add` one by one, and the same agent, prompted the same"
FIGURES = (
    Figure(
        key="starts.cpu",
        title=f"{TASKS} tasks to started agents: processor time for each",
        unit="ms",
        floor=FLOOR,
        judged=Judged.DIFFERENCE,
        target=100,
    ),
    Figure(
        key="starts.wall",
        title=f"{TASKS} tasks to started agents: time until the last",
        unit="s",
        floor=FLOOR,
        judged=Judged.RATIO,
        target=2,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What it took to start so many agents: processor time for each in ms, time until the last in s."""

    cpu: float
    wall: float


def measure() -> Findings:
    """Several times 32, Bandstand and its floor in turns."""
    floors, ours = [], []
    for _ in range(TIMES):
        floors.append(floor(TASKS))
        ours.append(band(TASKS))
    return {
        "starts.cpu": Found(ours=tuple(one.cpu for one in ours), floor=tuple(one.cpu for one in floors)),
        "starts.wall": Found(ours=tuple(one.wall for one in ours), floor=tuple(one.wall for one in floors)),
    }


def band(count: int) -> Cost:
    """Bandstand, with everything that a user gets: sandboxes, holders, journals, snapshots, facts."""
    with ground(slots=count, below=in_memory()) as place:
        repository = place.repository(files=FILES)
        place.band("ps", at=repository)
        order = place.order(submitted(count), SCORE)
        with _clock(count) as cost:
            place.band(*order, at=repository)
            _until_begun(lambda: place.workspaces(), count)
        _judge(place, repository, place.workspaces(), count)
        return cost[0]


def floor(count: int) -> Cost:
    """Plain git and plain processes: what nobody can do without."""
    with ground(below=in_memory()) as place:
        repository = place.repository(files=FILES)
        score = place.root / "score.json"
        score.write_text(parse(json.dumps(SCORE).encode(), name="score"))
        agents: list[subprocess.Popen[bytes]] = []
        trees = [place.root / "trees" / f"task-{number:03d}" for number in range(1, count + 1)]
        with _clock(count) as cost:
            for tree in trees:
                place.git(repository, "worktree", "add", "-q", "-b", f"band/{tree.name}", tree)
                agents.append(agent(place, score, tree))
            _until_begun(lambda: trees, count)
        _judge(place, repository, trees, count)
        for one in agents:
            one.kill()
            one.communicate()
        return cost[0]


def agent(place: Ground, score: Path, tree: Path) -> "subprocess.Popen[bytes]":
    """The same agent with a home of its own, prompted: its lines wait in the pipe until it reads them."""
    home = place.root / "homes" / tree.name
    home.mkdir(parents=True)
    main = Path(rehearsal.__file__).parent / "__main__.py"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(main), "--score", str(score)],
        cwd=tree,
        env={**place.environment, "HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    text = f"Play your part.\n\nTask: {tree.name}\n"
    for number, (method, params) in enumerate(
        (
            ("initialize", {"protocolVersion": 1, "clientCapabilities": {}}),
            ("session/new", {"cwd": str(tree), "mcpServers": []}),
            ("session/prompt", {"sessionId": "rehearsal-1", "prompt": [{"type": "text", "text": text}]}),
        )
    ):
        line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        process.stdin.write(line.encode() + b"\n")
    process.stdin.flush()
    return process


@contextmanager
def _clock(count: int) -> Iterator[list[Cost]]:
    """What the block costs, once it has ended."""
    cost: list[Cost] = []
    used, begun = processes.tree_seconds(), time.perf_counter()
    yield cost
    wall = time.perf_counter() - begun
    cost.append(Cost(cpu=(processes.tree_seconds() - used) / count * 1000, wall=wall))


def _until_begun(trees: Callable[[], list[Path]], count: int) -> None:
    def begun() -> bool:
        return sum((tree / "begun.txt").exists() for tree in trees()) == count

    processes.until(begun, f"the start of {count} agents", within=30 + 2 * count, pause=0.05)


def _judge(place: Ground, repository: Path, trees: list[Path], count: int) -> None:
    """Each agent has a checkout and a branch of its own, and the user's is as it was. Raises `RuntimeError`."""
    tops = {place.git(tree, "rev-parse", "--show-toplevel") for tree in trees}
    branches = {place.git(tree, "symbolic-ref", "HEAD") for tree in trees}
    if len(tops) != count or len(branches) != count:
        raise RuntimeError(f"{count} agents have {len(tops)} checkouts and {len(branches)} branches")
    if place.git(repository, "status", "--porcelain"):
        raise RuntimeError("the user's checkout is not clean any more")
