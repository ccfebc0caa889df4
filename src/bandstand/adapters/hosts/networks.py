"""Where live runs listen, as Linux tells it.

A run has a network of its own when one of its processes is in another network namespace than we are. The outermost of
these is the one that its sandbox confined; what is said of it comes from the kernel, not from the agent. A port counts
where a process of the run that is in that network holds its socket: what is opened for a run from outside, such as a
proxy, is none of it.
"""

import asyncio
import contextlib
import ipaddress
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from bandstand.adapters.hosts.weighing import trees
from bandstand.domain.ids import RunId
from bandstand.ports.listening import Listener, RunNetwork

_PROC = Path("/proc")
_LISTENS = "0A"  # TCP_LISTEN
_LONGEST_NAME = 32
_INODE, _STATE = 9, 3  # columns of /proc/net/tcp
_STARTED = 19  # fields behind the name in /proc/<pid>/stat


class ProcNetworks:
    """The networks of the runs with folders below `root`."""

    def __init__(self, root: Path, *, proc: Path = _PROC) -> None:
        self._root = root
        self._proc = proc

    async def of(self, run: RunId) -> RunNetwork | None:
        """That of a live run; see the port."""
        return await asyncio.to_thread(self._of, run)

    def _of(self, run: RunId) -> RunNetwork | None:
        pids = trees(self._root, proc=self._proc).get(run, [])
        ours = _network(self._proc / "self")
        networks = {pid: _network(self._proc / str(pid)) for pid in pids}
        inside = [pid for pid, network in networks.items() if network not in ("", ours)]
        if not pids or not ours:
            return None
        own = bool(inside)
        # Of those that are inside of other ones, made by an agent, none is meant.
        members = [pid for pid in inside if networks[pid] == networks[inside[0]]] if own else pids
        found = sorted(self._listeners(members), key=lambda one: (one.port, one.address))
        started = _started(self._proc / str(inside[0])) if own else 0
        return RunNetwork(
            own=own,
            process=inside[0] if started else 0,
            started=started,
            listeners=tuple(found),
        )

    def _listeners(self, members: list[int]) -> Iterator[Listener]:
        """What of the network listens in the hands of these processes."""
        holders: dict[str, str] = {}
        for pid in members:
            for socket in _sockets(self._proc / str(pid)):
                holders.setdefault(socket, _name(self._proc / str(pid)))
        for kind in ("tcp", "tcp6"):
            for pid in members[:1]:
                for inode, address, port in _listening(self._proc / str(pid) / "net" / kind):
                    if inode in holders:
                        yield Listener(port=port, address=address, program=holders[inode])


def _network(process: Path) -> str:
    """Which network namespace a process is in; empty if it is gone, or somebody else's."""
    with contextlib.suppress(OSError):
        return str((process / "ns" / "net").readlink())
    return ""


def _started(process: Path) -> int:
    with contextlib.suppress(OSError, IndexError):
        text = (process / "stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[_STARTED])
    return 0


def _sockets(process: Path) -> Iterator[str]:
    """The sockets that a process holds, by their inodes."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(process / "fd"):
            with contextlib.suppress(OSError):
                target = str((process / "fd" / entry.name).readlink())
                if target.startswith("socket:["):
                    yield target[8:-1]


def _name(process: Path) -> str:
    """What a process calls itself, without what a terminal would take for commands."""
    with contextlib.suppress(OSError):
        name = (process / "comm").read_text(encoding="utf-8", errors="replace").removesuffix("\n")
        return "".join(letter for letter in name if letter.isprintable())[:_LONGEST_NAME]
    return ""


def _listening(table: Path) -> Iterator[tuple[str, str, int]]:
    """The sockets of a table that listen: inode, address and port."""
    with contextlib.suppress(OSError):
        for line in table.read_text(encoding="ascii", errors="replace").splitlines()[1:]:
            fields = line.split()
            if len(fields) > _INODE and fields[_STATE] == _LISTENS:
                address, _, port = fields[1].partition(":")
                yield fields[_INODE], _address(address), int(port, 16)


def _address(text: str) -> str:
    """An address as people write it. The kernel prints words of four bytes, each in the machine's own order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return str(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))
