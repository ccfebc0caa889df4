"""Networks of runs in memory."""

from bandstand.domain.ids import RunId
from bandstand.ports.listening import RunNetwork


class MemoryNetworks:
    """What a test says of each run."""

    def __init__(self) -> None:
        self.held: dict[RunId, RunNetwork] = {}

    async def of(self, run: RunId) -> RunNetwork | None:
        """That of a live run."""
        return self.held.get(run)
