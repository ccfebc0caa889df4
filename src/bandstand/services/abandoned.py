"""Repositories that are no longer where they were: what is kept of them goes only when somebody names one."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from bandstand.domain.errors import BandstandError, Refused, Unknown
from bandstand.domain.ids import RepositoryId, RunId
from bandstand.domain.remains import RemainsKind, Remnant
from bandstand.ports.git import Repository
from bandstand.ports.remains import RepositoryFolders
from bandstand.services.repositories import Repositories

_LONGEST_LIST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """Finds them and clears them away. `repository` finds the one at a path, `alive` the runs of one that live."""

    repositories: Repositories
    folders: RepositoryFolders
    repository: Callable[[Path], Awaitable[Repository]]
    alive: Callable[[RepositoryId], Awaitable[Collection[RunId]]]

    async def find(self) -> tuple[Remnant, ...]:
        """Every repository that is gone from its place and of which something is kept.

        One of which nobody can tell where it was is none of these.
        """
        found = []
        for one in await self.repositories.all():
            size = None if one.open or not one.path else await self.folders.size(one.id)
            if size is not None and not await self._is_there(one.id, Path(one.path)):
                held = await self.folders.holds(one.id)
                why = f"it is no longer at {one.path}" + (f"; kept of it: {_some(held)}" if held else "")
                found.append(Remnant(kind=RemainsKind.REPOSITORY, name=one.id, why=why, bytes=size, proof=(why,)))
        return tuple(found)

    async def clear(self, repository: RepositoryId) -> Remnant:
        """Remove what is kept of one that is gone.

        Raises `Unknown` if it is not, or nothing is kept of it, `Refused` while that holds what is nowhere else.
        """
        gone = {one.name: one for one in await self.find()}
        if repository not in gone:
            raise Unknown(f"No repository {repository!r} is gone.", hint="`band gc --dry-run` names those that are.")
        held = await self.folders.holds(repository)
        if await self.alive(repository):
            raise Refused(
                "An agent of it still lives.", hint="Put it back in its place, and cancel what goes on there."
            )
        if held:
            raise Refused(
                f"What is kept of it is nowhere else: {_some(held)}.",
                hint="Put the repository back in its place and run any `band` command there.",
            )
        await self.folders.remove(repository)
        return gone[repository]

    async def _is_there(self, repository: RepositoryId, path: Path) -> bool:
        try:
            return (await self.repository(path)).id == repository
        except BandstandError:
            return False


def _some(held: tuple[str, ...]) -> str:
    more = len(held) - _LONGEST_LIST
    return ", ".join(held[:_LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
