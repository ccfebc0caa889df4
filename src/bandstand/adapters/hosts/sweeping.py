"""Sweeping up behind a holder that was killed, where no namespace has done so."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from bandstand.adapters.hosts.channel import LOOK_AGAIN_SECONDS
from bandstand.adapters.hosts.grouping import clear
from bandstand.adapters.hosts.journal import scan
from bandstand.adapters.hosts.records import note


def _session(leader: int) -> set[int]:
    """Every process of the session that this process began."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] != "Z":
                    found.add(int(entry.name))
    return found


async def sweep(folder: Path) -> None:
    """End what the agent of a killed holder left in its control group, and in its session.

    The kernel ends the agent itself. While a process with its number is alive nothing is touched: it may be a stranger.
    """
    deadline = time.monotonic() + 1.0
    while not clear(folder):  # its processes are on their way out
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    journal = folder / "journal"
    first = next(scan(journal), None)
    facts = note(first) if first else {}
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    if facts.get("tree") != "subreaper" or journal.stat().st_mtime < booted:
        return
    deadline = time.monotonic() + 1.0
    while (left := _session(facts["pid"])) and time.monotonic() < deadline:
        for pid in left if facts["pid"] not in left else ():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
