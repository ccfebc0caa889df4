"""What may be reached: rules for hosts, the policy of each role, and what follows for one command."""

import itertools

import pytest

from bandstand.domain.agent import AgentProfile
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName
from bandstand.domain.network import (
    Allowances,
    HostRule,
    NetworkPolicy,
    NetworkRole,
    NetworkRules,
    Reach,
    Traffic,
    host_rule,
    model_hosts,
    reach,
    stricter,
    together,
)
from bandstand.domain.policy import Policy

OFF, MODEL, LIST, OPEN = NetworkPolicy
CODER, CHECKS, REVIEWER = NetworkRole.CODER, NetworkRole.CHECKS, NetworkRole.REVIEWER


@pytest.mark.parametrize(
    ("written", "host", "port", "private"),
    [
        ("example.org", "example.org", None, False),
        ("Example.ORG.", "example.org", None, False),
        ("*.example.org", "*.example.org", None, False),
        ("example.org:8443", "example.org", 8443, True),
        ("*.example.org:8443", "*.example.org", 8443, False),
        ("localhost:5432", "localhost", 5432, True),
        ("127.0.0.1:80", "127.0.0.1", 80, True),
        ("[::1]:80", "::1", 80, True),
        ("::1", "::1", None, False),
        ("[2001:db8::1]", "2001:db8::1", None, False),
        ("_x.example.org", "_x.example.org", None, False),
    ],
)
def test_hosts_as_people_write_them(written: str, host: str, port: int | None, private: bool) -> None:
    """Whoever names a host with its port means just that one, also if it is in the machine's own network."""
    found = host_rule(written)
    assert found == HostRule(host=host, port=port, private=private)
    assert host_rule(found.text) == found


@pytest.mark.parametrize(
    "written",
    [
        "", "*", "*.", "**.example.org", "a.*.org", "*example.org", "example.org:", "example.org:0",
        "example.org:65536",
        "example.org:http", "http://example.org", "example.org/path", "user@example.org", "exa mple.org", "-a.org",
        "a..org", "[example.org]:80", "[::1", "[::1]80", ":80", "exämple.org", "a" * 64 + ".org", "a." * 130 + "org",
    ],
)  # fmt: skip
def test_what_names_no_host_is_refused(written: str) -> None:
    """A star stands for what is below a name, and never for everything: that is the policy `open`."""
    with pytest.raises(Refused, match="does not name a host"):
        host_rule(written)


@pytest.mark.parametrize(
    ("rule", "host", "port", "covers"),
    [
        ("example.org", "example.org", 443, True),
        ("example.org", "example.org", 80, True),
        ("example.org", "example.org", 8443, False),
        ("example.org", "www.example.org", 443, False),
        ("*.example.org", "www.example.org", 443, True),
        ("*.example.org", "a.b.example.org", 80, True),
        ("*.example.org", "example.org", 443, False),
        ("*.example.org", "evilexample.org", 443, False),
        ("example.org:8443", "example.org", 8443, True),
        ("example.org:8443", "example.org", 443, False),
    ],
)
def test_what_a_rule_covers(rule: str, host: str, port: int, covers: bool) -> None:
    """A rule is about one name or all below one, and about one port or those of the web."""
    assert host_rule(rule).covers(host, port) is covers


def test_the_strictest_policy_lets_the_least_through() -> None:
    """In whichever order they are named; what is not said does not count."""
    for one, other in itertools.product(NetworkPolicy, repeat=2):
        assert stricter(one, other, None) == min(one, other, key=[OFF, MODEL, LIST, OPEN].index)


