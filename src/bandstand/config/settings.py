"""Settings: what `bandstand.toml` and the user's own `config.toml` say, and the policy and agents that follow.

Who wins: an order on the command line (not here), then the repository, then the user, then what is built in. With
exceptions, for it is the user's machine: of two permissions, and of two network policies, the stricter one holds, the
user's own agent wins over the repository's of the same name, and no repository says what of the user's home or of a
login an agent is shown.
"""

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bandstand.config.agent_tables import AgentTable, OwnAgentTable
from bandstand.config.documents import Document, read_toml
from bandstand.config.findings import Finding, did_you_mean, quoted, refusal
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.limits_table import as_limits, limit_rules
from bandstand.config.models import (
    CheckTable,
    PermissionsTable,
    RepositorySettings,
    UserSettings,
)
from bandstand.config.network_table import NetworkTable, network_rules
from bandstand.config.table import Table
from bandstand.config.tasks import with_budget
from bandstand.config.validation import validated
from bandstand.config.withheld import YOURS, of_a_repository, too_much_shown
from bandstand.config.workspace_tables import WorkspaceTable
from bandstand.domain.agent import AgentProfile, ToolKind
from bandstand.domain.check import CheckCommand
from bandstand.domain.ids import AgentName
from bandstand.domain.inclusion import MEGABYTES, Inclusion, patterns_of
from bandstand.domain.lease import Blocks
from bandstand.domain.network import NetworkRole, NetworkRules
from bandstand.domain.policy import Permission, Policy, Push, ReviewMode, Rounds
from bandstand.domain.remains import Keep, Retention
from bandstand.domain.setup import SetupCommand
from bandstand.domain.task import Budget

REPOSITORY_FILE = "bandstand.toml"
USER_FILE = "config.toml"
INCLUDE_FILE = ".worktreeinclude"
DEFAULT = "default"

