"""Every repository that there ever was an order for: found by its id, at work or not."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bandstand.domain.errors import Broken, Unknown
from bandstand.domain.ids import RepositoryId
from bandstand.ports.clock import Clock
from bandstand.ports.log import EventLog
from bandstand.services.desk import Desk
from bandstand.services.fleet import Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryView:
    """One repository in a list. `live` tasks have not ended; `trouble` says why nothing goes on, and is mostly empty.

    Of one that is not `open` nothing is known but its path: no task of it is live. If not even that can be read, what
    is known of it cannot be, which `trouble` says.
    """

    id: RepositoryId
    path: str
    open: bool
    target: str = ""
    sandbox: str = ""
    walled: bool = True
    live: int = 0
    asks: int = 0
    trouble: str = ""


class Repositories:
    """Finds repositories. `desks` are those that are open now, `open_at` opens the one at a path."""

    def __init__(
        self,
        *,
        log: EventLog,
        clock: Clock,
        desks: Callable[[], Sequence[Desk]],
        open_at: Callable[[Path], Awaitable[Desk]],
    ) -> None:
        self._log = log
        self._clock = clock
        self._desks = desks
        self._open_at = open_at
        self._paths: dict[RepositoryId, str] = {}

    async def all(self) -> tuple[RepositoryView, ...]:
        """All of them, those that are open first."""
        found = {desk.repository.id: view(desk) for desk in self._desks()}
        for name in await self._log.repositories():
            if name not in found:
                found[name] = await self._closed(name)
        return tuple(found.values())

    async def at(self, path: Path) -> Desk:
        """The desk of the repository that a folder is in. Raises `Refused` if it is in none."""
        return await self._open_at(path)

    def seated(self, name: RepositoryId) -> Desk | None:
        """The desk of a repository, if it is open now."""
        return next((desk for desk in self._desks() if desk.repository.id == name), None)

    async def desk(self, name: RepositoryId) -> Desk:
        """The desk of a repository, opened if need be. Raises `Unknown` for one that never was, or is not there."""
        if (desk := self.seated(name)) is not None:
            return desk
        path = await self._path(name) if name in await self._log.repositories() else ""
        if not path:
            raise Unknown(f"There is no repository {name!r}.", hint="GET /api/v1/repositories shows which there are.")
        desk = await self._open_at(Path(path))
        if desk.repository.id != name:
            raise Unknown(f"Another repository is at {path} now.", hint="POST its new path to /api/v1/repositories.")
        return desk

    async def _closed(self, name: RepositoryId) -> RepositoryView:
        try:
            return RepositoryView(id=name, path=await self._path(name), open=False)
        except Broken as error:
            return RepositoryView(id=name, path="", open=False, trouble=f"{error} {error.hint}".strip())

    async def _path(self, name: RepositoryId) -> str:
        if name not in self._paths:
            fleet = Fleet(name, log=self._log, clock=self._clock)
            try:
                await fleet.open()
            except Broken as error:
                raise unreadable(error) from error
            self._paths[name] = fleet.state.path
        return self._paths[name]


def unreadable(error: Broken) -> Broken:
    """What is said of a repository whose facts cannot be read."""
    stays = "Everything that is kept of it stays, its agents are left alone, and other repositories go on."
    return Broken(
        f"What is known of this repository cannot be read, so nothing goes on there. {error}",
        hint=f"{error.hint} {stays}".strip(),
    )


def view(desk: Desk) -> RepositoryView:
    """An open repository in a list."""
    state = desk.fleet.state
    return RepositoryView(
        id=desk.repository.id,
        path=str(desk.repository.path),
        open=True,
        target=state.policy.target if state.policy is not None else "",
        sandbox=state.sandbox,
        walled=state.sandbox != "none",
        live=sum(not task.ended for task in state.tasks.values()),
        asks=len(state.open_asks()),
        trouble=desk.brain.trouble,
    )
