"""What a holder notes beside the lines of its agent, as far as it is news for a reader of the session."""

from bandstand.adapters.agents.messages import Noted
from bandstand.adapters.agents.shapes import count, text
from bandstand.domain.agent import HostRefused, Refusal


def host_refused(note: Noted) -> HostRefused | None:
    """The host that the run's proxy refused; nothing for any other note, or a reason that we do not know."""
    why = text(note.facts.get("why"))
    if note.name != "refused" or why not in set(Refusal):
        return None
    return HostRefused(host=text(note.facts.get("host")), port=count(note.facts.get("port")), why=Refusal(why))
