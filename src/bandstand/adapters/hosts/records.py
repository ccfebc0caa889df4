"""Reading the bytes of a holder's journal: whole records only, named by their offset.

A record is `KIND TIME_MS LENGTH KEY PAYLOAD\\n`. The length rules, for a payload may hold any byte; so a journal is
read from record to record, and one whose end is not there yet, or never came, is not seen. A key is written in percent
encoding where it holds a blank or worse; no key is `-`.
"""

import json
import re
import sys
from typing import Any
from urllib.parse import quote, unquote

from bandstand.domain.errors import Broken
from bandstand.ports.hosts import Record, RecordKind

_HEADER = re.compile(rb"([<>+~!]) (\d{1,16}) (\d{1,12}) (\S{1,65536}) ")
_LONGEST_HEADER = 65_600
_KINDS = {kind.value.encode(): kind for kind in RecordKind}
_READABLE = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}~"
_NO_KEY = b"-"
_LINE_BREAK = 10


def written_key(key: str) -> str:
    """How a key stands in a journal: one word."""
    return "%2D" if key == "-" else quote(key, safe=_READABLE)


def written(record: Record) -> bytes:
    """A record as it stands in a journal."""
    key = written_key(record.key).encode() if record.key else _NO_KEY
    head = b"%s %d %d %s" % (record.kind.value.encode(), record.at_ms, len(record.payload), key)
    return b"%s %s\n" % (head, record.payload)


def note(record: Record) -> dict[str, Any]:
    """What the holder noted in this record: its name under `note`, and facts. Empty for a record of another kind."""
    if record.kind is not RecordKind.NOTE:
        return {}
    facts = json.loads(record.payload)
    return facts if isinstance(facts, dict) else {}


def ends(record: Record) -> bool:
    """Whether this is the exit record, behind which nothing comes."""
    return note(record).get("note") == "exit"


class RecordStream:
    """Turns the bytes of a journal from offset `after` on, as they come in pieces, into records."""

    def __init__(self, *, after: int) -> None:
        self.offset = after
        self._pieces: list[bytes] = []
        self._held = 0
        self._wanted = 0  # bytes of the next record, as far as that is known: until then there is nothing to look at

    def feed(self, data: bytes) -> list[Record]:
        """The records that these bytes complete. Raises `Broken` if they are not those of a journal."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held < self._wanted:
            return []
        records, used, self._wanted = parse(b"".join(self._pieces), base=self.offset)
        self._pieces = [b"".join(self._pieces)[used:]]
        self._held -= used
        self.offset += used
        return records


def parse(data: bytes, *, base: int, start: int = 0, most: int = sys.maxsize) -> tuple[list[Record], int, int]:
    """The whole records that follow each other in `data`, `most` of them at most; how many bytes they are, and how
    many the next one needs at least. What stands at `start` is byte `base` of the journal.
    """
    records: list[Record] = []
    base -= start
    begun = start
    while len(records) < most and (header := _HEADER.match(data, start)):
        kind, at_ms, length, key = header.groups()
        first = header.end()
        last = first + int(length)
        if last >= len(data):
            return records, start - begun, last + 1 - start
        if data[last] != _LINE_BREAK:
            raise Broken(f"A journal is damaged at offset {base + start}: the record there does not end.")
        records.append(
            Record(
                offset=base + start,
                end=base + last + 1,
                kind=_KINDS[kind],
                at_ms=int(at_ms),
                key="" if key == _NO_KEY else unquote(key.decode()),
                payload=data[first:last],
            )
        )
        start = last + 1
    if len(records) < most and len(data) - start > _LONGEST_HEADER:
        raise Broken(f"A journal is damaged at offset {base + start}: no record begins there.")
    return records, start - begun, 0
