"""Reading a journal: whole records, whatever the file ends with and however its bytes come in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.adapters.hosts.holder.journal import record as written
from bandstand.adapters.hosts.journal import find, scan
from bandstand.adapters.hosts.records import RecordStream, ends, note, written_key
from bandstand.domain.errors import Broken
from bandstand.ports.hosts import RecordKind

PAYLOADS = [
    b'{"note": "start"}',
    b"hello",
    b"",
    b"< 1 5 - abcde\n\n",
    bytes(range(256)),
    b"x" * 300_000,
    b'{"note": "exit"}',
]
KINDS = [b"!", b">", b"<", b"+", b"~", b"<", b"!"]
KEYS = ["", "turn-1", "", "", "", "", ""]


def journal() -> bytes:
    """A journal with a record of every kind."""
    return b"".join(
        written(kind, payload, written_key(key) if key else "-")
        for kind, payload, key in zip(KINDS, PAYLOADS, KEYS, strict=True)
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Kinds, keys and payloads come back; a record begins where the one before ends."""
    path = tmp_path / "journal"
    path.write_bytes(journal())
    found = list(scan(path))
    assert [record.payload for record in found] == PAYLOADS
    assert [record.kind.encode() for record in found] == KINDS
    assert [record.key for record in found] == KEYS
    assert [0] + [record.end for record in found] == [record.offset for record in found] + [len(journal())]
    assert [ends(record) for record in found] == [False] * 6 + [True]
    assert note(found[0]) == {"note": "start"}
    assert note(found[1]) == {}


def test_a_torn_end_is_not_seen(tmp_path: Path) -> None:
    """Cut at any byte of its last records, a journal has exactly those that are whole."""
    path = tmp_path / "journal"
    records = [
        written(b"<", b"one"),
        written(b">", b"two\n3", "re:7"),
        written(b"!", b'{"note": "exit"}'),
    ]
    whole = b"".join(records)
    borders = [sum(map(len, records[:count])) for count in range(len(records) + 1)]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = list(scan(path))
        assert len(found) == sum(border <= cut for border in borders[1:])
        assert [record.end for record in found] == borders[1 : len(found) + 1]


def test_reading_starts_at_any_record(tmp_path: Path) -> None:
    """Behind the end of one come the later ones."""
    path = tmp_path / "journal"
    path.write_bytes(journal())
    found = list(scan(path))
    for number, record in enumerate(found, start=1):
        assert list(scan(path, after=record.end)) == found[number:]


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """No file, no records."""
    assert list(scan(tmp_path / "journal")) == []
    assert find(tmp_path / "journal", "turn-1") is None


def test_a_line_is_found_by_its_key(tmp_path: Path) -> None:
    """Only lines to the agent have one."""
    path = tmp_path / "journal"
    path.write_bytes(journal())
    found = find(path, "turn-1")
    assert found is not None
    assert (found.kind, found.payload) == (RecordKind.TO_AGENT, b"hello")
    assert find(path, "-") is None


def test_damage_is_told(tmp_path: Path) -> None:
    """What cannot be the beginning or the end of a record is no torn end."""
    path = tmp_path / "journal"
    for data in (b"?" * 100_000, journal()[:-1] + b"?" + journal()):
        path.write_bytes(data)
        with pytest.raises(Broken):
            list(scan(path))


@given(st.lists(st.integers(min_value=0, max_value=400), max_size=30))
def test_a_stream_may_come_in_any_pieces(cuts: list[int]) -> None:
    """Each record is given out with the piece that completes it."""
    data = b"".join(written(b"<", payload) for payload in PAYLOADS[:5])
    stream = RecordStream(after=1000)
    found = []
    start = 0
    for cut in (*sorted(cuts), len(data)):
        found += stream.feed(data[start:cut])
        start = max(start, cut)
    assert [record.payload for record in found] == PAYLOADS[:5]
    assert found[0].offset == 1000
    assert stream.offset == found[-1].end == 1000 + len(data)


@given(st.text(min_size=1))
def test_any_key_is_one_word(key: str) -> None:
    """Blanks, line breaks and the sign for no key are written so that they come back."""
    word = written_key(key)
    assert word.isascii()
    assert word.split() == [word]
    assert word != "-"
    (record,) = RecordStream(after=0).feed(written(b">", b"payload", word))
    assert record.key == key
