"""Launching: from a run to the process that its holder starts, with all that it may see and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bandstand.domain.agent import AgentProfile
from bandstand.domain.credentials import placed
from bandstand.domain.errors import Unknown
from bandstand.domain.ids import AgentName
from bandstand.domain.limits import NO_LIMITS, Limits, with_grants
from bandstand.domain.network import Reach
from bandstand.domain.policy import Authorship, Policy
from bandstand.domain.state import Task
from bandstand.egress.variables import proxy_variables
from bandstand.ports.credentials import SharedLogins
from bandstand.ports.environment import CallerEnvironment
from bandstand.ports.git import Repository, Signature
from bandstand.ports.hosts import Launch
from bandstand.ports.leases import Leases
from bandstand.ports.sandbox import Confinement, Mount, Sandbox
from bandstand.ports.walls import network
from bandstand.ports.workspaces import Workspace

HANDED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "VIRTUAL_ENV")
"""Variables of the caller that every agent and every check gets. An agent's profile may name more for that agent."""

AGENT_MAIL_DOMAIN = "agents.bandstand.invalid"
"""Where agents' mail addresses lie: a domain that can never exist (RFC 2606)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who git takes for author and committer of what an agent commits."""

    author: Signature
    committer: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Launching:
    """Makes launches for the runs of one repository. `home` is the user's, which `~` in a profile stands for.

    `limits` are what the user lets every run have.
    """

    sandbox: Sandbox
    environment: CallerEnvironment
    repository: Repository
    logins: SharedLogins
    home: Path
    leases: Leases
    limits: Callable[[], Limits] = Limits

    def allowed(self, policy: Policy | None, task: Task | None = None) -> Limits:
        """What a check may have, and a run of a task: the strictest of what is set, but for what a human let it have.

        Raises what `limits` raises.
        """
        limits = self.limits().stricter(policy.limits if policy is not None else NO_LIMITS)
        return with_grants(limits.stricter(task.spec.limits), task.granted) if task is not None else limits

    async def own_variables(self, profile: AgentProfile) -> dict[str, str]:
        """What an agent gets of the caller's environment beside what all get, and what its profile sets."""
        variables = await self.environment.load()
        passed = {name: variables[name] for name in profile.passes if name in variables}
        return {**passed, **dict(profile.environment)}

    async def launch(
        self, profile: AgentProfile, workspace: Workspace, people: People, reach: Reach, *, limits: Limits
    ) -> Launch:
        """The process of an agent in a workspace, which reaches no more than that where the walls are real.

        Raises `Unavailable` if there is no block of ports for it.
        """
        variables = await self.environment.load()
        proxied = proxy_variables() if reach.proxied and self.sandbox.enforced else {}
        own = await self.own_variables(profile)
        placing, logins = await self._login(profile, own, workspace)
        inside = self.sandbox.inside(workspace.folder, role="workspace")
        confinement = Confinement(
            argv=profile.command,
            cwd=inside,
            environment={
                **base_environment(variables),
                **(await self.leases.take(workspace.name)).environment,
                **proxied,
                **placing,
                **own,
                **_identity(people),
            },
            home=workspace.home,
            writable=(Mount(host=workspace.folder, inside=inside), *logins),
            readable=(*(_same(path) for path in workspace.objects), *self._reads(profile, workspace)),
            network=network(reach),
            limits=limits,
        )
        return self.sandbox.confine(confinement)

    async def _login(
        self, profile: AgentProfile, own: Mapping[str, str], workspace: Workspace
    ) -> tuple[Mapping[str, str], tuple[Mount, ...]]:
        """What leads an agent with these variables to its shared login, and the folder of that; nothing without one."""
        credentials = profile.credentials
        if not credentials.shares({name for name, value in own.items() if value}) or _reads_its_login(profile):
            return {}, ()
        folder = await self.logins.open(profile.name, credentials)
        seen = self.sandbox.inside(folder, role="login")
        await self.logins.furnish(workspace.home, credentials, seen=seen)
        return placed(credentials.environment, str(seen)), (Mount(host=folder, inside=seen),)

    def _reads(self, profile: AgentProfile, workspace: Workspace) -> list[Mount]:
        """What a profile lets its agent read. What lies in the user's home is seen in the private one, too."""
        found: list[Mount] = []
        for text in profile.reads:
            if text.startswith("~/"):
                path = self.home / text[2:]
                inside = self.sandbox.inside(workspace.home, role="home") / text[2:]
                found += [_same(path), Mount(host=path, inside=inside)]
            else:
                found.append(_same(Path(text)))
        return found

    async def people(self, agent: AgentName, policy: Policy) -> People:
        """The author of an agent's commits, as the policy has it, and the user, who commits."""
        user = await self.repository.user()
        return People(author=_author(agent, policy) or user, committer=user)

    async def author(self, agent: AgentName, policy: Policy) -> Signature:
        """The author of an agent's commits, as the policy has it."""
        return _author(agent, policy) or await self.repository.user()


def _author(agent: AgentName, policy: Policy) -> Signature | None:
    """An agent as the author of its commits; nothing where the policy says that it is the user."""
    if policy.authorship is Authorship.USER:
        return None
    return Signature(name=agent, email=f"{agent}@{AGENT_MAIL_DOMAIN}")


def _identity(people: People) -> dict[str, str]:
    return {
        "GIT_AUTHOR_NAME": people.author.name,
        "GIT_AUTHOR_EMAIL": people.author.email,
        "GIT_COMMITTER_NAME": people.committer.name,
        "GIT_COMMITTER_EMAIL": people.committer.email,
        "GIT_EDITOR": "true",
        "GIT_TERMINAL_PROMPT": "0",
    }


def base_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What every command gets of the caller's environment."""
    return {name: variables[name] for name in HANDED_ON if name in variables}


def find_profile(profiles: Mapping[AgentName, AgentProfile], name: AgentName) -> AgentProfile:
    """The profile of an agent. Raises `Unknown` if there is none of that name."""
    profile = profiles.get(name)
    if profile is None:
        known = ", ".join(sorted(profiles)) or "none"
        raise Unknown(f"There is no agent {name!r} here.", hint=f"Configured agents: {known}. See `band agents`.")
    return profile


def _reads_its_login(profile: AgentProfile) -> bool:
    """Whether the user shows an agent, for reading only, what would be a link to its shared login."""
    shown = [Path(text[2:]) for text in profile.reads if text.startswith("~/")]
    return any(Path(link).is_relative_to(path) for link in profile.credentials.links for path in shown)


def _same(path: Path) -> Mount:
    return Mount(host=path, inside=path)
