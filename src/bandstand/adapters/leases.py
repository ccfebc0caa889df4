"""Leases as files, one for each block of ports that is taken: <state>/leases/<first port>.

    {"holder": "<repository>/<workspace>", "workspace": "<workspace>", "count": 10}

What stays true:

* A file is there whole or not at all, and for one block there is one: it takes its place by a link, which fails where
  there is a file. Whoever takes one holds the lock of the folder, so blocks of other sizes are seen, too.
* A lease lives as long as the folder of its workspace, and nobody has to end it: one whose workspace is gone is removed
  by whoever looks next. It is taken once that folder is there.
* No block is given away in which anybody has a port just then. Other users of the machine have leases of their own.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from bandstand.domain.errors import Unavailable
from bandstand.domain.ids import RepositoryId
from bandstand.domain.lease import Blocks, Lease, bases

_LOCK = "lock"
_DRAFT = "draft"


class FileLeases:
    """Those of one repository. `folder` is of all of them, `root` has the workspaces of a repository below it.

    `blocks` says where new ones are taken from.
    """

    def __init__(
        self, folder: Path, *, repository: RepositoryId, root: Callable[[str], Path], blocks: Callable[[], Blocks]
    ) -> None:
        self._folder = folder
        self._repository = repository
        self._root = root
        self._blocks = blocks

    async def take(self, workspace: str) -> Lease:
        """The lease of a workspace that is there; see the port."""
        return await asyncio.to_thread(self._take, workspace)

    async def of(self, workspace: str) -> Lease | None:
        """The lease that a workspace has."""
        holder = self._holder(workspace)
        return await asyncio.to_thread(lambda: self._held().get(holder) if self._lives(holder) else None)

    def _take(self, workspace: str) -> Lease:
        holder, blocks = self._holder(workspace), self._blocks()
        with self._alone():
            held = self._held()
            for other in [one for one in held if not self._lives(one)]:
                (self._folder / str(held.pop(other).base)).unlink(missing_ok=True)
            if holder in held:
                return held[holder]
            for base in bases(holder, blocks, held.values()):
                if any(_is_taken(port) for port in range(base, base + blocks.count)):
                    continue
                lease = Lease(workspace=workspace, base=base, count=blocks.count)
                self._write(lease, holder)
                return lease
        raise Unavailable(
            f"No block of {blocks.count} ports is free between {blocks.first} and {blocks.last}.",
            hint="Let some tasks end, or make more room: [ports] in your config.toml.",
        )

    def _holder(self, workspace: str) -> str:
        return f"{self._repository}/{workspace}"

    def _lives(self, holder: str) -> bool:
        repository, _, workspace = holder.partition("/")
        return bool(workspace) and (self._root(repository) / workspace).is_dir()

    def _held(self) -> dict[str, Lease]:
        """All leases by their holders."""
        found = {}
        files = self._folder.iterdir() if self._folder.is_dir() else ()
        for file in files:
            if file.name.isdecimal():
                with contextlib.suppress(FileNotFoundError):  # its workspace is gone, and somebody looked
                    holder, lease = _read(file)
                    found[holder] = lease
        return found

    def _write(self, lease: Lease, holder: str) -> None:
        draft = self._folder / _DRAFT
        draft.unlink(missing_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"holder": holder, "workspace": lease.workspace, "count": lease.count}, file)
            file.flush()
            os.fsync(file.fileno())
        (self._folder / str(lease.base)).hardlink_to(draft)
        draft.unlink()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is_taken(port: int) -> bool:
    """Whether somebody else on this machine has a port now."""
    with socket.socket() as probe:
        # Else what was closed a moment ago would count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False


def _read(file: Path) -> tuple[str, Lease]:
    """A lease with its holder. One that cannot be read is of nobody, and goes."""
    base = int(file.name)
    try:
        said = json.loads(file.read_bytes())
        return str(said["holder"]), Lease(workspace=str(said["workspace"]), base=base, count=int(said["count"]))
    except (ValueError, KeyError, TypeError):
        return f"nobody.{base}", Lease(workspace="", base=base, count=1)
