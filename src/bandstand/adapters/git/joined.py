"""Questions that many ask at once, and that are put once for all of them.

Thirty agents that begin together all want to know who the user is and where the target stands. A git for each would
cost more than all else that the daemon does for them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Joined:
    """Lets those who ask the same wait for one answer. None is older than its question: whoever comes while one is on
    its way waits for the next, with all others who have come by then.
    """

    def __init__(self) -> None:
        self._on_its_way: dict[object, asyncio.Task[Any]] = {}
        self._next: dict[object, asyncio.Task[Any]] = {}

    async def ask(self, question: object, answer: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question; `answer` finds it, for all who wait by then. Whoever gives up disturbs nobody."""
        waiting = self._next.get(question)
        if waiting is None or waiting.done():
            waiting = self._next[question] = asyncio.create_task(self._find(question, answer))
        found: T = await asyncio.shield(waiting)
        return found

    async def _find(self, question: object, answer: Callable[[], Awaitable[T]]) -> T:
        before = self._on_its_way.get(question)
        if before is not None:
            await asyncio.wait({before})
        own = self._on_its_way[question] = self._next.pop(question)
        try:
            return await answer()
        finally:
            if self._on_its_way.get(question) is own:
                del self._on_its_way[question]
