"""How agents are logged in: what is known of that without looking at anything secret."""

from collections.abc import Collection
from dataclasses import dataclass

from bandstand.domain.agent import AgentProfile
from bandstand.domain.credentials import CredentialKind, Login, login_of
from bandstand.ports.credentials import SharedLogins


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """The logins of one user's agents, those in `folders` among them."""

    folders: SharedLogins

    def login(self, profile: AgentProfile, names: Collection[str]) -> Login:
        """How an agent is logged in for an order from a shell in which these variables have a value."""
        handed_on = {name for name in profile.passes if name in names}
        handed_on |= {name for name, value in profile.environment if value}
        credentials = profile.credentials
        kept = credentials.kind is CredentialKind.SHARED and self.folders.kept(profile.name, credentials)
        return login_of(credentials, handed_on, kept=kept)
