"""The gist of a journal: whoever folds that knows what whoever folds the whole knows."""

import json
from collections.abc import Iterable

from hypothesis import example, given
from hypothesis import strategies as st

from bandstand.adapters.agents.gist import gist
from bandstand.adapters.agents.messages import Decoder, encoded
from bandstand.adapters.agents.session import MESSAGE_LIMIT, Dialogue
from bandstand.domain.agent import TurnResult
from bandstand.ports.hosts import Record, RecordKind

UPDATES = st.one_of(
    st.builds(
        lambda text: {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}},
        st.text(min_size=1, max_size=20),
    ),
    st.builds(
        lambda text: {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": text}},
        st.text(min_size=1, max_size=20),
    ),
    st.builds(
        lambda call, status, title: {
            "sessionUpdate": "tool_call_update" if status else "tool_call", "toolCallId": call, "title": title,
            **({"status": status} if status else {}),
        },
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "in_progress"]), st.just("Look"),
    ),
    st.builds(
        lambda cost: {"sessionUpdate": "usage_update", "cost": {"amount": cost, "currency": "USD"}},
        st.integers(1, 99),
    ),
    st.just({"sessionUpdate": "plan", "entries": [{"content": "think", "status": "pending"}]}),
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), UPDATES),
        st.tuples(st.just("turn"), st.none()),
        st.tuples(st.just("end"), st.none()),
        st.tuples(st.just("ask"), st.sampled_from(["a", "b", "c"])),
        st.tuples(st.just("reply"), st.none()),
        st.tuples(st.just("load"), st.none()),
        st.tuples(st.just("noise"), st.none()),
    ),
    max_size=60,
)


class Writer:
    """Writes a journal."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def say(self, payload: bytes, kind: RecordKind = RecordKind.FROM_AGENT, key: str = "") -> None:
        """Put a record behind the rest."""
        offset = self.records[-1].end if self.records else 0
        end = offset + len(payload) + 40
        self.records.append(Record(offset=offset, end=end, kind=kind, at_ms=0, key=key, payload=payload))

    def send(self, key: str, method: str) -> None:
        """A request of ours."""
        self.say(encoded({"id": key, "method": method, "params": {}}), RecordKind.TO_AGENT, key)

    def update(self, update: object) -> None:
        """What the agent tells."""
        self.say(encoded({"method": "session/update", "params": {"sessionId": "s", "update": update}}))


def of_turn(update: object, turn: int) -> object:
    """An update whose tool call, if there is one, has the turn in its name."""
    assert isinstance(update, dict)
    return {**update, "toolCallId": f"{update['toolCallId']}{turn}"} if "toolCallId" in update else update


def played(steps: Iterable[tuple[str, object]]) -> list[Record]:  # noqa: C901 - a match
    """The journal of a conversation."""
    writer, turns, asks, running, loading = Writer(), 0, 0, "", ""
    replied = 0
    for step, what in steps:
        match step:
            case "tell":
                writer.update(of_turn(what, turns))
            case "turn" if not running:
                turns, running = turns + 1, f"turn-{turns + 1}"
                writer.send(running, "session/prompt")
            case "end" if running or loading:
                key = loading or running
                writer.say(encoded({"id": key, "result": {"stopReason": "end_turn"}}))
                loading, running = "", running if loading else ""
            case "load" if not turns and not loading:
                loading = "load"
                writer.send(loading, "session/load")
            case "ask":
                params = {
                    "toolCall": {"toolCallId": f"{what}{turns}"},
                    "options": [{"optionId": "y", "kind": "allow_once"}],
                }
                writer.say(encoded({"id": asks, "method": "session/request_permission", "params": params}))
                asks += 1
            case "reply" if replied < asks:
                body = encoded({"id": replied, "result": {}})
                writer.say(body, RecordKind.TO_AGENT, f"re:{json.dumps(replied)}")
                replied += 1
            case "noise":
                writer.say(b"npm WARN")
            case _:
                pass
    return writer.records


def folded(records: Iterable[Record]) -> Dialogue:
    """What these records say."""
    decoder, dialogue = Decoder(), Dialogue()
    for record in records:
        for event in decoder.read(record):
            dialogue.hear(event)
    return dialogue


def chunk(text: str) -> tuple[str, object]:
    """The agent says a piece of text."""
    return "tell", {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}


TURN, END, LOAD = ("turn", None), ("end", None), ("load", None)
TOOL = ("tell", {"sessionUpdate": "tool_call", "toolCallId": "a", "title": "Look"})


@given(steps=STEPS, cut=st.integers(0, 60))
@example(steps=[TURN, TOOL, ("ask", "a")], cut=2)
@example(steps=[TURN, chunk("a"), TOOL, chunk("b"), END], cut=4)
@example(steps=[LOAD, chunk("old"), END, TURN, chunk("new"), END], cut=5)
def test_the_gist_says_what_the_whole_says(steps: list[tuple[str, object]], cut: int) -> None:
    """Wherever a part ends: how each turn ended and at which cost, with what message the last one did or goes on, what
    is open, and how that is titled if it was asked in the last turn."""
    records = played(steps)
    whole = folded(records)
    part, rest = records[:cut], records[cut:]
    short = [*gist([*gist(part[: cut // 2]), *gist(part[cut // 2 :])]), *rest]
    assert short == [record for record in records if record in short], "a gist keeps the order, and adds nothing"
    found = folded(short)
    assert ends(found) == ends(whole)
    assert last(found) == last(whole)
    assert found.open.keys() == whole.open.keys()
    assert found.translator.cost_usd == whole.translator.cost_usd


def ends(dialogue: Dialogue) -> dict[str, object]:
    """How each turn ended, without what was said in it."""
    over = {key: turn.end for key, turn in dialogue.turns.items()}
    return {key: (end.stop, end.usage) if isinstance(end, TurnResult) else end for key, end in over.items()}


def last(dialogue: Dialogue) -> list[object]:
    """What was said and asked in the last turn."""
    turn = list(dialogue.turns.values())[-1:]
    asked = [one.asked for one in dialogue.open.values() if turn and one.turn is turn[0]]
    return [*((one.end, "".join(one.said)) for one in turn), *asked]


def test_it_is_short() -> None:
    """Of a turn in which an agent thinks, works and talks without end, a bounded rest is kept: the end of what it
    says. A line in several pieces is kept whole or not at all."""
    writer = Writer()
    writer.send("turn-1", "session/prompt")
    for number in range(3000):
        writer.update({"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": "hm" * 50}})
        writer.update({"sessionUpdate": "tool_call_update", "toolCallId": "a", "rawOutput": "x" * 500})
        text = f"{number} ".ljust(100, ".")
        writer.update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})
    writer.say(b'{"jsonrpc": "2.0", "method": "session/up', RecordKind.PIECE)
    writer.say(b'date", "params": {"update": {"sessionUpdate": "agent_thought_chunk"}}}')
    writer.say(b'{"jsonrpc": "2.0", "id": "turn-1", ', RecordKind.PIECE)
    writer.say(b'"result": {"stopReason": "end_turn"}}')
    kept = list(gist(writer.records))
    assert [record for record in kept if record.kind is RecordKind.PIECE] == [writer.records[-2]]
    assert kept[-1] == writer.records[-1]
    assert len(kept) < MESSAGE_LIMIT // 100 + 10
    end = folded(kept).turns["turn-1"].end
    assert isinstance(end, TurnResult)
    assert end == folded(writer.records).turns["turn-1"].end
    assert end.message.endswith("2999 ".ljust(100, "."))
    assert MESSAGE_LIMIT <= len(end.message) < MESSAGE_LIMIT + 200
