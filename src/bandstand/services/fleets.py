"""All fleets of a user at once: what is ordered of the whole machine and not of one repository."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bandstand.domain import holding
from bandstand.domain.errors import BandstandError, Broken, Unavailable
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.past import subject
from bandstand.domain.state import State
from bandstand.ports.clock import Clock
from bandstand.ports.log import EventLog
from bandstand.services.desk import Desk
from bandstand.services.fleet import Decide, Fleet
from bandstand.services.repositories import unreadable

_log = logging.getLogger(__name__)
_END_SECONDS = 15.0
"""How long agents are given to end when everything is stopped: a turn is cancelled first, then the process."""


class StopNote(Protocol):
    """Where it is noted that everything is to stop, outlasting every process. While it is there nothing starts."""

    def write(self, by: str) -> None:
        """Say so, and who wants it. Raises `OSError`."""
        ...

    def by(self) -> str | None:
        """Who wants it; nothing if nobody does."""
        ...

    def clear(self) -> None:
        """It has been heeded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """The tasks of one repository that an order to all of them changed."""

    repository: RepositoryId
    path: str
    tasks: tuple[TaskId, ...]


class Fleets:
    """Every repository that there ever was an order for.

    `desks` are those that are open now, `stopped` is where it is noted that everything is to stop.
    """

    def __init__(self, *, log: EventLog, clock: Clock, desks: Callable[[], Sequence[Desk]], stopped: StopNote) -> None:
        self._stopped = stopped
        self._log = log
        self._clock = clock
        self._desks = desks

    async def stop_all(self, *, by: str) -> tuple[tuple[Steered, ...], int]:
        """Hold every task everywhere and end its agent: what was held, and how many agents do not end in time.

        May be repeated: what is paused already stays as it is. Raises `Unavailable` where nothing can be written, and
        `Broken`, once all others are held, for a repository that cannot be read: nothing goes on there anyhow.
        """
        try:
            self._stopped.write(by)
        except OSError as error:
            raise Unavailable(f"It cannot be noted that everything stops: {error.strerror}.") from error
        held, unread = await self._hold()
        left = await self._quiet(within_seconds=_END_SECONDS)
        if unread is not None:
            raise unread
        return held, left

    async def heed_stop(self) -> tuple[Steered, ...]:
        """Hold every task if somebody stopped everything, be it while no daemon was there. May be repeated.

        A repository that cannot be read keeps no other one from beginning again: what stops it is that.
        """
        held, unread = await self._hold()
        if unread is not None:
            _log.error("tasks of a repository could not be held. %s %s", unread, unread.hint)
        return held

    async def _hold(self) -> tuple[tuple[Steered, ...], Broken | None]:
        by = self._stopped.by()
        if by is None:
            return (), None
        held = await self._steer(lambda state: holding.pause_all(state, by=by))
        self._stopped.clear()
        return held

    async def resume_all(self, *, by: str) -> tuple[Steered, ...]:
        """Let go on whatever was stopped with the whole fleet. May be repeated.

        A stop that was noted and not heeded yet is older than this order: it is heeded first, and undone by this one.
        """
        await self.heed_stop()
        resumed, unread = await self._steer(lambda state: holding.resume_all(state, by=by))
        if unread is not None:
            raise unread
        return resumed

    async def _quiet(self, *, within_seconds: float) -> int:
        """Wait until no paused task has an agent any more, or the time is over; how many agents are left."""
        waiting = [asyncio.create_task(_still(desk.fleet)) for desk in self._desks()]
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=within_seconds)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return sum(_held_runs(desk.fleet.state) for desk in self._desks())

    async def _steer(self, decide: Decide) -> tuple[tuple[Steered, ...], Broken | None]:
        """What was steered, and what is to be said of a repository that cannot be read. Raises any other trouble.

        None of it keeps the others from being reached.
        """
        open_now: Mapping[RepositoryId, Fleet] = {desk.repository.id: desk.fleet for desk in self._desks()}
        steered: list[Steered] = []
        unread: Broken | None = None
        trouble: BandstandError | None = None
        for name in await self._log.repositories():
            fleet = open_now.get(name) or Fleet(name, log=self._log, clock=self._clock)
            try:
                await fleet.open()
                recorded = await fleet.record(decide)
            except Broken as error:
                unread = unread or unreadable(error)
                continue
            except BandstandError as error:
                trouble = trouble or error
                continue
            tasks = tuple(task for fact in recorded if (task := subject(fact.event)) is not None)
            if tasks:
                steered.append(Steered(repository=name, path=fleet.state.path, tasks=tasks))
        if trouble is not None:
            raise trouble
        return tuple(steered), unread


async def _still(fleet: Fleet) -> None:
    await fleet.until(lambda state: _held_runs(state) == 0)


def _held_runs(state: State) -> int:
    held = (task for task in state.tasks.values() if task.paused is not None)
    return sum((task.run is not None) + (task.review_run is not None) for task in held)
