"""Our client against an agent program that the protocol's own SDK speaks for."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bandstand.adapters.agents.acp import AcpProtocol
from bandstand.adapters.hosts.local import LocalHost
from bandstand.domain.agent import (
    Choice,
    PermissionRequested,
    Planned,
    PlanStep,
    Prompted,
    QuestionAsked,
    Said,
    StopReason,
    Thought,
    ToolCalled,
    ToolEnded,
    ToolKind,
    TurnResult,
    Usage,
)
from bandstand.domain.errors import Unavailable
from bandstand.domain.ids import RunId, SessionId
from bandstand.ports.agents import PromptFailed, Session
from bandstand.ports.hosts import Launch
from tests.adapters.acp_world import PROFILE
from tests.adapters.memory_run import AgentEnd, MemoryRun, transcript

AGENT = Path(__file__).with_name("sdk_agent.py")
SPENT = Usage(input_tokens=7, output_tokens=2, cost_usd=0.5)
DEADLINE = 60.0


async def program(end: AgentEnd) -> None:
    """The SDK's agent in a process of its own, its pipes tied to a run's journal."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(AGENT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24
    )
    assert process.stdin is not None
    assert process.stdout is not None
    feeding = asyncio.create_task(feed(end, process.stdin))
    try:
        while line := await process.stdout.readline():
            end.write(line.rstrip(b"\n"))
    finally:
        feeding.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()
        process.stdin.close()
        await asyncio.wait([feeding])


async def feed(end: AgentEnd, stdin: asyncio.StreamWriter) -> None:
    """Hand our lines to the process."""
    while (line := await end.read()) is not None:
        stdin.write(line + b"\n")
        await stdin.drain()


def with_program(test: Callable[[MemoryRun], Coroutine[Any, Any, None]]) -> None:
    """Run a test with a run of the program."""

    async def main() -> None:
        async with asyncio.timeout(DEADLINE), MemoryRun(program) as run:
            await test(run)

    asyncio.run(main())


async def opened(run: MemoryRun, folder: Path, *, resume: SessionId | None = None, mode: str = "") -> Session:
    """A session in a folder."""
    profile = replace(PROFILE, mode=mode, model="big" if mode else "")
    return await AcpProtocol().open(
        run.attach(), profile=profile, cwd=str(folder), resume=resume, deadline_seconds=DEADLINE
    )


def test_an_edit_is_asked_for_made_and_told(tmp_path: Path) -> None:
    """Plan, call, permission with the call's details, end; the file is there, and so are tokens and cost."""

    async def test(run: MemoryRun) -> None:
        session = await opened(run, tmp_path, mode="ask")
        turn = asyncio.create_task(session.prompt(1, "edit"))
        updates = session.updates()
        path = str(tmp_path / "hello.txt")
        assert await anext(updates) == Planned(steps=(PlanStep(text="Write it", status="in_progress"),))
        called = ToolCalled(call="call-1", title="Write hello.txt", kind=ToolKind.EDIT, paths=(path,))
        assert await anext(updates) == called
        choices = (Choice(id="yes", label="Allow", grants=True), Choice(id="no", label="Reject", grants=False))
        asked = PermissionRequested(
            request="0", title="Write hello.txt", kind=ToolKind.EDIT, choices=choices, paths=(path,)
        )
        assert await anext(updates) == asked
        await session.answer("0", "yes")
        ended = await anext(updates)
        assert isinstance(ended, ToolEnded)
        assert not ended.failed
        assert await turn == TurnResult(stop=StopReason.END_TURN, message="", usage=SPENT)
        assert (tmp_path / "hello.txt").read_text() == "hello\n"
        assert (await session.prompt(2, "settings")).message == "model=big ask"
        await session.close()

    with_program(test)


def test_refusals_answers_failures_and_floods_come_through(tmp_path: Path) -> None:
    """A rejected edit is not made; a choice and a decline arrive; so do an error's words and 3,000 pieces in order."""

    async def test(run: MemoryRun) -> None:
        session = await opened(run, tmp_path)
        answers = iter([None, "b", None])
        ends = []

        async def answer() -> None:
            async for update in session.updates():
                if isinstance(update, PermissionRequested | QuestionAsked):
                    await session.answer(update.request, next(answers))

        answering = asyncio.create_task(answer())
        for number, text in enumerate(("edit", "ask", "ask", "hello"), start=1):
            ends.append((await session.prompt(number, text)).message)
        with pytest.raises(PromptFailed, match="Quota exceeded"):
            await session.prompt(5, "fail")
        assert ends == ["", "b", "decline", "hello"]
        flood = await session.prompt(6, "flood 3000")
        assert flood.message.split() == [str(number) for number in range(3000)]
        assert not (tmp_path / "hello.txt").exists()
        await session.close()
        await answering

    with_program(test)


