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

_CHUNK = 1 << 18
_HEADER = re.compile(rb"([<>+~!]) (\d{1,16}) (\d{1,12}) (\S{1,65536}) ")
_LONGEST_HEADER = 65_600
_KINDS = {kind.value.encode(): kind for kind in RecordKind}
_READABLE = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}~"
_NO_KEY = b"-"


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
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Record]:
        """The records that these bytes complete. Raises `Broken` if they are not those of a journal."""
        self._rest += data
        records = []
        start = 0
        while found := self._next(start):
            records.append(found)
            start += found.end - found.offset
            self.offset = found.end
        del self._rest[:start]
        return records

    def _next(self, start: int) -> Record | None:
        header = _HEADER.match(self._rest, start)
        if header is None:
            if len(self._rest) - start > _LONGEST_HEADER:
                raise Broken(f"A journal is damaged at offset {self.offset}: no record begins there.")
            return None
        first = header.end()
        last = first + int(header[3])
        if last >= len(self._rest):
            return None
        if self._rest[last] != ord("\n"):
            raise Broken(f"A journal is damaged at offset {self.offset}: the record there does not end.")
        return Record(
            offset=self.offset,
            end=self.offset + last + 1 - start,
            kind=_KINDS[header[1]],
            at_ms=int(header[2]),
            key="" if header[4] == _NO_KEY else unquote(header[4].decode()),
            payload=bytes(memoryview(self._rest)[first:last]),
        )


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
            records = RecordStream(after=offset).feed(data)
            if records:
                yield from records
                offset, size = records[-1].end, _CHUNK
            elif len(data) == size:
                size *= 2
            else:
                return
    finally:
        os.close(file)


def find(path: Path, key: str) -> Record | None:
    """The line to the agent that was sent under this key, if one was."""
    sent = (record for record in scan(path) if record.kind is RecordKind.TO_AGENT)
    return next((record for record in sent if record.key == key), None)
