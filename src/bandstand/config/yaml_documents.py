"""YAML as data that remembers its lines: apart from `documents`, for a daemon answers long before it reads any.

`no`, `on`, dates and `1:30` are text, a key stands once, and there are no aliases and no tags. JSON is YAML.
"""

import json
import re
from bisect import bisect_right
from typing import NoReturn

import yaml

from bandstand.config.documents import BREAK, Document, decoded
from bandstand.config.findings import Finding, quoted, refusal
from bandstand.config.toml_lines import Path

LARGEST_YAML = 1_500_000
"""How many characters a file may have, so that none takes for ever to read."""

_DEEPEST = 40
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{0,18}")
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + kind for kind in ("str", "null", "bool", "int", "float", "timestamp", "value", "merge")}


def read_yaml(source: str | bytes, *, name: str, beginning: str = "") -> Document:
    """One YAML document. Raises `Refused`, also when there is nothing in it; `beginning` is a hint for that."""
    text = decoded(source, name=name, largest=LARGEST_YAML)
    if _is_json(text):
        # YAML indents by spaces only. In JSON, a tab is never part of a text.
        text = text.replace("\t", " ")
    reader = _Reader(name, text)
    node = reader.compose()
    if node is None:
        raise refusal(name, [Finding(line=1, sentence="This file is empty.", hint=beginning)])
    return Document(name=name, data=reader.value(node, ()), lines=reader.lines, table="a mapping")


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Trap(yaml.MarkedYAMLError):
    """Something that YAML allows and we do not."""

    def __init__(self, sentence: str, event: yaml.Event, *, hint: str = "") -> None:
        super().__init__(problem=sentence, problem_mark=event.start_mark)  # type: ignore[arg-type]
        self.hint = hint


class _Composer(yaml.SafeLoader):
    """YAML's node graph without aliases and of bounded depth, so that it is a tree and no text takes long."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            hint = "Write the value out. What holds for all tasks goes below `defaults`."
            raise _Trap("Aliases (`*name`) are not read here.", event, hint=hint)
        if self.depth == _DEEPEST:
            raise _Trap("This is nested too deeply.", event)
        self.depth += 1
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self.depth -= 1
        return node


_YAML_TROUBLE = (
    ("found character '\\t'", "A tab stands where YAML allows only spaces.", "Indent with spaces."),
    (
        "mapping values are not allowed",
        "A colon stands where none can be.",
        "Check the indentation, and put text that holds a colon in quotes.",
    ),
    ("could not find expected ':'", "This line is no `key: value`.", "Check the colon and the indentation."),
    ("expected <block end>, but found '<scalar>'", "A value goes on where it should have ended.", "Check the quotes."),
    ("expected the node content", "A value is missing, or a bracket is not closed.", ""),
    (
        "expected <block end>",
        "The indentation does not go with the lines above.",
        "Items of a list begin at one column, and so do the keys of a mapping.",
    ),
    ("but found another document", "A second document begins here (`---`).", "Put all tasks into one list."),
    ("found unexpected end of stream", "A quote is opened here and never closed.", ""),
    ("expected ',' or ", "A bracket is opened here and not closed, or a comma is missing.", ""),
)
_AT_CONTEXT = frozenset({"could not find expected ':'", "found unexpected end of stream", "expected ',' or "})
_NO_BEGINNING = re.compile(r"found character '(.+)' that cannot start any token")


class _Reader:
    """Turns a text into data and lines. Marks count by their index: YAML knows more line breaks than editors do."""

    def __init__(self, name: str, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._name = name
        self._starts = [0, *(match.end() for match in BREAK.finditer(text))]
        self._text = text

    def compose(self) -> yaml.Node | None:
        """The node graph. Raises `Refused`."""
        loader: _Composer | None = None
        try:
            loader = _Composer(self._text)
            return loader.get_single_node()
        except yaml.reader.ReaderError as error:
            self._refuse(error.position, "This holds a character that no text file should.")
        except yaml.MarkedYAMLError as error:
            raise refusal(self._name, [self._finding(error)]) from None
        except (ValueError, OverflowError):
            # Escapes and version numbers beyond all bounds escape PyYAML's own errors.
            self._refuse(loader.index if loader else 0, "This is not YAML: a number here is out of all bounds.")

    def value(self, node: yaml.Node, path: Path) -> object:
        """The data of a node; notes the lines of everything in it. Raises `Refused`."""
        match node:
            case yaml.MappingNode(tag="tag:yaml.org,2002:map"):
                return self._mapping(node, path)
            case yaml.SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self._item(item, (*path, number)) for number, item in enumerate(node.value)]
            case yaml.ScalarNode(tag=tag) if tag in _PLAIN_TAGS:
                return self._scalar(node)
            case _:
                self._refuse(
                    node.start_mark.index, f"Tags such as {quoted(node.tag.replace(_TAG, '!!'))} are not read here."
                )

    def _item(self, node: yaml.Node, path: Path) -> object:
        self.lines[path] = self._line(node.start_mark.index)
        return self.value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key.start_mark.index, "A key must be text.")
            place = (*path, key.value)
            if place in self.lines:
                sentence = f"{quoted(key.value)} stands twice; the first is in line {self.lines[place]}."
                self._refuse(key.start_mark.index, sentence)
            self.lines[place] = self._line(key.start_mark.index)
            found[key.value] = self.value(value, place)
        return found

    def _scalar(self, node: yaml.ScalarNode) -> object:
        """Text, unless it is plainly something else. Python's and JSON's halves of a character are put together."""
        text: str = node.value
        if node.style is None:
            return plain(text, kind=node.tag.removeprefix(_TAG))
        if any("\ud800" <= character <= "\udfff" for character in text):
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return text

    def _finding(self, error: yaml.MarkedYAMLError) -> Finding:
        problem = error.problem or error.context or "it breaks off"
        mark = error.problem_mark or error.context_mark
        if isinstance(error, _Trap):
            return Finding(line=self._line_of(mark), sentence=problem, hint=error.hint)
        for beginning, sentence, hint in _YAML_TROUBLE:
            if problem.startswith(beginning):
                at = error.context_mark if beginning in _AT_CONTEXT and error.context_mark else mark
                return Finding(line=self._line_of(at), sentence=sentence, hint=hint)
        if unknown := _NO_BEGINNING.match(problem):
            sentence = f"A value cannot begin with {quoted(unknown[1])}."
            return Finding(line=self._line_of(mark), sentence=sentence, hint="Put the value in quotes.")
        return Finding(line=self._line_of(mark), sentence=f"This is not YAML: {problem}.")

    def _line_of(self, mark: yaml.Mark | None) -> int:
        return self._line(mark.index if mark else 0)

    def _line(self, index: int) -> int:
        # An error at the end of the file belongs to its last line with something in it.
        return bisect_right(self._starts, min(index, max(len(self._text.rstrip()) - 1, 0)))

    def _refuse(self, index: int, sentence: str) -> NoReturn:
        raise refusal(self._name, [Finding(line=self._line(index), sentence=sentence)])


def plain(text: str, *, kind: str) -> object:
    """What an unquoted scalar means, that YAML sorts as `kind`: a number, true, false, nothing, or else text.

    Only what every reader of YAML agrees on is anything but text: not `no`, not `2026-11-23`, not `010`.
    """
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "int" and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "float" and _DECIMAL.fullmatch(text):
        return float(text)
    return text
