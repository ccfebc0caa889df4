"""Folders of logins in memory."""

from pathlib import Path

from bandstand.domain.credentials import Credentials
from bandstand.domain.ids import AgentName


class MemoryLogins:
    """`SharedLogins` that end with the process. `filled` are the agents whose folder holds a login, `furnished` the
    homes that links were put into.
    """

    def __init__(self, *, filled: frozenset[AgentName] = frozenset()) -> None:
        self.filled = filled
        self.opened: list[AgentName] = []
        self.furnished: list[Path] = []

    async def open(self, agent: AgentName, credentials: Credentials) -> Path:
        """A folder that nobody made."""
        self.opened.append(agent)
        return Path("/logins") / agent

    async def furnish(self, home: Path, credentials: Credentials, *, seen: Path) -> None:
        """Remember the home."""
        self.furnished.append(home)

    def kept(self, agent: AgentName, credentials: Credentials) -> bool:
        """Whether it was said so."""
        return agent in self.filled

    def give_back(self, agent: AgentName) -> None:
        """Nothing here belongs to anybody."""
