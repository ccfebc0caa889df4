"""What every way to speak with agents promises of journals: how a turn ended can be read from them, by anybody."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bandstand.domain.agent import StopReason
from bandstand.ports.agents import PromptFailed
from bandstand.ports.hosts import Record
from tests.adapters.memory_run import MemoryRun
from tests.contracts.agent_rig import Rig, in_loop, prompting, rigs


@pytest.fixture(params=sorted(rigs()))
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each kind of agent in its turn."""
    return rigs()[request.param]


async def journal(run: MemoryRun) -> AsyncIterator[Record]:
    """What the journal of a run holds now."""
    for record in list(run.records):
        yield record


@pytest.mark.parametrize("ended", [False, True], ids=["live", "ended"])
def test_the_journal_tells_how_each_turn_ended(rig: Rig, *, ended: bool) -> None:
    """The same as the prompt said, for every turn of the run, whether its process is there or gone."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        first = await session.prompt(1, "say I write it.\ntool a.txt\nsay Done.")
        second = await session.prompt(2, "say Too long\nstop max_tokens")
        if ended:
            run.end()
        assert await rig.protocol.turn_result(journal(run), turn=1) == first
        assert await rig.protocol.turn_result(journal(run), turn=2) == second
        assert (first.message, second.stop) == ("I write it.\n\nDone.", StopReason.MAX_TOKENS)

    in_loop(rig, test)


def test_a_turn_that_ended_behind_our_back_has_its_end_in_the_journal(rig: Rig) -> None:
    """Nobody had a session open when it did."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        async with prompting(session, 1, "say one\nsay two"):
            await run.has_sent("turn-1")
            await session.close()
        for _ in range(200):
            await asyncio.sleep(0)
        run.end()
        result = await rig.protocol.turn_result(journal(run), turn=1)
        assert result is not None
        assert (result.stop, result.message) == (StopReason.END_TURN, "onetwo")

    in_loop(rig, test)


def test_a_turn_without_an_end_has_no_result(rig: Rig) -> None:
    """One that runs, one that broke off, one that never was, and any turn of a run without a journal."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        async with prompting(session, 1, "say begun\nwait"):
            await run.has_sent("turn-1")
            assert await rig.protocol.turn_result(journal(run), turn=1) is None
            run.end()
            assert await rig.protocol.turn_result(journal(run), turn=1) is None
        assert await rig.protocol.turn_result(journal(run), turn=2) is None
        run.records.clear()
        assert await rig.protocol.turn_result(journal(run), turn=1) is None

    in_loop(rig, test)


def test_a_prompt_that_failed_fails_the_same_way_from_the_journal(rig: Rig) -> None:
    """With the agent's words and its code; the next turn is another one."""

    async def test() -> None:
        run = await rig.run()
        session = await rig.open(run)
        with pytest.raises(PromptFailed):
            await session.prompt(1, "fail Too many requests")
        await session.prompt(2, "say hello")
        with pytest.raises(PromptFailed, match="Too many requests") as failed:
            await rig.protocol.turn_result(journal(run), turn=1)
        assert failed.value.code == -32603
        result = await rig.protocol.turn_result(journal(run), turn=2)
        assert result is not None and result.message == "hello"

    in_loop(rig, test)
