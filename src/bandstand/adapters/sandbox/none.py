"""No walls: the command runs as the user, on the host's own paths.

Laws 2 and 4 are not enforced here; whoever chooses this does so by name, and every face says so.
"""

from pathlib import Path

from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement


class NoSandbox:
    """Runs commands as they are. Mounts are not made: every path is seen where the host has it."""

    @property
    def name(self) -> str:
        """`none`."""
        return "none"

    @property
    def enforced(self) -> bool:
        """There are no walls."""
        return False

    def inside(self, host: Path, *, role: str) -> Path:
        """The host's own path."""
        return host

    def confine(self, confinement: Confinement) -> Launch:
        """The command itself, with the environment it was given and nothing inherited; HOME is its private home."""
        home = {} if confinement.home is None else {"HOME": str(confinement.home)}
        return Launch(
            argv=confinement.argv,
            cwd=confinement.cwd,
            environment={**confinement.environment, **home},
        )

    async def probe(self) -> None:
        """Nothing has to stand."""
