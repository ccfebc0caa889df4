"""How a command is confined."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bandstand.ports.hosts import Launch
from bandstand.ports.walls import NO_LIMITS, Gap, Limits, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host path that is seen inside at `inside`, for reading only unless it is in a list of writable ones."""

    host: Path
    inside: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What a command may touch. Paths inside are those that it sees; everything not named here is out of its reach.

    `environment` is the whole environment. `home` is a private folder seen as the home directory. What of `readable`
    does not exist is left out. What is `ours` are a few programs of the system, and needs no settings of the machine.
    `network` and `limits` hold where the walls are real.
    """

    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    home: Path | None = None
    writable: tuple[Mount, ...] = ()
    readable: tuple[Mount, ...] = ()
    ours: bool = False
    network: Network = Network.HOST
    limits: Limits = NO_LIMITS


class Sandbox(Protocol):
    """How commands are kept in their place."""

    @property
    def name(self) -> str:
        """The kind, as said on every face: `bubblewrap` or `none`."""
        ...

    @property
    def enforced(self) -> bool:
        """Whether the walls are real. Where not, every face says so."""
        ...

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What the walls lack on this machine, as far as is known. Where they are not real that is no question."""
        ...

    def inside(self, host: Path, *, role: str) -> Path:
        """Where a command sees the folder `host` that plays `role` (`workspace`, `home` or `login`)."""
        ...

    def confine(self, confinement: Confinement) -> Launch:
        """The process that runs the command within these walls."""
        ...

    async def probe(self) -> None:
        """Return if the walls stand on this machine. Raises `Unavailable` with the one command that cures it."""
        ...