def test_a_turn_is_cancelled_also_while_it_asks(tmp_path: Path) -> None:
    """The SDK accepts our notification and our `cancelled` outcome."""

    async def test(run: MemoryRun) -> None:
        session = await opened(run, tmp_path)
        updates = session.updates()
        waiting = asyncio.create_task(session.prompt(1, "wait"))
        assert await anext(updates) == Said(text="waiting")
        await session.cancel(1)
        assert await waiting == TurnResult(stop=StopReason.CANCELLED, message="waiting", usage=SPENT)
        asking = asyncio.create_task(session.prompt(2, "edit"))
        while not isinstance(await anext(updates), PermissionRequested):
            pass
        await session.cancel(2)
        assert (await asking).stop is StopReason.CANCELLED
        assert not (tmp_path / "hello.txt").exists()
        await session.close()

    with_program(test)


def test_a_restart_of_ours_in_a_turn_is_not_noticed(tmp_path: Path) -> None:
    """A second client on the same journal answers what the first left open."""

    async def test(run: MemoryRun) -> None:
        first = await opened(run, tmp_path)
        prompting = asyncio.create_task(first.prompt(1, "edit"))
        updates = first.updates()
        while not isinstance(asked := await anext(updates), PermissionRequested):
            pass
        await first.close()
        with pytest.raises(Unavailable):
            await prompting
        second = await opened(run, tmp_path, resume=first.id)
        assert second.resumed
        assert await anext(second.updates()) == asked
        await second.answer("0", "yes")
        assert (await second.prompt(1, "edit")).stop is StopReason.END_TURN
        assert (tmp_path / "hello.txt").exists()
        assert run.repeats == []
        await second.close()

    with_program(test)


def test_a_session_is_loaded_in_a_new_process(tmp_path: Path) -> None:
    """What the agent replays is history; what it says then is new."""

    async def first(run: MemoryRun) -> None:
        session = await opened(run, tmp_path)
        await session.prompt(1, "hello")
        await session.close()

    async def second(run: MemoryRun) -> None:
        session = await opened(run, tmp_path, resume=SessionId("sdk-1"), mode="ask")
        assert (session.id, session.resumed) == ("sdk-1", True)
        assert (await session.prompt(1, "again")).message == "again"
        updates = session.updates()
        assert [await anext(updates), await anext(updates)] == [Thought(text="Hm."), Said(text="again")]
        told = [entry.update for entry in transcript(AcpProtocol(), run.records)]
        assert told == [Prompted(text="again"), Thought(text="Hm."), Said(text="again")]
        await session.close()

    with_program(first)
    with_program(second)


def test_a_holder_keeps_the_agent_through_our_restart(tmp_path: Path) -> None:
    """A real holder, and our client twice: the turn goes on, its transcript is whole, the end is known."""
    run, work = RunId("r1"), tmp_path / "work"
    work.mkdir()
    host = LocalHost(tmp_path / "runs", sys.executable)

    async def main() -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                await conversation()
        finally:
            await host.stop(run, grace_seconds=0.5)

    async def conversation() -> None:
        await host.start(run, Launch(argv=(sys.executable, str(AGENT)), cwd=work, environment={"PATH": os.defpath}))
        first = await held(host, run, work)
        prompting = asyncio.create_task(first.prompt(1, "edit"))
        updates = first.updates()
        while not isinstance(asked := await anext(updates), PermissionRequested):
            pass
        prompting.cancel()
        await first.close()
        second = await held(host, run, work)
        assert (second.id, second.resumed) == (first.id, True)
        assert await anext(second.updates()) == asked
        await second.answer(asked.request, "yes")
        assert (await second.prompt(1, "edit")).stop is StopReason.END_TURN
        assert (work / "hello.txt").read_text() == "hello\n"
        waiting = asyncio.create_task(second.prompt(2, "wait"))
        while await anext(second.updates()) != Said(text="waiting"):
            pass
        await host.stop(run, grace_seconds=0.5)
        with pytest.raises(Unavailable, match="The run has ended"):
            await waiting
        await second.close()
        told = [entry.update for entry in transcript(AcpProtocol(), [one async for one in host.journal(run)])]
        kinds = [Prompted, Planned, ToolCalled, PermissionRequested, ToolEnded, Prompted, Said]
        assert [type(update) for update in told] == kinds

    asyncio.run(main())


async def held(host: LocalHost, run: RunId, folder: Path) -> Session:
    """A session on a new channel to a held run."""
    channel = await host.attach(run)
    return await AcpProtocol().open(channel, profile=PROFILE, cwd=str(folder), resume=None, deadline_seconds=DEADLINE)
