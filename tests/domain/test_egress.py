"""Asks about hosts that were refused: one for each host and task, in bounds, and what an answer allows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bandstand.domain import events as e
from bandstand.domain.agent import HostRefused, Refusal
from bandstand.domain.ask import Answer, Ask
from bandstand.domain.asking import answer
from bandstand.domain.egress import MOST_OPEN, ask_about_host, reach_of, role_of
from bandstand.domain.ids import AgentName, AskId, TaskId
from bandstand.domain.network import HostRule, NetworkPolicy, NetworkRole, NetworkRules
from bandstand.domain.open_asks import ask_facts
from bandstand.domain.policy import Policy
from bandstand.domain.run import Part
from bandstand.domain.standing import standing
from bandstand.domain.state import State, fold
from bandstand.domain.task import Role, TaskSpec
from tests.domain.states import NOW

ONE, TWO = TaskId("one"), TaskId("two")
CODER = NetworkRole.CODER
EVIL = HostRefused(host="evil.example", port=443, why=Refusal.NOT_LISTED)
HOME = HostRefused(host="10.0.0.7", port=5432, why=Refusal.PRIVATE)


def after(state: State, facts: Sequence[e.Event]) -> State:
    """The state after some facts."""
    return fold(state, ((NOW, fact) for fact in facts))


def begun(*specs: TaskSpec, network: NetworkRules | None = None) -> State:
    """A repository whose rules are confirmed, with these tasks."""
    policy = Policy(target="main", network=network or NetworkRules())
    facts: list[e.Event] = [e.PolicyConfirmed(policy=policy, by="ada")]
    return after(State(), [*facts, *(e.TaskSubmitted(spec=spec, by="ada") for spec in specs)])


def spec(name: TaskId, network: NetworkPolicy | None = None) -> TaskSpec:
    """A task that says this of the network."""
    return TaskSpec(id=name, title=name, goal="Do it.", agent=AgentName("a"), network=network)


def tried(state: State, refused: HostRefused, task: TaskId = ONE, role: NetworkRole = CODER) -> State:
    """The state after a task was refused a host."""
    return after(state, ask_about_host(state, state.tasks[task], refused, role, now=NOW))


def only(state: State) -> Ask:
    """The one ask that is open."""
    (ask,) = state.open_asks()
    return ask


def said(state: State, choice: str, ask: AskId | None = None) -> State:
    """The state after an ask was answered."""
    asked = state.asks[ask] if ask else only(state)
    return after(state, answer(state, asked, Answer(choice=choice, text="", by="ada")))


def reaches(state: State, host: str, port: int = 443, task: TaskId = ONE) -> bool:
    """Whether the agent of a task may reach a host now."""
    return reach_of(state, state.tasks[task], CODER).covers(host, port)


def test_a_host_is_asked_about_once_in_a_task() -> None:
    """However often it is tried, on either port of the web, and whatever was answered."""
    state = tried(begun(spec(ONE)), EVIL)
    assert only(state).title == "The agent tried evil.example."
    assert only(state).host == HostRule(host="evil.example")
    assert [choice.id for choice in only(state).choices] == ["allow", "always", "refuse"]
    assert tried(state, EVIL) == state
    assert tried(state, replace(EVIL, port=80)) == state
    refused = said(state, "refuse")
    assert tried(refused, EVIL) == refused
    assert not reaches(refused, "evil.example")
    assert len(tried(state, replace(EVIL, port=8443)).open_asks()) == 2


def test_an_answer_allows_for_the_task_or_for_all_of_the_repository() -> None:
    """The first of the choices is the smaller one, and nothing beside the host is allowed."""
    asked = tried(begun(spec(ONE), spec(TWO)), EVIL)
    once, always = said(asked, "1"), said(asked, "2")
    assert [reaches(once, "evil.example", task=task) for task in (ONE, TWO)] == [True, False]
    assert [reaches(always, "evil.example", task=task) for task in (ONE, TWO)] == [True, True]
    assert not reaches(always, "www.evil.example")
    assert not reaches(always, "evil.example", 22)


def test_what_is_allowed_for_all_is_asked_no_more_in_any_task() -> None:
    """An ask of another task about the same host goes by itself."""
    asked = tried(tried(begun(spec(ONE), spec(TWO)), EVIL), EVIL, TWO)
    first, second = asked.open_asks()
    always = said(asked, "always", first.id)
    (gone,) = ask_facts(always, always.asks[second.id], now=NOW)
    assert gone == e.AskWithdrawn(ask=second.id, reason="The task went on without it.", task=TWO)
    assert ask_facts(said(asked, "allow", first.id), second, now=NOW) == ()


def test_a_host_of_ones_own_network_is_a_question_of_its_own() -> None:
    """Its name was allowed, and then it turned out to lead home: nobody said yes to that."""
    allowed = said(tried(begun(spec(ONE)), EVIL), "allow")
    home = tried(allowed, replace(EVIL, why=Refusal.PRIVATE))
    assert only(home).host == HostRule(host="evil.example", port=443, private=True)
    assert "in the network of this machine" in only(home).detail
    rules = reach_of(said(home, "allow"), home.tasks[ONE], CODER).rules
    assert HostRule(host="evil.example", port=443, private=True) not in rules
    state = said(home, "allow")
    assert HostRule(host="evil.example", port=443, private=True) in reach_of(state, state.tasks[ONE], CODER).rules


@pytest.mark.parametrize(
    ("network", "role", "choices"),
    [
        (None, CODER, ["allow", "always", "refuse"]),
        (NetworkPolicy.MODEL_ONLY, CODER, ["allow", "refuse"]),
        (None, NetworkRole.CHECKS, ["allow", "always", "refuse"]),
    ],
)
def test_what_may_be_answered_is_what_has_an_effect(
    network: NetworkPolicy | None, role: NetworkRole, choices: list[str]
) -> None:
    """Where there is no list, nothing can be put on it."""
    state = tried(begun(spec(ONE, network)), EVIL, role=role)
    assert [choice.id for choice in only(state).choices] == choices
    assert reaches(said(state, "allow"), "evil.example")


def test_a_flood_of_hosts_is_asked_about_in_bounds() -> None:
    """So many at a time; an answer makes room for the next. That there are more is no question."""
    state = begun(spec(ONE))
    for number in range(MOST_OPEN + 5):
        state = tried(state, replace(EVIL, host=f"h{number}.example"))
    assert len(state.open_asks()) == MOST_OPEN
    state = tried(said(state, "refuse", state.open_asks()[0].id), replace(EVIL, host="next.example"))
    assert len(state.open_asks()) == MOST_OPEN
    assert tried(state, HostRefused(host="", port=0, why=Refusal.NOT_LISTED)) == state


@pytest.mark.parametrize(
    "host", ["*.example", "*", "a/b", "a b", "a\x1b[2J", "exämple", "", "a" * 300, "http://a.example"]
)
def test_what_names_no_host_is_not_asked_about(host: str) -> None:
    """It is in the words of who tried it, and an answer would make a rule of them."""
    state = begun(spec(ONE))
    assert tried(state, replace(EVIL, host=host)) == state


def test_silence_refuses_and_the_end_of_the_task_withdraws() -> None:
    """Nobody waits for the answer."""
    state = tried(begun(spec(ONE)), HOME)
    asked = only(state)
    assert ask_facts(state, asked, now=NOW) == ()
    (late,) = ask_facts(state, asked, now=NOW + timedelta(hours=25))
    assert late == e.AskAnswered(ask=asked.id, answer=Answer(choice="refuse", text="", by="deadline"), task=ONE)
    ended = after(state, [e.TaskCancelled(task=ONE, by="ada")])
    (gone,) = ask_facts(ended, asked, now=NOW)
    assert isinstance(gone, e.AskWithdrawn)
    assert ask_about_host(ended, ended.tasks[ONE], EVIL, CODER, now=NOW) == ()


def test_what_was_allowed_is_taken_back() -> None:
    """Under its name, for the repository and for every task that lives."""
    state = begun(spec(ONE))
    rule = HostRule(host="evil.example")
    state = after(state, [e.HostAllowed(host=rule, by="ada"), e.HostAllowed(host=rule, by="ada", task=ONE)])
    assert state.allowed == state.tasks[ONE].allowed == (rule,)
    assert tried(state, EVIL) == state
    state = after(state, [e.HostRevoked(host=rule, by="ada")])
    assert state.allowed == state.tasks[ONE].allowed == ()
    assert not reaches(state, "evil.example")


def test_a_task_with_such_an_ask_goes_on_and_says_so() -> None:
    """Where it stands is what it does; what it tried stands beside that."""
    state = tried(tried(begun(spec(ONE)), EVIL), HOME)
    before, at = standing(begun(spec(ONE)), state.tasks[ONE]), standing(state, state.tasks[ONE])
    assert (at.mark, at.owner) == (before.mark, before.owner)
    assert at.words == f"{before.words}; a1: The agent tried evil.example and 1 more"


def test_whose_network_it_is() -> None:
    """An agent's in its role, and the reviewer's whatever role it reviews."""
    task = begun(replace(spec(ONE), role=Role.DOCUMENTER)).tasks[ONE]
    assert [role_of(task, part) for part in Part] == [NetworkRole.DOCUMENTER, NetworkRole.REVIEWER]
