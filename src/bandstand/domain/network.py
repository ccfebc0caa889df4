"""What may be reached on the network: policies, rules for hosts, and what of them holds for one command.

Here is decided *what* holds. That it holds is the work of a network namespace without a way out and of the proxy at its
edge, which is told the rules of a `Reach` and nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from bandstand.domain.agent import AgentProfile
from bandstand.domain.errors import Refused


class NetworkPolicy(StrEnum):
    """How much of the network a command may reach, from the least to the most."""

    OFF = "off"
    MODEL_ONLY = "model-only"
    ALLOW_LIST = "allow-list"
    OPEN = "open"


class NetworkRole(StrEnum):
    """Whose network it is: an agent's in one of its parts, or that of the checks, which run what agents wrote."""

    CODER = "coder"
    TESTER = "tester"
    DOCUMENTER = "documenter"
    REVIEWER = "reviewer"
    CHECKS = "checks"


DEFAULT_POLICY = NetworkPolicy.ALLOW_LIST
WEB_PORTS = (80, 443)
"""The ports that a rule without one is about."""

_STRICTNESS = tuple(NetworkPolicy)
_HOST_LENGTH = 253
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_IPV6 = re.compile(r"[0-9a-f:]+(?:\.[0-9.]+)?")
_BASE_URL = re.compile(r"(?:^|_)(?:BASE_URL|API_BASE|API_URL|ENDPOINT)$")


def stricter(one: NetworkPolicy, *others: NetworkPolicy | None) -> NetworkPolicy:
    """The policy that lets the least through; what is nothing does not count."""
    return min((one, *(other for other in others if other is not None)), key=_STRICTNESS.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """A host that may be reached: a name, all names below one (`*.example.org`), or an address; on a port or the web's.

    `private` lets it lie in the machine's own network: only for who names exactly this host and port.
    """

    host: str
    port: int | None = None
    private: bool = False

    @property
    def text(self) -> str:
        """The rule as people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def covers(self, host: str, port: int) -> bool:
        """Whether a host on a port is meant. `*.example.org` means what is below, and not `example.org` itself."""
        if port != self.port and (self.port is not None or port not in WEB_PORTS):
            return False
        return host.endswith(self.host[1:]) if self.host.startswith("*") else host == self.host


def host_rule(text: str) -> HostRule:
    """A rule as people write it: `host`, `*.host`, `host:port`, `[address]:port`. Raises `Refused` for anything else.

    Who names a host and its port means exactly that, also where it is in the machine's own network.
    """
    host, port = _parted(text.strip().lower())
    fits = _IPV6.fullmatch(host) if ":" in host else _NAME.fullmatch(host)
    if not fits or len(host) > _HOST_LENGTH or (port is not None and not 0 < port < 65536):
        raise Refused(
            f"{text!r} does not name a host.", hint="Write `example.org`, `*.example.org` or `example.org:8443`."
        )
    return HostRule(host=host, port=port, private=port is not None and not host.startswith("*"))


def _parted(text: str) -> tuple[str, int | None]:
    """A host without its brackets and its last dot, and the port behind it."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        digits = rest.removeprefix(":")
        return (host, int(digits) if rest else None) if bracket and ":" in host and _is_port(rest) else ("", None)
    if text.count(":") > 1:
        return text, None
    host, colon, digits = text.partition(":")
    return (host.removesuffix("."), int(digits) if colon else None) if _is_port(colon + digits) else ("", None)


def _is_port(text: str) -> bool:
    return not text or re.fullmatch(r":[0-9]{1,5}", text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """What the rules of a repository say of the network.

    `roles` holds the policy of each role, the repository's and the user's word taken together; `bounds` holds what the
    user's own settings allow at most, which no task can widen. `allow` are hosts beside the built-in ones.
    """

    roles: tuple[tuple[NetworkRole, NetworkPolicy], ...] = ()
    bounds: tuple[tuple[NetworkRole, NetworkPolicy], ...] = ()
    allow: tuple[HostRule, ...] = ()

    def policy(self, role: NetworkRole, *, task: NetworkPolicy | None = None) -> NetworkPolicy:
        """What holds for a role in a task that may say something itself.

        What a task says is about the agent that does it. For those who judge its work, the reviewer and the checks, it
        counts where it is stricter: a task does not widen what is there to judge it.
        """
        own = dict(self.roles).get(role, DEFAULT_POLICY)
        judges = role in (NetworkRole.REVIEWER, NetworkRole.CHECKS)
        said = own if task is None else stricter(own, task) if judges else task
        return stricter(said, dict(self.bounds).get(role))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one command may reach: under which policy, and by which rules where a proxy decides."""

    policy: NetworkPolicy
    rules: tuple[HostRule, ...] = ()

    @property
    def proxied(self) -> bool:
        """Whether a proxy stands between the command and the network. One without rules still tells what it refuses."""
        return self.policy not in (NetworkPolicy.OFF, NetworkPolicy.OPEN)

    def covers(self, host: str, port: int) -> bool:
        """Whether a rule means this host on this port."""
        return self.policy is NetworkPolicy.OPEN or any(rule.covers(host, port) for rule in self.rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What went through a proxy to a host and came from there, in bytes, over connections that have ended."""

    host: str
    connections: int
    up: int
    down: int


def together(traffic: Iterable[Traffic]) -> tuple[Traffic, ...]:
    """The traffic with each host, of several runs; most first."""
    found: dict[str, Traffic] = {}
    for one in traffic:
        known = found.get(one.host, Traffic(host=one.host, connections=0, up=0, down=0))
        found[one.host] = Traffic(
            host=one.host,
            connections=known.connections + one.connections,
            up=known.up + one.up,
            down=known.down + one.down,
        )
    return tuple(sorted(found.values(), key=lambda one: (-(one.up + one.down), one.host)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowances:
    """What a human allowed beside the rules: for one task, and for all of a repository."""

    task: tuple[HostRule, ...] = ()
    repository: tuple[HostRule, ...] = ()


def reach(
    policy: NetworkPolicy, *, models: Iterable[HostRule] = (), known: Iterable[HostRule] = (), allowed: Allowances
) -> Reach:
    """What holds under a policy. `models` are the agent's own hosts, `known` those of the repository and the built-in.

    What was allowed for the task holds whichever list there is, since it was said of just that; what was allowed for
    the repository is part of its list.
    """
    match policy:
        case NetworkPolicy.OFF | NetworkPolicy.OPEN:
            return Reach(policy=policy)
        case NetworkPolicy.MODEL_ONLY:
            found = (*models, *allowed.task)
        case NetworkPolicy.ALLOW_LIST:
            found = (*models, *known, *allowed.repository, *allowed.task)
    return Reach(policy=policy, rules=tuple(dict.fromkeys(found)))


def model_hosts(profile: AgentProfile, variables: Mapping[str, str]) -> tuple[HostRule, ...]:
    """Where an agent finds its model: the hosts of its profile, and whatever its variables name as a base URL.

    `variables` are those that it is given. One that names a URL names its port too, if only by its scheme, so it may
    lie in the machine's own network: a model on `localhost`, say.
    """
    given = [host_rule(host) for host in profile.hosts]
    urls = (value for name, value in sorted(variables.items()) if _BASE_URL.search(name))
    return (*given, *(rule for url in urls if (rule := _host_of(url)) is not None))


def _host_of(url: str) -> HostRule | None:
    """The host and port of a web address; nothing for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        host = parts.hostname or ""
        return host_rule(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except (ValueError, KeyError, Refused):
        return None
