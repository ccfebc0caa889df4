"""How the many shapes in which agents say things become our words."""

from typing import Any

import pytest

from bandstand.adapters.agents.messages import Failure
from bandstand.adapters.agents.translate import NAMELESS, Translator, command, paths, stop_reason, usage, words
from bandstand.domain.agent import (
    AgentUpdate,
    Choice,
    PermissionRequested,
    Planned,
    PlanStep,
    Said,
    StopReason,
    Thought,
    ToolCalled,
    ToolEnded,
    ToolKind,
    Usage,
)
from bandstand.domain.errors import Refused

OPTIONS = [
    {"optionId": "proceed_once", "name": "Allow", "kind": "allow_once"},
    {"optionId": "proceed_always", "name": "Always allow", "kind": "allow_always"},
    {"optionId": "cancel", "name": "Reject", "kind": "reject_once"},
]
CHOICES = (
    Choice(id="proceed_once", label="Allow", grants=True),
    Choice(id="proceed_always", label="Always allow", grants=True, lasting=True),
    Choice(id="cancel", label="Reject", grants=False),
)
DIFF = {"type": "diff", "path": "/w/hello.txt", "oldText": None, "newText": "hi"}


def told(*updates: dict[str, Any]) -> list[AgentUpdate]:
    """What updates say, one after the other."""
    translator = Translator()
    return [passage.update for each in updates for passage in translator.update({"sessionId": "s", "update": each})]


def block(text: str) -> dict[str, Any]:
    """A content block in a tool call."""
    return {"type": "content", "content": {"type": "text", "text": text}}


# --- updates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "a"}}, [Said(text="a")]),
        ({"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": "a"}}, [Thought(text="a")]),
        ({"sessionUpdate": "agent_message_chunk", "content": [{"text": "a"}, {"text": "b"}]}, [Said(text="ab")]),
        ({"sessionUpdate": "agent_message_chunk", "content": "a"}, [Said(text="a")]),
        ({"sessionUpdate": "agent_message_chunk", "content": {"type": "image", "data": "AA=="}}, []),
        (
            {"sessionUpdate": "agent_message_chunk", "content": {"type": "resource_link", "uri": "file:///a"}},
            [Said(text="file:///a")],
        ),
        (
            {"sessionUpdate": "agent_message_chunk", "content": {"type": "resource", "resource": {"text": "a"}}},
            [Said(text="a")],
        ),
        ({"sessionUpdate": "agent_message_chunk"}, []),
        ({"sessionUpdate": "user_message_chunk", "content": {"type": "text", "text": "echo"}}, []),
        ({"sessionUpdate": "available_commands_update", "availableCommands": []}, []),
        ({"sessionUpdate": "current_mode_update", "currentModeId": "ask"}, []),
        ({"sessionUpdate": "session_info_update", "title": "T"}, []),
        ({"sessionUpdate": "mood_update"}, []),
        (
            {
                "sessionUpdate": "plan",
                "entries": [
                    {"content": "one", "priority": "high", "status": "completed"},
                    {"content": "two", "status": "somewhere"},
                    {"content": ""},
                    None,
                ],
            },
            [Planned(steps=(PlanStep(text="one", status="completed"), PlanStep(text="two", status="pending")))],
        ),
        (
            {"sessionUpdate": "plan_update", "plan": {"type": "items", "planId": "p", "entries": [{"content": "x"}]}},
            [Planned(steps=(PlanStep(text="x", status="pending"),))],
        ),
        ({"sessionUpdate": "plan_update", "plan": {"type": "file", "path": "p.md"}}, []),
    ],
)
def test_an_update_says(update: dict[str, Any], expected: list[AgentUpdate]) -> None:
    """Text, plans and nothing: what we have no word for is left out."""
    assert told(update) == expected