_STRICTNESS = (Permission.ALLOW, Permission.ASK, Permission.DENY)
_CHECK_NAME_LENGTH = 40
_MOST_PATTERNS = 500
_START_SECONDS = AgentProfile(name=AgentName(""), command=()).start_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One setting for display: its key as it stands in a file, its value in words, and where it comes from."""

    key: str
    value: str
    source: str


def repository_settings(
    text: str | bytes | None, *, name: str = REPOSITORY_FILE, others: Collection[str] | None = None
) -> RepositorySettings:
    """What a repository's file says; `None` stands for no file. Raises `Refused` with the line of the first mistake.

    With `others`, the agents that are defined elsewhere, an agent that is defined nowhere is a mistake.
    """
    if text is None:
        return RepositorySettings()
    document = read_toml(text, name=name)
    settings = validated(RepositorySettings, document)
    found = [*_without_command(settings.agents, document), *_same_names(settings.checks.commands or (), document)]
    found += too_much_shown(settings.agents, document, hint=f"Put it into your own {USER_FILE}: {YOURS}")
    if others is not None:
        named = {"agent": settings.agent, "reviewer": settings.reviewer}
        found += _unknown_agents(named, document, {*settings.agents, *KNOWN_AGENTS, *others})
    if found:
        raise refusal(name, found)
    return settings


def user_settings(text: str | bytes | None, *, name: str = USER_FILE, others: Collection[str] = ()) -> UserSettings:
    """What the user's own file says; `None` stands for no file. Raises `Refused` with the line of the first mistake.

    `others` are agents that the user may name although no file defines them.
    """
    if text is None:
        return UserSettings()
    document = read_toml(text, name=name)
    settings = validated(UserSettings, document)
    found = _without_command(settings.agents, document)
    found += _unknown_agents({"agent": settings.agent}, document, {*settings.agents, *KNOWN_AGENTS, *others})
    if found:
        raise refusal(name, found)
    return settings


def repository_policy(
    text: str | bytes | None,
    *,
    name: str = REPOSITORY_FILE,
    target: str,
    detected: Sequence[CheckCommand],
    detected_from: str,
    user: UserSettings,
    others: Collection[str] = (),
    include: bytes | None = None,
) -> Policy:
    """The rules of a repository, from the text of its file as it stands at the tip of `target`; `None` without a file.

    `detected` are the checks that hold when the file does not say, `others` agents that no file defines, `include` the
    text of `.worktreeinclude` there. When the file
    names another target, the policy has that one, and its rules must be read again from there.
    Raises `Refused` with the line of the first mistake.
    """
    settings = repository_settings(text, name=name, others={*user.agents, *others})
    commands = settings.checks.commands
    default = settings.agent or user.agent
    return Policy(
        target=settings.target or target,
        checks=tuple(detected) if commands is None else _checks(commands),
        checks_from=REPOSITORY_FILE if commands is not None else detected_from if detected else "none",
        review=settings.review or user.review or ReviewMode.AGENT,
        reviewer=AgentName(settings.reviewer) if settings.reviewer else None,
        landing=settings.landing.method,
        authorship=settings.commits.author,
        rounds=Rounds(**settings.rounds.model_dump()),
        permissions=_permissions(settings.permissions, user.permissions),
        agents=tuple(_profile(agent, table) for agent, table in settings.agents.items()),
        default_agent=AgentName(default) if default else None,
        ask_hours=settings.ask_hours,
        network=network_rules(settings.network, user.network),
        push=_push(settings.landing.push, user.remote.push),
        inclusion=_inclusion(settings.workspace, include),
        limits=as_limits(settings.limits),
        setup=tuple(
            SetupCommand(command=one.command, when=one.when, limit_seconds=one.limit_minutes * 60)
            for one in settings.setup.commands
        ),
    )


def _inclusion(table: WorkspaceTable, include: bytes | None) -> Inclusion:
    """What is copied into fresh workspaces. Raises `Refused` if the file is no text, or too long to be shown."""
    try:
        listed = patterns_of((include or b"").decode())
    except UnicodeDecodeError:
        raise refusal(INCLUDE_FILE, [Finding(line=1, sentence="It is not text in UTF-8.")]) from None
    if len(listed) > _MOST_PATTERNS or any(not line.isprintable() for line in listed):
        sentence = f"It has more than {_MOST_PATTERNS} patterns, or one with characters that cannot be shown."
        raise refusal(INCLUDE_FILE, [Finding(line=1, sentence=sentence)])
    return Inclusion(patterns=(*listed, *table.include), megabytes=table.include_megabytes)


def _push(*said: Push | None) -> Push:
    """Whether to push, if one of both says so and none of them forbids it."""
    return Push.AFTER_LANDING if Push.AFTER_LANDING in said and Push.NEVER not in said else Push.NEVER


def task_budget(settings: RepositorySettings) -> Budget:
    """What a task of this repository may use that does not say it itself."""
    return with_budget(Budget(), settings.budget)


def retention(user: UserSettings) -> Retention:
    """How long the user keeps what nobody needs any more."""
    table = user.retention
    mega = 1024 * 1024
    return Retention(
        journals=Keep(days=table.journal_days, bytes=table.journal_megabytes * mega),
        archives=Keep(days=table.archive_days, bytes=table.archive_megabytes * mega),
        checks=Keep(days=table.check_days, bytes=table.check_megabytes * mega),
        backups=Keep(days=table.backup_days, bytes=table.backup_megabytes * mega),
    )


def blocks(user: UserSettings) -> Blocks:
    """Where the ports of workspaces are taken from."""
    table = user.ports
    return Blocks(first=table.first, last=table.last, count=table.count)


def profiles(
    policy: Policy,
    user: UserSettings,
    *,
    which: Callable[[str], str | None] | None = None,
    shows_home: Callable[[str], bool] = lambda path: path.startswith("~"),
) -> dict[AgentName, AgentProfile]:
    """Every agent that can be named: the user's, then the repository's, then the known ones that are installed.

    Of the same name the first wins, whole. `which` finds a program on the PATH; without it no known agent is there.
    All may read what the user lets every run read; what a repository names is left out if it `shows_home`.
    """
    found: dict[AgentName, AgentProfile] = {}
    own = (_profile(name, table) for name, table in user.agents.items())
    theirs = (of_a_repository(profile, shows_home) for profile in policy.agents)
    known = (agent.profile() for agent in KNOWN_AGENTS.values() if which is not None and which(agent.command[0]))
    for profile in (*own, *theirs, *known):
        reads = tuple(dict.fromkeys((*profile.reads, *user.reads)))
        found.setdefault(profile.name, replace(profile, reads=reads))
    return found


def own_profiles(user: UserSettings) -> dict[AgentName, AgentProfile]:
    """The agents that no repository has a word in: the user's, and all known ones, installed or not."""
    known = {name: agent.profile() for name, agent in KNOWN_AGENTS.items()}
    return {**known, **{AgentName(name): _profile(name, table) for name, table in user.agents.items()}}


