"""The rules of a repository: read from the target, confirmed by a human, followed only then."""

from dataclasses import fields, replace
from typing import Any

import pytest

from bandstand.domain import events as e
from bandstand.domain import stage
from bandstand.domain.agent import AgentProfile, ToolKind
from bandstand.domain.ask import AskKind
from bandstand.domain.check import CheckCommand
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import AgentName, TaskId
from bandstand.domain.inclusion import Inclusion
from bandstand.domain.limits import Limits
from bandstand.domain.network import HostRule, NetworkRules
from bandstand.domain.policy import Authorship, LandingMethod, Permission, Policy, Push, ReviewMode, Rounds
from bandstand.domain.setup import SetupCommand
from bandstand.domain.stage import Blocked, Checking, HumanReview
from bandstand.services.policies import differences
from tests.services.acting import meanwhile, writes
from tests.services.world import World, at, landed, over, play, rules, spec

NPM = SetupCommand(command="npm ci", when=("a", "b"))
STRICTER = rules(checks=("make test", "make lint"))


def test_rules_that_changed_on_the_target_are_asked_about_before_they_run_anything() -> None:
    """One answer lets every task go on that waits for it; all of them are held to the new rules."""

    async def story(world: World) -> None:
        signs = [world.checks.hold(f"{name}.1") for name in ("one", "two")]
        world.agent_does("one", meanwhile({"bandstand.toml": STRICTER.decode()}, writes({"one.txt": "x\n"})))
        await world.submit("one", "two")
        ask = await world.ask("one")
        assert (ask.kind, ask.title) == (
            AskKind.POLICY,
            "The rules on main are not those that you confirmed.",
        )
        assert ask.detail == "+ checks: make lint (at most 20 minutes) (from bandstand.toml)"
        await world.ask("two")
        assert world.checks.ran == []
        for sign in signs:
            sign.set()
        await world.answer(ask, "confirm")
        await world.until(landed("one", "two"))
        assert world.state.open_asks() == ()
        assert {fact.checks for fact in world.facts(e.ChangeLanded)} == {"make test, make lint"}

    play(story)


def test_every_rule_that_is_another_is_shown() -> None:
    """Who confirms them knows what for, whichever part of the rules it is."""
    old = Policy(target="main", agents=(AgentProfile(name=AgentName("a"), command=("a",)),))
    agent = replace(
        old.agents[0],
        command=("sh", "-c", "curl evil\n+ review: human"),
        title="A",
        environment=(("KEY", "value"),),
        passes=("TOKEN",),
        reads=("/etc",),
        mode="yolo",
        model="m",
        start_seconds=90,
        hosts=("models.example",),
    )
    checks = (CheckCommand(name="test", command="true", limit_seconds=60), CheckCommand(name="t", command="true"))
    changes: dict[str, tuple[Any, str]] = {
        "target": ("develop", "- target: main\n+ target: develop"),
        "checks": (checks[:1], "- checks: none (from none)\n+ checks: test: true (at most 1 minutes) (from none)"),
        "checks_from": ("Makefile", "- checks: none (from none)\n+ checks: none (from Makefile)"),
        "review": (ReviewMode.NONE, "- review: agent\n+ review: none"),
        "reviewer": (AgentName("b"), "- reviewer: the task's own agent\n+ reviewer: b"),
        "landing": (LandingMethod.SQUASH, "- landing.method: merge\n+ landing.method: squash"),
        "push": (Push.AFTER_LANDING, "+ landing.push: after-landing"),
        "authorship": (Authorship.USER, "- commits.author: agent\n+ commits.author: user"),
        "permissions": (((ToolKind.FETCH, Permission.ALLOW),), "+ permissions.fetch: allow"),
        "default_agent": (AgentName("b"), "- agent: the first that is found\n+ agent: b"),
        "limits": (Limits(memory_bytes=5_000_000), "+ limits.memory_mb: 5"),
        "ask_hours": (1, "- ask_hours: 24\n+ ask_hours: 1"),
        "setup": ((NPM,), "+ setup.commands: npm ci (where there is a or b, at most 20 minutes)"),
        "inclusion": (Inclusion(patterns=(".env",)), "+ workspace.include: .env"),
        "network": (NetworkRules(allow=(HostRule(host="a.example"),)), "+ network.allow: a.example"),
    }
    for name, (value, words) in changes.items():
        assert differences(old, replace(old, **{name: value})) == words
    for field in fields(Rounds):
        new = replace(old, rounds=replace(old.rounds, **{field.name: 9}))
        assert differences(old, new).endswith(f"\n+ rounds.{field.name}: 9")
    told = [
        differences(old, replace(old, agents=(replace(old.agents[0], **{field.name: getattr(agent, field.name)}),)))
        for field in fields(AgentProfile)
        if field.name not in ("name", "credentials")  # no repository says how an agent is logged in
    ]
    assert all(told) and len(set(told)) == len(told)
    assert "+ agents.a.command: sh -c 'curl evil⏎+ review: human'" in differences(old, replace(old, agents=(agent,)))
    assert "- agents.a.command: a" in differences(old, replace(old, agents=()))
    assert set(changes) | {"rounds", "agents"} == {field.name for field in fields(Policy)}
    both = replace(old, checks=checks)
    assert differences(both, replace(both, checks=checks[::-1])) != ""
    assert differences(old, old) == ""


