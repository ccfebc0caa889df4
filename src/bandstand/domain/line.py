"""A waiting line: names in the order of their ranks, which may change while they wait."""

from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

N = TypeVar("N", bound=str)
R = TypeVar("R", bound=Any)

_SLACK = 64


class Line(Generic[N, R]):
    """Each name stands in it once. A heap: who leaves is marked, and taken out when at its head (lazy deletion)."""

    def __init__(self) -> None:
        self._ranks: dict[N, R] = {}
        self._heap: list[tuple[R, N]] = []

    def put(self, name: N, rank: R) -> None:
        """Let a name stand where it belongs by this rank, wherever it stood."""
        if name in self._ranks and self._ranks[name] == rank:
            return
        self._ranks[name] = rank
        if len(self._heap) > 2 * len(self._ranks) + _SLACK:
            self._heap = [(rank, name) for name, rank in self._ranks.items()]
            heapify(self._heap)
        else:
            heappush(self._heap, (rank, name))

    def drop(self, name: N) -> None:
        """Take a name out, if it is there."""
        self._ranks.pop(name, None)

    def first(self) -> N | None:
        """The name of the lowest rank."""
        head = self._head()
        return head[1] if head is not None else None

    def lowest(self) -> R | None:
        """The lowest rank."""
        head = self._head()
        return head[0] if head is not None else None

    def until(self, rank: R) -> N | None:
        """The name of the lowest rank, if that is not above this one."""
        head = self._head()
        return head[1] if head is not None and head[0] <= rank else None

    def _head(self) -> tuple[R, N] | None:
        while self._heap:
            rank, name = self._heap[0]
            if name in self._ranks and self._ranks[name] == rank:
                return rank, name
            heappop(self._heap)
        return None
