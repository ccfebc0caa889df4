"""What a repository cannot give to an agent: anything of the user's home, and a login that was made for another one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from bandstand.config.agent_tables import AgentTable
from bandstand.config.documents import Document
from bandstand.config.findings import Finding, quoted
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.domain.agent import AgentProfile
from bandstand.domain.credentials import CredentialKind, Credentials

YOURS = "what an agent sees of your home is yours to say."


def of_a_repository(profile: AgentProfile, shows_home: Callable[[str], bool]) -> AgentProfile:
    """A repository's agent with no more of the user's than it may have.

    It keeps the login of a known agent only as long as it is that agent: another command, or other surroundings of it,
    could send the login anywhere.
    """
    known = KNOWN_AGENTS.get(profile.name)
    base = known.profile() if known is not None else AgentProfile(name=profile.name, command=())
    same = (profile.command, profile.environment) == (base.command, base.environment)
    own = profile.credentials
    if own.kind is CredentialKind.SHARED and not (same and set(profile.passes) <= set(base.passes)):
        own = Credentials(variables=own.variables)
    reads = tuple(path for path in profile.reads if not shows_home(path))
    return replace(profile, reads=reads, credentials=own)


def too_much_shown(agents: Mapping[str, AgentTable], document: Document, *, hint: str) -> Iterator[Finding]:
    """What a repository would show of the user's, and may not."""
    for name, table in agents.items():
        for number, path in enumerate(table.reads):
            if path.startswith("~"):
                line = document.locate(("agents", name, "reads", number))
                yield Finding(line=line, sentence=f"A repository cannot show {quoted(path)} to an agent.", hint=hint)
