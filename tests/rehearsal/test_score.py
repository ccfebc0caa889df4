"""Scores: what is refused and with which words, and that what is accepted is what the agent plays."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from bandstand.config.score import parse, read
from bandstand.config.score_form import ONLY_IF, PART, SCORE, STEPS, Field, Form, Kind
from bandstand.config.score_reference import describe
from bandstand.domain.errors import Refused
from bandstand.rehearsal import player
from bandstand.rehearsal import score as playable

REFERENCE = Path(__file__).parents[2] / "docs/reference/scores.md"

MISTAKES = [
    # the file
    ("", 1, "The score is empty.", "Write `parts:`"),
    ("# nothing\n\n", 1, "The score is empty.", ""),
    ("{}", 1, "The score has no parts.", "`parts:` or `tasks:`"),
    ("- parts", 1, "A score must be fields, not a list.", ""),
    ("hello", 1, "A score must be fields, not text (`hello`).", ""),
    ("parts:\n- steps:\n\t- hang\n", 3, "A tab cannot indent a line.", "Use spaces."),
    ("parts:\n- steps: [hang\n", 3, "This is not YAML:", "quotes"),
    ("parts:\n- steps:\n  - say: a: b\n", 3, "mapping values are not allowed here", "quotes"),
    ("parts: &a\n- steps: [hang]\ntasks:\n  x: *a\n", 4, "A score has no aliases.", "Write it out."),
    ("parts: &a\n- *a\n", 2, "A score has no aliases.", ""),
    ("parts: [{steps: [hang]}]\n---\nparts: []\n", 2, "found another document", ""),
    ("parts:\n- steps:\n  - say: \x07\n", 3, "a character that YAML does not allow", "escape"),
    ("[" * 2000, 1, "nested too deeply", ""),
    # its fields
    ("parts:\n- steps: [hang]\npart: 3\n", 3, "A score has no field `part`.", "Did you mean `parts`?"),
    ("parts:\n- steps: [hang]\nparts: []\n", 3, "`parts` is given twice, first in line 1.", ""),
    ("parts: []", 1, "`parts` is an empty list.", ""),
    ("parts: {steps: [hang]}", 1, "`parts` must be a list, not fields.", ""),
    ("parts:\n- when: x\n", 2, "Part 1 needs `steps`", ""),
    ("parts:\n- steps: []\n", 2, "`steps` is an empty list.", ""),
    ("parts:\n- hang\n", 2, "Part 1 must be fields, not text (`hang`).", ""),
    ("parts:\n- steps: [hang]\n  when: '('\n", 3, "`(` is not a regular expression", ""),
    ("parts:\n- steps: [hang]\n  when:\n  - a\n  - 3\n", 5, "`when` must be text, not a number (`3`).", "quotes"),
    ("parts:\n- steps: [hang]\n  times: 0\n", 3, "`times` must be a whole number from 1", ""),
    ("parts:\n- steps: [hang]\n  times: ever\n", 3, "`times` must be a whole number from 1, or `always`", ""),
    ("parts:\n- {name: a, steps: [hang]}\n- {name: a, steps: [hang]}\n", 3, "Two parts have the name `a`.", ""),
    ("tasks:\n  1: [{steps: [hang]}]\n", 2, "A name must be text", "quotes"),
    ("tasks:\n  a:\n    match: x\n", 3, "Task `a` needs `parts`", ""),
    ("tasks:\n  a: [{steps: [hang]}]\n  a: [{steps: [hang]}]\n", 3, "`a` is given twice, first in line 2.", ""),
    ("tasks: {}", 1, "`tasks` is empty.", ""),
    ("tasks: [a]", 1, "`tasks` must be names, each with a colon", ""),
]

STEP_MISTAKES = [
    ("edt: {path: a}", "There is no step `edt`.", "Did you mean `edit`? The steps are `say`, `think`,"),
    ("jump", "A step is a name and what belongs to it.", "- say:"),
    ("[hang]", "A step is a name and what belongs to it.", ""),
    ("{say: a, run: b}", "A step has one name, not 2.", "dash"),
    ("{only_if: a}", "A step has one name, not 0.", ""),
    ("say", "The step `say` needs `text`: What it says.", "Such as:\n- say:"),
    ("say:", "The step `say` needs `text`", ""),
    ("say: 3", "The step `say` must be text, not a number (`3`).", "Put it in quotes."),
    ("say: yes", "must be text, not true or false (`yes`)", "Put it in quotes."),
    ("say: [a]", "must be text, not a list", ""),
    ("say: {txt: a}", "The step `say` has no field `txt`.", "Did you mean `text`?"),
    ("say: {text: a, text: b}", "`text` is given twice", ""),
    ("say: 2026-01-01", "must be text, not timestamp", "quotes"),
    ("say: !!python/none x", "must be text", ""),
    ("run: ' '", "must not be empty", ""),
    ("run: {command: a, allow_failure: 3}", "`allow_failure` must be true or false", ""),
    ("edit: {path: a}", "takes one of `content`, `replace`, `append`, `delete`, `union`, not 0.", "- edit:"),
    ("edit: {path: a, content: b, append: c}", "not 2.", ""),
    ("edit: {path: a, delete: false}", "`delete` can only be true.", "Leave it out."),
    ("edit: {path: a, replace: {old: b}}", "`replace` needs `new`", ""),
    ("edit: {content: b}", "The step `edit` needs `path`", ""),
    ("edit: a", "The step `edit` must be fields, not text (`a`).", ""),
    ("wait: long", "must be a number from 0 to 86400", ""),
    ("wait: -1", "must be a number from 0 to 86400", ""),
    ("wait: .nan", "must be a number from 0 to 86400", ""),
    ("wait: .inf", "must be a number from 0 to 86400", ""),
    (f"wait: {'9' * 5000}", "must be a number from 0 to 86400", ""),
    ("crash: 1.5", "must be a whole number from 0 to 255", ""),
    ("crash: {signal: HUPS}", "`signal` cannot be `HUPS`.", "Did you mean `HUP`?"),
    ("crash: {signal: HUP, code: 1}", "takes one of `code`, `signal`, not 2.", ""),
    ("plan: [{text: a, status: done}]", "`status` cannot be `done`.", "It is one of `pending`"),
    ("ask_permission: {title: a, otherwise: [{sya: b}]}", "There is no step `sya`.", "`say`"),
    ("review: {verdict: approve}", "`verdict` cannot be `approve`.", "Did you mean `approved`?"),
    ("review: {verdict: approved, comments: [{path: a, line: 0, body: b}]}", "`line` must be", ""),
    ("{say: a, only_if: {path: a, contains: b, absent: true}}", "takes one of `contains`, `absent`", ""),
]


@pytest.mark.parametrize(("text", "line", "says", "hint"), MISTAKES)
def test_a_mistake_is_refused_with_its_line(text: str, line: int, says: str, hint: str) -> None:
    """Each message begins with file and line, says what is wrong, and the hint what to do."""
    with pytest.raises(Refused) as refused:
        parse(text.encode(), name="score.yaml")
    assert str(refused.value).startswith(f"score.yaml:{line}: ")
    assert says in str(refused.value) and hint in refused.value.hint


@pytest.mark.parametrize(("step", "says", "hint"), STEP_MISTAKES)
def test_a_mistake_in_a_step_is_refused_with_its_line(step: str, says: str, hint: str) -> None:
    """Wherever it stands."""
    with pytest.raises(Refused) as refused:
        parse(f"parts:\n- steps:\n  - hang\n  - {step}\n  - hang\n".encode(), name="score.yaml")
    assert str(refused.value).startswith("score.yaml:4: ")
    assert says in str(refused.value) and hint in refused.value.hint


def test_the_line_is_that_of_the_mistake_in_a_long_step() -> None:
    """Not that of the step which it stands in."""
    text = "parts:\n- steps:\n  - edit:\n      path: a\n      contents: |\n        x\n"
    with pytest.raises(Refused, match=r"^score\.yaml:5: The step `edit` has no field `contents`\.$"):
        parse(text.encode(), name="score.yaml")


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path) -> None:
    """As is one that cannot be read at all."""
    file = tmp_path / "score.yaml"
    file.write_bytes(b"parts:\n- steps:\n  - say: gr\xfc\xdfe\n")
    with pytest.raises(Refused, match=r"^score\.yaml:3: The file is not written in UTF-8\.$"):
        read(file)
    with pytest.raises(Refused, match=r"none\.yaml cannot be read: No such file or directory\."):
        read(tmp_path / "none.yaml")


def test_a_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    """Some editors write them."""
    file = tmp_path / "score.yaml"
    file.write_bytes("\ufeffparts:\r\n- steps:\r\n  - say: grüße\r\n".encode())
    assert json.loads(read(file)) == {"parts": [{"name": "part 1", "steps": [{"say": {"text": "grüße"}}]}]}


def test_short_forms_are_spelled_out() -> None:
    """The normal form has fields for every step, lists of conditions and a name for every part."""
    text = """
    tasks:
      t: [{when: start, steps: [hang]}]
    parts:
      - steps:
          - say: a
          - crash:
          - plan: [b, {text: c}]
          - {run: d, only_if: e}
    """
    assert json.loads(parse(text.encode(), name="s")) == {
        "tasks": {"t": {"parts": [{"name": "part 1", "when": ["start"], "steps": [{"hang": {}}]}]}},
        "parts": [
            {
                "name": "part 1",
                "steps": [
                    {"say": {"text": "a"}},
                    {"crash": {}},
                    {"plan": {"entries": [{"text": "b"}, {"text": "c"}]}},
                    {"run": {"command": "d"}, "only_if": {"path": "e"}},
                ],
            }
        ],
    }


# --- every score that the table allows -------------------------------------------------------------------------------

FILLED = some.text(min_size=1, max_size=9).filter(lambda text: bool(text.strip()))
PLAIN: dict[Kind, some.SearchStrategy[Any]] = {
    Kind.TEXT: some.text(max_size=9),
    Kind.FILLED: FILLED,
    Kind.PATTERN: some.text(min_size=1, max_size=9).map(lambda text: "a" + re.escape(text)),
    Kind.FLAG: some.booleans(),
    Kind.TRUE: some.just(True),
    Kind.TIMES: some.just("always") | some.integers(1, 9),
    Kind.TEXTS: some.lists(FILLED, min_size=1, max_size=2),
}


def nested(field: Field) -> some.SearchStrategy[Any]:
    """Whatever a field may hold that has fields of its own."""
    match field.kind:
        case Kind.RECORDS:
            return some.lists(mappings(field.form), min_size=1, max_size=2)
        case Kind.STEPS:
            return some.lists(some.deferred(steps), min_size=1, max_size=2)
        case Kind.TASKS:
            return some.dictionaries(FILLED, mappings(field.form), min_size=1, max_size=2)
        case _:
            return mappings(field.form)


def values(field: Field) -> some.SearchStrategy[Any]:
    """Whatever a field may hold, in the normal form."""
    match field.kind:
        case Kind.PATTERNS:
            return some.lists(PLAIN[Kind.PATTERN], min_size=1, max_size=2)
        case Kind.WHOLE:
            return some.integers(field.least, field.most)
        case Kind.NUMBER:
            return some.floats(field.least, field.most) | some.integers(field.least, field.most)
        case _:
            if field.kind in PLAIN:
                return some.sampled_from(field.choices) if field.choices else PLAIN[field.kind]
            return nested(field)


@some.composite
def mappings(draw: some.DrawFn, form: Form | None) -> dict[str, Any]:
    """Whatever a form allows: all that it needs, perhaps what it does not, and one of several at most."""
    assert form is not None
    exclusive = {*form.one_of, *form.at_most}
    chosen = draw(some.sampled_from(sorted(exclusive))) if exclusive else ""
    result = {}
    for field in form.fields:
        wanted = field.name == chosen if field.name in exclusive else field.required or draw(some.booleans())
        if wanted:
            result[field.name] = draw(values(field))
    return result


@some.composite
def steps(draw: some.DrawFn) -> dict[str, Any]:
    """Any step of the table, perhaps with a condition."""
    form = draw(some.sampled_from([*STEPS.values()]))
    condition = {ONLY_IF.name: draw(mappings(ONLY_IF))} if draw(some.booleans()) else {}
    return {form.name: draw(mappings(form)), **condition}


def shortened(value: Any) -> Any:
    """The same with every short form of a step that there is."""
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if not isinstance(value, dict):
        return value
    short = {}
    for name, fields in value.items():
        main = STEPS[name].main if name in STEPS else ""
        plain = isinstance(fields, dict) and fields.keys() == {main} and not isinstance(fields[main], dict)
        short[name] = shortened(fields[main]) if plain else None if fields == {} else shortened(fields)
    return next(iter(short)) if len(short) == 1 and None in short.values() else short


def named(score: Any) -> Any:
    """The score with a name of its own for every part."""
    for parts in [score.get("parts", []), *(task["parts"] for task in score.get("tasks", {}).values())]:
        for number, part in enumerate(parts):
            part["name"] = f"{part.get('name', 'a part')} {number}"
    return score


@given(mappings(SCORE).filter(bool).map(named))
def test_what_is_written_is_what_is_played(score: Any) -> None:
    """Any score survives YAML, its short forms, reading it twice, and the agent's own reader."""
    normal = parse(yaml.safe_dump(score).encode(), name="s")
    assert json.loads(normal) == score
    assert parse(yaml.safe_dump(shortened(score)).encode(), name="s") == parse(yaml.safe_dump(score).encode(), name="s")
    assert parse(normal.encode(), name="s") == normal
    played = playable.parse(json.loads(normal))
    for part, written in zip(played.parts, score.get("parts", []), strict=True):
        assert [step.as_json() for step in part.steps] == written["steps"]
        assert (part.name, part.when, part.times or "always") == (
            written["name"],
            written.get("when", []),
            written.get("times", 1),
        )
    assert set(played.tasks) == set(score.get("tasks", {}))


