"""What a holder waits for: its files, and who is called when one of them is ready."""

from __future__ import annotations

from select import EPOLLIN as READ
from select import EPOLLOUT as WRITE
from select import epoll

TYPE_CHECKING = False  # `typing` would be a tenth of the start of a process that every run starts
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Call = Callable[[Any], None]

__all__ = ["READ", "WRITE", "Loop"]


class Loop:
    """Waits for any of its files. What is called is quick, and never waits itself."""

    def __init__(self) -> None:
        self._epoll = epoll()
        self._watched: dict[int, tuple[Any, int, Call]] = {}

    def watch(self, file: Any, events: int, call: Call) -> None:
        """Have `call` called with the file on these events from now on; on none, leave it alone."""
        number = file if isinstance(file, int) else file.fileno()
        known = self._watched.get(number)
        if known and known[1] == events:
            if known[2] is not call:
                self._watched[number] = (file, events, call)
            return
        if known and events:
            self._epoll.modify(number, events)
        elif events:
            self._epoll.register(number, events)
        elif known:
            self._epoll.unregister(number)
            del self._watched[number]
        if events:
            self._watched[number] = (file, events, call)

    def close(self, file: Any) -> None:
        """Watch this file no more, and close it. May be repeated."""
        if file.fileno() >= 0:
            self.watch(file, 0, self.close)
        file.close()

    def wait(self, seconds: float | None) -> None:
        """Call whoever is to be called, after at most so many seconds."""
        for number, _ in self._epoll.poll(seconds, 16):
            if found := self._watched.get(number):
                found[2](found[0])
