"""Orders that are carried out once: each is answered with a receipt, which is made of the facts that it recorded.

An order may have a key. Then the key is recorded in the same append as what follows from the order: either both are in
the log or none is, whenever the daemon dies. Who gives the order again, to this daemon or another one, gets the same
receipt, and nothing is done. An order that records nothing leaves no key, and may as well be carried out again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from bandstand.domain import events as e
from bandstand.domain.errors import Stale
from bandstand.domain.ids import RepositoryId
from bandstand.domain.past import order_subject
from bandstand.domain.state import State
from bandstand.ports.clock import Clock
from bandstand.ports.log import EventLog, Recorded
from bandstand.services.fleet import Decide, Fleet, Recording

Perform = Callable[[Recording], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What followed from an order: its facts. `repeated` tells that they had been recorded before."""

    repository: RepositoryId
    facts: tuple[Recorded, ...]
    repeated: bool = False


class Orders:
    """Carries out orders and gives receipts."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._turns: WeakValueDictionary[tuple[RepositoryId, str], asyncio.Lock] = WeakValueDictionary()

    async def take(self, fleet: Fleet, perform: Perform, *, key: str = "", digest: str = "") -> Receipt:
        """Carry out an order, once for its key in this repository if it has one. `digest` tells what is ordered.

        Raises what `perform` raises, and `Stale` if the key was given with another order.
        """
        if not key:
            return await _performed(fleet, perform, None)
        # Whoever holds the lock keeps it alive.
        turn = self._turns.setdefault((fleet.repository, key), asyncio.Lock())
        async with turn:
            taken = await self._taken(fleet.repository, key)
            if taken is None:
                return await _performed(fleet, perform, (key, digest))
            fact, order = taken
            if order.digest != digest:
                raise Stale(f"The key {key!r} was given with another order.", hint="Give each order a key of its own.")
            facts = await self._log.read_all(after=fact.sequence - order.facts - 1, limit=order.facts)
            return Receipt(repository=fleet.repository, facts=facts, repeated=True)

    async def _taken(self, repository: RepositoryId, key: str) -> tuple[Recorded, e.OrderTaken] | None:
        for fact in await self._log.read_task(repository, order_subject(key)):
            if isinstance(fact.event, e.OrderTaken):
                return fact, fact.event
        return None


async def _performed(fleet: Fleet, perform: Perform, mark: tuple[str, str] | None) -> Receipt:
    marked = _Marked(fleet, mark)
    await perform(marked)
    return Receipt(repository=fleet.repository, facts=tuple(marked.facts))


class _Marked:
    """A fleet, for one order: it puts the order's key behind the first facts, and keeps all of them."""

    def __init__(self, fleet: Fleet, mark: tuple[str, str] | None) -> None:
        self.facts: list[Recorded] = []
        self._fleet = fleet
        self._mark = mark

    @property
    def state(self) -> State:
        """As the fleet's."""
        return self._fleet.state

    @property
    def clock(self) -> Clock:
        """As the fleet's."""
        return self._fleet.clock

    async def record(self, decide: Decide) -> tuple[Recorded, ...]:
        """As the fleet's."""
        recorded = await self._fleet.record(lambda state: self._with_mark(decide(state)))
        self.facts.extend(fact for fact in recorded if not isinstance(fact.event, e.OrderTaken))
        return recorded

    def _with_mark(self, events: Sequence[e.Event]) -> Sequence[e.Event]:
        if self._mark is None or not events or self.facts:
            return events
        key, digest = self._mark
        return (*events, e.OrderTaken(key=key, digest=digest, facts=len(events)))
