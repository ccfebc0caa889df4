"""Settings in TOML as data that remembers its lines. Task files are YAML, see `yaml_documents`.

Whatever the text is, the answer is a document or one `Refused` that names a line.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from bandstand.config.findings import Finding, refusal
from bandstand.config.toml_lines import Path, toml_lines

LARGEST_TOML = 50_000
"""How many characters a file may have, so that none takes for ever to read."""

BREAK = re.compile(r"\r\n|\r|\n")
_LONG_KEY = re.compile(r"""(?<![\w.'"-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){40}""")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that was read. `lines` has a line, from 1, for each path of keys and list positions."""

    name: str
    data: object
    lines: Mapping[Path, int] = field(default_factory=dict)
    table: str = "a table"  # what keys with values are called in this kind of file

    def locate(self, path: Path) -> int:
        """The line of the key or list item at `path`; of the nearest one around it if it has none of its own."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return min(self.lines.values(), default=1)

    def below(self, key: str) -> "Document":
        """The same document as if all of it stood below `key`."""
        lines = {(key, *path): line for path, line in self.lines.items()}
        return Document(name=self.name, data={key: self.data}, lines=lines, table=self.table)


def read_toml(source: str | bytes, *, name: str) -> Document:
    """TOML as a document. Nothing at all is a document too. Raises `Refused`."""
    text = decoded(source, name=name, largest=LARGEST_TOML).replace("\r\n", "\n")
    if long := _LONG_KEY.search(text):
        # tomllib needs more than quadratic time and space for such a key.
        line = text.count("\n", 0, long.start()) + 1
        raise refusal(name, [Finding(line=line, sentence="This key has too many parts.")])
    try:
        return Document(name=name, data=tomllib.loads(text), lines=toml_lines(text))
    except RecursionError:
        raise refusal(name, [Finding(line=1, sentence="This file is nested too deeply.")]) from None
    except ValueError as error:
        raise refusal(name, [_toml_finding(text, str(error))]) from None


def decoded(source: str | bytes, *, name: str, largest: int) -> str:
    """The text of a file, without a byte order mark. Raises `Refused` if it has too many characters or is no UTF-8."""
    text = source if isinstance(source, str) else _utf8(source, name=name)
    if len(text) > largest:
        raise refusal(name, [Finding(line=1, sentence=f"This file has more than {largest:,} characters.")])
    return text.removeprefix("\ufeff")


def _utf8(source: bytes, *, name: str) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        line = len(BREAK.findall(source[: error.start].decode())) + 1
        sentence = f"This is not UTF-8 text: it holds the byte 0x{source[error.start]:02x}."
        hint = "Save the file in the encoding UTF-8."
        raise refusal(name, [Finding(line=line, sentence=sentence, hint=hint)]) from None


_TOML_TROUBLE = (
    ("Cannot overwrite", "This key stands twice."),
    ("Cannot declare", "This table stands twice."),
    ("Cannot redefine", "This key stands twice."),
    ("Cannot mutate", "This table is complete where it first stands; nothing can be added to it."),
    ("Illegal character '\\n'", "A quote is not closed in this line."),
    ("Expected \"'", "A quote is opened and never closed."),
    ("Unterminated string", "A quote is opened and never closed."),
    ("Duplicate inline table key", "This inline table has a key twice."),
)


def _toml_finding(text: str, message: str) -> Finding:
    place = _TOML_PLACE.search(message)
    lines = text.split("\n")
    line = int(place[1]) if place and place[1] else len(BREAK.findall(text.rstrip())) + 1
    problem = message[: place.start()] if place else "a number here is out of all bounds"
    for beginning, sentence in _TOML_TROUBLE:
        if problem.startswith(beginning):
            return Finding(line=line, sentence=sentence)
    bare = problem == "Invalid value" and place and place[2] and lines[line - 1][int(place[2]) - 1 :][:1].isalpha()
    hint = 'Text stands in quotes: key = "text".' if bare else ""
    return Finding(line=line, sentence=f"This is not TOML: {problem[:1].lower()}{problem[1:]}.", hint=hint)