def explain(
    policy: Policy,
    *,
    repository: RepositorySettings | None = None,
    user: UserSettings | None = None,
    name: str = REPOSITORY_FILE,
) -> list[Explained]:
    """A policy for display, every rule with its source: `name`, the user's own file, or the default.

    Without the settings that a policy came from, all that can be told is whether a rule is the default.
    """
    plain = dict(_rules(Policy(target=policy.target)))

    def source(key: str, value: str) -> str:
        if key == "checks":
            return policy.checks_from
        if key == "workspace.include" and repository is not None and value not in repository.workspace.include:
            return INCLUDE_FILE
        if repository is not None and _says(repository, key, value):
            return name
        if user is not None and _says(user, key, value):
            return f"your {USER_FILE}"
        return DEFAULT if plain.get(key) == value or repository is not None else "settings"

    return [Explained(key=key, value=value, source=source(key, value)) for key, value in _rules(policy)]


def _rules(policy: Policy) -> Iterator[tuple[str, str]]:
    yield "target", policy.target
    for check in policy.checks:
        name = "" if check.name == _beginning(check.command) else f"{check.name}: "
        yield "checks", f"{name}{check.command} (at most {check.limit_seconds // 60} minutes)"
    if not policy.checks:
        yield "checks", "none"
    yield "review", policy.review.value
    yield "reviewer", policy.reviewer or "the task's own agent"
    yield "agent", policy.default_agent or "the first that is found"
    yield "ask_hours", str(policy.ask_hours)
    yield "landing.method", policy.landing.value
    if policy.push is not Push.NEVER:
        yield "landing.push", policy.push.value
    yield from _setup_rules(policy.setup)
    yield from _workspace_rules(policy.inclusion)
    yield from limit_rules(policy.limits)
    yield "commits.author", policy.authorship.value
    for cause in ("check", "review", "conflict", "queue"):
        yield f"rounds.{cause}", str(getattr(policy.rounds, cause))
    for kind, permission in policy.permissions:
        yield f"permissions.{kind.value}", permission.value
    yield from _network_rules(policy.network)
    for profile in policy.agents:
        yield from _agent_rules(profile)


def _setup_rules(setup: Sequence[SetupCommand]) -> Iterator[tuple[str, str]]:
    for one in setup:
        where = f"where there is {' or '.join(one.when)}, " if one.when else ""
        yield "setup.commands", f"{one.command} ({where}at most {one.limit_seconds // 60} minutes)"


def _workspace_rules(inclusion: Inclusion) -> Iterator[tuple[str, str]]:
    for pattern in inclusion.patterns:
        yield "workspace.include", pattern
    if inclusion.patterns and inclusion.megabytes != MEGABYTES:
        yield "workspace.include_megabytes", str(inclusion.megabytes)


def _network_rules(network: NetworkRules) -> Iterator[tuple[str, str]]:
    """The policy of most, and of each that has another one."""
    found = {role: network.policy(role) for role in NetworkRole}
    usual = found[NetworkRole.CODER]
    yield "network.policy", usual.value
    for role, policy in found.items():
        if policy is not usual:
            yield f"network.{role.value}", policy.value
    for rule in network.allow:
        yield "network.allow", rule.text


