"""The files of a run's journal, as they lie in its folder.

    journal                        as it was written, from offset 0
    journal.0000000004194304       as it was written, from that offset on
    journal.0000000004194304.gz    the same, packed
    journal.0000000004194304.gist  what of it one needs to go on, each record with its offset in front of it

A holder writes the last of the first two kinds; all before that are complete, and the daemon may pack them, take the
gist of them, and drop them. The first one stays as it is: it is how one knows that the run ever was.
"""

import contextlib
import gzip
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bandstand.adapters.hosts.records import RecordStream, parse, written
from bandstand.domain.errors import Broken
from bandstand.ports.hosts import Record, RecordKind

Gist = Callable[[Iterable[Record]], Iterable[Record]]
"""What of these records, which are a whole segment, one needs to go on behind it."""

_CHUNK = 1 << 16
_NAME = re.compile(r"journal(?:\.(\d{16}))?(|\.gz|\.gist)")
_OFFSET = re.compile(rb"(\d{1,16}) ")


class Form(StrEnum):
    """How a segment is kept. The values are the ends of its files' names."""

    PLAIN = ""
    PACKED = ".gz"
    GIST = ".gist"


Forms = tuple[Form, ...]

AS_WRITTEN: Forms = (Form.PLAIN, Form.PACKED, Form.GIST)
"""Which form to read for what was said, the first that there is."""

TO_GO_ON: Forms = (Form.GIST, Form.PLAIN, Form.PACKED)
"""Which one for what matters: it is short where it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a journal in the forms in which it is there. `end` is where the next one begins, if one does."""

    journal: Path
    base: int
    end: int | None
    forms: frozenset[Form]

    def path(self, form: Form) -> Path:
        """Its file in one form."""
        number = f".{self.base:016d}" if self.base else ""
        return self.journal.with_name(f"{self.journal.name}{number}{form}")

    def form(self, prefer: Forms) -> Form:
        """The form to read."""
        return next(form for form in prefer if form in self.forms)

    def records(self, prefer: Forms, *, after: int = 0) -> Iterator[Record]:
        """Its records from an offset on, in whichever form is there when it is read."""
        form = self.form(prefer)
        try:
            yield from _READ[form](self.path(form), self.base, max(after, self.base))
        except FileNotFoundError:
            again = segment_at(self.journal, self.base)
            if again and again.forms != self.forms:
                yield from again.records(prefer, after=after)


def segments(journal: Path) -> list[Segment]:
    """The parts of a journal, in order; none if there is no journal. The last one may be growing."""
    found: dict[int, set[Form]] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(journal.parent) as entries:
        for entry in entries:
            if name := _NAME.fullmatch(entry.name):
                found.setdefault(int(name[1] or 0), set()).add(Form(name[2]))
    bases = sorted(found)
    return [
        Segment(journal=journal, base=base, end=end, forms=frozenset(found[base]))
        for base, end in zip(bases, [*bases[1:], None], strict=False)
    ]


def segment_at(journal: Path, offset: int) -> Segment | None:
    """The part of a journal that an offset is in, or will be; none if there is no journal."""
    return next((part for part in reversed(segments(journal)) if part.base <= offset), None)


def as_written_from(journal: Path, offset: int, prefer: Forms) -> int:
    """Where from an offset on the first part begins that is to be read as it was written."""
    for part in segments(journal):
        if part.end is None or (part.end > offset and part.form(prefer) is Form.PLAIN):
            break
        offset = max(offset, part.end)
    return offset


def scan(journal: Path, *, after: int = 0, until: int = sys.maxsize, prefer: Forms = AS_WRITTEN) -> Iterator[Record]:
    """The whole records that the journal holds now from one offset to another, where a part ends.

    It may be read while it is written, and while its parts are packed or dropped. A torn record is read again from its
    start, never from its middle: behind a full disk other bytes may stand there a moment later.
    """
    offset = after
    while offset < until and (part := segment_at(journal, offset)):
        begun = offset
        for record in part.records(prefer, after=offset):
            offset = record.end
            yield record
        whole = part.form(prefer) is not Form.PLAIN or offset == begun
        if part.end is None and whole:
            return
        if part.end is not None and whole:
            offset = max(offset, part.end)


def _plain(path: Path, base: int, after: int) -> Iterator[Record]:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        offset, size = after, _CHUNK
        while True:
            data = os.pread(file, size, offset - base)
            records, used, wanted = parse(data, base=offset)
            yield from records
            if not records and len(data) < size:
                return
            offset += used
            size = max(_CHUNK if records else 2 * size, wanted)
    finally:
        os.close(file)


def _packed(path: Path, base: int, after: int) -> Iterator[Record]:
    stream = RecordStream(after=base)
    try:
        with gzip.open(path) as file:
            while data := file.read(_CHUNK):
                yield from (record for record in stream.feed(data) if record.offset >= after)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Broken(f"A part of a journal, {path.name}, is damaged: {error}.") from error


def _gist(path: Path, _base: int, after: int) -> Iterator[Record]:
    data, start = path.read_bytes(), 0
    while offset := _OFFSET.match(data, start):
        records, used, _ = parse(data, base=int(offset[1]), start=offset.end(), most=1)
        yield from (record for record in records if record.offset >= after)
        start = offset.end() + used
        if not used:
            break
    if start < len(data):
        raise Broken(f"A part of a journal, {path.name}, is damaged.")


_READ = {Form.PLAIN: _plain, Form.PACKED: _packed, Form.GIST: _gist}


def find(journal: Path, key: str) -> Record | None:
    """The line to the agent that was sent under this key, if one was."""
    sent = (record for record in scan(journal, prefer=TO_GO_ON) if record.kind is RecordKind.TO_AGENT)
    return next((record for record in sent if record.key == key), None)


def take_gist(part: Segment, gist: Gist) -> None:
    """Write down what matters of a segment that is complete. May be repeated."""
    _write_gist(part, gist(part.records(AS_WRITTEN)))


def condense(parts: list[Segment], gist: Gist) -> None:
    """Take the gist of the gists of these segments, which follow each other. May be repeated."""
    kept = list(gist(record for part in parts for record in part.records((Form.GIST,))))
    for part in parts:
        own = [one for one in kept if part.base <= one.offset < (part.end or sys.maxsize)]
        if len(own) < sum(1 for _ in part.records((Form.GIST,))):
            _write_gist(part, own)


def _write_gist(part: Segment, records: Iterable[Record]) -> None:
    _replace(part.path(Form.GIST), (b"%d %s" % (one.offset, written(one)) for one in records))


def pack(part: Segment) -> None:
    """Keep a segment that is complete packed, and no more as it was written."""
    making = _making(part.path(Form.PACKED))
    with part.path(Form.PLAIN).open("rb") as plain, gzip.open(making, "wb", compresslevel=6) as packed:
        while data := plain.read(_CHUNK):
            packed.write(data)
    _put(part.path(Form.PACKED))
    part.path(Form.PLAIN).unlink()


def drop(part: Segment) -> None:
    """Keep of a segment only its gist, which is there."""
    for form in part.forms - {Form.GIST}:
        part.path(form).unlink()


def _making(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp")


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    with _making(path).open("wb") as file:
        file.writelines(parts)
    _put(path)


def _put(path: Path) -> None:
    """Give a file that is written its name, once it is on the disk."""
    file = os.open(_making(path), os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
    _making(path).rename(path)