def test_a_tool_call_is_told_once_and_again_when_more_is_known_of_it() -> None:
    """A second `ToolCalled` of a call replaces the first; progress without news says nothing; it ends once."""
    call = {"toolCallId": "t1"}
    assert told(
        {"sessionUpdate": "tool_call", **call, "title": "Write", "status": "pending", "rawInput": {}},
        {"sessionUpdate": "tool_call_update", **call, "status": "in_progress"},
        {"sessionUpdate": "tool_call_update", **call, "title": "Write hello.txt", "kind": "edit", "content": [DIFF]},
        {"sessionUpdate": "tool_call_update", **call, "status": "completed", "content": [block("ok"), block("!")]},
        {"sessionUpdate": "tool_call_update", **call, "status": "completed"},
    ) == [
        ToolCalled(call="t1", title="Write"),
        ToolCalled(call="t1", title="Write hello.txt", kind=ToolKind.EDIT, paths=("/w/hello.txt",)),
        ToolEnded(call="t1", failed=False, output="ok\n!"),
    ]


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        (  # an agent that tells of a call when it is over
            [{"sessionUpdate": "tool_call", "toolCallId": "1", "title": "Run", "kind": "execute", "status": "failed"}],
            [ToolCalled(call="1", title="Run", kind=ToolKind.EXECUTE), ToolEnded(call="1", failed=True)],
        ),
        (  # Gemini: updates only
            [{"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed", "rawOutput": "out"}],
            [ToolCalled(call="1", title=NAMELESS), ToolEnded(call="1", failed=False, output="out")],
        ),
        (  # Cline: the update first
            [
                {"sessionUpdate": "tool_call_update", "toolCallId": "1", "title": "Run", "status": "in_progress"},
                {"sessionUpdate": "tool_call", "toolCallId": "1", "title": "Run", "status": "pending"},
                {"sessionUpdate": "tool_call_update", "toolCallId": "1", "status": "completed"},
                {"sessionUpdate": "tool_call", "toolCallId": "1", "title": "Run", "status": "completed"},
            ],
            [ToolCalled(call="1", title="Run"), ToolEnded(call="1", failed=False)],
        ),
        (  # an id used for another call
            [
                {"sessionUpdate": "tool_call", "toolCallId": 1, "title": "A", "status": "completed"},
                {"sessionUpdate": "tool_call", "toolCallId": 1, "title": "B", "status": "pending"},
            ],
            [ToolCalled(call="1", title="A"), ToolEnded(call="1", failed=False), ToolCalled(call="1", title="B")],
        ),
        (  # kinds and states that we do not know
            [
                {"sessionUpdate": "tool_call", "toolCallId": "1", "title": "A", "kind": "teleport", "status": "asleep"},
                {"sessionUpdate": "tool_call_update", "toolCallId": "1", "kind": None, "status": "cancelled"},
            ],
            [ToolCalled(call="1", title="A"), ToolEnded(call="1", failed=True)],
        ),
        ([{"sessionUpdate": "tool_call", "title": "A"}], []),
    ],
)
def test_a_tool_call_is_told_in_any_order(updates: list[dict[str, Any]], expected: list[AgentUpdate]) -> None:
    """It becomes known by whatever is said of it first, and ends once."""
    assert told(*updates) == expected


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"locations": [{"path": "/a", "line": 3}, {"line": 4}, "x"], "rawInput": {"file_path": "/b"}}, ("/a", "/b")),
        ({"content": [DIFF, {"type": "terminal", "terminalId": "t"}]}, ("/w/hello.txt",)),
        ({"rawInput": {"path": "/a", "paths": ["/b", 3], "changes": {"/c": {"add": {}}}}}, ("/a", "/b", "/c")),
        ({"rawInput": "path"}, ()),
        ({}, ()),
    ],
)
def test_the_paths_of_a_tool_call(detail: dict[str, Any], expected: tuple[str, ...]) -> None:
    """From its locations, its diffs and the shapes of input that agents use."""
    assert paths(detail) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"command": "rm -rf x", "description": "Clean"}, "rm -rf x"),
        ({"command": ["bash", "-lc", "echo 'a b'"], "cwd": "/w"}, "bash -lc 'echo '\"'\"'a b'\"'\"''"),
        ({"command": "git", "args": ["commit", "-m", "a b"]}, "git commit -m 'a b'"),
        ({"cmd": "ls"}, "ls"),
        ({"commands": ["ls", {"command": "pwd"}]}, "ls\npwd"),
        ({"command": 7}, ""),
        ("ls", ""),
        (None, ""),
    ],
)
def test_the_command_of_a_tool_call(given: object, expected: str) -> None:
    """A person who is asked must see the whole of it, its arguments too."""
    assert command(given) == expected


# --- permissions -----------------------------------------------------------------------------------------------------


def permission(translator: Translator, detail: object, options: object = OPTIONS) -> PermissionRequested:
    """The request for a tool call."""
    return translator.permission("0", {"sessionId": "s", "toolCall": detail, "options": options}).update


def test_a_permission_names_what_is_asked() -> None:
    """Title, kind, command, paths and the choices, which grant when their kind allows."""
    detail = {
        "toolCallId": "t",
        "title": "Run it",
        "kind": "execute",
        "rawInput": {"command": "make"},
        "locations": [{"path": "/w"}],
    }
    assert permission(Translator(), detail) == PermissionRequested(
        request="0", title="Run it", kind=ToolKind.EXECUTE, choices=CHOICES, command="make", paths=("/w",)
    )


def test_a_tool_that_first_appears_in_a_permission_request_is_told_when_it_runs() -> None:
    """Gemini: the title comes with the request, the update has none."""
    translator = Translator()
    permission(translator, {"toolCallId": "t", "title": "Write hello.txt", "kind": "edit", "content": [DIFF]})
    update = {"sessionUpdate": "tool_call_update", "toolCallId": "t", "status": "completed", "content": [DIFF]}
    assert [passage.update for passage in translator.update({"update": update})] == [
        ToolCalled(call="t", title="Write hello.txt", kind=ToolKind.EDIT, paths=("/w/hello.txt",)),
        ToolEnded(call="t", failed=False),
    ]


