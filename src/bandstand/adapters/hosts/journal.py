"""Reading a holder's journal: whole records only, named by their offset, from a file or from a stream of its bytes.

A record is `KIND TIME_MS LENGTH KEY PAYLOAD\\n`. The length rules, for a payload may hold any byte; so a journal is
read from record to record, and one whose end is not there yet, or never came, is not seen. A key is written in percent
encoding where it holds a blank or worse; no key is `-`.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from bandstand.domain.errors import Broken
from bandstand.ports.hosts import Record, RecordKind

_CHUNK = 1 << 16
_HEADER = re.compile(rb"([<>+~!]) (\d{1,16}) (\d{1,12}) (\S{1,65536}) ")
_LONGEST_HEADER = 65_600
_KINDS = {kind.value.encode(): kind for kind in RecordKind}
_READABLE = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}~"
_NO_KEY = b"-"
_LINE_BREAK = 10


def written_key(key: str) -> str:
    """How a key stands in a journal: one word."""
    return "%2D" if key == "-" else quote(key, safe=_READABLE)


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
        records, used, self._wanted = _parse(b"".join(self._pieces), base=self.offset)
        self._pieces = [b"".join(self._pieces)[used:]]
        self._held -= used
        self.offset += used
        return records


def _parse(data: bytes, *, base: int) -> tuple[list[Record], int, int]:
    """The whole records at the start of `data`, how many bytes they are, and how many the next one needs at least."""
    records: list[Record] = []
    start = 0
    while header := _HEADER.match(data, start):
        kind, at_ms, length, key = header.groups()
        first = header.end()
        last = first + int(length)
        if last >= len(data):
            return records, start, last + 1 - start
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
    if len(data) - start > _LONGEST_HEADER:
        raise Broken(f"A journal is damaged at offset {base + start}: no record begins there.")
    return records, start, 0


def scan(path: Path, *, after: int = 0) -> Iterator[Record]:
    """The whole records that the file holds now from offset `after` on; none if there is no file.

    It may be read while it is written. A torn record is read again from its start, never from its middle: behind a
    full disk other bytes may stand there a moment later.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        offset, size = after, _CHUNK
        while True:
            data = os.pread(file, size, offset)
            records, used, wanted = _parse(data, base=offset)
            yield from records
            if not records and len(data) < size:
                return
            offset += used
            size = max(_CHUNK if records else 2 * size, wanted)
    finally:
        os.close(file)


def find(path: Path, key: str) -> Record | None:
    """The line to the agent that was sent under this key, if one was."""
    sent = (record for record in scan(path) if record.kind is RecordKind.TO_AGENT)
    return next((record for record in sent if record.key == key), None)