@pytest.mark.parametrize(
    ("own", "bound", "task", "coder", "judges"),
    [
        (None, None, None, LIST, LIST),
        (None, None, OPEN, OPEN, LIST),
        (None, None, OFF, OFF, OFF),
        (MODEL, None, None, MODEL, MODEL),
        (MODEL, None, LIST, LIST, MODEL),
        (OPEN, None, MODEL, MODEL, MODEL),
        (OPEN, OPEN, None, OPEN, OPEN),
        (MODEL, MODEL, OPEN, MODEL, MODEL),
        (LIST, LIST, OPEN, LIST, LIST),
        (OFF, OFF, OPEN, OFF, OFF),
        (LIST, LIST, OFF, OFF, OFF),
    ],
)
def test_the_policy_of_a_role_in_a_task(
    own: NetworkPolicy | None,
    bound: NetworkPolicy | None,
    task: NetworkPolicy | None,
    coder: NetworkPolicy,
    judges: NetworkPolicy,
) -> None:
    """A task may widen what its agent reaches, as far as the user's own settings go; for its judges only narrow it."""
    rules = NetworkRules(
        roles=tuple((role, own) for role in NetworkRole if own),
        bounds=tuple((role, bound) for role in NetworkRole if bound),
    )
    assert rules.policy(CODER, task=task) is coder
    assert rules.policy(REVIEWER, task=task) is judges
    assert rules.policy(CHECKS, task=task) is judges


def test_what_holds_under_each_policy() -> None:
    """Nothing; the model; that and the list; everything. What was allowed for the task holds with any list."""
    model, known, here, once = (host_rule(f"{name}.example") for name in ("model", "known", "here", "once"))
    allowed = Allowances(task=(once,), repository=(here,))
    found = {policy: reach(policy, models=[model], known=[known], allowed=allowed) for policy in NetworkPolicy}
    assert [found[policy].rules for policy in NetworkPolicy] == [(), (model, once), (model, known, here, once), ()]
    assert [found[policy].proxied for policy in NetworkPolicy] == [False, True, True, False]
    assert [found[policy].covers("any.example", 1) for policy in NetworkPolicy] == [False, False, False, True]
    assert found[LIST].covers("known.example", 443)
    assert not found[MODEL].covers("known.example", 443)


def test_where_an_agent_finds_its_model() -> None:
    """The hosts of its profile, and the address in a variable that it gets; what is no address names nothing."""
    profile = AgentProfile(name=AgentName("a"), command=("a",), hosts=("api.example.org", "*.models.example"))
    variables = {
        "A_BASE_URL": "https://gateway.example/v1",
        "OPENAI_API_BASE": "http://localhost:8080",
        "X_ENDPOINT": "http://[::1]:9000/",
        "BASE_URL": "ftp://no.example",
        "B_BASE_URL": "nonsense",
        "C_BASE_URL": "http://a:notaport",
        "HOMEPAGE": "https://other.example",
    }
    assert [rule.text for rule in model_hosts(profile, variables)] == [
        "api.example.org",
        "*.models.example",
        "gateway.example:443",
        "localhost:8080",
        "[::1]:9000",
    ]


def test_rules_that_say_nothing_of_the_network_keep_their_digest() -> None:
    """A repository that never heard of it is not asked to confirm its rules anew; one that says something is."""
    policy = Policy(target="main", agents=(AgentProfile(name=AgentName("a"), command=("a",)),))
    assert "network" not in repr(policy)
    assert "hosts" not in repr(policy)
    kinds = {
        policy.digest,
        Policy(target="main", agents=policy.agents, network=NetworkRules(roles=((CODER, OFF),))).digest,
        Policy(target="main", agents=policy.agents, network=NetworkRules(bounds=((CODER, OFF),))).digest,
        Policy(target="main", agents=policy.agents, network=NetworkRules(allow=(host_rule("a.b"),))).digest,
        Policy(target="main", agents=(AgentProfile(name=AgentName("a"), command=("a",), hosts=("a.b",)),)).digest,
    }
    assert len(kinds) == 5


def test_an_open_network_has_no_rules() -> None:
    """There is no proxy that could follow them."""
    assert Reach(policy=OPEN).proxied is False


def test_what_runs_moved_is_told_by_host() -> None:
    """Of all of them together, the most first."""
    one = Traffic(host="a.example", connections=1, up=1, down=2)
    other = Traffic(host="b.example", connections=2, up=0, down=100)
    more = Traffic(host="a.example", connections=3, up=10, down=20)
    assert together([one, other, more]) == (other, Traffic(host="a.example", connections=4, up=11, down=22))
    assert together([]) == ()
