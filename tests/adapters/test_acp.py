"""What agents say besides the protocol, and the odd ways in which they keep it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bandstand.domain.agent import PermissionRequested, QuestionAsked, Said, StopReason, TurnResult, Usage
from bandstand.ports.agents import PromptFailed
from bandstand.ports.hosts import Record, RecordKind
from tests.adapters.acp_world import World, in_world
from tests.adapters.memory_run import AgentEnd, MemoryChannel, MemoryRun
from tests.adapters.scripted_acp import OPTIONS, ScriptedAcp

NOISE = [
    "Debugger attached.",
    "{",
    "[1, null, {}]",
    '{"jsonrpc": "2.0", "method": "qwen/notify/session/progress", "params": {"sessionId": "s1"}}',
    '{"jsonrpc": "2.0", "method": "session/update", "params": {"update": {"sessionUpdate": "mood_update"}}}',
    '{"jsonrpc": "2.0", "method": "session/update"}',
    '{"jsonrpc": "2.0", "id": "turn-99", "result": {"stopReason": "end_turn"}}',
    '{"jsonrpc": "2.0", "id": 1, "result": {}}',
    '{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "Parse error"}}',
    "[" * 100_000,
    "9" * 10_000,
]


def test_noise_is_borne() -> None:
    """Log lines, vendor notifications, unknown updates, answers to nothing: the turn goes its way."""
    script = "\n".join([f"raw {line}" for line in NOISE] + ["say heard"])

    async def test(world: World) -> None:
        session = await world.open()
        result = await session.prompt(1, script)
        assert result == TurnResult(
            stop=StopReason.END_TURN, message="heard", usage=Usage(input_tokens=7, output_tokens=3)
        )

    in_world(ScriptedAcp(), test)


def test_bytes_that_are_no_text_and_long_lines_are_borne() -> None:
    """Invalid UTF-8 is told with replacement characters; lines of 3 MB, in pieces and in batches are told whole."""
    long = "x" * 3_000_000

    def chunk(text: str) -> dict[str, Any]:
        update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
        return {"jsonrpc": "2.0", "method": "session/update", "params": {"update": update}}

    async def agent(end: AgentEnd) -> None:
        while (line := await end.read()) is not None:
            message = json.loads(line)
            if message["method"] == "session/prompt":
                end.write(json.dumps(chunk("a?b")).encode().replace(b"?", b"\xff"))
                end.write(json.dumps(chunk(long)).encode())
                whole = json.dumps(chunk("c" * 50)).encode()
                world_run.append(RecordKind.PIECE, whole[:40])
                world_run.append(RecordKind.PIECE, whole[40:80])
                end.write(whole[80:])
                end.write(json.dumps([chunk("d"), chunk("\ud800"), chunk("e")]).encode())
                end.write(b"\xef\xbb\xbf" + json.dumps(chunk("f")).encode() + b"\r")
            result = {"sessionId": "s1", "stopReason": "end_turn"}
            end.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())

    world_run: MemoryRun

    async def test(world: World) -> None:
        nonlocal world_run
        world_run = world.run
        session = await world.open()
        result = await session.prompt(1, "go")
        updates = session.updates()
        said = [await anext(updates) for _ in range(7)]
        assert (
            "".join(update.text for update in said if isinstance(update, Said)) == "a\ufffdb" + long + "c" * 50 + "d?ef"
        )
        assert result.message == long + "c" * 50 + "d?ef", "of a turn's message only the end is kept for sure"

    in_world(agent, test)


def test_requests_that_nobody_serves_are_refused_once() -> None:
    """Files, terminals and vendor methods get `-32601`; after a restart they are not answered again."""
    asks: list[dict[str, Any]] = [{"id": "a b", "method": "fs/read_text_file"}, {"id": 4, "method": "_vendor/x"}]
    asks.append({"id": "i" * 500, "method": "terminal/create"})
    script = "\n".join("raw " + json.dumps({"jsonrpc": "2.0", **ask}) for ask in asks)
    agent = ScriptedAcp()

    async def test(world: World) -> None:
        await (await world.open()).prompt(1, script)
        await (await world.open()).prompt(2, "say done")
        refusals = [(reply["id"], reply["error"]["code"]) for reply in agent.replies]
        assert refusals == [("a b", -32601), (4, -32601), ("i" * 500, -32601)]
        assert world.run.repeats == []

    in_world(agent, test)


class Slow(MemoryChannel):
    """A channel that writes when `go` is set, and shows the first prompt when `show` is."""

    def __init__(self, run: MemoryRun) -> None:
        super().__init__(run)
        self.go, self.show, self.entered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.go.set()

    async def records(self, *, after: int = 0) -> AsyncIterator[Record]:
        """The records, in their time."""
        async for record in super().records(after=after):
            if record.key == "turn-1":
                await self.show.wait()
            yield record

    async def write(self, key: str, line: bytes) -> None:
        """Write when it is time."""
        self.entered.set()
        await self.go.wait()
        await super().write(key, line)


def test_a_prompt_that_is_given_up_while_it_is_sent_does_not_let_in_the_next() -> None:
    """It is sent whole all the same, and the next turn waits for its end."""
    agent = ScriptedAcp()

    async def test(world: World) -> None:
        channel = Slow(world.run)
        session = await world.open(channel=channel)
        channel.go.clear()
        channel.entered.clear()
        first = asyncio.create_task(session.prompt(1, "ask a.txt"))
        await channel.entered.wait()
        first.cancel()
        await asyncio.wait([first])
        second = asyncio.create_task(session.prompt(2, "say second"))
        channel.go.set()
        await world.run.has_sent("turn-1")
        for _ in range(20):
            await asyncio.sleep(0)
        channel.show.set()
        asked = await anext(session.updates())
        assert isinstance(asked, PermissionRequested)
        assert agent.told == ["ask a.txt"]
        await session.answer(asked.request, "allow")
        assert (await second).message == "second"

    in_world(agent, test)


def test_a_request_of_a_turn_that_was_cancelled_before_we_came_is_settled() -> None:
    """Our process died between cancelling a turn and answering what the turn had asked: the next one answers it."""

    async def agent(end: AgentEnd) -> None:
        while (line := await end.read()) is not None:
            message = json.loads(line)
            match message.get("method"):
                case "session/prompt":
                    ask = {"method": "session/request_permission", "params": {"toolCall": {}, "options": OPTIONS}}
                    end.write(json.dumps({"id": 0, **ask}).encode())
                case None:
                    stop = message["result"]["outcome"]["outcome"]
                    end.write(json.dumps({"id": "turn-1", "result": {"stopReason": stop}}).encode())
                case "session/cancel":
                    continue
                case _:
                    end.write(json.dumps({"id": message["id"], "result": {"sessionId": "s1"}}).encode())

    async def test(world: World) -> None:
        first = await world.open()
        prompting = asyncio.create_task(first.prompt(1, "go"))
        await anext(first.updates())
        prompting.cancel()
        await first.close()
        world.run.take("cancel-1", b'{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s1"}}')
        second = await world.open()
        assert (await second.prompt(1, "go")).stop is StopReason.CANCELLED
        world.run.end()
        assert [update async for update in second.updates()] == []

    in_world(agent, test)


def test_an_answer_without_a_line_end_counts() -> None:
    """An agent that ends right behind its last word has said it."""

    async def agent(end: AgentEnd) -> None:
        for _ in range(2):
            message = json.loads(await end.read() or b"")
            end.write(json.dumps({"id": message["id"], "result": {"sessionId": "s1"}}).encode())
        await end.read()

    async def test(world: World) -> None:
        session = await world.open()
        prompting = asyncio.create_task(session.prompt(1, "go"))
        await world.run.has_sent("turn-1")
        world.run.append(RecordKind.UNTERMINATED, b'{"id": "turn-1", "result": {"stopReason": "end_turn"}}')
        world.run.end()
        assert (await prompting).stop is StopReason.END_TURN

    in_world(agent, test)


def test_others_get_their_turn_while_a_long_journal_is_read() -> None:
    """A run that said much does not stop the whole program when it is taken up again."""

    async def test(world: World) -> None:
        session = await world.open()
        await session.prompt(1, "\n".join(["say on and on "] * 3000))
        ticks = 0
        opening = asyncio.create_task(world.open())
        while not opening.done():
            await asyncio.sleep(0)
            ticks += 1
        assert ticks > 10

    in_world(ScriptedAcp(), test)


def test_an_unknown_stop_reason_still_ends_the_turn() -> None:
    """A word that we do not have is no reason to wait for ever."""

    async def test(world: World) -> None:
        session = await world.open()
        assert (await session.prompt(1, "say hello\nstop tired")).stop is StopReason.UNKNOWN
        assert (await session.prompt(2, "say hello\nstop refusal")).stop is StopReason.REFUSAL

    in_world(ScriptedAcp(), test)


def test_an_update_behind_the_end_of_a_turn_is_told() -> None:
    """The turn's end is not the end of what the agent says; it is no part of the turn's message, though."""

    async def test(world: World) -> None:
        session = await world.open()
        assert (await session.prompt(1, "say done\nlater By the way.")).message == "done"
        updates = session.updates()
        assert [await anext(updates), await anext(updates)] == [Said(text="done"), Said(text="By the way.")]

    in_world(ScriptedAcp(), test)


def test_an_error_after_a_cancel_is_a_cancelled_turn() -> None:
    """An agent that stops with an error when it was told to stop has stopped."""

    async def agent(end: AgentEnd) -> None:
        prompt = ""
        while (line := await end.read()) is not None:
            message = json.loads(line)
            if message["method"] == "session/prompt":
                prompt = message["id"]
            elif message["method"] == "session/cancel":
                error = {"code": -32603, "message": "Aborted"}
                end.write(json.dumps({"jsonrpc": "2.0", "id": prompt, "error": error}).encode())
            else:
                end.write(json.dumps({"id": message["id"], "result": {"sessionId": "s1"}}).encode())

    async def test(world: World) -> None:
        session = await world.open()
        turn = asyncio.create_task(session.prompt(1, "go"))
        await world.run.has_sent("turn-1")
        await session.cancel(1)
        assert (await turn).stop is StopReason.CANCELLED

    in_world(agent, test)


def test_an_id_used_again_after_its_answer_is_a_new_request() -> None:
    """The second request gets an answer of its own; a request repeated while it waits is one request."""
    ask = {"method": "session/request_permission", "params": {"toolCall": {"title": "Do"}, "options": OPTIONS}}
    line = json.dumps({"jsonrpc": "2.0", "id": 77, **ask})
    agent = ScriptedAcp()

    async def test(world: World) -> None:
        session = await world.open()
        updates = session.updates()
        for turn, request in ((1, "77"), (2, "77#2")):
            await session.prompt(turn, f"raw {line}\nraw {line}")
            asked = await anext(updates)
            assert isinstance(asked, PermissionRequested)
            assert asked.request == request
            await session.answer(asked.request, "allow")
        await session.prompt(3, "say done")
        assert [reply["id"] for reply in agent.replies] == [77, 77]

    in_world(agent, test)


def test_a_request_that_the_agent_takes_back_is_settled() -> None:
    """`$/cancel_request` frees whoever was asked: an answer is not needed and does no harm."""
    back = '{"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 5}}'
    ask = {"id": 5, "method": "elicitation/create", "params": {"message": "Well?", "requestedSchema": {}}}
    agent = ScriptedAcp()

    async def test(world: World) -> None:
        session = await world.open()
        await session.prompt(1, f"raw {json.dumps(ask)}\nraw {back}\nsay done")
        assert isinstance(await anext(session.updates()), QuestionAsked)
        await session.answer("5", "accept")
        again = await world.open()
        await again.prompt(2, "say next")
        assert await anext(again.updates()) == Said(text="next")
        assert [reply["error"]["code"] for reply in agent.replies] == [-32800]

    in_world(agent, test)


def test_a_question_that_is_no_form_is_refused() -> None:
    """We offer forms only: a request to visit an address gets an error, and nobody is asked."""
    ask = {"id": 5, "method": "elicitation/create", "params": {"mode": "url", "url": "https://example.org"}}
    agent = ScriptedAcp()

    async def test(world: World) -> None:
        session = await world.open()
        await session.prompt(1, f"raw {json.dumps(ask)}\nsay done")
        assert await anext(session.updates()) == Said(text="done")
        assert [reply["error"]["code"] for reply in agent.replies] == [-32602]

    in_world(agent, test)


def test_the_words_of_a_failed_prompt_come_with_their_detail() -> None:
    """The message of an error is often empty of meaning, and the detail beside it is not."""

    async def agent(end: AgentEnd) -> None:
        errors: list[Any] = [
            {"code": -32603, "message": "Internal error", "data": {"codex_error_info": {"http_status_code": 429}}},
            {"code": -32603, "message": "Internal error", "data": {"details": "Quota exceeded"}},
            "Out of money",
        ]
        while (line := await end.read()) is not None:
            message = json.loads(line)
            answer = (
                {"error": errors.pop(0)} if message["method"] == "session/prompt" else {"result": {"sessionId": "s"}}
            )
            end.write(json.dumps({"id": message["id"], **answer}).encode())

    async def test(world: World) -> None:
        session = await world.open()
        for turn, words in enumerate(("429", "Quota exceeded", "Out of money")):
            with pytest.raises(PromptFailed, match=words):
                await session.prompt(turn, "go")

    in_world(agent, test)
