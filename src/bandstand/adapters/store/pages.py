"""The rows of a database file that SQLite cannot or should not read any more: page by page, from its bytes alone.

It reads what stands in leaf pages of tables, in the file itself and in the frames of its write-ahead log, wherever they
are and whether or not anything leads to them. So it gives rows twice, rows of other tables and nonsense: who asks must
be able to tell a row of theirs. The formats are those of https://sqlite.org/fileformat2.html.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

Value = int | float | str | bytes | None
Row = tuple[int, tuple[Value, ...]]
"""The rowid, and the values as they stand in the record."""

_MAGIC = b"SQLite format 3\0"
_LEAF = 0x0D
_PAGE_SIZES = tuple(2**power for power in range(9, 17))
_USUAL_SIZE = 4096
_MOST_COLUMNS = 32
_WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_HEAD = re.compile(rb"[\x03-\x20](?=\x00)")
"""How the record of such a row begins: its head is so long, and the first value is none."""
_LONGEST_BEFORE = 14
"""The most bytes in front of a record: its length and its rowid."""


class _Nonsense(Exception):
    """Here is no row."""


Pages = Mapping[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of a damaged database, with pages of one size.

    `pages` are those that SQLite would see, `older` what some of them had been before, `beyond` those that stand in the
    write-ahead log behind the place at which SQLite would stop reading it.
    """

    size: int
    pages: Pages
    older: Sequence[tuple[int, bytes]]
    beyond: Sequence[tuple[int, bytes]]

    def rows(self) -> Iterator[Row]:
        """What SQLite would see, and what it had written in order before."""
        for number, page in chain(self.pages.items(), self.older):
            yield from _rows(number, page, self.pages, self.size)

    def rows_beyond(self) -> Iterator[Row]:
        """What was written and may have been in order or not."""
        pages = {**self.pages, **dict(self.beyond)}
        for number, page in self.beyond:
            yield from _rows(number, page, pages, self.size)


def found(path: Path) -> Iterator[Found]:
    """What there is of a database, for each page size that it may have: the likeliest first."""
    content = _content(path)
    journal = _content(path.with_name(path.name + "-wal"))
    for size in dict.fromkeys((*_said_sizes(content, journal), _USUAL_SIZE)):
        main = {
            number: content[start : start + size]
            for number, start in enumerate(range(0, len(content) - size + 1, size), 1)
        }
        wal = _Wal.read(journal, size)
        replaced = [(number, main[number]) for number in wal.committed if number in main]
        yield Found(size=size, pages={**main, **wal.committed}, older=[*replaced, *wal.older], beyond=wal.beyond)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _said_sizes(content: bytes, journal: bytes) -> Iterator[int]:
    if content.startswith(_MAGIC):
        size = int.from_bytes(content[16:18], "big")
        yield from (one for one in (65536 if size == 1 else size,) if one in _PAGE_SIZES)
    size = int.from_bytes(journal[8:12], "big")
    yield from (one for one in (size,) if one in _PAGE_SIZES)


# --- the write-ahead log --------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Wal:
    """The frames of a write-ahead log.

    `committed` are the pages that its last whole transaction leaves, `older` what they had been before, `beyond` the
    frames that belong to no whole transaction, or do not follow from those in front of them.
    """

    committed: dict[int, bytes] = field(default_factory=dict)
    older: list[tuple[int, bytes]] = field(default_factory=list)
    beyond: list[tuple[int, bytes]] = field(default_factory=list)

    @classmethod
    def read(cls, journal: bytes, size: int) -> "_Wal":
        wal = cls()
        if len(journal) < 32:
            return wal
        order = ">" if int.from_bytes(journal[:4], "big") == _WAL_MAGIC[1] else "<"
        sums = _summed(journal[:24], (0, 0), order)
        follows = sums == struct.unpack(">2I", journal[24:32])
        pending: list[tuple[int, bytes]] = []
        for start in range(32, len(journal) - 24 - size + 1, 24 + size):
            head, page = journal[start : start + 24], journal[start + 24 : start + 24 + size]
            number, after_commit = struct.unpack_from(">2I", head)
            sums = _summed(page, _summed(head[:8], sums, order), order) if follows else sums
            follows = follows and head[8:16] == journal[16:24] and sums == struct.unpack_from(">2I", head, 16)
            (pending if follows else wal.beyond).append((number, page))
            if follows and after_commit:
                wal.older += [(key, wal.committed[key]) for key, _ in pending if key in wal.committed]
                wal.committed |= dict(pending)
                pending = []
        wal.beyond = pending + wal.beyond
        return wal


