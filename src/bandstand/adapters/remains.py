"""What is left in a folder whose entries are kept for a while: journals, outputs of checks, archives, backups.

An entry may go once a proof says that nobody writes to it any more, and it is too old or newer ones take the room. Many
may go at once, so the folder is listed once: when one's turn comes, that one is looked at again and no other.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias

from bandstand.domain.errors import BandstandError, Broken, of_the_disk
from bandstand.domain.remains import Aged, Keep, RemainsKind, Remnant, Retention, archive_over, run_over, spent
from bandstand.domain.state import State
from bandstand.ports.remains import Known

Destroy: TypeAlias = Callable[[Path], Awaitable[None]]
"""Removes a path with all that is in it; raises a `BandstandError` if it cannot."""

_GONE = (FileNotFoundError, NotADirectoryError)
"""What the system says of what somebody else removed meanwhile."""


def always_free(path: Path) -> bool:
    """Nobody ever holds such an entry."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """What was spent when the folder was listed, and how long such things were kept then."""

    keep: Keep
    things: dict[str, Aged]


class AgedRemains:
    """The entries of `root`, all of one `kind`.

    `proof` says in words why the entry of a name is over, nothing if it is not. `keep` is how long those are kept
    that are. An entry that is not `free` is in use all the same. `destroy` removes one with all that is in it.
    """

    def __init__(
        self,
        root: Path,
        *,
        kind: RemainsKind,
        proof: Callable[[State, str], str],
        keep: Callable[[Retention], Keep],
        destroy: Destroy,
        free: Callable[[Path], bool] = always_free,
    ) -> None:
        self._root = root
        self._kind = kind
        self._proof = proof
        self._keep = keep
        self._destroy = destroy
        self._free = free
        self._listing: _Listing | None = None

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """What is over and kept no longer. Raises a `BandstandError` if the folder cannot be read."""
        return tuple(await asyncio.to_thread(lambda: [*self._find(known)]))

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """Remove one entry, if it still may go."""
        if remnant.kind is not self._kind:
            return False
        if self._listing is None or self._listing.keep != self._keep(known.retention):
            await self.find(known)
        thing = self._listing.things.get(remnant.name) if self._listing is not None else None
        if thing is None or not await asyncio.to_thread(self._still, thing, known):
            return False
        await self._destroy(self._root / thing.name)
        return True

    def _find(self, known: Known) -> Iterator[Remnant]:
        keep = self._keep(known.retention)
        try:
            over = [aged for path in _entries(self._root) if (aged := self._over(path, known)) is not None]
        except OSError as error:
            raise _told(error, self._root) from error
        found = spent(over, keep, now=known.now)
        self._listing = _Listing(keep=keep, things={aged.name: aged for aged, _ in found})
        for aged, why in found:
            ended = self._proof(known.state, aged.name)
            proof = (ended, f"last written to on {aged.last:%Y-%m-%d}: {why}")
            yield Remnant(kind=self._kind, name=aged.name, why=f"{ended}; {why}", bytes=aged.bytes, proof=proof)

    def _over(self, path: Path, known: Known) -> Aged | None:
        """An entry that is over, with its age; `None` for one that is not, or that has vanished meanwhile."""
        if not self._proof(known.state, path.name):
            return None
        with suppress(*_GONE):
            return _aged(path) if self._free(path) else None
        return None

    def _still(self, thing: Aged, known: Known) -> bool:
        """Whether an entry is still there as it was listed, over, and free."""
        try:
            again = self._over(self._root / thing.name, known)
        except OSError as error:
            raise _told(error, self._root / thing.name) from error
        return again is not None and again.last == thing.last


def journals(root: Path, *, destroy: Destroy, free: Callable[[Path], bool]) -> AgedRemains:
    """The folders of runs that are over, each with its journal."""
    keep = attrgetter("journals")
    return AgedRemains(root, kind=RemainsKind.RUN, proof=run_over, keep=keep, destroy=destroy, free=free)


def outputs(root: Path, *, destroy: Destroy) -> AgedRemains:
    """What checks of tasks that are over have printed."""
    keep = attrgetter("checks")
    return AgedRemains(root, kind=RemainsKind.CHECK, proof=run_over, keep=keep, destroy=destroy)


def archives(root: Path, *, destroy: Destroy) -> AgedRemains:
    """What git left out of the workspaces of tasks that have landed."""
    keep = attrgetter("archives")
    return AgedRemains(root, kind=RemainsKind.ARCHIVE, proof=archive_over, keep=keep, destroy=destroy)


def backups(root: Path, *, destroy: Destroy, is_copy: Callable[[str], bool]) -> AgedRemains:
    """Copies of the event log. They are those of all repositories, and each may find them."""
    words = "the event log as it was before an upgrade"
    return AgedRemains(
        root,
        kind=RemainsKind.BACKUP,
        proof=lambda _, name: words if is_copy(name) else "",
        keep=attrgetter("backups"),
        destroy=destroy,
    )


def _entries(root: Path) -> list[Path]:
    with suppress(*_GONE):
        return sorted(root.iterdir())
    return []


def _aged(path: Path) -> Aged:
    """When an entry, or something right in it, was last written to, and what it takes on the disk."""
    seen = [path.lstat()]
    if path.is_dir() and not path.is_symlink():
        with os.scandir(path) as entries:
            for entry in entries:
                with suppress(*_GONE):
                    seen.append(entry.stat(follow_symlinks=False))
    last = max(one.st_mtime for one in seen)
    size = sum(one.st_blocks * 512 for one in seen)
    return Aged(name=path.name, last=datetime.fromtimestamp(last, UTC), bytes=size)


def _told(error: OSError, path: Path) -> BandstandError:
    """An error of the operating system in words."""
    hint = "Look at the disk, and at who owns the folder."
    broken = Broken(f"{error.filename or path} cannot be looked at: {error.strerror}.", hint=hint)
    return of_the_disk(error) or broken
