"""What the processes of live runs hold in memory, as Linux tells it.

The processes of a run are those that work in its folder, its holder above all, and whatever they started: everything
that an agent starts stays below its holder. Counted is what is theirs alone and no file's: the rest is shared, or can
be taken back.
"""

import contextlib
import os
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from pathlib import Path

_PROC = Path("/proc")


def weights(root: Path, *, proc: Path = _PROC) -> Mapping[str, int]:
    """Bytes for each run with a folder below `root` of which processes live; none where there is no such `proc`."""
    page = os.sysconf("SC_PAGE_SIZE")
    return {name: page * sum(_pages(proc, pid) for pid in pids) for name, pids in trees(root, proc=proc).items()}


def trees(root: Path, *, proc: Path = _PROC) -> Mapping[str, list[int]]:
    """The processes of each run with a folder below `root`, parents before their children."""
    children, heads = _family(root, proc)
    return {name: _tree(pids, children) for name, pids in heads.items()}


def below(root: Path, name: str, *, proc: Path = _PROC) -> list[int]:
    """Every process that the agent of a run consists of: all below its holder."""
    children, heads = _family(root, proc)
    own = heads.get(name, [])
    return [pid for pid in _tree(own, children) if pid not in own]


def _family(root: Path, proc: Path) -> tuple[Mapping[int, list[int]], Mapping[str, list[int]]]:
    """Who started whom, and the processes that work in the folder of each run."""
    children: dict[int, list[int]] = defaultdict(list)
    heads: dict[str, list[int]] = defaultdict(list)
    for pid, parent in _processes(proc):
        children[parent].append(pid)
        with contextlib.suppress(OSError):
            folder = (proc / str(pid) / "cwd").readlink()
            if folder.parent == root:
                heads[folder.name].append(pid)
    return children, heads


def _processes(proc: Path) -> Iterator[tuple[int, int]]:
    """Each process and its parent."""
    if not proc.is_dir():
        return
    for entry in os.scandir(proc):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (proc / entry.name / "stat").read_text(encoding="utf-8", errors="replace")
                yield int(entry.name), int(stat.rpartition(")")[2].split()[1])


def _tree(pids: list[int], children: Mapping[int, list[int]]) -> list[int]:
    found: dict[int, None] = {}
    # Whose parent is of the tree, too, comes behind it.
    below = {child for pid in pids for child in children.get(pid, ())}
    left = deque(pid for pid in pids if pid not in below)
    while left:
        pid = left.popleft()
        if pid not in found:
            found[pid] = None
            left.extend(children.get(pid, ()))
    return list(found)


def _pages(proc: Path, pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        _, resident, shared, *_ = (proc / str(pid) / "statm").read_text(encoding="ascii").split()
        return max(0, int(resident) - int(shared))
    return 0
