"""Reading a score: YAML for people in, JSON in the normal form for the rehearsal agent out.

In the normal form each step is `{name: {field: value}}`, each short form is spelled out, each `when` is a list and
each part has a name. It is a score too, and reading it gives the same again. Whatever is wrong is `Refused` with the
file, the line and what to do, the first mistake first.
"""

import contextlib
import difflib
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Never, Protocol

import yaml

from bandstand.config.score_form import ONLY_IF, PART, SCORE, STEPS, Field, Form, Kind
from bandstand.domain.errors import Refused

Json = dict[str, object]

_NAMES = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false", "null": "nothing"}
_DEEPEST = 60


def read(path: Path) -> str:
    """The score in a file, as JSON text. Raises `Refused` for a file that cannot be read or is no score."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"The score {path} cannot be read: {error.strerror}.", hint="Check the path.") from None
    return parse(data, name=path.name)


def parse(data: bytes, *, name: str) -> str:
    """The score in a YAML text, as JSON text. `name` stands in errors before the line. Raises `Refused`."""
    root = _compose(data, name)
    score = _Reader(name).mapping(root, SCORE, what="a score")
    if not score:
        _refuse(name, _line(root), "The score has no parts.", hint="Write `parts:` or `tasks:` and what they do.")
    return json.dumps(score)


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(name, line, "The file is not written in UTF-8.", hint="Save it as UTF-8.")


def _compose(data: bytes, name: str) -> yaml.Node:
    text = _decode(data, name)
    try:
        root = _Loader(text, name=name).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        _refuse(name, line, "There is a character that YAML does not allow.", hint="Write it as an escape in quotes.")
    except yaml.MarkedYAMLError as error:
        _refuse_yaml(error, name)
    if root is None:
        _refuse(name, 1, "The score is empty.", hint="Write `parts:` and under it what the agent does.")
    return root


class _Loader(yaml.SafeLoader):
    """YAML without what could make a small file endless: aliases, and nesting deeper than any score needs."""

    def __init__(self, text: str, *, name: str) -> None:
        super().__init__(text)
        self._file = name
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            _refuse(self._file, _line(event), "A score has no aliases.", hint="Write it out.")
        if self._depth >= _DEEPEST:
            _refuse(self._file, _line(event), "The score is nested too deeply.")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refuse_yaml(error: yaml.MarkedYAMLError, name: str) -> Never:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    problem = (error.problem or error.context or "it cannot be read").removeprefix("but ")
    if "'\\t'" in problem:
        _refuse(name, line, "A tab cannot indent a line.", hint="Use spaces.")
    hint = "A text needs quotes if it has `: ` or ` #` in it, begins with a sign, or has a sign in it between braces."
    _refuse(name, line, f"This is not YAML: {problem}.", hint=hint)


class _Page:
    """The nodes of one file, and how one complains about them. `what` names a node in a sentence."""

    def __init__(self, name: str) -> None:
        self._name = name

    def items(self, node: yaml.Node, *, what: str) -> list[yaml.Node]:
        """What a list holds; it holds something."""
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, what, "a list")
        if not node.value:
            self.refuse(node, f"{_capital(what)} is an empty list.")
        items: list[yaml.Node] = node.value
        return items

    def pairs(self, node: yaml.Node, *, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """What a mapping holds by name, with the nodes of the names; no name comes twice."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, what, "names, each with a colon and what belongs to it")
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if _kind(key) != "str" or not key.value.strip():
                self.refuse(key, "A name must be text, and not empty.", hint="Put it in quotes.")
            if key.value in pairs:
                line = _line(pairs[key.value][0])
                self.refuse(key, f"`{key.value}` is given twice, first in line {line}.", hint="Take one out.")
            pairs[key.value] = (key, value)
        return pairs

    def unknown(self, node: yaml.Node, word: str, known: Iterable[str], *, problem: str, listed: str) -> Never:
        """Refuse a word that is none of the known ones."""
        close = difflib.get_close_matches(word, list(known), n=1)
        guess = f"Did you mean `{close[0]}`? " if close else ""
        self.refuse(node, problem, hint=f"{guess}{listed} {', '.join(f'`{name}`' for name in known)}.")

    def wrong(self, node: yaml.Node, what: str, wanted: str) -> Never:
        """Refuse a node of the wrong type."""
        hint = "Put it in quotes." if wanted == "text" and isinstance(node, yaml.ScalarNode) else ""
        self.refuse(node, f"{_capital(what)} must be {wanted}, not {_described(node)}.", hint=hint)

    def refuse(self, node: yaml.Node, problem: str, *, hint: str = "") -> Never:
        """Refuse a node."""
        _refuse(self._name, _line(node), problem, hint=hint)


