"""Facts about a repository: where it is, and the rules that hold in it."""

from dataclasses import dataclass

from bandstand.domain.agent import AgentProfile
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.network import HostRule
from bandstand.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOpened:
    """The repository is at this path."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxChosen:
    """From now on agents and checks of this repository run in this kind of sandbox. `none` is chosen by name only."""

    name: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfigured:
    """An order brought an agent of its own, such as a rehearsal of a score. It stands until one of its name comes."""

    profile: AgentProfile
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfirmed:
    """Somebody lets these rules run commands on this machine: they were shown them, or said yes to them unseen."""

    policy: Policy
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFound:
    """The target branch has other rules than those that were confirmed."""

    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAllowed:
    """A host may be reached from now on beside what the rules name: by one task, or else by all of the repository."""

    host: HostRule
    by: str
    task: TaskId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRevoked:
    """A host that was allowed for the repository, or for any task of it that lives, is so no more."""

    host: HostRule
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTaken:
    """An order with a key was carried out: the `facts` facts before this one followed. `digest` tells what it was."""

    key: str
    digest: str
    facts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemainsCleared:
    """What nobody needed any more was removed: so many `things`, which took `bytes`."""

    things: int
    bytes: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFetched:
    """The remote was looked at before a run. The target was moved to `moved_to`; or `trouble` says why it was not."""

    remote: str
    branch: str
    moved_to: CommitId | None = None
    trouble: str = ""
