"""The control groups of runs, found again by the file that each holder leaves in its folder; without one, by hand.

A run with no group that can be frozen is held still by SIGSTOP: to each of its processes, until none runs any more. Its
holder goes on, and what is stopped can be killed.
"""

import contextlib
import json
import os
import signal
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from bandstand.adapters.hosts.channel import locked
from bandstand.adapters.hosts.weighing import below, weights
from bandstand.ports.hosts import Usage
from bandstand.starter.groups import Group

_FILE = "group"
_ROUNDS = 20  # a process may be forking while the others are stopped


def group_of(folder: Path) -> Group:
    """The control group of the run of a folder; one without folders if it has none."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
        return Group(json.loads((folder / _FILE).read_bytes()))
    return Group({})


def usage(root: Path, names: Collection[str]) -> Mapping[str, Usage]:
    """What these runs use. Those whose groups do not count memory are weighed, which costs more."""
    groups = {name: group_of(root / name) for name in names}
    counted = {name: used for name, group in groups.items() if (used := group.used()) is not None}
    weighed = weights(root) if groups.keys() - counted.keys() else {}
    return {
        name: Usage(
            memory=counted.get(name, weighed.get(name)),
            held="memory" in group.holds and name in counted,
            frozen=frozen(root, name),
        )
        for name, group in groups.items()
        if name in counted or name in weighed
    }


def frozen(root: Path, name: str) -> bool:
    """Whether the processes of a run are held still."""
    group = group_of(root / name)
    return group.frozen if _freezes(group) else _still(root, name)


def freeze(root: Path, name: str) -> bool:
    """Hold the processes of a run still; whether they are."""
    if group_of(root / name).freeze():
        return True
    for _ in range(_ROUNDS):
        left = [pid for pid in below(root, name) if _state(pid) not in "TtZX"]
        if not left:
            return True
        _signal(left, signal.SIGSTOP)
    return False


def thaw(root: Path, name: str) -> None:
    """Let the processes of a run go on."""
    group = group_of(root / name)
    if not (_freezes(group) and group.thaw()):
        _signal(below(root, name), signal.SIGCONT)


def clear(folder: Path) -> bool:
    """End what is left in the group of a run that is over, and take the group away; whether it is gone."""
    group = group_of(folder)
    if not group.folders:
        return True
    group.kill()
    return group.remove()


def over(folder: Path) -> bool:
    """Whether nobody holds the run of a folder any more; then nothing is left of its group either."""
    return not locked(folder) and clear(folder)


def _freezes(group: Group) -> bool:
    return "unified" in group.folders


def _still(root: Path, name: str) -> bool:
    """Whether somebody stopped all processes of a run: those that end are not waited for."""
    states = [_state(pid) for pid in below(root, name)]
    return bool(states) and all(state in "TtZX" for state in states) and any(state in "Tt" for state in states)


def _state(pid: int) -> str:
    """The state of a process in one letter; that of a dead one if it is gone."""
    with contextlib.suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[0]
    return "X"


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
