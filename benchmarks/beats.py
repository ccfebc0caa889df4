"""One beat of the brain at 10,000 live tasks: what a single new fact costs before anything is done about it.

Everything is the real thing, in this process: the log in SQLite, the fleet, the plan, the brain. Only what a beat would
start is left out: it waits for ever.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandstand.adapters.clock import AwakeClock
from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.domain import events as e
from bandstand.domain.activities import Activity
from bandstand.domain.admission import Capacity
from bandstand.domain.ids import AgentName, RepositoryId, SessionId, TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.task import TaskSpec
from bandstand.services.admission import Admission
from bandstand.services.fleet import Decide, Fleet
from bandstand.services.reconcile import Brain
from bandstand.testing.hosts import MemoryHost
from bandstand.testing.machine import FakeMachine
from benchmarks.figures import Figure, Findings, Found
from benchmarks.ground import ground

LIVE, SLOTS, BEATS = 10_000, 100, 60
FIGURES = (
    Figure(
        key="beat",
        title=f"One beat at {LIVE:,} live tasks, {SLOTS} at work",
        unit="ms",
        floor="a loop over as many tasks that looks at one field",
        target=5,
    ),
    Figure(key="beat.record", title="Recording the one fact before it", unit="ms"),
    Figure(key="beat.wake", title="Finding when to wake up next", unit="ms"),
)


@dataclass(slots=True)
class Times:
    """What was measured, in milliseconds each."""

    beat: list[float]
    record: list[float]
    wake: list[float]
    floor: list[float]


def measure() -> Findings:
    """Beats one after another, a fact before each."""
    with ground() as place:
        times = asyncio.run(_beat(place.state / "bandstand.db"))
    return {
        "beat": Found(ours=tuple(times.beat), floor=tuple(times.floor)),
        "beat.record": Found(ours=tuple(times.record)),
        "beat.wake": Found(ours=tuple(times.wake)),
    }


async def _beat(path: Path) -> Times:
    clock, log = AwakeClock(), SqliteLog(path)
    await log.open()
    fleet = Fleet(RepositoryId("many"), log=log, clock=clock)
    await fleet.open()
    ledger = Admission(capacity=lambda: Capacity(slots=SLOTS), machine=FakeMachine(), clock=clock)
    account = ledger.open(fleet.repository, state=lambda: fleet.state, host=MemoryHost({}))
    brain = Brain(fleet, perform=_never, account=account)
    await fleet.record(lambda _: [e.PolicyConfirmed(policy=Policy(target="main"), by="ada")])
    await fleet.record(lambda _: [e.TaskSubmitted(spec=spec, by="ada") for spec in _specs()])
    await brain.beat()
    times = Times(beat=[], record=[], wake=[], floor=[])
    at_work = [task for task in fleet.state.tasks.values() if task.run is not None]
    if len(at_work) != SLOTS:
        raise RuntimeError(f"{len(at_work)} agents are at work, not {SLOTS}")
    for number in range(BEATS):
        run = at_work[number % SLOTS].run
        assert run is not None
        facts: list[e.Event] = [e.SessionOpened(run=run.id, task=run.task, session=SessionId(f"s{number}"))]
        times.record.append(await _timed(fleet.record(_once(facts))))
        times.beat.append(await _timed(brain.beat()))
        begun = time.perf_counter()
        fleet.agenda.wake_at(now=clock.now())
        times.wake.append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        sum(task.retired for task in fleet.state.tasks.values())
        times.floor.append((time.perf_counter() - begun) * 1000)
    await brain._let_go()
    await log.close()
    return times


def _specs() -> Iterator[TaskSpec]:
    """Half of them may start as soon as there is a slot; the others wait for one before them."""
    for number in range(LIVE):
        name = TaskId(f"task-{number:05d}")
        needs = (TaskId(f"task-{number - 1:05d}"),) if number % 2 else ()
        title = f"Play part {number}"
        yield TaskSpec(id=name, title=title, goal=f"{title}.", agent=AgentName("coder"), depends_on=needs)


async def _never(_activity: Activity) -> None:
    await asyncio.Event().wait()


def _once(facts: list[e.Event]) -> Decide:
    """A decision for these facts, whatever the state is."""
    return lambda _: facts


async def _timed(work: Coroutine[Any, Any, object]) -> float:
    begun = time.perf_counter()
    await work
    return (time.perf_counter() - begun) * 1000
