"""Whatever JSON stands in whatever place of what an agent says: we do not stumble."""

import asyncio
import copy
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bandstand.adapters.agents.messages import Asked, Decoder
from bandstand.adapters.agents.session import Dialogue
from bandstand.domain.errors import Refused
from bandstand.ports.hosts import Record, RecordKind
from tests.adapters.acp_world import World, in_world
from tests.adapters.memory_run import AgentEnd

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("\ud800"), inner, max_size=3)
    ),
    max_leaves=6,
)
CALL = {
    "toolCallId": "t",
    "title": "T",
    "kind": "edit",
    "status": "completed",
    "content": [
        {"type": "content", "content": {"type": "text", "text": "x"}},
        {"type": "diff", "path": "/d", "newText": "n"},
    ],
    "locations": [{"path": "/a", "line": 1}],
    "rawInput": {"command": ["a", "b"], "args": ["c"], "paths": ["/p"], "changes": {"/c": {}}, "commands": ["x"]},
    "rawOutput": {"output": "x"},
}
FIELDS = {
    "a": {"type": "string", "title": "A", "oneOf": [{"const": "x", "title": "X"}]},
    "b": {"type": "array", "items": {"anyOf": [{"const": "y", "title": "Y"}]}},
    "c": {"type": "boolean", "default": True},
    "d": {"type": "integer", "description": "D", "enum": [1, 2]},
}
FORM = {"message": "M", "mode": "form", "requestedSchema": {"type": "object", "properties": FIELDS, "required": ["a"]}}


def update(value: dict[str, Any]) -> dict[str, Any]:
    """An update as a message."""
    return {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": value}}


MESSAGES: list[dict[str, Any]] = [
    update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "x"}, "messageId": "m"}),
    update({"sessionUpdate": "tool_call", **CALL}),
    update({"sessionUpdate": "tool_call_update", **CALL}),
    update({"sessionUpdate": "plan", "entries": [{"content": "c", "priority": "low", "status": "pending"}]}),
    update({"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": {"amount": 1.5, "currency": "USD"}}),
    {
        "id": 0,
        "method": "session/request_permission",
        "params": {"toolCall": CALL, "options": [{"optionId": "o", "name": "O", "kind": "k"}]},
    },
    {"id": "q", "method": "elicitation/create", "params": FORM},
    {"id": "turn-1", "result": {"stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 2}}},
    {"id": "turn-2", "error": {"code": 1, "message": "m", "data": {"details": "d"}}},
    {"method": "$/cancel_request", "params": {"requestId": 0}},
]


def positions(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from positions(each, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], other: object) -> Any:
    """The value with another one in a place."""
    if not path:
        return other
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other
    return changed


PLACES = [(number, path) for number, message in enumerate(MESSAGES) for path in positions(message)]


@settings(max_examples=200)
@given(place=st.sampled_from(PLACES), other=JSON)
def test_no_json_in_any_place_of_any_message_makes_us_stumble(
    place: tuple[int, tuple[Any, ...]], other: object
) -> None:
    """Whatever stands wherever: nothing is raised, and what comes out can be written down in UTF-8."""
    decoder, dialogue = Decoder(), Dialogue()
    for turn in ("turn-1", "turn-2"):
        prompt = {"id": turn, "method": "session/prompt", "params": {"prompt": [{"type": "text", "text": "go"}]}}
        hear(decoder, dialogue, prompt, RecordKind.TO_AGENT, turn)
        for number, message in enumerate(MESSAGES):
            said = replaced(message, place[1], other) if number == place[0] else message
            hear(decoder, dialogue, said, RecordKind.FROM_AGENT, "-")
    for waiting in dialogue.open.values():
        for choice in (None, *(each.id for each in waiting.asked.update.choices)):
            json.dumps(waiting.asked.reply(choice, said=""))
        try:
            json.dumps(waiting.asked.reply(None, said="x: y, 1"))
        except Refused as refused:
            assert refused.hint


def hear(decoder: Decoder, dialogue: Dialogue, message: object, kind: RecordKind, key: str) -> None:
    """Put a message through decoding and folding."""
    record = Record(offset=0, end=1, kind=kind, at_ms=0, key=key, payload=json.dumps(message).encode())
    for event in decoder.read(record):
        if isinstance(event, Asked):
            assert event.request.isascii()
            assert " " not in event.request
        for passage in dialogue.hear(event):
            json.dumps(dataclasses.asdict(passage.update), ensure_ascii=False).encode()


@given(line=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_line_makes_us_stumble(line: bytes) -> None:
    """Bytes that are no JSON, and JSON that is no message."""
    decoder = Decoder()
    for kind in RecordKind:
        list(decoder.read(Record(offset=0, end=1, kind=kind, at_ms=0, key="k", payload=line)))


@given(initialized=JSON, new=JSON)
def test_no_greeting_makes_us_stumble(initialized: object, new: object) -> None:
    """Whatever an agent answers when it is greeted, there is a session or a refusal."""

    async def agent(end: AgentEnd) -> None:
        while (line := await end.read()) is not None:
            message = json.loads(line)
            named = {"sessionId": "s", **new} if isinstance(new, dict) else new
            result = initialized if message["method"] == "initialize" else named
            end.write(json.dumps({"id": message["id"], "result": result}).encode())

    async def test(world: World) -> None:
        try:
            await world.open()
        except Refused as refused:
            assert refused.message
        await asyncio.sleep(0)

    in_world(agent, test)
