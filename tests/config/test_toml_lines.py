"""The locator of TOML: each key and list item has the line in which it stands, however it is written."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bandstand.config.documents import read_toml
from bandstand.config.toml_lines import Path, toml_lines

WRITTEN = """\
# a comment with [brackets] and = signs
title = "a [x] = # \\" text"
"quoted.key" = 1
  'lite ral'   =   2
a.b."c.d" = 3
long = \"\"\"
not = 1
[not.a.table]
\\\"""\"\"\"
raw = '''
[no]
''''
list = [ # comment ]
  1, "two, ]",
  [3, 4],
  { x = 5, y.z = [
    6 ] },
]
when = 1979-05-27 07:32:00Z

[table]
key = 'it'
"""


def paths(value: object, above: Path = ()) -> set[Path]:
    """Every path of keys and positions in some data."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return set()
    below = [paths(inner, (*above, key)) for key, inner in items]
    return {(*above, key) for key, _ in items}.union(*below)


def test_every_way_of_writing_a_key() -> None:
    """Comments, quotes, dots, texts of many lines, lists and inline tables do not lead the locator astray."""
    lines = toml_lines(WRITTEN)
    assert lines == {
        ("title",): 2,
        ("quoted.key",): 3,
        ("lite ral",): 4,
        ("a",): 5,
        ("a", "b"): 5,
        ("a", "b", "c.d"): 5,
        ("long",): 6,
        ("raw",): 10,
        ("list",): 13,
        ("list", 0): 14,
        ("list", 1): 14,
        ("list", 2): 15,
        ("list", 2, 0): 15,
        ("list", 2, 1): 15,
        ("list", 3): 16,
        ("list", 3, "x"): 16,
        ("list", 3, "y"): 16,
        ("list", 3, "y", "z"): 16,
        ("list", 3, "y", "z", 0): 17,
        ("when",): 19,
        ("table",): 21,
        ("table", "key"): 22,
    }
    assert set(lines) == paths(tomllib.loads(WRITTEN))


def test_tables_and_arrays_of_tables() -> None:
    """A table has the line of its own header, also when a longer one has named it before; so has each of an array."""
    text = "[a.b]\nx = 1\n[a]\ny = 2\n[[t]]\nz = 3\n[[t.u]]\n[[t.u]]\nk = 1\n[t.v]\n[[t]]\n[[t.u]]\n"
    lines = toml_lines(text)
    assert set(lines) == paths(tomllib.loads(text))
    assert (lines["a",], lines["a", "b"], lines["a", "b", "x"]) == (3, 1, 2)
    assert [lines["t", number] for number in (0, 1)] == [5, 11]
    assert lines["t", 0, "u", 1, "k"] == 9
    assert (lines["t", 0, "v"], lines["t", 1, "u", 0]) == (10, 12)


ODD_VALUES = ['""', "''", '""""""', "'" * 6, '"""a"""""', "'''a" + "'" * 5, '"""\\\n  a"""', "[]", "{}"]


@pytest.mark.parametrize("value", ODD_VALUES)
def test_what_follows_a_value_is_found(value: str) -> None:
    """Empty texts, and texts that end in quotes, are over where TOML says so."""
    text = f"a = {value}\nb = 1\n"
    assert toml_lines(text)["b",] == text.count("\n")
    assert "b" in tomllib.loads(text)


KEYS = some.text(some.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
WORDS = some.text("ab\"'\\#=[]{}, \n\té", max_size=8)
SCALARS = WORDS | some.integers(-9, 9) | some.booleans()
VALUES = some.recursive(
    SCALARS, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
TABLES = some.dictionaries(KEYS, VALUES, max_size=4)


def spelt(text: str) -> str:
    """A text as TOML writes it on one line."""
    return json.dumps(text, ensure_ascii=True).replace("\x7f", "\\u007f") if text.isascii() else _basic(text)


def _basic(text: str) -> str:
    plain = (f"\\U{ord(character):08x}" if not character.isalnum() else character for character in text)
    return f'"{"".join(plain)}"'


def inline(value: object, *, gap: str) -> str:
    """A value as TOML writes it; `gap` stands where a list may be broken."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return spelt(value)
    if isinstance(value, list):
        return f"[{gap}{f',{gap}'.join(inline(item, gap=gap) for item in value)}{gap}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spelt(key)} = {inline(inner, gap=gap)}" for key, inner in value.items()) + "}"
    return str(value)


@given(some.dictionaries(KEYS, TABLES, max_size=4), some.sampled_from(["", " ", "\n", "\n\n# no [x]\n", "\r\n"]))
def test_the_locator_knows_exactly_what_tomllib_reads(tables: dict[str, dict[str, object]], gap: str) -> None:
    """For any TOML: all paths of the data have a line, no others have, and keys and tables have the right one."""
    lines: list[str] = []
    where: dict[Path, int] = {}
    for name, table in tables.items():
        where[name,] = "".join(lines).count("\n") + 1
        lines.append(f"[{spelt(name)}]  # a comment\n")
        for key, value in table.items():
            where[name, key] = "".join(lines).count("\n") + 1
            lines.append(f"  {spelt(key)}={inline(value, gap=gap)}\n{gap.strip(' ')}")
    document = read_toml("".join(lines), name="x.toml")
    assert document.data == tables
    assert set(document.lines) == paths(tables)
    assert {path: document.locate(path) for path in where} == where


@given(some.lists(some.dictionaries(KEYS, SCALARS, max_size=2), min_size=1, max_size=4), some.booleans())
def test_each_table_of_an_array_is_told_apart(items: list[dict[str, object]], below: bool) -> None:
    """An item of an array of tables has the line of its own header, and its keys theirs."""
    name = '"outer"."in ner"' if below else '"in ner"'
    text, where = "", {}
    for number, item in enumerate(items):
        path: Path = ("outer", "in ner", number) if below else ("in ner", number)
        where[path] = text.count("\n") + 1
        text += f"[[{name}]]\n"
        for key, value in item.items():
            where[*path, key] = text.count("\n") + 1
            text += f"{spelt(key)} = {inline(value, gap=' ')}\n"
    document = read_toml(text, name="x.toml")
    assert {path: document.lines[path] for path in where} == where
