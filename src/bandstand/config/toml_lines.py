"""In which line each key of a TOML text stands: tables, arrays of tables, dotted and quoted keys, inline values.

`tomllib` reads the values and forgets where they were. This walks over the same text once more and keeps only places.
It takes the text for valid, so it must come after `tomllib`.
"""

import re
import tomllib
from bisect import bisect_right

Key = str | int
Path = tuple[Key, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}\n#]+")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)


def toml_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every key and list item in valid TOML with plain newlines, by its path.

    Raises `RecursionError` for lists in lists without end.
    """
    return _Walk(text).document()


class _Walk:
    """One pass over a text. `_at` is how far it came; `lines` grows on the way, the first mention of a key wins."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._arrays: dict[Path, int] = {}  # arrays of tables, with the number of their last table

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _next(self) -> str:
        self._skip(_BLANK)
        return self._text[self._at]

    def _header(self) -> Path:
        line = self._line()
        double = self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        keys = self._keys()
        self._at += 2 if double else 1
        path: Path = ()
        for key in keys[:-1]:
            path = self._entered((*path, key), line)
        path = (*path, keys[-1])
        if double:
            self.lines.setdefault(path, line)
            self._arrays[path] = self._arrays.get(path, -1) + 1
        # A header gives its table the line, also where a longer one has named it before.
        path = (*path, self._arrays[path]) if path in self._arrays else path
        self.lines[path] = line
        return path

    def _entered(self, path: Path, line: int) -> Path:
        self.lines.setdefault(path, line)
        return (*path, self._arrays[path]) if path in self._arrays else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _keys(self) -> list[str]:
        """The parts of a dotted key; stops at what follows it."""
        keys: list[str] = []
        while True:
            self._skip(_SPACES)
            keys.append(self._key())
            self._skip(_SPACES)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _key(self) -> str:
        start = self._at
        if self._text[start] not in "\"'":
            return self._text[start : self._skip(_BARE_KEY)]
        self._string()
        decoded: str = tomllib.loads(f"key = {self._text[start : self._at]}")["key"]
        return decoded

    def _string(self) -> bool:
        start = self._at
        return any(self._skip(pattern) > start for pattern in _STRINGS)

    def _value(self, path: Path) -> None:
        first = self._next()
        if first == "[":
            self._list(path)
        elif first == "{":
            self._inline_table(path)
        elif not self._string():
            self._skip(_BARE_VALUE)

    def _list(self, path: Path) -> None:
        self._at += 1
        number = 0
        while self._next() != "]":
            self.lines[*path, number] = self._line()
            self._value((*path, number))
            number += 1
            if self._next() == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._next() != "}":
            self._pair(path)
            if self._next() == ",":
                self._at += 1
        self._at += 1
