"""What a terminal can do: colours where they are wanted, and its width. Light enough for every command."""

import json
import os
import sys
import time

from bandstand.faces.wire import TYPE_CHECKING, Json

if TYPE_CHECKING:
    from typing import TextIO

COLOURS = {
    "needs-you": "1;33",
    "working": "36",
    "waiting": "2",
    "paused": "33",
    "checking": "34",
    "review": "35",
    "landing": "34",
    "landed": "32",
    "stopped": "2;31",
}
"""The colour of each mark. It never stands without a glyph and words."""

_WIDEST = 10_000
UNSANDBOXED = "unsandboxed: laws 2 and 4 not enforced"
"""What stands wherever tasks are shown that no sandbox keeps in."""

UNTRIED = "This sandbox was never tried on a machine: nothing of it is promised."
"""What stands where the sandbox is that of macOS."""

STANDS = {
    "root": "to the kernel, agents and checks are an ordinary user",
    "calls": "system calls are filtered",
    "nested": "no namespaces can be made inside",
}
"""What the walls are made of, by what they may lack, where it is there."""

LACKS = {
    "root": "to the kernel, agents and checks are root, who cannot be an ordinary user here",
    "calls": "system calls are not filtered on this kernel or processor",
    "nested": "namespaces can be made inside, for this bubblewrap is old",
}
"""The same where it is lacking."""

BETTER = {
    "root": "Run Bandstand as an ordinary user.",
    "calls": "Use a kernel with seccomp, on x86-64 or 64-bit ARM.",
    "nested": "Install bubblewrap 0.8 or newer.",
}
"""What would be better than to go without."""


class Paint:
    """Colours for one stream: none if it is no terminal, `NO_COLOR` is set, or the terminal is dumb."""

    def __init__(self, stream: "TextIO") -> None:
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self.on = bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and not plain)

    def __call__(self, text: str, code: str) -> str:
        """The text in a colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

    def mark(self, text: str, mark: str) -> str:
        """The text in the colour of a mark."""
        return self(text, COLOURS.get(mark, "0"))

    def bold(self, text: str) -> str:
        """The text in bold."""
        return self(text, "1")

    def dim(self, text: str) -> str:
        """The text, less loud."""
        return self(text, "2")

    def red(self, text: str) -> str:
        """The text in red."""
        return self(text, "31")

    def green(self, text: str) -> str:
        """The text in green."""
        return self(text, "32")


def width() -> int:
    """The columns of the terminal; 100 where there is none."""
    if sys.stdout.isatty():
        import shutil

        return max(40, shutil.get_terminal_size().columns)
    told = os.environ.get("COLUMNS", "")
    return min(int(told), _WIDEST) if told.isdecimal() and int(told) else 100


def clean(text: str) -> str:
    """Text that others wrote, without control characters: it cannot move the cursor or hide what stands there."""
    if text.isprintable():
        return text
    import unicodedata

    return "".join(char if char in "\n\t" or unicodedata.category(char)[0] != "C" else "�" for char in text)


def encoded(value: Json, *, indent: int | None = None) -> str:
    """A value as JSON in which no character is one that a terminal would obey: those stand as their numbers."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "\n".join(line if line.isprintable() else _numbered(line) for line in text.split("\n"))


def _numbered(line: str) -> str:
    import unicodedata

    return "".join(json.dumps(char)[1:-1] if unicodedata.category(char)[0] == "C" else char for char in line)


def cut(text: str, columns: int) -> str:
    """One line of at most so many columns, with an ellipsis where it was longer."""
    line = " ".join(clean(text).split())
    return line if len(line) <= columns else line[: max(0, columns - 1)].rstrip() + "…"


def wrap(text: str, columns: int, *, indent: str = "", first: str | None = None) -> list[str]:
    """Text in lines of at most so many columns, behind an indent; the lines that it has stay apart."""
    import textwrap

    lines: list[str] = []
    for line in clean(text).strip().splitlines():
        begin = indent if lines or first is None else first
        lines += textwrap.wrap(
            line, columns, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False
        ) or [begin.rstrip()]
    return lines


def ago(moment: str) -> str:
    """How long ago a time in ISO 8601 was: `4s`, `12m`, `3h`, `2d`."""
    from datetime import UTC, datetime

    seconds = max(0, int(time.time() - datetime.fromisoformat(moment).astimezone(UTC).timestamp()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size or (unit != "d" and seconds >= size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


_LEAST_WORDS, _LEAST_NAME = 20, 8


def table(rows: list[list[str]], *, columns: int) -> list[list[str]]:
    """Rows with every cell but the last padded to its column, and the last cut to what is left of the width."""
    if not rows:
        return []
    sizes = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    over = sum(sizes) + 2 * len(sizes) + _LEAST_WORDS - columns
    if over > 0:
        # The first column holds names, which may be long; they can be read in `show`.
        sizes[0] = max(_LEAST_NAME, sizes[0] - over)
    left = max(1, columns - sum(sizes) - 2 * len(sizes))
    return [
        [*(cut(cell, size).ljust(size) for cell, size in zip(row, sizes, strict=False)), cut(row[-1], left)]
        for row in rows
    ]


def counted(number: int, thing: str, things: str = "") -> str:
    """A number of things, as one says it; `things` where more than one are not just called so with an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"
