"""Settings: what `bandstand.toml` and `config.toml` may say, and the policy and agents that follow."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bandstand.config.agent_tables import AgentTable
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.models import RepositorySettings, UserSettings
from bandstand.config.settings import (
    explain,
    profiles,
    repository_policy,
    repository_settings,
    task_budget,
    user_settings,
)
from bandstand.domain.agent import AgentProfile, ToolKind
from bandstand.domain.check import CheckCommand
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName
from bandstand.domain.policy import Authorship, LandingMethod, Permission, Policy, ReviewMode, Rounds
from bandstand.domain.task import Budget

CLAUDE, CODEX, HOUSE = AgentName("claude"), AgentName("codex"), AgentName("house")
DETECTED = CheckCommand(name="make test", command="make test")
KNOWN = "claude, cline, codex, copilot, gemini, opencode, qwen, vibe"


def policy(text: str | None, *, user: str | None = None, detected: tuple[CheckCommand, ...] = (DETECTED,)) -> Policy:
    """The policy of a repository whose target is `main`, for a user with these settings."""
    return repository_policy(text, target="main", detected=detected, detected_from="Makefile", user=user_settings(user))


REPOSITORY_MISTAKES = [
    ("review =\n", "1: This is not TOML: invalid value.", ""),
    ("review = agent\n", "1: This is not TOML: invalid value.", 'Text stands in quotes: key = "text".'),
    ('agent = "x\n', "1: A quote is not closed in this line.", ""),
    ("[checks]\ncommands = ['''a\n", "2: A quote is opened and never closed.", ""),
    ("agent: claude\n", "1: This is not TOML: expected '=' after a key in a key/value pair.", ""),
    ("[checks\ncommands = []\n", "1: This is not TOML: expected ']' at the end of a table declaration.", ""),
    ("\n\n[checks]\ncommands = [\n", "4: This is not TOML: invalid value.", ""),
    ('agent = "a"\nagent = "b"\n', "2: This key stands twice.", ""),
    ("[rounds]\n[checks]\n[rounds]\n", "3: This table stands twice.", ""),
    (b"agent = '\xfc'\n", "1: This is not UTF-8 text: it holds the byte 0xfc.", "Save the file in the encoding UTF-8."),
    ("x = " + "[" * 5000, "1: This file is nested too deeply.", ""),
    ("\n" + "a." * 5000 + "b = 1\n", "2: This key has too many parts.", ""),
    ("x = " + "9" * 5000, "1: This is not TOML: a number here is out of all bounds.", ""),
    ("#" * 50_001, "1: This file has more than 50,000 characters.", ""),
    ('reviw = "none"\n', "1: `reviw` is no key of `bandstand.toml`.", "Did you mean `review`?"),
    ("[check]\ncommands = []\n", "1: `check` is no key of `bandstand.toml`.", "Did you mean `checks`?"),
    ("slots = 3\n", "1: `slots` is no key of `bandstand.toml`.", None),
    ('[checks]\n\n[permissions]\nfech = "ask"\n', "4: `fech` is no key of `[permissions]`.", "Did you mean `fetch`?"),
    ("[agents.claude]\nenv = {}\n", "2: `env` is no key of an agent.", None),
    (
        'review = "agnt"\n',
        "1: `review` must be none, agent, human or agent+human, not `agnt`.",
        "Did you mean `agent`?",
    ),
    ("review = true\n", "1: `review` must be none, agent, human or agent+human, not `true`.", ""),
    ("review = 2026-11-23\n", "1: `review` must be none, agent, human or agent+human, not a date.", ""),
    ('[landing]\nmethod = "rebase"\n', "2: `landing.method` must be merge or squash, not `rebase`.", ""),
    (
        'landing = "squash"\n',
        "1: `[landing]` must be a table, but this is the text `squash`.",
        "Its keys are: method, push.",
    ),
    ('[checks]\ncommands = "make"\n', "2: `checks.commands` must be a list, but this is the text `make`.", ""),
    ('[checks]\ncommands = [\n  "a",\n  3,\n]\n', "4: A check must be a table, but this is the number `3`.", None),
    ('[checks]\ncommands = [\n  "a",\n  " ",\n]\n', "4: `checks.commands.command` is empty.", ""),
    (
        '[[checks.commands]]\ncommand = "a"\n[[checks.commands]]\nname = "b"\n',
        "3: `command` is missing in a check.",
        "",
    ),
    (
        '[checks]\ncommands = [\n  {name="a", command="x"},\n  {name="a", command="y"},\n]\n',
        "4: Two checks have the name `a`.",
        "",
    ),
    (
        '[rounds]\ncheck = "3"\n',
        "2: `rounds.check` must be a whole number, but this is the text `3`.",
        "Write it without quotes: 3",
    ),
    ("[rounds]\ncheck = 3.0\n", "2: `rounds.check` must be a whole number, but this is the number `3.0`.", ""),
    ("[rounds]\ncheck = -1\n", "2: `rounds.check` must be at least 0.", ""),
    ("ask_hours = 0\n", "1: `ask_hours` must be at least 1.", ""),
    ('target = "refs/heads/main"\n', "1: `target` must be a branch's short name.", "Write `main`."),
    ('target = "a..b"\n', "1: `target` must be the name of a branch, and `a..b` cannot be one.", ""),
    ('target = "band/x"\n', "1: `target` must not be a task's branch.", None),
    ('agent = "cluade"\n', "1: There is no agent `cluade`.", "Did you mean `claude`?"),
    ('\nreviewer = "hal"\n', "2: There is no agent `hal`.", f"Known are: {KNOWN}."),
    ('[agents.hal]\nmode = "x"\n', "1: The agent `hal` has no `command`.", None),
    ('[agents."a b"]\ncommand = "x"\n', "1: `agents.a b` must be an agent's name, and `a b` is none.", None),
    ('[agents.hal]\ncommand = "x \'y"\n', "2: `agents.hal.command` holds a quote that is not closed.", ""),
    ("[agents.hal]\ncommand = []\n", "2: `agents.hal.command` is an empty list.", ""),
    ('[agents.hal]\ncommand = ""\n', "2: `agents.hal.command` is an empty list.", ""),
    (
        '[agents.hal]\ncommand = "x"\n[agents.hal.environment]\nA = "1"\nB = 2\n',
        "5: `agents.hal.environment.B` must be text, but this is the number `2`.",
        'Put it in quotes: "2".',
    ),
    (
        '[agents.claude]\nreads = ["/opt", "~", "etc"]\n',
        "2: `agents.claude.reads` must not be the whole disk or the whole home folder (and 1 more).",
        "Name the folder that is needed.",
    ),
    (
        'agent = "hal"\nreview = "x"\n[rounds]\ncheck = 1.5\n',
        "2: `review` must be none, agent, human or agent+human, not `x` (and 1 more).",
        "",
    ),
]

USER_MISTAKES = [
    ('sandbox = "none"\n', "1: `[sandbox]` must be a table, but this is the text `none`.", "Its keys are: uid."),
    ('[sandbox]\nkind = "none"\n', "2: `kind` is no key of `[sandbox]`.", None),
    ("[sandbox]\nuid = 0\n", "2: `sandbox.uid` must be at least 1.", ""),
    ('agent = "hal"\n', "1: There is no agent `hal`.", f"Known are: {KNOWN}."),
    ("slots = 0\n", "1: `slots` must be at least 1.", ""),
    ('reads = ["../x"]\n', "1: `reads` must be absolute paths or begin with `~/`, and `../x` does not.", ""),
    ("[checks]\n", "1: `checks` is no key of `config.toml`.", None),
]


@pytest.mark.parametrize(("text", "message", "hint"), REPOSITORY_MISTAKES)
def test_a_mistake_in_a_repositorys_file(text: str | bytes, message: str, hint: str | None) -> None:
    """The first mistake by line, in one sentence, with the next step where there is an obvious one."""
    with pytest.raises(Refused) as caught:
        repository_policy(text, target="main", detected=[], detected_from="", user=UserSettings())
    assert caught.value.message == f"bandstand.toml:{message}"
    assert hint is None or caught.value.hint == hint


@pytest.mark.parametrize(("text", "message", "hint"), USER_MISTAKES)
def test_a_mistake_in_the_users_file(text: str, message: str, hint: str | None) -> None:
    """The same for a person's own settings."""
    with pytest.raises(Refused) as caught:
        user_settings(text, name="/home/ada/config.toml")
    assert caught.value.message == f"/home/ada/config.toml:{message}"
    assert hint is None or caught.value.hint == hint