def test_what_is_copied_is_part_of_the_rules_where_anything_is() -> None:
    """Each pattern counts, and so does how much; rules of those who never heard of it have the name they had."""
    old = Policy(target="main")
    named = [
        replace(old, inclusion=Inclusion(patterns=patterns, megabytes=most))
        for patterns in ((), (".env",), (".env", "*.key"))
        for most in (64, 65)
    ]
    assert named[0].digest == named[1].digest == old.digest
    assert len({one.digest for one in named}) == 5


def test_the_file_that_names_what_is_copied_is_read_from_the_target() -> None:
    """It is shown with the rules, and a change of it has to be confirmed like any other."""

    async def story(world: World) -> None:
        world.agent_does("one", meanwhile({".worktreeinclude": "# mine\n.env\n"}, writes({"one.txt": "x\n"})))
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.kind, ask.detail) == (AskKind.POLICY, "+ workspace.include: .env")
        await world.answer(ask, "confirm")
        await world.until(landed("one"))

    play(story)


def test_rules_that_change_again_are_shown_again_before_they_hold() -> None:
    """The answer to the older question would be about what nobody has seen."""

    async def story(world: World) -> None:
        sign = world.checks.hold("two.1")
        laxer = rules(checks=("make test", "curl evil")).decode()
        world.agent_does("one", meanwhile({"bandstand.toml": STRICTER.decode()}, writes({"one.txt": "x\n"})))
        await world.submit("one")
        shown = await world.ask("one")
        assert "make lint" in shown.detail
        world.agent_does("two", meanwhile({"bandstand.toml": laxer}, writes({"two.txt": "x\n"})))
        await world.daemon.fleet.record(lambda _: [e.TaskSubmitted(spec=spec("two"), by="ada")])
        other = await world.ask("two")
        again = await world.ask("one")
        assert shown.id not in world.state.asks
        assert again.id not in (shown.id, other.id)
        assert "curl evil" in again.detail and "make lint" not in again.detail
        with pytest.raises(Unknown):
            await world.answer(shown, "confirm")
        await world.answer(again, "confirm")
        sign.set()
        await world.until(landed("one", "two"))
        assert {fact.checks for fact in world.facts(e.ChangeLanded)} == {"make test, curl evil"}

    play(story)


def test_a_task_may_be_cancelled_over_new_rules() -> None:
    """The others are still asked."""

    async def story(world: World) -> None:
        world.agent_does("one", meanwhile({"bandstand.toml": STRICTER.decode()}, writes({"one.txt": "x\n"})))
        await world.submit("one", "two")
        ask = await world.ask("one")
        other = await world.ask("two")
        await world.answer(ask, "cancel")
        await world.until(over("one"))
        assert world.state.open_asks() == (other,)
        await world.answer(other, "confirm")
        await world.until(landed("two"))

    play(story)


def test_a_link_to_another_repository_waits_for_a_person() -> None:
    """Also where no review is asked for: what it points to is no part of the change. A yes lands it."""

    async def story(world: World) -> None:
        world.repository.links.add("lib")
        world.agent_does("one", writes({"lib": "a commit of another repository\n"}))
        await world.submit("one", "two")
        ask = await world.ask("one")
        assert ask.kind is AskKind.REVIEW
        assert "It points lib to a commit of another repository" in f"{ask.title} {ask.detail}"
        await world.until(landed("two"))
        await world.answer(ask, "approve")
        await world.until(landed("one"))

    play(story, lambda: World(rules(review="none")))


