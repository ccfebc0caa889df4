"""What may be reached over the network, to be looked at."""

from dataclasses import dataclass

from bandstand.domain.egress import policy_of
from bandstand.domain.ids import TaskId
from bandstand.domain.network import HostRule, NetworkPolicy, NetworkRole, NetworkRules
from bandstand.domain.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleNetwork:
    """The policy of a role."""

    role: NetworkRole
    policy: NetworkPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNetwork:
    """A live task: the policy of its agent, and the hosts that it alone may reach beside the rules."""

    task: TaskId
    policy: NetworkPolicy
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkView:
    """What may be reached in a repository.

    `listed` are the hosts that the rules name, and `allowed` those that a human let all tasks reach beside them. Where
    it is not `enforced` there are no walls, and all of it is only meant.
    """

    enforced: bool
    roles: tuple[RoleNetwork, ...]
    listed: tuple[str, ...]
    allowed: tuple[str, ...]
    tasks: tuple[TaskNetwork, ...]


def network_view(state: State) -> NetworkView:
    """The network of a repository as it stands."""
    rules = state.policy.network if state.policy is not None else NetworkRules()
    live = [task for task in state.tasks.values() if not task.ended]
    return NetworkView(
        enforced=state.sandbox != "none",
        roles=tuple(RoleNetwork(role=role, policy=rules.policy(role)) for role in NetworkRole),
        listed=_texts(rules.allow),
        allowed=_texts(state.allowed),
        tasks=tuple(
            TaskNetwork(
                task=task.spec.id,
                policy=policy_of(state, task, NetworkRole(task.spec.role.value)),
                allowed=_texts(task.allowed),
            )
            for task in live
        ),
    )


def _texts(rules: tuple[HostRule, ...]) -> tuple[str, ...]:
    return tuple(rule.text for rule in rules)
