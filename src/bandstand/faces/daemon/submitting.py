"""Submitting: from what a person wrote to tasks that are taken up, with the rules shown before they hold."""

import asyncio
import compileall
import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bandstand import rehearsal
from bandstand.bootstrap import Bandstand
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.score import parse
from bandstand.config.settings import REPOSITORY_FILE, explain, profiles
from bandstand.config.tasks import read_tasks, single_task
from bandstand.domain.agent import AgentProfile
from bandstand.domain.errors import Refused, Stale
from bandstand.domain.ids import AgentName, TaskId
from bandstand.domain.network import NetworkPolicy
from bandstand.domain.policy import Policy
from bandstand.domain.setup import suggested
from bandstand.domain.task import Budget, TaskSpec, in_the_way
from bandstand.faces.daemon import logins
from bandstand.faces.wire import Json
from bandstand.services.commands import Submission
from bandstand.services.desk import Desk
from bandstand.services.launching import HANDED_ON
from bandstand.services.policies import REHEARSAL

Args = Mapping[str, Json]

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PROGRAM = re.compile(r"[\w.+-]+")
_SHELL = frozenset(
    {".", ":", "case", "cd", "command", "echo", "eval", "exec", "exit", "export", "false", "for", "if", "printf", "set"}
    | {"source", "test", "time", "trap", "true", "ulimit", "umask", "unset", "until", "while"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A `run` order, understood: tasks, rules, and the agents that come with it."""

    desk: Desk
    specs: tuple[TaskSpec, ...]
    policy: Policy
    agents: tuple[AgentProfile, ...]
    profiles: Mapping[AgentName, AgentProfile]
    sandbox: str
    foreign: tuple[str, ...]  # what to say of environments that import the repository from a checkout


async def plan(band: Bandstand, args: Args) -> Json:
    """What an order would do: its tasks and the rules they would be under. Nothing is started.

    Who is going to give the order has the remote looked at first, so that the rules are those that will hold.
    """
    told = await _refreshed(band, args) if args.get("fetch") else ""
    order = await _understand(band, args)
    state = order.desk.fleet.state
    confirmed = state.policy is not None and state.policy.digest == order.policy.digest
    repository, target = order.desk.repository, order.policy.target
    usual = suggested(await repository.files(await repository.tip(target))) if not order.policy.setup else ()
    return {
        "tasks": [
            {"id": spec.id, "title": spec.title, "agent": spec.agent, "needs": list(spec.needs)} for spec in order.specs
        ],
        "rules": [{"key": one.key, "value": one.value, "source": one.source} for one in explain(order.policy)],
        "checks": [check.command for check in order.policy.checks],
        "checks_from": order.policy.checks_from,
        "target": order.policy.target,
        "review": order.policy.review.value,
        "push": order.policy.push.value,
        "digest": order.policy.digest,
        "confirmed": confirmed,
        "changed": state.policy is not None and not confirmed,
        "sandbox": order.sandbox,
        "agents": [
            {"name": one.name, "command": list(one.command), "reads": list(one.reads)} for one in order.policy.agents
        ],
        "warnings": [*([told] if told else []), *await _warnings(band, order, args)],
        "suggested": [one.command for one in usual],
    }


async def submit(band: Bandstand, args: Args) -> Json:
    """Take up the tasks of an order under the rules whose digest the caller has seen and confirmed."""
    band.redaction.learn({name: str(value) for name, value in (args.get("variables") or {}).items()})
    await _refreshed(band, args)
    order = await _understand(band, args)
    if args.get("digest") != order.policy.digest:
        raise Stale("The rules of this repository changed while you looked at them.", hint="Run the command again.")
    desk = order.desk
    await band.sandbox(order.sandbox, desk.repository.path).probe()
    await desk.repository.user()
    submission = Submission(
        specs=order.specs,
        policy=order.policy,
        path=str(desk.repository.path),
        sandbox=order.sandbox,
        by=str(args.get("by") or "you"),
        variables=_variables(order, args),
        agents=order.agents,
    )
    switched = desk.fleet.state.sandbox != order.sandbox
    after = await band.broadcast.latest()
    if switched:
        tasks = await band.reseat(desk, lambda: desk.commands.submit(submission))
    else:
        tasks = await desk.commands.submit(submission)
    return {"tasks": list(tasks), "target": order.policy.target, "repository": desk.repository.id, "after": after}


async def agents(band: Bandstand, args: Args) -> Json:
    """Every agent that is configured here, and the known ones that could be."""
    found, default = await _agents(band, args)
    names = _names(band, args)
    configured = [
        {
            **{"name": one.name, "title": one.title, "command": list(one.command), "state": "configured"},
            "login": logins.told(band, one, names),
        }
        for one in found.values()
    ]
    missing = [
        {"name": one.name, "title": one.title, "command": list(one.command), "state": "missing", "install": one.install}
        for one in KNOWN_AGENTS.values()
        if one.name not in found
    ]
    return {"agents": configured + missing, "default": default}


def _names(band: Bandstand, args: Args) -> set[str]:
    """The variables that have a value in the caller's shell, and where nobody said so, in the daemon's."""
    return {name for name, value in (args.get("variables") or band.variables).items() if value}


async def _agents(band: Bandstand, args: Args) -> tuple[Mapping[AgentName, AgentProfile], str | None]:
    """The agents that can be named in a folder, and the default one; outside of a repository those of the user."""
    which = _finding(args)
    try:
        repository = await band.repository(Path(str(args["path"])))
    except Refused:
        user = band.settings()
        return profiles(Policy(target=""), user, which=which), user.agent
    desk = await band.desk(repository.path)
    policy = await desk.policies.current(await desk.policies.target())
    return await desk.policies.profiles(policy, which=which), policy.default_agent


async def _refreshed(band: Bandstand, args: Args) -> str:
    """What to say of the remote of the target, which was just looked at; mostly nothing."""
    desk = await band.desk(Path(str(args["path"])))
    return await desk.upstreams.refresh(await _target(args, desk))


async def _understand(band: Bandstand, args: Args) -> Order:
    """Read an order. Raises `Refused`, with the line for what stands in a file."""
    desk = await band.desk(Path(str(args["path"])))
    target = await _target(args, desk)
    policy = await desk.policies.current(target)
    brought = _score(band, args)
    profiles = {**await desk.policies.profiles(policy, which=_finding(args)), **{one.name: one for one in brought}}
    default = _default_agent(args, policy, profiles)
    sandbox = str(args.get("sandbox") or "bubblewrap")
    if sandbox not in ("bubblewrap", "none"):
        raise Refused(f"There is no sandbox {sandbox!r}.", hint="Use bubblewrap, or none by name.")
    given = {name: str(value) for name, value in (args.get("variables") or {}).items()}
    branches = await desk.repository.branches("band")
    budget = await desk.policies.budget(target)
    # A file may hold ten thousand tasks; the daemon listens to others while it is read.
    specs = await asyncio.to_thread(_specs, args, desk, default, profiles, budget, branches)
    for spec in specs:
        if (branch := in_the_way(spec.id, branches)) is not None:
            raise Refused(
                f"Your branch {branch} is in the way of band/{spec.id}, the branch of task {spec.id}.",
                hint=f"Rename it: git branch -m {branch} OTHER-NAME",
            )
    return Order(
        desk=desk,
        specs=specs,
        policy=policy,
        agents=brought,
        profiles=profiles,
        sandbox=sandbox,
        foreign=await band.foreign_imports(sandbox, desk.repository.path, given),
    )


async def _target(args: Args, desk: Desk) -> str:
    """The branch to land on. Raises `Refused` for one without a name: in a script that is a variable nobody set."""
    named = args.get("target")
    if named is None:
        return await desk.policies.target()
    if not named:
        raise Refused("The branch to land on has no name.", hint="Name one with --target, or leave that away.")
    return str(named)


def _specs(
    args: Args,
    desk: Desk,
    default: AgentName | None,
    profiles: Mapping[AgentName, AgentProfile],
    budget: Budget,
    branches: Sequence[str],
) -> tuple[TaskSpec, ...]:
    taken = (*desk.fleet.state.tasks, *desk.fleet.state.past)
    document = args.get("tasks")
    network = _network(args)
    if document is not None:
        found = read_tasks(
            str(document["text"]),
            name=str(document["name"]),
            known=taken,
            default_agent=default,
            agents=set(profiles),
            budget=budget,
        )
        return tuple(replace(spec, network=spec.network or network) for spec in found)
    goal = str(args.get("goal") or "").strip()
    if not goal:
        raise Refused("There is nothing to do.", hint='Say it: band run "add dark mode", or give a file with -f.')
    if default is None:
        raise _no_agent(profiles)
    priority = int(args.get("priority") or 0)
    id = args.get("id")
    if id is None:
        # A name that is made up is one whose branch is free.
        taken += tuple(TaskId(branch.split("/")[1]) for branch in branches if "/" in branch)
    task = single_task(goal, agent=default, known=taken, id=id, priority=priority, budget=budget, network=network)
    return (task,)


def _network(args: Args) -> NetworkPolicy | None:
    """What the order says of the network. Raises `Refused` for what is no policy, or cannot be kept."""
    said = args.get("network")
    if not said:
        return None
    if said not in set(NetworkPolicy):
        raise Refused(f"{said!r} is no network policy.", hint=f"Say one of {', '.join(NetworkPolicy)}.")
    if args.get("sandbox") == "none" and said != NetworkPolicy.OPEN:
        raise Refused(f"Without a sandbox nothing keeps an agent to the network policy {said!r}.")
    return NetworkPolicy(said)


def _default_agent(args: Args, policy: Policy, profiles: Mapping[AgentName, AgentProfile]) -> AgentName | None:
    """The agent for tasks that name none: the one ordered, the one set, or the only one there is."""
    ordered = args.get("agent")
    if ordered:
        if ordered not in profiles:
            raise _no_such_agent(str(ordered), profiles)
        return AgentName(ordered)
    if policy.default_agent is not None:
        return policy.default_agent
    # A score that was played once is no choice for anything else.
    there = [name for name in profiles if name != REHEARSAL]
    return there[0] if len(there) == 1 else None


def _no_such_agent(name: str, profiles: Mapping[AgentName, AgentProfile]) -> Refused:
    if name == REHEARSAL:
        return Refused("The rehearsal agent needs a score to play.", hint="Add --score FILE.")
    known = KNOWN_AGENTS.get(AgentName(name))
    if known is not None:
        return Refused(f"{known.title} is not installed.", hint=f"Install it: {known.install}")
    there = ", ".join(sorted(profiles)) or "none"
    return Refused(
        f"There is no agent {name!r}.",
        hint=f"Configured: {there}. Known: {', '.join(KNOWN_AGENTS)}. See `band agents`.",
    )


def _no_agent(profiles: Mapping[AgentName, AgentProfile]) -> Refused:
    if there := sorted(name for name in profiles if name != REHEARSAL):
        return Refused(
            "There are several agents, and none was chosen.",
            hint=f"Choose one with --agent: {', '.join(there)}.",
        )
    lines = "\n".join(f"  {one.name:<10} {one.install}" for one in KNOWN_AGENTS.values())
    return Refused(
        "No agent is configured or installed.",
        hint=(
            f"Install one of these, or configure any ACP command as [agents.NAME] in bandstand.toml:\n{lines}\n"
            "Without any, --agent rehearsal --score FILE plays a written score; `band demo` shows how."
        ),
    )


def _score(band: Bandstand, args: Args) -> tuple[AgentProfile, ...]:
    """The rehearsal agent for the score of an order. The score is kept where the agent can read it."""
    document = args.get("score")
    if document is None:
        return ()
    text = parse(str(document["text"]).encode(), name=str(document["name"]))
    folder = band.places.state / "scores"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    path.write_text(text)
    package = Path(rehearsal.__file__).parent
    command = (sys.executable, "-I", "-S", str(package / "__main__.py"), "--score", str(path))
    # A mount for reading only never gets a cache of its own, and the agent is to start at once.
    compileall.compile_dir(package, quiet=2, maxlevels=1)
    reads = (str(package.parent), str(path))
    return (
        AgentProfile(
            name=AgentName(REHEARSAL), title="Rehearsal agent", command=command, reads=reads, start_seconds=30
        ),
    )


def _finding(args: Args) -> Callable[[str], str | None]:
    """How a program is found by the caller's own search path."""
    path = (args.get("variables") or {}).get("PATH")
    return lambda name: shutil.which(name, path=path)


def _variables(order: Order, args: Args) -> dict[str, str]:
    """The part of the caller's environment that agents may get."""
    given = args.get("variables") or {}
    wanted = {*HANDED_ON, *(name for profile in order.profiles.values() for name in profile.passes)}
    return {name: str(value) for name, value in given.items() if name in wanted}


async def _warnings(band: Bandstand, order: Order, args: Args) -> list[str]:
    """What a person should know before they say yes."""
    which = _finding(args)
    found = logins.warnings(band, _taking_part(order), _names(band, args))
    for check in order.policy.checks:
        program = _first_program(check.command)
        if program and which(program) is None:
            found.append(f"{program} is not on your PATH: activate its environment first, or `{check.command}` fails.")
    found += [
        f"`reads` names {path}, and it is not there: agents do without it." for path in _missing(order, band.home)
    ]
    found += [
        f"{name} is not shown {path}, which lies in your home: a repository cannot say that. You can, in your settings."
        for name, path in _withheld(order)
    ]
    found += order.foreign
    if order.sandbox == "none":
        found.append("Unsandboxed: nothing keeps the agents inside their workspaces.")
    if not order.policy.checks:
        found.append("No check commands: changes land untested.")
    settings = order.desk.repository.path / REPOSITORY_FILE
    tip = await order.desk.repository.tip(order.policy.target)
    landed = await order.desk.repository.read(tip, REPOSITORY_FILE)
    for path in await order.desk.repository.absent(tip):
        where = "The submodule " + path
        found.append(f"{where} is not here as {order.policy.target} has it: agents and checks find an empty folder.")
    if settings.is_file() and settings.read_bytes() != landed:
        found.append(f"{REPOSITORY_FILE} in your checkout is not what {order.policy.target} has; the one there counts.")
    return found


def _missing(order: Order, home: Path) -> list[str]:
    """What somebody lets the agents of an order read, and is not there."""
    missing: dict[str, None] = {}
    for profile in _taking_part(order):
        for text in profile.reads:
            path = home / text[2:] if text.startswith("~/") else Path(text)
            if not os.access(path, os.F_OK):
                missing[text] = None
    return list(missing)


def _taking_part(order: Order) -> list[AgentProfile]:
    """The agents that do the tasks of an order, and that review."""
    named = dict.fromkeys([*(spec.agent for spec in order.specs), order.policy.reviewer])
    return [order.profiles[name] for name in named if name is not None and name in order.profiles]


def _withheld(order: Order) -> list[tuple[AgentName, str]]:
    """What the repository would have the agents of an order read, and they are not shown."""
    theirs = {profile.name: profile for profile in order.policy.agents}
    return [
        (profile.name, path)
        for profile in _taking_part(order)
        if profile.name in theirs
        for path in theirs[profile.name].reads
        if path not in profile.reads
    ]


def _first_program(command: str) -> str:
    """The program that a command begins with, if it is one that has to be on the search path."""
    try:
        words = [word for word in shlex.split(command) if not _ASSIGNMENT.match(word)]
    except ValueError:
        return ""
    return words[0] if words and _PROGRAM.fullmatch(words[0]) and words[0] not in _SHELL else ""
