"""What runs reach, as it is told to their host: from the start, as answers come, and by whichever daemon is there."""

import asyncio
from collections.abc import AsyncGenerator

from bandstand.domain import events as e
from bandstand.domain.agent import AgentUpdate, HostRefused, Refusal
from bandstand.domain.ask import AskKind
from bandstand.domain.check import CheckCommand, CommandResult, Conclusion
from bandstand.domain.errors import Refused
from bandstand.domain.ids import CommitId, RunId, TaskId
from bandstand.domain.network import HostRule
from bandstand.domain.stage import Working
from tests.services.acting import Act, Scene, waits_for, writes
from tests.services.world import World, at, landed, play, rules

EVIL = HostRefused(host="evil.example", port=443, why=Refusal.NOT_LISTED)
RUN = RunId("one.1")
KNOWN = 'network.allow = ["docs.example"]'


def tries(refused: HostRefused, then: Act) -> Act:
    """An agent whose proxy refuses it a host, before it goes on."""

    async def act(scene: Scene) -> AsyncGenerator[AgentUpdate, None]:
        yield refused
        async for update in then(scene):
            yield update

    return act


def world() -> World:
    """A repository whose rules name a host, and its agent another one."""
    text = rules(more=KNOWN).decode().replace("[agents.coder]\n", '[agents.coder]\nhosts = ["model.example"]\n')
    return World(text.encode())


async def reaches(world: World, host: str, *, expected: bool) -> None:
    """Wait until the run may reach a host, or may not."""
    for _ in range(1000):
        if world.host.reaches(RUN, host, 443) is expected:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{host} is{'' if not expected else ' not'} reached.\n{world.story()}")


def test_a_run_begins_with_what_the_rules_and_its_agent_name() -> None:
    """Before its first instruction; and with nothing else."""

    async def story(world: World) -> None:
        go_on = asyncio.Event()
        world.agent_does("one", waits_for(go_on, writes({"a.txt": "a"})))
        await world.submit("one")
        await world.until(at("one", Working))
        await reaches(world, "docs.example", expected=True)
        assert world.host.reaches(RUN, "model.example", 443)
        assert not world.host.reaches(RUN, "evil.example", 443)
        go_on.set()
        await world.until(landed("one"))

    play(story, world)


def test_an_answer_reaches_the_run_that_goes_on() -> None:
    """It is asked about once, nothing waits for it, and the same run may reach the host behind the answer."""

    async def story(world: World) -> None:
        go_on = asyncio.Event()
        world.agent_does("one", tries(EVIL, tries(EVIL, waits_for(go_on, writes({"a.txt": "a"})))))
        await world.submit("one")
        ask = await world.ask("one")
        assert (ask.kind, ask.run, ask.host) == (AskKind.NETWORK, None, HostRule(host="evil.example"))
        assert isinstance(world.task("one").stage, Working)
        await reaches(world, "evil.example", expected=False)
        await world.answer(ask, "1")
        await reaches(world, "evil.example", expected=True)
        assert world.host.reaches(RUN, "docs.example", 443)
        go_on.set()
        await world.until(landed("one"))
        assert len(world.facts(e.AskRaised)) == 1

    play(story, world)


def test_the_next_daemon_tells_what_the_last_one_did_not() -> None:
    """An answer that was recorded as its daemon died is no less one."""

    async def story(world: World) -> None:
        go_on = asyncio.Event()
        world.agent_does("one", tries(EVIL, waits_for(go_on, writes({"a.txt": "a"}))))
        await world.submit("one")
        ask = await world.ask("one")
        await world.answer(ask, "always")
        await world.kill()
        await world.host.let_reach(RUN, [])
        await world.start()
        await reaches(world, "evil.example", expected=True)
        go_on.set()
        await world.until(landed("one"))
        assert len(world.facts(e.AskRaised)) == 1

    play(story, world)


def test_what_is_allowed_by_order_and_revoked_is_taken_up() -> None:
    """For a task and for all of them; and an order that changes nothing is refused."""

    async def story(world: World) -> None:
        go_on, rule = asyncio.Event(), HostRule(host="evil.example")
        world.agent_does("one", waits_for(go_on, writes({"a.txt": "a"})))
        await world.submit("one")
        await world.until(at("one", Working))
        commands = world.daemon.commands
        await commands.allow_host(rule, TaskId("one"), by="ada")
        await reaches(world, "evil.example", expected=True)
        await commands.allow_host(rule, None, by="ada")
        for order in (commands.allow_host(rule, None, by="ada"), commands.revoke_host(HostRule(host="b"), by="ada")):
            try:
                await order
                raise AssertionError("It was taken.")
            except Refused as refusal:
                assert "allowed" in refusal.message
        await commands.revoke_host(rule, by="ada")
        await reaches(world, "evil.example", expected=False)
        go_on.set()
        await world.until(landed("one"))

    play(story, world)


def test_what_checks_are_refused_is_asked_with_their_verdict() -> None:
    """In the same breath: no daemon dies between both."""

    async def story(world: World) -> None:
        def judged(_: CommitId, check: CheckCommand) -> CommandResult:
            return CommandResult(
                name=check.name, command=check.command, conclusion=Conclusion.FAILURE, code=1, seconds=0, tail="no",
                refused=(EVIL, EVIL),
            )  # fmt: skip

        world.checks._script = judged
        await world.submit("one")
        ask = await world.ask("one")
        assert ask.title == "Its checks tried evil.example."
        (concluded, *_), (asked, *_) = [
            [fact.version for fact in world.log.facts if isinstance(fact.event, kind)]
            for kind in (e.CheckConcluded, e.AskRaised)
        ]
        assert asked == concluded + 1
        await world.cancel("one")

    play(story, world)
