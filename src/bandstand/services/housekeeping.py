"""Housekeeping: clearing away what nobody needs any more, when somebody says so or after something has ended."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from bandstand.domain import events as e
from bandstand.domain.errors import BandstandError
from bandstand.domain.ids import TaskId
from bandstand.domain.remains import BY_HAND, RemainsKind, Remnant, Retention, due, task_of
from bandstand.faults import fault
from bandstand.ports.hosts import Host
from bandstand.ports.remains import Known, Remains
from bandstand.services.fleet import Fleet

ITSELF = "bandstand"
"""Who clears away when nobody said so."""

_ORDER = {kind: number for number, kind in enumerate(RemainsKind)}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What became of one thing: it is gone, or `trouble` says why it is still there."""

    remnant: Remnant
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """Of one repository. `retention` is asked each time: the user may have changed it."""

    fleet: Fleet
    host: Host
    remains: Sequence[Remains]
    retention: Callable[[], Retention]
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self) -> tuple[Remnant, ...]:
        """Everything that may go, each thing with the reason. Nothing is changed."""
        found = [one for part in self.remains for one in await part.find(self._known())]
        return tuple(sorted(found, key=lambda one: (_ORDER[one.kind], one.name)))

    async def collect(self, *, by: str) -> AsyncIterator[Cleared]:
        """Clear away everything that may go, and tell each thing as it goes. Recorded in the end."""
        async with self._alone:
            async for cleared in self._clear(await self.find(), by=by):
                yield cleared
            # What is gone may have been the last that needed something else.
            if more := [one for one in await self.find() if one.kind is RemainsKind.PACKS]:
                async for cleared in self._clear(more, by=by):
                    yield cleared

    async def after_ending(self) -> None:
        """Something has ended: clear away what may go by itself, if that was not done for a while.

        What goes wrong is told in the log only, and tried again after another ending.
        """
        if self._alone.locked() or not due(self.fleet.state, now=self.fleet.clock.now()):
            return
        try:
            async with self._alone:
                found = [one for one in await self.find() if one.kind not in BY_HAND]
                async for cleared in self._clear(found, by=ITSELF):
                    one = cleared.remnant
                    _log.info("cleared away: %s %s: %s", one.kind.value, one.name, cleared.trouble or one.why)
        except BandstandError as error:
            _log.warning("Remains could not be cleared away: %s", error)

    async def _clear(self, found: Sequence[Remnant], *, by: str) -> AsyncIterator[Cleared]:
        gone: list[Remnant] = []
        try:
            for remnant in found:
                cleared = await self._clear_one(remnant)
                if cleared is not None:
                    gone += [] if cleared.trouble else [remnant]
                    yield cleared
        finally:
            total = sum(one.bytes for one in gone)
            await self.fleet.record(lambda _: [e.RemainsCleared(things=len(gone), bytes=total, by=by)])

    async def _clear_one(self, remnant: Remnant) -> Cleared | None:
        """Clear one thing with what is known now, not with what was known when it was found."""
        known = self._known()
        for part in self.remains:
            try:
                if remnant.kind is RemainsKind.WORKSPACE:
                    await self._end_agents(TaskId(remnant.name))
                fault("remains.clear.before")
                cleared = await part.clear(remnant, known)
                fault("remains.clear.after")
                if cleared:
                    return Cleared(remnant=remnant)
            except BandstandError as error:
                return Cleared(remnant=remnant, trouble=f"{error} {error.hint}".strip())
        return None

    async def _end_agents(self, task: TaskId) -> None:
        """End agents of a task that is over: those that live although the log has lost what told of the task."""
        for run in await self.host.live() if task in self.fleet.state.past else ():
            if task_of(run) == task:
                await self.host.stop(run)

    def _known(self) -> Known:
        return Known(state=self.fleet.state, retention=self.retention(), now=self.fleet.clock.now())