def _summed(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """SQLite's checksum of a write-ahead log, continued."""
    first, second = sums
    for one, two in struct.iter_unpack(f"{order}2I", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


# --- pages and rows -------------------------------------------------------------------------------------------------


def _rows(number: int, page: bytes, pages: Pages, size: int) -> Iterator[Row]:
    """Every row that stands in a page. Only in a whole leaf of a table it is known where they begin."""
    begin = 100 if number == 1 else 0
    try:
        yield from [_row(page, start, pages, size) for start in _cells(page, begin)]
    except (_Nonsense, IndexError, struct.error):
        yield from _anywhere(page, pages, size)


def _cells(page: bytes, begin: int) -> list[int]:
    """Where the cells of a leaf page begin."""
    count = int.from_bytes(page[begin + 3 : begin + 5], "big")
    if page[begin] != _LEAF or begin + 8 + 2 * count > len(page):
        raise _Nonsense
    return [int.from_bytes(page[at : at + 2], "big") for at in range(begin + 8, begin + 8 + 2 * count, 2)]


def _anywhere(page: bytes, pages: Pages, size: int) -> Iterator[Row]:
    """Rows whose first column is their rowid, which the record leaves empty: so much can be looked for."""
    for head in _HEAD.finditer(page):
        for start in range(max(0, head.start() - _LONGEST_BEFORE), head.start() - 1):
            try:
                yield _row(page, start, pages, size)
            except (_Nonsense, IndexError, struct.error):
                continue


def _row(page: bytes, start: int, pages: Pages, size: int) -> Row:
    length, at = _varint(page, start)
    rowid, at = _varint(page, at)
    if not 2 <= length <= 2**31 or rowid <= 0:
        raise _Nonsense
    local = _local(length, size)
    if at + local > len(page):
        raise _Nonsense
    record = page[at : at + local]
    types = _types(record)  # looked at first: most nonsense ends here
    if local < length:
        record += _overflow(page, at + local, length - local, pages, size)
    return rowid, _values(record, *types)


def _local(length: int, size: int) -> int:
    """How much of a record stands in the leaf page itself."""
    if length <= size - 35:
        return length
    least = (size - 12) * 32 // 255 - 23
    local = least + (length - least) % (size - 4)
    return local if local <= size - 35 else least


def _overflow(page: bytes, at: int, missing: int, pages: Pages, size: int) -> bytes:
    parts: list[bytes] = []
    number = int.from_bytes(page[at : at + 4], "big")
    while missing > 0:
        rest = pages.get(number)
        if rest is None or len(parts) > len(pages):
            raise _Nonsense
        parts.append(rest[4 : 4 + min(missing, size - 4)])
        missing -= len(parts[-1])
        number = int.from_bytes(rest[:4], "big")
    return b"".join(parts)


def _types(record: bytes) -> tuple[list[int], int]:
    """The serial types of a record, and where its values begin."""
    end, at = _varint(record, 0)
    if not 2 <= end <= min(len(record), 9 * _MOST_COLUMNS):
        raise _Nonsense
    types: list[int] = []
    while at < end:
        kind, at = _varint(record, at)
        types.append(kind)
    if at != end or len(types) > _MOST_COLUMNS or any(kind in (10, 11) for kind in types):
        raise _Nonsense
    return types, end


def _values(record: bytes, types: list[int], at: int) -> tuple[Value, ...]:
    values: list[Value] = []
    for kind in types:
        width = _WIDTHS[kind] if kind < 12 else (kind - 12) // 2
        piece = record[at : at + width]
        if len(piece) != width:
            raise _Nonsense
        values.append(_value(kind, piece))
        at += width
    return tuple(values)


def _value(kind: int, piece: bytes) -> Value:
    if kind == 0:
        return None
    if kind == 7:
        return float(struct.unpack(">d", piece)[0])
    if kind in (8, 9):
        return kind - 8
    if kind < 12:
        return int.from_bytes(piece, "big", signed=True)
    if kind % 2 == 0:
        return piece
    try:
        return piece.decode()
    except UnicodeDecodeError:
        raise _Nonsense from None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where what follows it begins."""
    value = 0
    for more in range(8):
        byte = data[at + more]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + more + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64) if value >= 1 << 63 else value, at + 9
