"""Finding and ending what runs on a stage. Processes are ended by their ids, and only those that were found."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def living_below(root: Path) -> dict[int, str]:
    """Every process that has to do with a folder, as pid -> command.

    It names the folder in its command or its environment, works in it, or descends from one that does: holders and what
    is sandboxed are started with an environment of their own. A zombie has no command and is not alive.
    """
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(folder.name)
            parents[pid] = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            commands[pid] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if _names(folder, commands[pid], str(root)):
                found.add(pid)
    found.discard(os.getpid())
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return {pid: commands[pid] for pid in sorted(found) if commands.get(pid)}


def children(parent: int) -> dict[int, str]:
    """Every process below one, as pid -> command."""
    below: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            above = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            below.setdefault(above, []).append(int(folder.name))
    found: list[int] = []
    ahead = [parent]
    while ahead:
        ahead.extend(below.get(ahead[0], []))
        found.extend(below.get(ahead.pop(0), []))
    commands = {}
    for pid in found:
        with contextlib.suppress(OSError):
            commands[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return commands


def end(pids: Iterable[int]) -> None:
    """End processes at once."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _names(folder: Path, command: str, root: str) -> bool:
    """Whether a process has to do with a folder. Another user's environment is none of ours."""
    if root in command:
        return True
    with contextlib.suppress(OSError):
        if root.encode() in (folder / "environ").read_bytes():
            return True
    with contextlib.suppress(OSError):
        return str((folder / "cwd").readlink()).startswith(root)
    return False