@given(some.binary() | some.text().map(str.encode))
def test_no_text_breaks_the_reader(data: bytes) -> None:
    """Whatever stands in a file, it is a score or it is refused with a line."""
    try:
        parse(data, name="s.yaml")
    except Refused as refused:
        assert re.match(r"s\.yaml:[1-9][0-9]*: .", str(refused))


# --- the table, the agent and the document agree ---------------------------------------------------------------------


def test_the_agent_plays_every_step_of_the_table() -> None:
    """And no other."""
    assert player.STEPS.keys() == STEPS.keys()


@pytest.mark.parametrize("form", [*STEPS.values(), ONLY_IF], ids=lambda form: str(form.name))
def test_every_example_is_a_score(form: Form) -> None:
    """What the reference and the hints show can be copied."""
    lines = "".join(f"  {line}\n" for line in form.example.splitlines())
    assert form.name in parse(f"parts:\n- steps:\n{lines}".encode(), name="s")


def test_the_reference_is_the_table() -> None:
    """Everything below the mark in the document is generated; the example above it is a score."""
    by_hand, _, generated = REFERENCE.read_text(encoding="utf-8").partition(" A test holds it equal. -->\n\n")
    assert generated == describe(), "Write describe() of bandstand.config.score_reference below the mark."
    examples = re.findall(r"```yaml\n(.*?)```", by_hand, re.DOTALL)
    assert examples and all(parse(example.encode(), name="s") for example in examples)
    assert PART.about in generated