def test_a_secret_in_the_wrong_place_is_not_shown() -> None:
    """Who writes a key where its name belongs does not find it in a log."""
    with pytest.raises(Refused) as caught:
        user_settings('[agents.claude]\npasses = ["API_KEY=sk-123"]\n')
    assert caught.value.message == (
        "config.toml:2: `agents.claude.passes` must name environment variables, and `API_KEY=…` cannot be one."
    )
    assert caught.value.hint == "Here stand names only, never values."


# --- the policy ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "", "# nothing yet\n"])
def test_without_a_word_what_is_found_holds(text: str | None) -> None:
    """No file, and one that says nothing, mean the defaults and the checks that were detected."""
    assert policy(text) == Policy(target="main", checks=(DETECTED,), checks_from="Makefile")
    assert policy(text, detected=()) == Policy(target="main")


def test_a_repository_may_say_that_it_has_no_checks() -> None:
    """An empty list is an answer; a table without the key is none."""
    assert policy("checks.commands = []") == Policy(target="main", checks_from="bandstand.toml")
    assert policy("[checks]").checks == (DETECTED,)


def test_checks_are_commands_or_tables() -> None:
    """Without a name of its own a check is called like the beginning of its command, and no two alike."""
    text = """checks.commands = [
      "make lint", "make lint", { command = "make test", name = "tests", limit_minutes = 2 },
      "python -m pytest --a-very-long-option --and-another",
    ]"""
    assert [(check.name, check.command, check.limit_seconds) for check in policy(text).checks] == [
        ("make lint", "make lint", 1200),
        ("make lint (2)", "make lint", 1200),
        ("tests", "make test", 120),
        ("python -m pytest --a-very-long-option -…", "python -m pytest --a-very-long-option --and-another", 1200),
    ]


