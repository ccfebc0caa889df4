"""Forms that agents send, as questions for a person, and a person's answers as filled-in forms."""

from typing import Any

import pytest

from bandstand.adapters.agents.questions import Question, question
from bandstand.domain.agent import Choice
from bandstand.domain.errors import Refused

COLOURS = {
    "type": "string",
    "title": "Colour",
    "oneOf": [{"const": "r", "title": "Red"}, {"const": "b", "title": "Blue"}],
}
OTHER = {"type": "string", "title": "Other"}


def form(properties: dict[str, Any], *, required: list[str] | None = None, message: str = "Which?") -> Question:
    """The question of a form."""
    schema = {"type": "object", "properties": properties, "required": required or []}
    asked = question("0", {"mode": "form", "sessionId": "s", "message": message, "requestedSchema": schema})
    assert asked is not None
    return asked


def content(asked: Question, choice: str | None, said: str = "") -> object:
    """What an answer puts into the form."""
    reply = asked.reply(choice, said=said)
    assert isinstance(reply, dict)
    assert reply["action"] == "accept"
    return reply["content"]


@pytest.mark.parametrize(
    ("field", "choices", "choice", "value"),
    [
        (COLOURS, [("r", "Red", True), ("b", "Blue", True)], "b", "b"),
        ({"type": "string", "enum": ["r", "b"]}, [("r", "r", True), ("b", "b", True)], "r", "r"),
        ({"type": "integer", "enum": [1, 2]}, [("1", "1", True), ("2", "2", True)], "2", 2),
        ({"type": "boolean"}, [("true", "Yes", True), ("false", "No", False)], "false", False),
        ({"type": "array", "items": {"enum": ["r", "b"]}}, [("r", "r", True), ("b", "b", True)], "b", ["b"]),
    ],
)
def test_the_options_of_a_field_are_the_choices(
    field: dict[str, Any], choices: list[tuple[str, str, bool]], choice: str, value: object
) -> None:
    """The value goes back as the agent wrote it; of a yes and a no, only the yes grants."""
    asked = form({"f": field})
    assert asked.update.question == "Which?"
    assert asked.update.choices == tuple(Choice(id=name, label=label, grants=grants) for name, label, grants in choices)
    assert content(asked, choice) == {"f": value}


@pytest.mark.parametrize(
    ("field", "said", "value"),
    [
        ({"type": "string"}, "anything, at: all", "anything, at: all"),
        ({}, "x", "x"),
        ({"type": "integer"}, " 7 ", 7),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "array"}, "a, b", ["a", "b"]),
        (COLOURS, "blue", "b"),
        (COLOURS, "R", "r"),
        ({"type": "array", "items": {"anyOf": [{"const": "r", "title": "Red"}, {"const": "b"}]}}, "Red, b", ["r", "b"]),
        ({"type": "boolean"}, "yes", True),
    ],
)
def test_a_text_is_taken_as_the_field_wants_it(field: dict[str, Any], said: str, value: object) -> None:
    """Numbers, lists, and options by their id or label in any case."""
    assert content(form({"f": field}), None, said) == {"f": value}


@pytest.mark.parametrize(
    ("field", "said"),
    [({"type": "integer"}, "seven"), ({"type": "number"}, "nan"), (COLOURS, "green"), ({"type": "boolean"}, "maybe")],
)
def test_a_text_that_does_not_fit_is_refused(field: dict[str, Any], said: str) -> None:
    """The hint says what fits."""
    with pytest.raises(Refused) as refused:
        form({"f": field}).reply(None, said=said)
    assert refused.value.hint


def test_a_field_for_something_else_takes_what_is_no_choice() -> None:
    """Claude adds an optional text field to each question."""
    asked = form({"question_0": COLOURS, "question_0_custom": OTHER})
    assert [each.id for each in asked.update.choices] == ["r", "b"]
    assert content(asked, "r") == {"question_0": "r"}
    assert content(asked, None, "Green, please") == {"question_0_custom": "Green, please"}


def test_neither_choice_nor_text_declines() -> None:
    """A person may leave a question alone; a choice that is none is refused."""
    asked = form({"f": COLOURS})
    assert asked.reply(None, said=" ") == {"action": "decline"}
    assert asked.withdrawal() == {"action": "cancel"}
    with pytest.raises(Refused, match="green"):
        asked.reply("green", said="")


def test_a_form_without_fields_asks_for_a_yes() -> None:
    """Accepting it sends an empty form."""
    asked = form({}, message="Go on?")
    assert asked.update.choices == (Choice(id="accept", label="Accept", grants=True),)
    assert content(asked, "accept") == {}


SEVERAL = {
    "question_0": COLOURS,
    "question_0_custom": OTHER,
    "size": {"type": "integer", "description": "In cm.", "default": 3},
    "name": {"type": "string"},
}


def test_several_fields_are_listed_in_the_question() -> None:
    """What must be said and what may be chosen; the spare fields are not."""
    asked = form(SEVERAL, required=["size", "name"], message="Tell me.")
    assert asked.update.choices == ()
    assert asked.update.question.splitlines() == [
        "Tell me.",
        "Answer with one line for each, as `name: value`.",
        "question_0: Colour One of: r (Red), b (Blue).",
        "size: size (In cm.)",
        "name: name",
    ]


@pytest.mark.parametrize(
    "said", ["colour: Blue\nName: Ada: the first", '{"question_0": "b", "name": "Ada: the first", "size": 3}']
)
def test_several_fields_are_answered_in_lines_or_as_json(said: str) -> None:
    """By name or title; what has a default may be left out."""
    asked = form(SEVERAL, required=["size", "name"])
    assert content(asked, None, said) == {"question_0": "b", "size": 3, "name": "Ada: the first"}


@pytest.mark.parametrize("said", ["blue", "colour: blue"])
def test_several_fields_need_what_is_required(said: str) -> None:
    """The hint names what is missing."""
    with pytest.raises(Refused, match="leaves out") as refused:
        form(SEVERAL, required=["name"]).reply(None, said=said)
    assert "name" in refused.value.hint


@pytest.mark.parametrize(
    "params", [None, {}, {"message": 3, "requestedSchema": []}, {"requestedSchema": {"properties": 1}}]
)
def test_a_question_of_no_shape_is_still_asked(params: object) -> None:
    """There is always a sentence and a way to answer."""
    asked = question("0", params)
    assert asked is not None
    assert asked.update.question
    assert asked.update.choices


def test_what_is_no_form_is_no_question() -> None:
    """We do not offer to open addresses."""
    assert question("0", {"mode": "url", "url": "https://example.org"}) is None
