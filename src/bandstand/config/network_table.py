"""The table about the network, which the repository's rules and the user's own settings both may have."""

from collections.abc import Mapping

from pydantic import Field

from bandstand.config.fields import Hosts
from bandstand.config.table import Table
from bandstand.domain.network import HostRule, NetworkPolicy, NetworkRole, NetworkRules, host_rule, stricter


class NetworkTable(Table):
    """What agents and checks may reach over the network: `off`, `model-only`, `allow-list` or `open`.

    `off` is nothing at all. `model-only` is where the agent finds its model. `allow-list` is that and the hosts of
    `allow`: the index that your packages come from, say. `open` is all that your machine reaches, its own services and
    its local network included. Checks have no model, so `model-only` is nothing for them.

    Where the repository and you both say something, the stricter of both holds, and no task can widen what you say.
    """

    called = "`[network]`"
    where = "network"

    policy: NetworkPolicy | None = Field(
        default=None, description="What holds for whoever is not named below. Left out by both, it is `allow-list`."
    )
    coder: NetworkPolicy | None = Field(default=None, description="For the agent of a task whose role is `coder`.")
    tester: NetworkPolicy | None = Field(default=None, description="For the agent of a task whose role is `tester`.")
    documenter: NetworkPolicy | None = Field(
        default=None, description="For the agent of a task whose role is `documenter`."
    )
    reviewer: NetworkPolicy | None = Field(default=None, description="For agents that review.")
    checks: NetworkPolicy | None = Field(default=None, description="For the checks.")
    allow: Hosts = Field(
        default=(),
        description="Hosts that may be reached, too, under `allow-list`: `example.org`, `*.example.org` for all names "
        "below it, `example.org:8443`; without a port, 80 and 443. In the network of your own machine only what is "
        "named with its port is reached, as in `localhost:5432`.",
    )

    def said(self, role: NetworkRole) -> NetworkPolicy | None:
        """What it says of a role, if anything."""
        own: NetworkPolicy | None = getattr(self, role.value)
        return own if own is not None else self.policy

    def bounds(self) -> Mapping[NetworkRole, NetworkPolicy]:
        """What it says of each role of which it says anything."""
        return {role: said for role in NetworkRole if (said := self.said(role)) is not None}


def network_rules(repository: NetworkTable, user: NetworkTable) -> NetworkRules:
    """The rules of both: the stricter policy for each role, and the hosts of both."""
    bounds = user.bounds()
    said = dict(bounds)
    for role, policy in repository.bounds().items():
        said[role] = stricter(policy, bounds.get(role))
    allow: dict[HostRule, None] = dict.fromkeys(host_rule(host) for host in (*repository.allow, *user.allow))
    return NetworkRules(roles=tuple(said.items()), bounds=tuple(bounds.items()), allow=tuple(allow))
