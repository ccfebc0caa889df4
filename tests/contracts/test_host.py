"""What every host promises of the life and the end of a run."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.network import Traffic, host_rule
from bandstand.ports.hosts import Launch, RunState, RunStatus
from tests.contracts.host_stage import KINDS, OTHER, PATIENCE_SECONDS, RUN, Stage, everything, lines, read_until, staged


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A host of each kind."""
    with staged(request.param, tmp_path) as stage:
        yield stage


def test_a_run_goes_from_absent_to_live_to_exited(stage: Stage) -> None:
    """The status says what is known of the process, and how it ended."""

    async def body() -> None:
        assert await stage.host.status(RUN) == RunStatus(state=RunState.ABSENT)
        assert await stage.host.live() == frozenset()
        await stage.host.start(RUN, stage.launch("echo"))
        assert await stage.host.status(RUN) == RunStatus(state=RunState.LIVE)
        assert await stage.host.live() == {RUN}
        channel = await stage.attach(RUN)
        await channel.write("bye", b"leave")
        await everything(channel.records())
        await channel.close()
        assert await stage.host.status(RUN) == RunStatus(state=RunState.EXITED, code=7, reason="exited")

    stage.play(body())


def test_what_a_live_run_holds_in_memory_is_told(stage: Stage) -> None:
    """In bytes, its whole tree; of a run that is over nothing is."""

    async def body() -> None:
        assert await stage.host.memory() == {}
        for run in (RUN, OTHER):
            await stage.host.start(run, stage.launch("stubborn"))
            if stage.memory:
                stage.memory.weigh(run, 8_000_000)
        await stage.host.stop(OTHER, grace_seconds=0)
        told = await stage.host.memory()
        assert told.keys() == {RUN}
        assert 1_000_000 < told[RUN] < 500_000_000

    stage.play(body())


def test_a_run_that_is_frozen_says_nothing_until_it_may_go_on(stage: Stage) -> None:
    """Holding it still outlasts who did it, and may be done twice. What it was told meanwhile it hears afterwards."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        await channel.write("one", b"one")
        await read_until(channel, b"echo one")
        for frozen in (True, True, False, False):
            await (stage.host.freeze(RUN) if frozen else stage.host.thaw(RUN))
            used = (await stage.host.usage([RUN, OTHER]))[RUN]
            assert used.frozen is frozen
        await channel.write("two", b"two")
        await read_until(channel, b"echo two")

    stage.play(body())


def test_a_run_that_is_frozen_can_be_ended(stage: Stage) -> None:
    """At once: it would not hear that it is to."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("stubborn"))
        await stage.host.freeze(RUN)
        assert (await stage.host.stop(RUN)).state is RunState.EXITED
        assert await stage.host.usage([RUN, OTHER]) == {}

    stage.play(body())


def test_a_run_whose_holder_died_while_it_was_frozen_is_lost(stage: Stage) -> None:
    """And nothing is left of it."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("stubborn"))
        await stage.host.freeze(RUN)
        stage.kill_holder(RUN)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (await stage.host.status(RUN)).state is not RunState.LOST:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert await stage.host.live() == frozenset()

    stage.play(body())


def test_a_run_is_started_once(stage: Stage) -> None:
    """Starting a run again does nothing, live or ended, with whatever program."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        await asyncio.gather(*(stage.host.start(RUN, stage.launch("stubborn")) for _ in range(3)))
        await stage.host.stop(RUN, grace_seconds=0)
        await stage.host.start(RUN, stage.launch("no such program"))
        assert (await stage.host.status(RUN)).state is RunState.EXITED
        said = lines(await everything(stage.host.journal(RUN)))
        assert said == []

    stage.play(body())


def test_a_program_that_is_not_there_is_refused(stage: Stage) -> None:
    """A refused run never was: it has no status and no journal, and may be started later."""

    async def body() -> None:
        for _ in range(2):
            with pytest.raises(Refused):
                await stage.host.start(RUN, stage.launch("no such program"))
            assert (await stage.host.status(RUN)).state is RunState.ABSENT
            assert await everything(stage.host.journal(RUN)) == []
        await stage.host.start(RUN, stage.launch("echo"))
        assert (await stage.host.status(RUN)).state is RunState.LIVE

    stage.play(body())


def test_a_launch_without_a_program_is_refused(stage: Stage) -> None:
    """There has to be something to execute."""

    async def body() -> None:
        with pytest.raises(Refused):
            await stage.host.start(RUN, Launch(argv=(), cwd=Path("/"), environment={}))

    stage.play(body())


def test_only_a_live_run_can_be_attached_to(stage: Stage) -> None:
    """Neither one that never was nor one that has ended."""

    async def body() -> None:
        with pytest.raises(Unavailable):
            await stage.attach(RUN)
        await stage.host.start(RUN, stage.launch("echo"))
        await stage.host.stop(RUN)
        with pytest.raises(Unavailable):
            await stage.attach(RUN)

    stage.play(body())


