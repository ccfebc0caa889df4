"""Purging one ended task: what was said, printed and kept of it goes, and the log says that it did.

Its facts stay: they are one log with a digest over all of it, and other tasks depend on what they tell. What a rescue
holds and nothing else does is not purged; giving that up is an order of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bandstand.domain import events as e
from bandstand.domain.errors import Broken, Refused
from bandstand.domain.ids import TaskId
from bandstand.domain.remains import NOT_AT_ALL, RemainsKind, Remnant
from bandstand.domain.state import State
from bandstand.ports.remains import Known, Remains
from bandstand.services.fleet import Fleet
from bandstand.services.rescues import GivenUp, Rescuing
from bandstand.services.views import never

_KINDS = frozenset({RemainsKind.RUN, RemainsKind.CHECK, RemainsKind.ARCHIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What goes of one task. Of each rescue it is proved that all of it is elsewhere, too."""

    task: TaskId
    things: tuple[Remnant, ...]
    rescues: tuple[GivenUp, ...]

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum(one.bytes for one in self.things) + sum(one.view.bytes for one in self.rescues)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purging:
    """Of the tasks of one repository."""

    fleet: Fleet
    remains: Sequence[Remains]
    rescuing: Rescuing

    async def find(self, task: TaskId) -> Purge:
        """What would go. Raises `Unknown`, and `Refused` for a task that lives or whose rescue is nowhere else."""
        known = self._known(task)
        things = [one for part in self.remains for one in await part.find(known) if one.kind in _KINDS]
        archives = {one.name for one in things if one.kind is RemainsKind.ARCHIVE}
        rescues = []
        for kept in await self.rescuing.of(task):
            lost = [name for name in kept.nowhere_else if name not in archives]
            if lost:
                raise Refused(
                    f"What was rescued of {task} is nowhere else: {', '.join(lost[:3])}{' …' if lost[3:] else ''}.",
                    hint=f"Look at it: band rescue show {task}\nGive it up for good: band rescue prune {task} --yes",
                )
            rescues.append(kept)
        return Purge(task=task, things=tuple(things), rescues=tuple(rescues))

    async def purge(self, task: TaskId, *, by: str) -> Purge:
        """Remove it. That it goes is recorded before anything does, once: an order that broke off may be repeated."""
        found = await self.find(task)
        if not found.things and not found.rescues:
            return found
        if not await self._is_recorded(task):
            purged = e.TaskPurged(task=task, things=len(found.things), bytes=found.bytes, by=by)
            await self.fleet.record(lambda state: [purged] if task in state.past else [])
        known = self._known(task)
        for thing in found.things:
            for part in self.remains:
                await part.clear(thing, known)
        left = [one.name for part in self.remains for one in await part.find(known) if one.kind in _KINDS]
        if left:
            raise Broken(f"This is still there of {task}: {', '.join(left)}.", hint="See who holds it, and try again.")
        given_up = await self.rescuing.give_up(found.rescues, by=by, lossy=frozenset())
        return replace(found, rescues=tuple(one for one in given_up if one.gone))

    async def _is_recorded(self, task: TaskId) -> bool:
        return any([isinstance(fact.event, e.TaskPurged) async for fact in self.fleet.facts(task)])

    def _known(self, task: TaskId) -> Known:
        """The one task, as if it were the only one that ever was, and nothing of it were kept. Raises as `find`."""
        state = self.fleet.state
        if task in state.tasks:
            raise Refused(f"{task} has not ended.", hint=f"Wait for it, or end it: band cancel {task}")
        if task not in state.past:
            raise never(task)
        only = State(past={task: state.past[task]})
        return Known(state=only, retention=NOT_AT_ALL, now=self.fleet.clock.now())
