"""What a task reaches on the network as it stands, and what is asked about a host that it was refused."""

from collections.abc import Iterable
from datetime import datetime

from bandstand.domain import events as e
from bandstand.domain.agent import HostRefused, Refusal
from bandstand.domain.ask import ALLOW_FOR_REPOSITORY, ALLOW_FOR_TASK, REFUSE, Ask, AskKind
from bandstand.domain.asking import answer_by, ask_id
from bandstand.domain.errors import Refused
from bandstand.domain.ids import TaskId
from bandstand.domain.network import (
    WEB_PORTS,
    Allowances,
    HostRule,
    NetworkPolicy,
    NetworkRole,
    NetworkRules,
    Reach,
    host_rule,
    reach,
)
from bandstand.domain.run import Part
from bandstand.domain.state import State, Task, fold

MOST_OPEN = 10
"""How many hosts may be asked about for one task at a time. More were tried by nobody who needs them all."""

_WHO = {NetworkRole.REVIEWER: "Its reviewer", NetworkRole.CHECKS: "Its checks"}


def role_of(task: Task, part: Part) -> NetworkRole:
    """Whose network an agent has that plays a part in a task."""
    return NetworkRole.REVIEWER if part is Part.REVIEWER else NetworkRole(task.spec.role.value)


def policy_of(state: State, task: Task, role: NetworkRole) -> NetworkPolicy:
    """The policy that holds for a role in a task."""
    return _rules(state).policy(role, task=task.spec.network)


def reach_of(state: State, task: Task, role: NetworkRole, *, models: Iterable[HostRule] = ()) -> Reach:
    """What a role may reach in a task now. `models` are the hosts of its agent; checks have none."""
    allowed = Allowances(task=task.allowed, repository=state.allowed)
    return reach(policy_of(state, task, role), models=models, known=_rules(state).allow, allowed=allowed)


def _rules(state: State) -> NetworkRules:
    return state.policy.network if state.policy is not None else NetworkRules()


def refused_rule(refused: HostRefused) -> HostRule:
    """What would have to be allowed: of the web's ports both, and of one's own network exactly what was tried."""
    private = refused.why is Refusal.PRIVATE
    web = refused.port in WEB_PORTS and not private
    return HostRule(host=refused.host, port=None if web else refused.port, private=private)


def ask_about_host(
    state: State, task: Task, refused: HostRefused, role: NetworkRole, *, now: datetime
) -> tuple[e.Event, ...]:
    """A human is asked about a host that was refused: once for a task, whatever was answered, and of a flood a few."""
    rule = refused_rule(refused)
    if not _is_a_host(rule):
        return ()
    asked = [ask for ask in state.asks.values() if ask.task == task.spec.id and ask.kind is AskKind.NETWORK]
    if not refused.host or task.ended or any(ask.host == rule for ask in asked):
        return ()
    if sum(ask.open for ask in asked) >= MOST_OPEN:
        return ()
    policy = policy_of(state, task, role)
    lasting = (ALLOW_FOR_REPOSITORY,) if policy is NetworkPolicy.ALLOW_LIST else ()
    ask = Ask(
        id=ask_id(state.totals.asked + 1),
        kind=AskKind.NETWORK,
        task=task.spec.id,
        title=f"{_WHO.get(role, 'The agent')} tried {rule.text}.",
        detail=_why(rule, policy),
        choices=(ALLOW_FOR_TASK, *lasting, REFUSE),
        raised=now,
        deadline=answer_by(state, now),
        otherwise=REFUSE.id,
        host=rule,
    )
    return () if _covered(state, ask) else (e.AskRaised(ask=ask),)


def _is_a_host(rule: HostRule) -> bool:
    """Whether a human could write this rule, and it names one host: what was tried is in the words of who tried it."""
    try:
        return host_rule(rule.text).host == rule.host and not rule.host.startswith("*")
    except Refused:
        return False


def ask_about_hosts(
    state: State, name: TaskId, refused: Iterable[HostRefused], role: NetworkRole, *, now: datetime
) -> list[e.Event]:
    """The same for several hosts at once. Of a task that is over nothing is asked."""
    found: list[e.Event] = []
    for host in refused:
        if name in state.tasks:
            facts = ask_about_host(state, state.tasks[name], host, role, now=now)
            state = fold(state, ((now, fact) for fact in facts))
            found.extend(facts)
    return found


def _why(rule: HostRule, policy: NetworkPolicy) -> str:
    if rule.private:
        return (
            "It is in the network of this machine, where services may trust whoever comes from here. "
            "Allow it only if you know what listens there."
        )
    return f"No rule of its network policy ({policy.value}) names it. Whoever is there would hear what the agent says."


def still_refused(state: State, ask: Ask) -> bool:
    """Whether an answer about a host is still wanted: its task goes on, and nothing else has allowed the host."""
    return not state.tasks[ask.task].ended and not _covered(state, ask)


def _covered(state: State, ask: Ask) -> bool:
    """Whether rules that count for the ask's task name its host by now."""
    host = ask.host
    if host is None:
        return False
    rules = state.tasks[ask.task].allowed
    if ALLOW_FOR_REPOSITORY in ask.choices:
        rules += (*state.allowed, *_rules(state).allow)
    ports = WEB_PORTS if host.port is None else (host.port,)
    return any(
        all(rule.covers(host.host, port) for port in ports) and (rule.private or not host.private) for rule in rules
    )