class _Reader(_Page):
    """Turns nodes into JSON."""

    def mapping(self, node: yaml.Node, form: Form, *, what: str) -> Json:
        """A mapping with the form's fields, or the plain value that stands for its main field."""
        if not isinstance(node, yaml.MappingNode):
            if not form.main:
                self.wrong(node, what, "fields")
            main = next(field for field in form.fields if field.name == form.main)
            return {form.main: self._field(node, main, what=what)}
        known = {field.name: field for field in form.fields}
        result: Json = {}
        for key, (key_node, value) in self.pairs(node, what=what).items():
            if key not in known:
                problem = f"{_capital(what)} has no field `{key}`."
                self.unknown(key_node, key, known, problem=problem, listed="The fields are")
            result[key] = self._field(value, known[key], what=f"`{key}`")
        self._complete(node, form, result, what=what)
        return result

    def _field(self, node: yaml.Node, field: Field, *, what: str) -> object:
        return _READERS[field.kind](self, node, field, what=what)

    def _record(self, node: yaml.Node, field: Field, *, what: str) -> Json:
        return self.mapping(node, _form(field), what=what)

    def _records(self, node: yaml.Node, field: Field, *, what: str) -> list[Json]:
        form = _form(field)
        records: list[Json] = []
        names: set[object] = set()
        for number, item in enumerate(self.items(node, what=what), start=1):
            record = self.mapping(item, form, what=f"{form.name} {number}")
            if form.name == PART.name:
                record = {"name": f"part {number}", **record}
                if record["name"] in names:
                    self.refuse(item, f"Two parts have the name `{record['name']}`.", hint="Give each its own.")
                names.add(record["name"])
            records.append(record)
        return records

    def _tasks(self, node: yaml.Node, field: Field, *, what: str) -> Json:
        pairs = self.pairs(node, what=what)
        if not pairs:
            self.refuse(node, f"{_capital(what)} is empty.")
        return {name: self.mapping(value, _form(field), what=f"task `{name}`") for name, (_, value) in pairs.items()}

    def _steps(self, node: yaml.Node, field: Field, *, what: str) -> list[Json]:
        return [self._step(item) for item in self.items(node, what=what)]

    def _step(self, node: yaml.Node) -> Json:
        if isinstance(node, yaml.ScalarNode) and node.value in STEPS:
            return {node.value: self._step_fields(node, None, STEPS[node.value])}
        if not isinstance(node, yaml.MappingNode):
            self.refuse(node, "A step is a name and what belongs to it.", hint=f"Such as:\n{STEPS['say'].example}")
        pairs = self.pairs(node, what="a step")
        names = [key for key in pairs if key != ONLY_IF.name]
        for key in names:
            if key not in STEPS:
                self.unknown(pairs[key][0], key, STEPS, problem=f"There is no step `{key}`.", listed="The steps are")
        if len(names) != 1:
            place = pairs[names[1]][0] if names else node
            self.refuse(place, f"A step has one name, not {len(names)}.", hint="Begin each step with a dash.")
        key_node, value = pairs[names[0]]
        result: Json = {names[0]: self._step_fields(key_node, value, STEPS[names[0]])}
        if ONLY_IF.name in pairs:
            result[ONLY_IF.name] = self.mapping(pairs[ONLY_IF.name][1], ONLY_IF, what="`only_if`")
        return result

    def _step_fields(self, key: yaml.Node, value: yaml.Node | None, step: Form) -> Json:
        what = f"the step `{step.name}`"
        if value is not None and _kind(value) != "null":
            return self.mapping(value, step, what=what)
        self._complete(key, step, (), what=what)
        return {}

    def _complete(self, node: yaml.Node, form: Form, given: Iterable[str], *, what: str) -> None:
        """Refuse a mapping in which something is missing, or which says two things at once."""
        hint = f"Such as:\n{form.example}" if form.example else ""
        for field in form.fields:
            if field.required and field.name not in given:
                self.refuse(node, f"{_capital(what)} needs `{field.name}`: {field.about}", hint=hint)
        for group, least in ((form.one_of, 1), (form.at_most, 0)):
            found = [name for name in group if name in given]
            if group and not least <= len(found) <= 1:
                names = ", ".join(f"`{name}`" for name in group)
                self.refuse(node, f"{_capital(what)} takes one of {names}, not {len(found)}.", hint=hint)

    def _text(self, node: yaml.Node, field: Field, *, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or _kind(node) != "str":
            self.wrong(node, what, "text")
        text = str(node.value)
        if field.choices and text not in field.choices:
            problem = f"{_capital(what)} cannot be `{text}`."
            self.unknown(node, text, field.choices, problem=problem, listed="It is one of")
        if field.kind is not Kind.TEXT and not text.strip():
            self.refuse(node, f"{_capital(what)} must not be empty.")
        if field.kind in (Kind.PATTERN, Kind.PATTERNS):
            try:
                re.compile(text)
            except re.error as error:
                self.refuse(node, f"`{text}` is not a regular expression: {error}.", hint="Write `\\(` for a `(`.")
        return text

    def _texts(self, node: yaml.Node, field: Field, *, what: str) -> list[str]:
        if field.kind is Kind.PATTERNS and isinstance(node, yaml.ScalarNode):
            return [self._text(node, field, what=what)]
        return [self._text(item, field, what=what) for item in self.items(node, what=what)]

    def _number(self, node: yaml.Node, field: Field, *, what: str) -> int | float:
        value: int | float = math.nan
        if isinstance(node, yaml.ScalarNode):
            with contextlib.suppress(ValueError):  # for a number of thousands of digits
                if _kind(node) == "int":
                    value = yaml.constructor.SafeConstructor().construct_yaml_int(node)
                elif _kind(node) == "float" and field.kind is Kind.NUMBER:
                    value = yaml.constructor.SafeConstructor().construct_yaml_float(node)
        if not field.least <= value <= field.most:
            word = "number" if field.kind is Kind.NUMBER else "whole number"
            self.wrong(node, what, f"a {word} from {field.least} to {field.most}")
        return value

    def _times(self, node: yaml.Node, field: Field, *, what: str) -> object:
        if isinstance(node, yaml.ScalarNode) and node.value == "always":
            return "always"
        if _kind(node) != "int":
            self.wrong(node, what, f"a {Kind.TIMES}")
        return self._number(node, field, what=what)

    def _flag(self, node: yaml.Node, field: Field, *, what: str) -> bool:
        if not isinstance(node, yaml.ScalarNode) or _kind(node) != "bool":
            self.wrong(node, what, str(field.kind))
        value: bool = yaml.constructor.SafeConstructor().construct_yaml_bool(node)
        if field.kind is Kind.TRUE and not value:
            self.refuse(node, f"{_capital(what)} can only be true.", hint="Leave it out.")
        return value


class _Read(Protocol):
    def __call__(self, reader: _Reader, node: yaml.Node, field: Field, /, *, what: str) -> object: ...


_READERS: dict[Kind, _Read] = {
    Kind.TEXT: _Reader._text,
    Kind.FILLED: _Reader._text,
    Kind.PATTERN: _Reader._text,
    Kind.PATTERNS: _Reader._texts,
    Kind.WHOLE: _Reader._number,
    Kind.NUMBER: _Reader._number,
    Kind.FLAG: _Reader._flag,
    Kind.TRUE: _Reader._flag,
    Kind.TIMES: _Reader._times,
    Kind.TEXTS: _Reader._texts,
    Kind.RECORD: _Reader._record,
    Kind.RECORDS: _Reader._records,
    Kind.STEPS: _Reader._steps,
    Kind.TASKS: _Reader._tasks,
}


def _refuse(name: str, line: int, problem: str, *, hint: str = "") -> Never:
    raise Refused(f"{name}:{line}: {problem}", hint=hint)


def _form(field: Field) -> Form:
    assert field.form is not None, f"The table gives no form for `{field.name}`."
    return field.form


def _kind(node: yaml.Node) -> str:
    """`str`, `int`, `float`, `bool`, `null`, `seq`, `map`, or another name that YAML or the writer gives."""
    return str(node.tag).rpartition(":")[2] if node.tag else ""


def _described(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "fields"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return f"{_NAMES.get(_kind(node), _kind(node))} (`{node.value}`)"


def _line(place: yaml.Node | yaml.Event) -> int:
    return place.start_mark.line + 1 if place.start_mark else 1


def _capital(what: str) -> str:
    return what[:1].upper() + what[1:]
