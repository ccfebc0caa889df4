"""The folders in which agents keep the logins that they renew: one for each agent, for all of its runs."""

from pathlib import Path
from typing import Protocol

from bandstand.domain.credentials import Credentials
from bandstand.domain.ids import AgentName


class SharedLogins(Protocol):
    """Folders of logins. Nothing here reads or writes a login: agents do, and the vendors' own commands."""

    async def open(self, agent: AgentName, credentials: Credentials) -> Path:
        """The folder of an agent, for its owner alone, with the folders that its links lead into. May be repeated."""
        ...

    async def furnish(self, home: Path, credentials: Credentials, *, seen: Path) -> None:
        """Put the links to the folder, which is `seen` there, into a private home, and the files that it lacks.

        The home is an agent's: nothing outside of it is touched, whatever the agent made of it. What is in the way
        gets another name. May be repeated.
        """
        ...

    def kept(self, agent: AgentName, credentials: Credentials) -> bool:
        """Whether an agent's folder holds something that may be a login."""
        ...

    def give_back(self, agent: AgentName) -> None:
        """Have everything in an agent's folder belong to whom the folder belongs to.

        A vendor's command that root runs leaves root's files in what root's agents may have as another user.
        """
        ...
