"""Watching over what live runs use: one that comes near a limit is held still, and a human is asked.

What is to be so follows from the facts alone: a run is still as long as its ask keeps it waiting. Each look makes that
true, so it holds over the death of a daemon at any moment, and the kernel keeps it while there is none.

Memory is read from the control group of each run. Folders are walked only when the disk they are on has filled by a
good part of what they may hold, or when a run is seen for the first time: a walk costs as much as a tree has files.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bandstand.domain.ask import AskKind
from bandstand.domain.asking import ask_limit
from bandstand.domain.errors import BandstandError
from bandstand.domain.events import Event
from bandstand.domain.ids import RunId
from bandstand.domain.limits import Excess, Grant, Limits, Resource, excess
from bandstand.domain.policy import Policy
from bandstand.domain.run import Part, Run
from bandstand.domain.state import State, Task
from bandstand.ports.folders import Folders
from bandstand.ports.hosts import Host, Usage
from bandstand.services.conversation import wanted
from bandstand.services.fleet import Fleet
from bandstand.services.reviews import workspace_name

LOOK_AGAIN = timedelta(seconds=2)
"""How long live runs are left alone between two looks."""

_PARTS = 16  # a folder is walked again when the disk has filled by this part of its limit
_log = logging.getLogger(__name__)

Going = tuple[Task, Run]


@dataclass(slots=True, kw_only=True)
class _Walked:
    """How full the disk was when a run's folders were walked, and what they held."""

    filled: int
    held: int


@dataclass(slots=True, kw_only=True)
class Watch:
    """Watches over the live runs of one repository. `limits` tells what those of a task may have."""

    fleet: Fleet
    host: Host
    folders: Folders
    limits: Callable[[Policy, Task], Limits]
    _walked: dict[RunId, _Walked] = field(default_factory=dict)
    _granted: dict[RunId, Mapping[Resource, Grant]] = field(default_factory=dict)

    async def run(self) -> None:
        """Watch until cancelled. While no run lives nothing is looked at."""
        while True:
            await self.fleet.until(lambda state: any(_going(state)))
            try:
                await self.look()
            except (BandstandError, OSError) as error:
                about = {"repository": self.fleet.repository}
                _log.warning("what runs use could not be seen to: %s", error, extra=about)
            await self._wait()

    async def _wait(self) -> None:
        """Until the next look: at once if a run is to be held, or let go, since the last one."""
        held, clock = _held(self.fleet.state), self.fleet.clock
        waiting = (
            asyncio.create_task(self.fleet.until(lambda state: _held(state) != held)),
            asyncio.create_task(clock.sleep_until(clock.now() + LOOK_AGAIN)),
        )
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def look(self) -> None:
        """See what live runs use, have those still that are to be, and ask about those that use too much."""
        going = {run.id: (task, run) for task, run in _going(self.fleet.state)}
        for known in (self._walked, self._granted):
            for name in known.keys() - going.keys():
                known.pop(name)
        usage = await self.host.usage(going.keys())
        for name in usage:
            # As it stands now: looking took a while, in which somebody may have answered.
            now = next((pair for pair in _going(self.fleet.state) if pair[1].id == name), None)
            if now is not None:
                await self._see_to(*now, usage[name])

    async def _see_to(self, task: Task, run: Run, used: Usage) -> None:
        policy = self.fleet.state.policy
        if policy is None:
            return
        limits = self.limits(policy, task)
        if task.granted != self._granted.get(run.id, {}):
            await self.host.allow(run.id, limits, asked=_asked(task, Resource.MEMORY))
            self._granted[run.id] = task.granted
        if run.id in _held(self.fleet.state):
            if not used.frozen:
                await self.host.freeze(run.id)
            return
        if used.frozen:
            await self.host.thaw(run.id)
        found = await self._excess(task, run, used, limits)
        if found is not None and await self._ask(task, run, found):
            await self.host.freeze(run.id)

    async def _excess(self, task: Task, run: Run, used: Usage, limits: Limits) -> Excess | None:
        if used.memory is not None:
            found = excess(Resource.MEMORY, used.memory, limits, granted=task.granted, held=used.held)
            if found is not None:
                return found
        held = await self._on_disk(run, limits)
        return excess(Resource.DISK, held, limits, granted=task.granted, held=False) if held is not None else None

    async def _on_disk(self, run: Run, limits: Limits) -> int | None:
        """What the folders of a run hold, as it was when they were walked last."""
        if limits.disk_bytes is None or (filled := self.folders.filled()) is None:
            return None
        walked = self._walked.get(run.id)
        if walked is not None and filled < walked.filled + max(1, limits.disk_bytes // _PARTS):
            walked.filled = min(walked.filled, filled)
            return walked.held
        name = run.task if run.part is Part.AUTHOR else workspace_name(run)
        walked = self._walked[run.id] = _Walked(filled=filled, held=await self.folders.size(name))
        return walked.held

    async def _ask(self, task: Task, run: Run, found: Excess) -> bool:
        """Ask a human about a run, unless that was done, or answered, or it is over; whether it was."""

        def decide(state: State) -> Iterable[Event]:
            if run.task not in state.tasks or not wanted(state, run) or run.id in _held(state):
                return ()
            if state.tasks[run.task].granted != task.granted:
                return ()
            return (ask_limit(state, state.tasks[run.task], run, found, now=self.fleet.clock.now()),)

        return bool(await self.fleet.record(lambda state: tuple(decide(state))))


def _going(state: State) -> Iterator[Going]:
    """Every run that is to go on."""
    for task in state.tasks.values():
        for run in (task.run, task.review_run):
            if run is not None and run.stopping is None:
                yield task, run


def _held(state: State) -> frozenset[RunId]:
    """The runs that are to be still."""
    asks = (ask for ask in state.asks.values() if ask.kind is AskKind.LIMIT)
    return frozenset(run for ask in asks if (run := ask.keeps_waiting) is not None)


def _asked(task: Task, resource: Resource) -> bool:
    """Whether a human lets a task run up to its limit unasked."""
    grant = task.granted.get(resource)
    return grant is not None and grant.asks_at >= grant.limit