def test_a_permission_without_title_and_kind_takes_what_was_said_of_the_call() -> None:
    """Vibe: only the id of the call is in the request."""
    translator = Translator()
    call = {"toolCallId": "t", "title": "Run make", "kind": "execute", "rawInput": {"command": "make"}}
    translator.update({"update": {"sessionUpdate": "tool_call", **call}})
    asked = permission(translator, {"toolCallId": "t"})
    assert (asked.title, asked.kind, asked.command) == ("Run make", ToolKind.EXECUTE, "make")


@pytest.mark.parametrize("detail", [None, {}, {"toolCallId": "new"}, {"title": 7}])
def test_a_permission_for_nothing_we_know_is_still_asked(detail: object) -> None:
    """A person decides; the choices are all there."""
    assert permission(Translator(), detail) == PermissionRequested(
        request="0", title=NAMELESS, kind=ToolKind.OTHER, choices=CHOICES
    )


def test_odd_options_are_choices_that_grant_nothing() -> None:
    """A choice grants only when its kind says that it allows; one that cannot be named is none."""
    options = [{"optionId": 3, "name": None}, {"optionId": "a", "kind": "allow_once"}, {"name": "?"}, {"optionId": "a"}]
    asked = Translator().permission("0", {"options": options})
    assert asked.update.choices == (
        Choice(id="3", label="3", grants=False),
        Choice(id="a", label="allow_once", grants=True),
    )
    assert asked.reply("3", said="") == {"outcome": {"outcome": "selected", "optionId": 3}}


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        (["allow_once", "reject_always", "reject_once"], "2"),
        (["allow_once", "reject_always"], "1"),
        (["allow_once"], None),
        ([], None),
    ],
)
def test_a_refusal_takes_the_choice_that_rejects_once(kinds: list[str], chosen: str | None) -> None:
    """Or the one that always rejects; without either the request is answered as cancelled."""
    options = [{"optionId": str(number), "kind": kind} for number, kind in enumerate(kinds)]
    outcome = {"outcome": "selected", "optionId": chosen} if chosen else {"outcome": "cancelled"}
    assert Translator().permission("0", {"options": options}).reply(None, said="") == {"outcome": outcome}


def test_a_choice_that_was_not_offered_is_refused() -> None:
    """The hint lists those that were."""
    with pytest.raises(Refused) as refused:
        Translator().permission("0", {"options": OPTIONS}).reply("yes", said="")
    assert "proceed_once, proceed_always, cancel" in refused.value.hint


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [each for each in StopReason if each is not StopReason.UNKNOWN])
def test_the_stop_reasons_of_the_protocol_are_ours(reason: StopReason) -> None:
    """Each has its word."""
    assert stop_reason({"stopReason": reason.value}) is reason


@pytest.mark.parametrize("result", [None, {}, [], "end_turn", {"stopReason": "tired"}, {"stopReason": ["end_turn"]}])
def test_any_other_end_is_an_unknown_reason(result: object) -> None:
    """It is an end all the same."""
    assert stop_reason(result) is StopReason.UNKNOWN


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}, (3, 2)),
        ({"_meta": {"quota": {"token_count": {"input_tokens": 3, "output_tokens": 2}}}}, (3, 2)),
        ({"usage": {"inputTokens": "3", "outputTokens": -2}}, (0, 0)),
        ({"usage": None}, (0, 0)),
        (None, (0, 0)),
    ],
)
def test_the_tokens_of_a_turn(result: object, expected: tuple[int, int]) -> None:
    """From the result, or where Gemini hides them; nought when nobody says."""
    tokens = usage(result, cost_usd=0.5)
    assert tokens == Usage(input_tokens=expected[0], output_tokens=expected[1], cost_usd=0.5)


def test_the_cost_is_the_last_one_in_dollars() -> None:
    """Another currency is no dollars, and an update without a cost leaves the last one."""
    translator = Translator()
    for cost in ({"amount": 0.25, "currency": "USD"}, {"amount": 9, "currency": "EUR"}, None, {"currency": "USD"}):
        translator.update({"update": {"sessionUpdate": "usage_update", "used": 5, "size": 10, "cost": cost}})
    assert translator.cost_usd == 0.25


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "Internal error"),
        ("No quota", "Internal error (No quota)"),
        ({"details": "No quota"}, "Internal error (No quota)"),
        (
            {"codex_error_info": {"http_status_code": 429}},
            'Internal error ({"codex_error_info": {"http_status_code": 429}})',
        ),
        ({"message": "Internal error"}, "Internal error"),
        ([1], "Internal error"),
    ],
)
def test_the_words_of_an_error(data: object, expected: str) -> None:
    """Its message with its detail, where that says more."""
    assert words(Failure(code=-32603, message="Internal error", data=data)) == expected