def _agent_rules(profile: AgentProfile) -> Iterator[tuple[str, str]]:
    values = {
        "title": profile.title,
        "command": shlex.join(profile.command),
        "environment": " ".join(f"{key}={shlex.quote(value)}" for key, value in profile.environment),
        "passes": ", ".join(profile.passes),
        "reads": ", ".join(profile.reads),
        "hosts": ", ".join(profile.hosts),
        "mode": profile.mode,
        "model": profile.model,
        "start_seconds": str(profile.start_seconds) if profile.start_seconds != _START_SECONDS else "",
    }
    for key, value in values.items():
        if value:
            yield f"agents.{profile.name}.{key}", value


def _says(settings: Table, key: str, value: str) -> bool:
    """Whether a file says what holds for a dotted key. An agent's name may hold dots; agents count as a whole."""
    first, _, rest = key.partition(".")
    if first not in settings.model_fields_set:
        return False
    table = getattr(settings, first)
    if isinstance(table, NetworkTable) and rest != "allow":
        return table.said(NetworkRole.CODER if rest == "policy" else NetworkRole(rest)) == value
    if isinstance(table, PermissionsTable):
        # Of two rules the stricter one holds, and only that one is the source.
        return bool(getattr(table, rest) == value)
    return not isinstance(table, Table) or rest in table.model_fields_set


def _checks(commands: Iterable[CheckTable]) -> tuple[CheckCommand, ...]:
    found: dict[str, CheckCommand] = {}
    for table in commands:
        wanted = table.name or _beginning(table.command)
        name, number = wanted, 1
        while name in found:
            number += 1
            name = f"{wanted} ({number})"
        found[name] = CheckCommand(name=name, command=table.command, limit_seconds=table.limit_minutes * 60)
    return tuple(found.values())


def _beginning(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= _CHECK_NAME_LENGTH else line[: _CHECK_NAME_LENGTH - 1].rstrip() + "…"


def _permissions(repository: PermissionsTable, user: PermissionsTable) -> tuple[tuple[ToolKind, Permission], ...]:
    """The rules of both, the stricter one where both say something."""
    found = []
    for kind in ToolKind:
        said = [rule for rules in (repository.rules(), user.rules()) if (rule := rules.get(kind)) is not None]
        if said:
            found.append((kind, max(said, key=_STRICTNESS.index)))
    return tuple(found)


def _profile(name: str, table: AgentTable) -> AgentProfile:
    """An agent as its table says; what it leaves out is that of the known agent of this name, if there is one."""
    known = KNOWN_AGENTS.get(AgentName(name))
    base = known.profile() if known is not None else AgentProfile(name=AgentName(name), command=())
    said: dict[str, Any] = {key: getattr(table, key) for key in table.model_fields_set}
    if "environment" in said:
        said["environment"] = tuple(table.environment.items())
    if isinstance(table, OwnAgentTable) and table.credentials is not None:
        said["credentials"] = table.credentials.over(base.credentials)
    return replace(base, **said)


def _without_command(agents: Mapping[str, AgentTable], document: Document) -> list[Finding]:
    return [
        Finding(
            line=document.locate(("agents", agent)),
            sentence=f"The agent {quoted(agent)} has no `command`.",
            hint=f"It may be left out for {', '.join(KNOWN_AGENTS)}.",
        )
        for agent, table in agents.items()
        if table.command is None and agent not in KNOWN_AGENTS
    ]


def _same_names(commands: Sequence[CheckTable], document: Document) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, table in enumerate(commands):
        if table.name is not None and table.name in seen:
            line = document.locate(("checks", "commands", number, "name"))
            yield Finding(line=line, sentence=f"Two checks have the name {quoted(table.name)}.")
        seen |= {table.name} if table.name is not None else set()


def _unknown_agents(named: Mapping[str, str | None], document: Document, there: Collection[str]) -> list[Finding]:
    return [
        Finding(
            line=document.locate((key,)),
            sentence=f"There is no agent {quoted(agent)}.",
            hint=did_you_mean(agent, sorted(there)),
        )
        for key, agent in named.items()
        if agent is not None and agent not in there
    ]
