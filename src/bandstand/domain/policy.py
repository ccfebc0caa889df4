"""The rules of a repository: what a change must pass before it lands, and what an agent may do unasked.

A policy is read from the tip of the target branch, never from a change, and confirmed once by the user for each
content.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from bandstand.domain.agent import AgentProfile, ToolKind
from bandstand.domain.check import CheckCommand
from bandstand.domain.ids import AgentName
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.limits import NO_LIMITS, Limits
from bandstand.domain.network import NetworkRules
from bandstand.domain.setup import SetupCommand


class ReviewMode(StrEnum):
    """Who must approve a change before it lands. `NONE` is said on the landing record."""

    NONE = "none"
    AGENT = "agent"
    HUMAN = "human"
    AGENT_AND_HUMAN = "agent+human"

    @property
    def by_agent(self) -> bool:
        """Whether an agent reviews."""
        return self in (ReviewMode.AGENT, ReviewMode.AGENT_AND_HUMAN)

    @property
    def by_human(self) -> bool:
        """Whether a human reviews."""
        return self in (ReviewMode.HUMAN, ReviewMode.AGENT_AND_HUMAN)


class LandingMethod(StrEnum):
    """How a change becomes part of the target: its commits kept behind a merge commit, or made into one."""

    MERGE = "merge"
    SQUASH = "squash"


class Push(StrEnum):
    """Whether what has landed is pushed to the remote of the target."""

    NEVER = "never"
    AFTER_LANDING = "after-landing"


class Permission(StrEnum):
    """What happens when an agent asks whether it may do something."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Authorship(StrEnum):
    """Who is the author of an agent's commits. The committer is always the user."""

    AGENT = "agent"
    USER = "user"


WALLED_PERMISSIONS: tuple[tuple[ToolKind, Permission], ...] = (
    (ToolKind.READ, Permission.ALLOW),
    (ToolKind.SEARCH, Permission.ALLOW),
    (ToolKind.THINK, Permission.ALLOW),
    (ToolKind.EDIT, Permission.ALLOW),
    (ToolKind.DELETE, Permission.ALLOW),
    (ToolKind.MOVE, Permission.ALLOW),
    (ToolKind.EXECUTE, Permission.ALLOW),
    (ToolKind.FETCH, Permission.ASK),
    (ToolKind.SWITCH_MODE, Permission.ASK),
    (ToolKind.OTHER, Permission.ASK),
)
"""What is answered without a human when the sandbox is real: what cannot leave the workspace is allowed."""

_UNWALLED_ALLOWED = frozenset({ToolKind.READ, ToolKind.SEARCH, ToolKind.THINK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How often a change goes back to its agent for one cause before a human is asked."""

    check: int = 3
    review: int = 3
    conflict: int = 3
    queue: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one repository, whole. `checks_from` says in words where the check commands come from."""

    target: str
    checks: tuple[CheckCommand, ...] = ()
    checks_from: str = "none"
    review: ReviewMode = ReviewMode.AGENT
    reviewer: AgentName | None = None
    landing: LandingMethod = LandingMethod.MERGE
    authorship: Authorship = Authorship.AGENT
    rounds: Rounds = field(default_factory=Rounds)
    permissions: tuple[tuple[ToolKind, Permission], ...] = ()
    agents: tuple[AgentProfile, ...] = ()
    default_agent: AgentName | None = None
    ask_hours: int = 24
    push: Push = field(default=Push.NEVER, repr=False)
    inclusion: Inclusion = field(default=NOTHING, repr=False)
    network: NetworkRules = field(default_factory=NetworkRules, repr=False)
    limits: Limits = field(default=NO_LIMITS, repr=False)
    setup: tuple[SetupCommand, ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        """A name for exactly these rules. Two policies with the same digest say the same."""
        # What came later counts where it is said: the rules of those who never heard of it have the name they had.
        later = f" push={self.push.value}" if self.push is not Push.NEVER else ""
        later += f" inclusion={self.inclusion!r}" if self.inclusion.patterns else ""
        later += f" network={self.network!r}" if self.network != NetworkRules() else ""
        later += "".join(f" hosts={profile.name}:{profile.hosts!r}" for profile in self.agents if profile.hosts)
        later += f" {self.limits!r}" if self.limits != NO_LIMITS else ""
        later += f" setup={self.setup!r}" if self.setup else ""
        return hashlib.sha256((repr(self) + later).encode()).hexdigest()[:16]

    def permission(self, kind: ToolKind, *, walled: bool) -> Permission:
        """The answer to a request of this kind: the repository's own rule, else the default for these walls."""
        own = dict(self.permissions).get(kind)
        if own is not None:
            return own
        if walled:
            return dict(WALLED_PERMISSIONS)[kind]
        return Permission.ALLOW if kind in _UNWALLED_ALLOWED else Permission.ASK
