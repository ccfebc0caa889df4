"""How agents are logged in, told without a secret: of all that can be named, and of those that an order needs."""

from collections.abc import Collection, Iterable

from bandstand.bootstrap import Bandstand
from bandstand.domain.agent import AgentProfile
from bandstand.faces.text import login_cure, login_words, no_login
from bandstand.faces.wire import Json


def told(band: Bandstand, profile: AgentProfile, names: Collection[str]) -> Json:
    """One agent's login for the wire, with what to do where it is missing."""
    found = band.logins.login(profile, names)
    cure = login_cure(profile) if found.state == "missing" else ""
    return {"kind": found.kind.value, "state": found.state, "words": login_words(found), "cure": cure}


def warnings(band: Bandstand, profiles: Iterable[AgentProfile], names: Collection[str]) -> list[str]:
    """What to say of agents that will hardly get far."""
    missing = [profile for profile in profiles if band.logins.login(profile, names).state == "missing"]
    return [f"{no_login(profile)} {login_cure(profile)}" for profile in missing]
