"""No walls: the command runs as the user, on the host's own paths.

Laws 2 and 4 are not enforced here; whoever chooses this does so by name, and every face says so.
"""

from pathlib import Path

from bandstand.adapters.sandbox.editables import editables, refusal
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement
from bandstand.ports.walls import Gap


class NoSandbox:
    """Runs commands as they are. Mounts are not made: every path is seen where the host has it.

    `git_dir` is that of the repository, whose code no Python on the search path may bring in from a checkout of the
    user's; `workspaces` are our own checkouts, from which none may either.
    """

    def __init__(self, *, git_dir: Path | None = None, workspaces: Path | None = None) -> None:
        self._git_dir = git_dir
        self._workspaces = workspaces

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
        """The host's own path."""
        return host

    def confine(self, confinement: Confinement) -> Launch:
        """The command itself, with the environment it was given and nothing inherited; HOME is its private home.

        Raises `Refused` for one with a home, that is an agent or a check, whose Python would import other code than
        that of its workspace.
        """
        if self._git_dir is not None and confinement.home is not None:
            for found in editables(confinement.environment, git_dir=self._git_dir, workspaces=self._workspaces):
                raise refusal(found)
        home = {} if confinement.home is None else {"HOME": str(confinement.home)}
        return Launch(
            argv=confinement.argv,
            cwd=confinement.cwd,
            environment={**confinement.environment, **home},
            limits=confinement.limits,
        )

    async def probe(self) -> None:
        """Nothing has to stand."""