def test_everything_that_a_repository_may_say() -> None:
    """Each setting arrives in the policy."""
    text = """
        target = "trunk"
        review = "agent+human"
        reviewer = "codex"
        agent = "house"
        ask_hours = 2
        rounds = { check = 0, review = 1, conflict = 4, queue = 5 }
        permissions = { fetch = "allow", execute = "ask" }
        landing.method = "squash"
        commits.author = "user"
        budget.turns = 3
        [agents.house]
        command = "house --mode 'a b'"
        environment = { A = "1" }
    """
    house = AgentProfile(name=HOUSE, command=("house", "--mode", "a b"), environment=(("A", "1"),))
    assert policy(text) == Policy(
        target="trunk",
        checks=(DETECTED,),
        checks_from="Makefile",
        review=ReviewMode.AGENT_AND_HUMAN,
        reviewer=CODEX,
        landing=LandingMethod.SQUASH,
        authorship=Authorship.USER,
        rounds=Rounds(check=0, review=1, conflict=4, queue=5),
        permissions=((ToolKind.EXECUTE, Permission.ASK), (ToolKind.FETCH, Permission.ALLOW)),
        agents=(house,),
        default_agent=HOUSE,
        ask_hours=2,
    )
    assert task_budget(repository_settings(text)) == Budget(minutes=60, turns=3)


def test_the_user_speaks_where_the_repository_is_silent() -> None:
    """Review and agent are the repository's first, then the user's."""
    user = 'review = "none"\nagent = "codex"\n'
    assert (policy(None, user=user).review, policy(None, user=user).default_agent) == (ReviewMode.NONE, CODEX)
    both = policy('review = "human"\nagent = "claude"\n', user=user)
    assert (both.review, both.default_agent) == (ReviewMode.HUMAN, CLAUDE)


RULES = some.dictionaries(some.sampled_from(list(ToolKind)), some.sampled_from(list(Permission)))


def written(rules: dict[ToolKind, Permission]) -> str:
    """Permissions as a file has them."""
    return "\n".join(["[permissions]", *(f'{kind.value} = "{rule.value}"' for kind, rule in rules.items())])


@given(RULES, RULES)
def test_of_two_permissions_the_stricter_one_holds(
    repository: dict[ToolKind, Permission], user: dict[ToolKind, Permission]
) -> None:
    """Neither side can widen what the other forbids; what nobody says is left to the walls."""
    strictness = [Permission.ALLOW, Permission.ASK, Permission.DENY]
    expected = {
        kind: max((rules[kind] for rules in (repository, user) if kind in rules), key=strictness.index)
        for kind in ToolKind
        if kind in repository or kind in user
    }
    assert dict(policy(written(repository), user=written(user)).permissions) == expected


def test_a_repository_may_name_the_users_agents_and_those_of_others() -> None:
    """Only an agent that nobody has defined is a mistake."""
    assert policy('reviewer = "hal"', user='[agents.hal]\ncommand = "hal"').reviewer == "hal"
    found = repository_policy(
        'agent = "hal"', target="main", detected=[], detected_from="", user=UserSettings(), others=["hal"]
    )
    assert found.default_agent == "hal"


# --- agents --------------------------------------------------------------------------------------------------------


def test_the_users_own_agent_wins() -> None:
    """The user's definition, then the repository's, then what is known and installed; the user's reads go to all."""
    user = user_settings('reads = ["/opt/tools"]\n[agents.a]\ncommand = "mine"\n')
    rules = policy('[agents.a]\ncommand = "theirs"\n[agents.b]\ncommand = "b"\nreads = ["/opt/b", "/opt/tools"]\n')
    found = profiles(rules, user, which={"gemini": "/bin/gemini"}.get)
    assert {name: profile.command for name, profile in found.items()} == {
        "a": ("mine",),
        "b": ("b",),
        "gemini": ("gemini", "--acp"),
    }
    assert found[AgentName("a")].reads == ("/opt/tools",)
    assert found[AgentName("b")].reads == ("/opt/b", "/opt/tools")
    assert list(profiles(rules, user)) == ["a", "b"]


