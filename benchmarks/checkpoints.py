"""What a checkpoint costs: one changed file among 4,500, taken into the vault, beside what plain git needs for a tree.

Plain git has an index of its own that it keeps, as ours has; it makes a tree and neither a commit nor a copy anywhere.
Ours asks the agent's repository for its HEAD and takes the files, both behind walls, and then checks what it is given
object by object before a ref names it.
"""

import asyncio
import itertools
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.ports.git import Signature
from benchmarks.figures import Figure, Findings, Found

FILES, TIMES = 4_500, 15
ADA = Signature(name="Ada Example", email="ada@example.org")
FLOOR = "`git add -A && git write-tree` in a checkout, with an index of its own"
FIGURES = (
    Figure(
        key="checkpoints.one",
        title=f"A checkpoint of one changed file among {FILES:,}",
        unit="ms",
        floor=FLOOR,
        target=50,
    ),
    Figure(key="checkpoints.cpu", title="The same: processor time", unit="ms", floor=FLOOR),
)


def measure() -> Findings:
    """Several changes of one file, ours and plain git's in turns."""
    with tempfile.TemporaryDirectory(prefix="band-checkpoints-") as name:
        return asyncio.run(_measured(Path(name)))


async def _measured(root: Path) -> Findings:
    user = root / "repository"
    _fill(user)
    numbers = itertools.count(1)
    repository = await GitRepository.find(user, environment=os.environ, new_id=lambda: f"{next(numbers):016x}")
    sandbox = BubblewrapSandbox("bwrap", root / "home", (root / "state", user), uid=ordinary_user())
    workspaces = GitWorkspaces(repository, root / "state", sandbox)
    base = await repository.tip("main")
    await workspaces.prepare("t1", base=base, target="main", author=ADA, committer=ADA)
    tree, index = root / "state" / "t1" / "tree", root / "plain-index"
    ours, floor = [], []
    for turn in range(TIMES + 1):
        (tree / "folder-3" / "file-3.txt").write_text(f"turn {turn}\n")
        before = _spent(), time.perf_counter()
        await workspaces.snapshot("t1")
        ours.append((time.perf_counter() - before[1], _spent() - before[0]))
        (user / "folder-3" / "file-3.txt").write_text(f"turn {turn}\n")
        before = _spent(), time.perf_counter()
        _git(user, "add", "-A", index=index)
        _git(user, "write-tree", index=index)
        floor.append((time.perf_counter() - before[1], _spent() - before[0]))
    ours, floor = ours[1:], floor[1:]
    return {
        "checkpoints.one": Found(ours=_in_ms(ours, 0), floor=_in_ms(floor, 0)),
        "checkpoints.cpu": Found(ours=_in_ms(ours, 1), floor=_in_ms(floor, 1)),
    }


def _in_ms(pairs: list[tuple[float, float]], which: int) -> tuple[float, ...]:
    return tuple(pair[which] * 1000 for pair in pairs)


def _fill(folder: Path) -> None:
    folder.mkdir()
    for number in range(FILES):
        place = folder / f"folder-{number % 90}" / f"file-{number // 90}.txt"
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"file {number}\n" * (1 + number % 200))
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        _git(folder, *words)


def _git(folder: Path, *words: str, index: Path | None = None) -> None:
    names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _WHO}
    extra = {"GIT_INDEX_FILE": str(index)} if index is not None else {}
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env={**os.environ, **names, **extra})


_WHO = (("NAME", ADA.name), ("EMAIL", ADA.email))


def _spent() -> float:
    """The processor time of this process and of those that it has waited for, in seconds."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
