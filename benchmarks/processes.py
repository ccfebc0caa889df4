"""What the processes below this one use: processor time to the microsecond or so, and memory.

This process takes in whatever below it has lost its parent (as a "child subreaper"), so daemons and holders stay below
it too: nothing that a measure starts can get away, neither from the sums nor from the end. The time of what has ended
is in `getrusage(RUSAGE_CHILDREN)`. That of what lives is read from /proc: `schedstat` of each thread (nanoseconds), and
what the process itself has waited for, which the kernel tells in ticks of 10 ms.
"""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SET_CHILD_SUBREAPER = 36
_TICK = 1 / os.sysconf("SC_CLK_TCK")


def take_in_orphans() -> None:
    """Make this process the new parent of everything below it that loses its own."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not let this process take in orphans")


def parents() -> dict[int, int]:
    """Every process with its parent."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            found[int(entry.name)] = int(fields[1])
    return found


def below(ancestor: int) -> list[int]:
    """Every process below one, parents before their children."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found = list(children.get(ancestor, []))
    for pid in found:
        found += children.get(pid, [])
    return found


def command(pid: int) -> str:
    """Its command line; empty for one that has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def named(part: str) -> list[int]:
    """Every process below this one whose command has `part` in it, parents before their children."""
    return [pid for pid in below(os.getpid()) if part in command(pid)]


def threads_seconds(pid: int) -> float:
    """The processor time of the threads that a process has now: exact, and without those that have ended."""
    nanoseconds = 0
    with contextlib.suppress(OSError):
        for thread in os.scandir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                nanoseconds += int(Path(thread.path, "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def own_seconds(pid: int) -> float:
    """The processor time of a live process, without that of its children."""
    fields = _fields(pid)
    # Threads that have ended are in the ticks only.
    ticks = (int(fields[11]) + int(fields[12])) * _TICK if fields else 0.0
    return max(threads_seconds(pid), ticks)


def waited_seconds(pid: int) -> float:
    """The processor time of what a live process has waited for."""
    fields = _fields(pid)
    return (int(fields[13]) + int(fields[14])) * _TICK if fields else 0.0


def seconds_of(pids: Iterable[int]) -> float:
    """The processor time of live processes, with that of what they have waited for."""
    return sum(own_seconds(pid) + waited_seconds(pid) for pid in pids)


def tree_seconds() -> float:
    """The processor time of everything that ever ran below this process."""
    bury()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + seconds_of(below(os.getpid()))


def bury() -> None:
    """Wait for those of our children that have ended. To be called while no other part of us waits for one."""
    for pid, parent in parents().items():
        fields = _fields(pid) if parent == os.getpid() else []
        if fields and fields[0] == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How one command went: processor time with all that it waited for, and time on the wall, in seconds."""

    cpu: float
    wall: float
    code: int


def run(words: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> Ran:
    """Run one command to its end, unheard. What it leaves behind it is not in its time."""
    begun = time.perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, cwd=cwd, env=env, stdin=quiet, stdout=quiet, stderr=quiet)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ran(cpu=used.ru_utime + used.ru_stime, wall=wall, code=process.returncode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory, and the share of it that is the process's own part, in megabytes (10^6 bytes)."""

    rss: float
    pss: float


def memory(pid: int) -> Memory:
    """What a process holds in memory now."""
    fields = {"Rss:": 0.0, "Pss:": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if name in fields:
            fields[name] = int(rest.split()[0]) * 1024 / 1e6
    return Memory(rss=fields["Rss:"], pss=fields["Pss:"])


def end_all(*, within: float = 30.0) -> list[int]:
    """End everything below this process; what did not end in time."""
    deadline = time.monotonic() + within
    while left := [pid for pid in below(os.getpid()) if (fields := _fields(pid)) and fields[0] != "Z"]:
        if time.monotonic() > deadline:
            return left
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
        bury()
    bury()
    return []


def until(condition: Callable[[], object], what: str, *, within: float = 60.0, pause: float = 0.02) -> None:
    """Wait until a condition holds. Raises `TimeoutError` with what did not come."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {within:.0f} s")
        time.sleep(pause)


def _fields(pid: int) -> list[str]:
    """The fields of its `stat` behind the name, state first; none for one that has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return []
