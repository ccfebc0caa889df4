"""Our process may die between any two records of a run's journal; another one takes up the run as if nothing was."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from bandstand.adapters.agents.acp import AcpProtocol
from bandstand.domain.agent import AgentProfile, AgentUpdate, PermissionRequested, QuestionAsked, Said, TurnResult
from bandstand.domain.errors import Unavailable
from bandstand.domain.ids import AgentName, SessionId
from bandstand.ports.agents import PromptFailed, Session
from bandstand.ports.hosts import Record, RecordKind
from tests.adapters.memory_run import MemoryChannel, MemoryRun, transcript
from tests.adapters.scripted_acp import ScriptedAcp

MODES = {"currentModeId": "auto", "availableModes": [{"id": "auto", "name": "Auto"}, {"id": "ask", "name": "Ask"}]}
MODELS = [{"id": "model", "category": "model", "type": "select", "currentValue": "a", "options": [{"value": "b"}]}]
HISTORY = "long ago"
PROFILE = AgentProfile(name=AgentName("little"), command=("little",), mode="ask", model="b")
VENDOR = '{"jsonrpc": "2.0", "id": "x 1", "method": "_vendor/do", "params": {}}'
FILES = '{"jsonrpc": "2.0", "id": 0.5, "method": "fs/read_text_file", "params": {}}'
SCRIPTS = {
    1: f"say one\nraw {VENDOR}\ntool a.txt\nask b.txt\nthink hm\nsay two\nquestion Which?\nraw not json\nsay three",
    2: f"say four\nraw {FILES}\nfail Too many requests",
    3: "say five\nchoose Which?\nsay six\nstop refusal",
    4: "say seven\nask c.txt",
}


@dataclass
class Seen:
    """What a process has seen before it died or was done."""

    ends: dict[int, TurnResult | str] = field(default_factory=dict)
    updates: list[AgentUpdate] = field(default_factory=list)
    session: SessionId | None = None


async def conduct(channel: MemoryChannel, seen: Seen, *, resume: SessionId | None = None) -> None:
    """The whole of a brain's work with one run. It keeps no memory of its own."""
    session = await AcpProtocol().open(channel, profile=PROFILE, cwd="/w", resume=resume, deadline_seconds=5)
    seen.session = session.id
    try:
        async with asyncio.TaskGroup() as both:
            listener = both.create_task(listen(session, seen))
            await prompt_all(session, seen)
            listener.cancel()
    finally:
        await session.close()


async def prompt_all(session: Session, seen: Seen) -> None:
    """Every turn, one after the other, as if none had been before."""
    for turn, script in SCRIPTS.items():
        try:
            seen.ends[turn] = await session.prompt(turn, script)
        except PromptFailed as failure:
            seen.ends[turn] = failure.message


async def listen(session: Session, seen: Seen) -> None:
    """Answer whatever is asked; cancel the last turn when it asks."""
    async for update in session.updates():
        seen.updates.append(update)
        if isinstance(update, QuestionAsked):
            await session.answer(update.request, "blue" if update.choices else None, "" if update.choices else "mine")
        elif isinstance(update, PermissionRequested):
            if update.paths == ("c.txt",):
                await session.cancel(4)
            else:
                await session.answer(update.request, "allow")


def agent(*, loads: bool = True) -> ScriptedAcp:
    """The agent; its answers to opening calls offer a mode and a model, its loaded sessions have a history."""
    little = ScriptedAcp(new={"modes": MODES, "configOptions": MODELS}, loads=loads)
    little.replay = [
        {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": HISTORY}},
        {"sessionUpdate": "tool_call", "toolCallId": "old", "title": "Old", "status": "completed"},
    ]
    return little


async def undisturbed(resume: SessionId | None) -> tuple[MemoryRun, ScriptedAcp, Seen]:
    """A run that nobody interrupts."""
    little, seen = agent(), Seen()
    async with MemoryRun(little) as run:
        await conduct(run.attach(), seen, resume=resume)
    return run, little, seen


async def interrupted(cut: int, resume: SessionId | None) -> tuple[MemoryRun, ScriptedAcp, Seen, int]:
    """A run whose first process dies in the instant when the journal has `cut` records; where the next one began."""
    little, before, after = agent(), Seen(), Seen()
    async with MemoryRun(little) as run:
        channels: list[MemoryChannel] = []

        def die() -> None:
            channels.append(run.attach())
            first.cancel()

        run.at[cut] = die
        first = asyncio.create_task(conduct(run.attach(), before, resume=resume))
        await asyncio.wait([first])
        assert first.cancelled() or isinstance(first.exception(), BaseExceptionGroup | Unavailable)
        # The next process asks for the session that the first one noted down, if it came to that.
        await conduct(channels[0], after, resume=resume or before.session)
        return run, little, after, await channels[0].caught_up()


def news(run: MemoryRun, since: int) -> tuple[list[str], list[str]]:
    """What a process that begins at `since` must hear: the messages from there on, and the requests that wait then."""
    lines = [(record, message) for record in run.records for message in messages(record)]
    sent = {record.key for record in run.records if record.offset < since}
    said = [
        message["params"]["update"]["content"]["text"]
        for record, message in lines
        if record.offset >= since and kind(message) == "agent_message_chunk"
    ]
    asked = [
        json.dumps(message["id"])
        for record, message in lines
        if message.get("method") in ("session/request_permission", "elicitation/create")
        if record.offset >= since or not sent & {f"re:{message['id']}", "cancel-4"}
    ]
    return [text for text in said if text != HISTORY], asked


def messages(record: Record) -> list[Any]:
    """What the agent says in a record."""
    if record.kind is not RecordKind.FROM_AGENT or not record.payload.startswith(b"{"):
        return []
    return [json.loads(record.payload)]


def kind(message: Any) -> str:
    """The kind of update that a message is, if it is one."""
    return str(message["params"]["update"]["sessionUpdate"]) if message.get("method") == "session/update" else ""


@pytest.mark.parametrize("resume", [None, SessionId("s1")])
def test_a_death_between_any_two_records_changes_nothing(resume: SessionId | None) -> None:
    """Wherever our process dies, the next one sends nothing twice, hears all that is new, and sees the same ends."""

    async def main() -> None:
        whole, told, seen = await undisturbed(resume)
        assert seen.ends[2] == "Too many requests"
        for cut in range(2, len(whole.records)):
            run, little, after, since = await interrupted(cut, resume)
            assert run.repeats == [], f"cut at {cut}"
            assert sorted(run.keys()) == sorted(whole.keys()), f"cut at {cut}"
            assert little.told == told.told, f"cut at {cut}"
            assert after.ends == seen.ends, f"cut at {cut}"
            said, asked = news(run, since)
            requests = [each.request for each in after.updates if isinstance(each, PermissionRequested | QuestionAsked)]
            assert [each.text for each in after.updates if isinstance(each, Said)] == said, f"cut at {cut}"
            assert requests == asked, f"cut at {cut}"

    asyncio.run(main())


def test_the_same_journal_gives_the_same_transcript_when_it_is_cut_and_read_again() -> None:
    """A longer journal only adds to the transcript, save for the message that was being said."""

    async def main() -> None:
        run, _, _ = await undisturbed(None)
        full = transcript(AcpProtocol(), run.records)
        for cut in range(len(run.records)):
            part = transcript(AcpProtocol(), run.records[:cut])
            assert part[:-1] == full[: max(0, len(part) - 1)]

    asyncio.run(main())
