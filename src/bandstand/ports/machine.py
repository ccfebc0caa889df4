"""The machine that all agents of a user share."""

from typing import Protocol

from bandstand.domain.admission import Disk, Memory, Pressure


class Machine(Protocol):
    """What the machine has for agents: all of it, or as much as the part that this process was given."""

    def memory(self) -> Memory | None:
        """How much memory there is now, read at once; nothing where the system does not tell."""
        ...

    def disk(self, path: str) -> Disk | None:
        """How much room there is below a folder now; nothing if there is no such folder."""
        ...

    def pressure(self) -> Pressure | None:
        """How much everything stands still now; nothing where the system does not tell."""
        ...
