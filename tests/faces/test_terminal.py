"""What a terminal is given: nothing that moves its cursor, and nothing wider than it is."""

import io
import json
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.faces.cli.terminal import COLOURS, Paint, ago, clean, cut, encoded, table, width, wrap
from bandstand.faces.text import GLYPHS


@given(st.text())
def test_cleaned_text_cannot_command_a_terminal(text: str) -> None:
    """No control character is left but line breaks and tabs; the rest is as it was."""
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    assert all(char in "\n\t" or unicodedata.category(char)[0] != "C" for char in cleaned)
    assert all(new in (old, "�") for new, old in zip(cleaned, text, strict=True))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain — ä 数据 ✓", "plain — ä 数据 ✓"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[2Jgone", "�[2Jgone"),
        ("right\rwrong", "right�wrong"),
        ("a\x08b", "a�b"),
        ("\x9b31m", "�31m"),
        ("abc\u202edcba", "abc�dcba"),
        ("zero\u200bwidth", "zero�width"),
        ("\udcff", "�"),
    ],
)
def test_what_could_deceive_is_shown(text: str, cleaned: str) -> None:
    """Escape sequences, overwriting, text that runs backwards."""
    assert clean(text) == cleaned


@given(st.recursive(st.text() | st.integers() | st.none(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_json_for_programs_cannot_command_a_terminal_either(value: object) -> None:
    """It says the same as any other JSON of the value."""
    for indent in (None, 2):
        text = encoded(value, indent=indent)
        assert json.loads(text) == value
        assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in text)


@pytest.mark.parametrize(
    ("told", "columns"),
    [("20", 20), ("1", 1), ("0", 100), ("", 100), ("wide", 100), ("-5", 100), ("9" * 30, 10_000)],
)
def test_a_width_that_is_none_is_a_usual_one(told: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever somebody's shell has exported."""
    monkeypatch.setenv("COLUMNS", told)
    assert width() == columns


@given(st.text(), st.integers(1, 40))
def test_a_cut_line_is_one_line_that_fits(text: str, columns: int) -> None:
    """With an ellipsis exactly where something is missing."""
    line = cut(text, columns)
    whole = " ".join(clean(text).split())
    assert len(line) <= columns
    assert "\n" not in line
    assert line == whole or (line.endswith("…") and whole.startswith(line[:-1]))


@given(st.text(), st.integers(12, 60))
def test_wrapped_text_loses_nothing(text: str, columns: int) -> None:
    """Every line fits behind its indent, and the words are all there."""
    lines = wrap(text, columns, indent="  ", first="- ")
    assert all(len(line) <= columns for line in lines)
    assert all(line.startswith(("  ", "- ")) or line.strip() in ("", "-") for line in lines)
    words = "".join(line.removeprefix("- " if index == 0 else "  ") for index, line in enumerate(lines))
    assert "".join(words.split()) == "".join(clean(text).split())


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (timedelta(seconds=-90), "0s"),
        (timedelta(seconds=40), "40s"),
        (timedelta(seconds=90), "1m"),
        (timedelta(minutes=59, seconds=30), "59m"),
        (timedelta(minutes=90), "1h"),
        (timedelta(hours=47, minutes=30), "47h"),
        (timedelta(hours=49), "2d"),
        (timedelta(days=400, hours=1), "400d"),
    ],
)
def test_how_long_ago(back: timedelta, words: str) -> None:
    """In the largest unit that says enough; a clock that is ahead is no harm."""
    found = ago((datetime.now(UTC) - back).isoformat())
    close = {words, f"{int(words[:-1]) + 1}{words[-1]}"} if words.endswith("s") and words != "0s" else {words}
    assert found in close


def test_a_table_is_as_wide_as_it_may_be() -> None:
    """Every cell but the last keeps its whole text."""
    rows = [["a", "coder", "working on the goal"], ["dark-mode", "x", "waits " * 20]]
    found = table(rows, columns=40)
    assert [row[:2] for row in found] == [["a        ", "coder"], ["dark-mode", "x    "]]
    assert found[0][2] == "working on the goal"
    assert found[1][2] == "waits waits waits wai…"
    assert all(len("  ".join(row)) <= 40 for row in found)
    assert table([], columns=40) == []


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "on"),
    [
        (Terminal(), {}, True),
        (io.StringIO(), {}, False),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: io.StringIO, environment: dict[str, str], on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`NO_COLOR` and a dumb terminal turn them off, `FORCE_COLOR` on."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    paint = Paint(stream)
    assert paint.red("x") == ("\x1b[31mx\x1b[0m" if on else "x")
    assert paint.mark("x", "landed") == ("\x1b[32mx\x1b[0m" if on else "x")
    assert paint.bold("") == ""


def test_every_mark_has_a_colour() -> None:
    """As it has a glyph."""
    assert set(COLOURS) == {mark.value for mark in GLYPHS}
