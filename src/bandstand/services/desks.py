"""The desks of all repositories: taken up, let go, and made anew.

What stays true:

* a repository has one desk at most, and one fleet as long as anybody holds that: an order that was given to a desk
  which has made way for another one is known there at once, and what follows from it begins;
* one whose facts cannot be read has no desk. Nothing is begun, ended or removed there, and no other one waits for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from bandstand.domain.errors import BandstandError, Broken, Refused
from bandstand.domain.ids import RepositoryId
from bandstand.faults import fault
from bandstand.ports.git import Repository
from bandstand.ports.log import EventLog, Recorded
from bandstand.services.admission import Account
from bandstand.services.desk import Desk, Going
from bandstand.services.fleet import Fleet, Hearing, Notice
from bandstand.services.repositories import unreadable

T = TypeVar("T")
R = TypeVar("R", bound=Repository)

_log = logging.getLogger(__name__)


class Desks(Generic[R]):
    """Those of one daemon. `find` finds the repository that a folder is in, `fleet` makes a fleet that tells what it
    has to say, `compose` puts together what serves a repository, `shut` lets go of an account in the ledger.
    `unread` are those whose facts could not be read when somebody wanted to.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        find: Callable[[Path], Awaitable[R]],
        fleet: Callable[[RepositoryId, Hearing], Fleet],
        compose: Callable[[R, Fleet], Desk],
        shut: Callable[[Account], None],
        heard: Hearing,
    ) -> None:
        self._log = log
        self._find = find
        self._make = fleet
        self._compose = compose
        self._shut = shut
        self._heard = heard
        self.unread: set[RepositoryId] = set()
        self._fleets: WeakValueDictionary[RepositoryId, Fleet] = WeakValueDictionary()
        self._going: dict[RepositoryId, Going] = {}
        self._taking: set[asyncio.Task[None]] = set()
        self._over = False
        self._lock = asyncio.Lock()

    def all(self) -> tuple[Desk, ...]:
        """Those that are open."""
        return tuple(going.desk for going in self._going.values())

    async def take_up(self) -> None:
        """Take up every repository that has something going on and can be read.

        None of them begins before the ledger knows what all of them hold.
        """
        desks = [await self._left_at_work(name) for name in await self._log.repositories()]
        for desk in desks:
            if desk is not None:
                self._begin(desk)

    async def at(self, path: Path) -> Desk:
        """The desk of the repository that a folder is in. Raises `Refused` if it is in none, `Broken` if what is known
        of it cannot be read.
        """
        repository = await self._find(path)
        async with self._lock:
            going = self._going.get(repository.id)
            if going is not None and not going.desk.repository.path.exists():
                await self._let_go(going)  # it was moved, or the linked worktree that it was found in is gone
            if repository.id not in self._going:
                self._begin(await self._open(repository))
            return self._going[repository.id].desk

    async def reseat(self, desk: Desk, order: Callable[[], Awaitable[T]]) -> T:
        """Have an order carried out that changes the sandbox. Nothing begins there before the desk is made anew.

        It is made anew whatever becomes of the order, also if whoever gave it has gone meanwhile.
        """
        async with self._lock:
            if (going := self._going.get(desk.repository.id)) is not None:
                await self._let_go(going)
            try:
                return await order()
            finally:
                self._begin(await self._open(await self._find(desk.repository.path)))

    async def forget(self, desk: Desk, remove: Callable[[], Awaitable[None]]) -> None:
        """Let go of a repository and have what is kept of it removed. Raises `Refused` while any task of it lives."""
        going_on = Refused("Tasks are still going on there.", hint="Cancel them first: band cancel TASK")
        if desk.live:
            raise going_on
        async with self._lock:
            if (going := self._going.get(desk.repository.id)) is not None:
                await self._let_go(going)
            # Once more: what was ordered a moment ago counts, and now nothing begins any more.
            fleet = await self._fleet(desk.repository.id)
            if fleet.state.tasks:
                self._begin(await self._open(await self._find(desk.repository.path)))
                raise going_on
            fault("purge.forget.before")
            await remove()
            fault("purge.forget.after")

    async def stop(self, *, drain_seconds: float) -> None:
        """Let go of everything, once what takes moments is done."""
        self._over = True
        await asyncio.gather(*(going.desk.brain.drain(seconds=drain_seconds) for going in self._going.values()))
        for task in (*self._taking, *(going.brain for going in self._going.values())):
            task.cancel()
        await asyncio.gather(*self._taking, *(going.brain for going in self._going.values()), return_exceptions=True)
        self._going.clear()

    async def _let_go(self, going: Going) -> None:
        del self._going[going.desk.repository.id]
        going.brain.cancel()
        await asyncio.gather(going.brain, return_exceptions=True)
        self._shut(going.desk.account)

    async def _left_at_work(self, name: RepositoryId) -> Desk | None:
        """The desk of a repository that was left with work to do. One that is gone or unreadable is left alone."""
        try:
            fleet = await self._fleet(name)
        except Broken as error:
            _log.error("%s %s", error, error.hint, extra={"repository": name})
            return None
        if not fleet.state.tasks:
            return None
        try:
            repository = await self._find(Path(fleet.state.path))
            return await self._open(repository) if repository.id == name else None
        except (BandstandError, OSError) as error:
            _log.warning("what was left there waits: %s", error, extra={"repository": name})
            return None

    async def _open(self, repository: R) -> Desk:
        return self._compose(repository, await self._fleet(repository.id))

    async def _fleet(self, name: RepositoryId) -> Fleet:
        """The fleet of a repository, which knows what the log has. Raises `Broken` if that cannot be read."""
        fleet = self._fleets.get(name)
        if fleet is None:
            fleet = self._fleets[name] = self._make(name, self._hear)
        try:
            await fleet.open()
        except Broken as error:
            self.unread.add(name)
            raise unreadable(error) from error
        self.unread.discard(name)
        return fleet

    def _begin(self, desk: Desk) -> None:
        name = desk.repository.id
        self._going[name] = Going(desk=desk, brain=asyncio.create_task(desk.run(), name=f"brain {name}"))

    def _hear(self, repository: RepositoryId, notice: Notice) -> None:
        """Pass on what a fleet says. What is recorded where nobody is at work was ordered at a desk that is gone."""
        self._heard(repository, notice)
        if isinstance(notice, Recorded) and repository not in self._going and not self._over:
            taking = asyncio.create_task(self._seat(repository), name=f"seating {repository}")
            self._taking.add(taking)
            taking.add_done_callback(self._taking.discard)

    async def _seat(self, name: RepositoryId) -> None:
        async with self._lock:
            if name not in self._going and (desk := await self._left_at_work(name)) is not None:
                self._begin(desk)