def test_a_run_is_stopped_gently(stage: Stage) -> None:
    """An agent that ends with its input ends by itself; stopping again, or what never was, changes nothing."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        ended = await stage.host.stop(RUN)
        assert ended == RunStatus(state=RunState.EXITED, code=0, reason="exited")
        assert await stage.host.stop(RUN) == ended
        assert await stage.host.stop(OTHER) == RunStatus(state=RunState.ABSENT)
        assert await stage.host.live() == frozenset()

    stage.play(body())


def test_a_run_that_does_not_listen_is_killed(stage: Stage) -> None:
    """An agent that ignores both the end of its input and SIGTERM is killed when the grace is over."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("stubborn"))
        channel = await stage.attach(RUN)
        await read_until(channel, b"here")
        ended = await stage.host.stop(RUN, grace_seconds=0.2)
        assert ended == RunStatus(state=RunState.EXITED, code=-9, reason="stopped")

    stage.play(body())


def test_an_agent_that_dies_is_noticed(stage: Stage) -> None:
    """A process that was killed leaves its signal as its exit code."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        reader = asyncio.create_task(everything(channel.records()))
        stage.crash_agent(RUN)
        await reader
        assert await stage.host.status(RUN) == RunStatus(state=RunState.EXITED, code=-9, reason="exited")

    stage.play(body())


def test_a_run_whose_holder_dies_is_lost(stage: Stage) -> None:
    """Readers get all that was said, without an exit record; nothing can be sent, and stopping has nothing to do."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        channel = await stage.attach(RUN)
        await channel.write("one", b"1")
        seen = await read_until(channel, b"echo 1")
        reader = asyncio.create_task(everything(channel.records()))
        stage.kill_holder(RUN)
        assert await reader == seen
        assert await stage.host.status(RUN) == RunStatus(state=RunState.LOST)
        with pytest.raises(Unavailable):
            await channel.write("two", b"2")
        with pytest.raises(Unavailable):
            await stage.attach(RUN)
        assert await stage.host.stop(RUN) == RunStatus(state=RunState.LOST)
        assert await stage.host.live() == frozenset()
        assert await everything(stage.host.journal(RUN)) == seen

    stage.play(body())


def test_what_a_run_may_reach_is_said_before_its_start_and_again(stage: Stage) -> None:
    """It does not make a run of it, and holds from then on; the last word counts."""

    async def body() -> None:
        await stage.host.let_reach(RUN, [host_rule("a.example")])
        assert await stage.host.status(RUN) == RunStatus(state=RunState.ABSENT)
        assert await stage.host.live() == frozenset()
        await stage.host.start(RUN, stage.launch("echo"))
        assert (await stage.host.status(RUN)).state is RunState.LIVE
        assert [stage.reaches(host) for host in ("a.example", "b.example")] == [True, False]
        await stage.host.let_reach(RUN, [host_rule("b.example")])
        assert [stage.reaches(host) for host in ("a.example", "b.example")] == [False, True]

    stage.play(body())


def test_what_went_through_the_proxy_of_a_run_is_told(stage: Stage) -> None:
    """By host; nothing for a run that never was, or reached nobody."""

    async def body() -> None:
        moved = Traffic(host="a.example", connections=1, up=3, down=7)
        assert list(await stage.host.traffic(RUN)) == []
        await stage.host.start(RUN, stage.launch("echo"))
        assert list(await stage.host.traffic(RUN)) == []
        stage.moves(moved)
        for _ in range(1000):
            if found := list(await stage.host.traffic(RUN)):
                break
            await asyncio.sleep(0.01)
        assert found == [moved]
        assert list(await stage.host.traffic(OTHER)) == []

    stage.play(body())


def test_what_was_complained_of_can_be_read(stage: Stage) -> None:
    """The end of the standard error, as text; of a run that said nothing, or never was, nothing."""

    async def body() -> None:
        await stage.host.start(RUN, stage.launch("echo"))
        assert await stage.host.errors(RUN) == ""
        assert await stage.host.errors(OTHER) == ""

    stage.play(body())


def test_runs_do_not_know_each_other(stage: Stage) -> None:
    """Each has a journal, keys and an end of its own."""

    async def body() -> None:
        for run in (RUN, OTHER):
            await stage.host.start(run, stage.launch("echo"))
        assert await stage.host.live() == {RUN, OTHER}
        one, two = [await stage.attach(run) for run in (RUN, OTHER)]
        await one.write("key", b"to the first")
        await two.write("key", b"to the second")
        assert lines(await read_until(one, b"echo to the first")) == [b"to the first", b"echo to the first"]
        assert (await stage.host.stop(RUN)).state is RunState.EXITED
        assert await stage.host.live() == {OTHER}
        await two.write("more", b"still here")
        await read_until(two, b"echo still here")

    stage.play(body())