def test_who_submits_under_new_rules_has_confirmed_them() -> None:
    """Tasks under way are checked anew by them before they land."""

    async def story(world: World) -> None:
        await world.submit("one")
        await world.until(at("one", HumanReview))
        world.repository.commit({"bandstand.toml": rules(review="human", checks=("make test", "make lint"))})
        await world.submit("two")
        await world.answer(await world.ask("one"), "approve")
        await world.answer(await world.ask("two"), "approve")
        await world.until(landed("one", "two"))
        assert {fact.checks for fact in world.facts(e.ChangeLanded)} == {"make test, make lint"}

    play(story, lambda: World(rules(review="human")))


def test_stricter_rules_hold_for_a_change_that_is_landing() -> None:
    """One that nobody reviewed is reviewed before it lands, once the rules ask for it."""

    async def story(world: World) -> None:
        world.agent_does("one", meanwhile({"other.txt": "x\n"}, writes({"one.txt": "x\n"})))
        sign = world.checks.hold("one.2")
        await world.submit("one")
        await world.until(at("one", stage.Testing))
        await world.settled()
        world.repository.commit({"bandstand.toml": rules(review="human")})
        await world.submit("two")
        sign.set()
        ask = await world.ask("one")
        assert ask.kind is AskKind.REVIEW
        await world.answer(ask, "approve")
        await world.answer(await world.ask("two"), "approve")
        await world.until(landed("one", "two"))
        assert {fact.reviews for fact in world.facts(e.ChangeLanded)} == {"approved by ada"}

    play(story)


def test_rules_that_are_confirmed_while_they_are_read_are_not_asked_about() -> None:
    """The question would be about what holds already."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.2")
        world.agent_does("one", meanwhile({"other.txt": "x\n"}, writes({"one.txt": "x\n"})))
        await world.submit("one")
        await world.until(at("one", stage.Testing))
        world.repository.commit({"bandstand.toml": rules(review="human")})
        await world.submit("two")
        sign.set()
        await world.answer(await world.ask("two"), "approve")
        assert world.facts(e.PolicyFound) == []

    play(story)


def test_tasks_that_wait_for_rules_go_on_when_somebody_submits_under_them() -> None:
    """They have been confirmed then, and nobody has to do it twice."""

    async def story(world: World) -> None:
        world.agent_does("one", meanwhile({"bandstand.toml": STRICTER.decode()}, writes({"one.txt": "x\n"})))
        await world.submit("one")
        await world.ask("one")
        await world.submit("two")
        await world.until(landed("one", "two"))

    play(story)


def test_settings_that_cannot_be_understood_are_asked_about_with_their_line() -> None:
    """Somebody landed a mistake: the task waits, and goes on when it is mended."""

    async def story(world: World) -> None:
        sign = world.checks.hold("one.1")
        world.agent_does("one", meanwhile({"bandstand.toml": "review = nobody\n"}, writes({"one.txt": "x\n"})))
        await world.submit("one")
        await world.until(at("one", Checking))
        sign.set()
        for seconds in (1, 2):
            await world.settled()
            await world.passes(seconds=seconds)
        ask = await world.ask("one")
        assert at("one", Blocked)(world.state)
        assert ask.title == "Checking did not work."
        assert "bandstand.toml at main:1" in ask.detail
        world.repository.commit({"bandstand.toml": rules()})
        await world.answer(ask, "retry")
        await world.until(landed("one"))

    play(story)


def test_nothing_is_checked_before_somebody_has_seen_the_rules() -> None:
    """There is no way around that."""

    async def story(world: World) -> None:
        with pytest.raises(Refused, match="have not been confirmed"):
            await world.daemon.policies.still_confirmed(TaskId("one"))

    play(story)


def test_the_rules_of_a_change_are_those_of_its_base() -> None:
    """What it says itself about its checks counts only once it has landed."""

    async def story(world: World) -> None:
        world.agent_does("one", writes({"bandstand.toml": rules(checks=()).decode()}))
        await world.submit("one")
        await world.answer(await world.ask("one"), "approve")
        await world.until(landed("one"))
        assert world.facts(e.ChangeLanded)[0].checks == "make test"
        assert (await world.policy()).checks == ()

    play(story)
