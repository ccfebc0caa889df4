"""Where live runs listen for connections."""

from dataclasses import dataclass
from typing import Protocol

from bandstand.domain.ids import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A TCP port that a process of a run listens on, and at which of its addresses. `program` is what it calls itself.

    Nothing of it is to be trusted: all of it is what programs of an agent say.
    """

    port: int
    address: str
    program: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNetwork:
    """The network of a live run, which is its own or the machine's.

    Of an own one, `process` is a process in it, which began at `started` in ticks since the machine was booted: both
    together are never another process. Otherwise both are 0.
    """

    own: bool
    process: int
    started: int
    listeners: tuple[Listener, ...]


class RunNetworks(Protocol):
    """The networks of the runs of one host."""

    async def of(self, run: RunId) -> RunNetwork | None:
        """That of a live run, by its port and address; `None` if it does not live, or the machine does not tell."""
        ...
