"""Every operation of the daemon with arguments of every wrong kind: refused in a sentence, or done; never a fault.

Callers are our own commands, but also older ones, scripts and the curious: what they send is input like any other.
"""

import asyncio
import json
import re
from pathlib import Path

import pytest

from bandstand.faces.daemon import going_back, keeping, operations, rescuing, submitting
from bandstand.faces.wire import Json
from tests.faces.front import CALLER, Front, operation, serve
from tests.services.acting import asks_permission
from tests.services.world import World, landed

ODD: list[Json] = [
    *(None, True, 0, -1, 2**70, 1.5, 1e308, "", " ", "x", "-x", "../../x", "a\nb", "\x1b[2J", "é\ud800", "x" * 5000),
    *(
        [],
        [[]],
        ["x", 3],
        {},
        {"name": "x"},
        {"name": 3, "text": []},
        {"PATH": {}},
        {"name": "x", "text": "- goal: \x00"},
    ),
]
"""What may stand where something else is meant."""

NAMES = sorted(
    {
        name
        for module in (operations, submitting, keeping, rescuing, going_back)
        for name in re.findall(r'args(?:\.get\(|\[|, )"(\w+)"', Path(str(module.__file__)).read_text())
    }
    - {"path"}
)
"""Every argument that some operation reads."""

ELSEWHERE = {"stop_all", "resume_all", "forget", "abandoned", "abandon"}
"""What the memory that stands in here for Bandstand as a whole cannot do."""

TASK = {"task": "one", "ask": "a1"}


@pytest.mark.parametrize("op", sorted({*operations.ANSWERING, *operations.STREAMING} - ELSEWHERE))
def test_odd_arguments_are_no_fault_of_ours(op: str) -> None:
    """All of them odd, and each of them odd among others that are right; also the folder."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("two", asks_permission("May I?"))
        await world.submit("one", "two")
        await world.until(landed("one"))
        await world.ask("two")
        requests = [{**dict.fromkeys(NAMES, value), "follow": False} for value in ODD]
        requests += [{**TASK, name: value} for name in NAMES if name != "follow" for value in ODD[::5]]
        requests += [{"path": value} for value in ODD]
        for args in requests:
            answer = await front.raw(operation(op, **args))
            for line in answer.splitlines():
                told = json.loads(line).get("error")
                assert told is None or told["kind"] in {"refused", "unknown", "stale", "unavailable"}, (args, told)
                assert told is None or told["message"].endswith((".", "!", "?")), (args, told)

    serve(story)


@pytest.mark.parametrize(
    "request_",
    [
        {"op": 3},
        {"op": "show", "args": []},
        {"op": "show", "args": None},
        {"op": ["show"], "args": {}},
        {"op": "show", "args": {"path": CALLER, "task": "one"}, "install": 3},
        {"args": {}},
        {"op": "nothing-like-this", "args": {}},
        [],
        3,
        None,
    ],
)
def test_odd_requests_are_no_fault_of_ours(request_: Json) -> None:
    """Whatever the line is that should be one."""

    async def story(front: Front, world: World) -> None:
        told = json.loads(await front.raw(json.dumps(request_).encode() + b"\n"))["error"]
        assert told["kind"] in {"refused", "unknown", "unavailable", "outlived"}, told

    serve(story)


def test_orders_on_what_is_over_are_refused_and_given_twice_are_one() -> None:
    """Each says what the task is; two of the same at the same instant do not both count."""

    async def story(front: Front, world: World) -> None:
        world.agent_does("two", asks_permission("May I?"))
        await world.submit("one", "two")
        await world.until(landed("one"))
        for op in ("cancel", "pause", "resume", "retry", "send", "review"):
            told = json.loads(await front.raw(operation(op, task="one", text="More.", approve=True)))
            assert told["error"]["kind"] == "refused" and "one" in told["error"]["message"], (op, told)
        ask = await world.ask("two")
        both = [operation("answer", ask=ask.id, choice="allow") for _ in range(2)]
        said = [json.loads(answer) for answer in await asyncio.gather(*map(front.raw, both))]
        assert sum("result" in one for one in said) >= 1
        assert all("result" in one or one["error"]["kind"] in {"refused", "stale", "unknown"} for one in said), said
        for _ in range(2):
            told = json.loads(await front.raw(operation("cancel", task="two")))
            assert "result" in told or told["error"]["kind"] in {"refused", "stale"}

    serve(story)
