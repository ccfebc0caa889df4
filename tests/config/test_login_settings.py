"""What settings say of logins: the user says everything, a repository nothing."""

from dataclasses import replace

import pytest

from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.models import UserSettings
from bandstand.config.settings import own_profiles, profiles, repository_policy, repository_settings, user_settings
from bandstand.domain.credentials import CredentialKind, Credentials
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName
from bandstand.domain.policy import Policy

CLAUDE, CODEX = AgentName("claude"), AgentName("codex")


def policy(text: str) -> Policy:
    """The rules of a repository whose file says that."""
    return repository_policy(text, target="main", detected=[], detected_from="", user=UserSettings())


def test_a_repository_shows_nothing_of_the_users_home() -> None:
    """Not where it says `~/`, and not by any other path that leads there; what else it names is shown."""
    with pytest.raises(Refused, match=r"2: A repository cannot show `~/\.ssh` to an agent\.$") as refused:
        repository_settings('[agents.a]\nreads = ["~/.ssh"]\ncommand = "a"\n', name="")
    assert "your own config.toml" in refused.value.hint
    rules = policy('[agents.a]\ncommand = "a"\nreads = ["/opt/a", "/home/ada/.ssh"]\n')
    found = profiles(rules, UserSettings(), shows_home=lambda path: path.startswith("/home/ada"))
    assert found[AgentName("a")].reads == ("/opt/a",)
    # Rules that were confirmed before this was refused.
    old = replace(rules, agents=(replace(rules.agents[0], reads=("~/.ssh",)),))
    assert profiles(old, UserSettings())[AgentName("a")].reads == ()


def test_a_repository_does_not_say_how_an_agent_is_logged_in() -> None:
    """It has no key for that; the same table in the user's own file has."""
    text = '[agents.a]\ncommand = "a"\ncredentials = "shared"\n'
    with pytest.raises(Refused, match="credentials"):
        repository_settings(text)
    own = profiles(Policy(target=""), user_settings(text))[AgentName("a")]
    assert own.credentials == Credentials(kind=CredentialKind.SHARED)


@pytest.mark.parametrize(
    ("table", "keeps"),
    [
        ('model = "large"\nmode = "plan"\nstart_seconds = 9\ntitle = "C"\npasses = []', True),
        ('reads = ["/opt/x"]', True),
        ('command = "curl"', False),
        ('environment = { ANTHROPIC_BASE_URL = "https://example.org" }', False),
        ('passes = ["ANTHROPIC_BASE_URL", "LD_PRELOAD"]', False),
    ],
)
def test_a_repositorys_agent_has_a_known_login_only_as_that_agent(table: str, *, keeps: bool) -> None:
    """Whoever changes what runs, or what it speaks to, does so without the user's login; the user may change all."""
    text = f"[agents.claude]\n{table}\n"
    known = KNOWN_AGENTS[CLAUDE].credentials
    theirs = profiles(policy(text), UserSettings())[CLAUDE].credentials
    assert (theirs == known) is keeps
    assert keeps or theirs == Credentials(variables=known.variables)
    assert profiles(policy(text), user_settings(text))[CLAUDE].credentials == known


def test_a_login_of_the_users_own_agent() -> None:
    """Everything that a folder needs; what is left out is the known agent's, unless it is another kind."""
    text = """
        [agents.house]
        command = "house"
        [agents.house.credentials]
        kind = "shared"
        variables = ["HOUSE_KEY"]
        links = ["~/.house/auth.json"]
        environment = { HOUSE = "{folder}" }
        login = "house login --plain"
        login_environment = { HOUSE_HOME = "{folder}/x" }
        keys = "from the house"
        [agents.codex.credentials]
        kind = "shared"
        login = ["codex", "login", "--device-auth"]
        [agents.claude]
        credentials = "environment"
    """
    found = own_profiles(user_settings(text))
    assert found[AgentName("house")].credentials == Credentials(
        kind=CredentialKind.SHARED,
        variables=("HOUSE_KEY",),
        links=(".house/auth.json",),
        environment=(("HOUSE", "{folder}"),),
        login=("house", "login", "--plain"),
        login_environment=(("HOUSE_HOME", "{folder}/x"),),
        keys="from the house",
    )
    known = KNOWN_AGENTS[CODEX].credentials
    assert found[CODEX].credentials == replace(known, login=("codex", "login", "--device-auth"))
    assert found[CLAUDE].credentials == Credentials()
    assert own_profiles(UserSettings()).keys() == KNOWN_AGENTS.keys()


@pytest.mark.parametrize("path", ["/etc/passwd", "~", "~/", "~/../x", "~/a/../../x", "auth.json", "~/a//b"])
def test_a_link_stays_below_the_home(path: str) -> None:
    """It is made in a private home, at the same place."""
    with pytest.raises(Refused, match="links"):
        user_settings(f'[agents.a]\ncommand = "a"\ncredentials = {{ kind = "shared", links = ["{path}"] }}\n')


def test_what_is_known_of_logins_is_whole() -> None:
    """A variable that is a login is handed on; a folder has a command that fills it, and something that leads to it;
    and nothing of the user's home is read.
    """
    for agent in KNOWN_AGENTS.values():
        credentials = agent.credentials
        assert set(credentials.variables) <= set(agent.passes)
        assert credentials.keys and agent.profile().reads == ()
        shared = credentials.kind is CredentialKind.SHARED
        assert bool(credentials.login) == bool(credentials.login_environment) == shared
        assert bool(credentials.links or credentials.environment) == shared
        assert all("{folder}" in value for _, value in credentials.environment)