def test_a_known_agent_needs_only_what_differs() -> None:
    """What a table leaves out is the known agent's, above all the mode in which it asks before it acts."""
    rules = policy('[agents.claude]\nmodel = "opus"\npasses = []\n')
    known = KNOWN_AGENTS[CLAUDE].profile()
    found = rules.agents[0]
    assert (found.command, found.mode, found.environment) == (known.command, "default", known.environment)
    assert (found.model, found.passes) == ("opus", ())


def test_what_is_known_of_agents_is_whole() -> None:
    """Every known agent can be started, is pinned, and fits where a person's own would."""
    assert set(KNOWN) and ", ".join(sorted(KNOWN_AGENTS)) == KNOWN
    for name, agent in KNOWN_AGENTS.items():
        assert agent.name == name and agent.title and agent.command
        assert "@" in agent.install or "==" in agent.install
        profile = agent.profile()
        AgentTable(
            command=profile.command, environment=dict(profile.environment), passes=profile.passes, reads=profile.reads
        )
    assert (KNOWN_AGENTS[CLAUDE].mode, KNOWN_AGENTS[CODEX].mode) == ("default", "read-only")


# --- for display ---------------------------------------------------------------------------------------------------


def test_every_rule_is_shown_with_its_source() -> None:
    """A person who is asked to confirm a policy sees all of it, and where each rule comes from."""
    text = """
        review = "human"
        checks.commands = ["make test"]
        permissions = { fetch = "ask", execute = "allow" }
        rounds.check = 3
        network = { policy = "open", checks = "off", allow = ["LOCALHOST:5432", "*.example.org."] }
        [agents.house]
        command = ["house", "a b"]
        environment = { A = "b c" }
        passes = ["KEY", "TOKEN"]
    """
    user = user_settings(
        'agent = "codex"\nreview = "none"\npermissions.execute = "deny"\nnetwork.policy = "allow-list"\n'
    )
    rules = repository_policy(text, target="main", detected=[], detected_from="", user=user)
    shown = explain(rules, repository=repository_settings(text), user=user)
    assert [(line.key, line.value, line.source) for line in shown] == [
        ("target", "main", "default"),
        ("checks", "make test (at most 20 minutes)", "bandstand.toml"),
        ("review", "human", "bandstand.toml"),
        ("reviewer", "the task's own agent", "default"),
        ("agent", "codex", "your config.toml"),
        ("ask_hours", "24", "default"),
        ("landing.method", "merge", "default"),
        ("commits.author", "agent", "default"),
        ("rounds.check", "3", "bandstand.toml"),
        ("rounds.review", "3", "default"),
        ("rounds.conflict", "3", "default"),
        ("rounds.queue", "2", "default"),
        ("permissions.execute", "deny", "your config.toml"),
        ("permissions.fetch", "ask", "bandstand.toml"),
        ("network.policy", "allow-list", "your config.toml"),
        ("network.checks", "off", "bandstand.toml"),
        ("network.allow", "localhost:5432", "bandstand.toml"),
        ("network.allow", "*.example.org", "bandstand.toml"),
        ("agents.house.command", "house 'a b'", "bandstand.toml"),
        ("agents.house.environment", "A='b c'", "bandstand.toml"),
        ("agents.house.passes", "KEY, TOKEN", "bandstand.toml"),
    ]


def test_a_policy_alone_tells_what_is_not_the_default() -> None:
    """Where the files are not at hand, checks still have their source."""
    shown = {line.key: line.source for line in explain(policy('review = "human"'))}
    assert (shown["review"], shown["ask_hours"], shown["checks"]) == ("settings", "default", "Makefile")


# --- any text ------------------------------------------------------------------------------------------------------

CRUMBS = [
    "[",
    "]",
    "[[",
    "]]",
    "=",
    "'",
    '"',
    '"""',
    "{",
    "}",
    ",",
    "\n",
    "#",
    ".",
    "1",
    "true",
    "agents",
    "claude",
    "command",
]
SOUP = some.lists(some.sampled_from([*CRUMBS, "checks", "review", "permissions", "\x00", "é", "\\", "\r"])).map("".join)


@given(some.text() | SOUP | some.binary())
def test_no_text_does_more_than_be_refused(text: Any) -> None:
    """Whatever comes in, settings come out or one error that names a line."""
    for read in (repository_settings, user_settings):
        try:
            assert isinstance(read(text, name="x.toml"), RepositorySettings | UserSettings)
        except Refused as error:
            assert error.message.startswith("x.toml:") and int(error.message.split(":")[1]) >= 1
