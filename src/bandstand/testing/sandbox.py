"""A sandbox without walls: what it is told to confine runs as it is."""

from pathlib import Path

from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement
from bandstand.ports.walls import Gap


class OpenSandbox:
    """Every command sees the host as it is. For tests where the walls are not the question."""

    @property
    def name(self) -> str:
        """`none`."""
        return "none"

    @property
    def enforced(self) -> bool:
        """There are no walls."""
        return False

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """There are no walls that could lack something."""
        return ()

    def inside(self, host: Path, *, role: str) -> Path:
        """The folder itself, whatever its role."""
        return host

    def confine(self, confinement: Confinement) -> Launch:
        """The command as it is, with its home as the home directory."""
        home = {} if confinement.home is None else {"HOME": str(confinement.home)}
        return Launch(argv=confinement.argv, cwd=confinement.cwd, environment=dict(confinement.environment) | home)

    async def probe(self) -> None:
        """Nothing has to stand."""
