"""What can be saved of a damaged database is saved, what cannot is said, and the damaged file is kept.

Each fact has a digest, so one that is found anywhere in the file can be told from one that a disk made up. All that are
found go into a new database, as they were and where they were. Where versions of a repository are missing, a fact that
says so stands in their place. The new database takes the place of the old one in steps that can be taken again:
whenever the power goes, either the damaged file is still there, or the next opening goes on.
"""

import bisect
import contextlib
import glob
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from bandstand.adapters.store import digests, pages, projections, schema, tally
from bandstand.adapters.store.codec import Stored, event_codec
from bandstand.adapters.store.shapes import decode_time, encode_time
from bandstand.domain.errors import Broken
from bandstand.domain.events import Event, FactsLost
from bandstand.domain.ids import TaskId
from bandstand.domain.past import subject
from bandstand.faults import fault

INSERT = """
    INSERT INTO events (sequence, repository, version, at, type, type_version, payload, task, digest)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
Row = tuple[int, str, int, str, str, int, str, str | None, int]
"""A fact as it stands in the database."""

_COMPLETE, _DAMAGED = ".recovered-", ".damaged-"
_PROVEN, _KINDS = 9, ((str,), (int,), (str,), (str,), (int,), (str,), (str, type(None)), (int,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What came of a recovery: how many facts are kept, and by repository, how many are lost and which tasks are.

    `unproven` facts had no digest yet. `paths` are where repositories are, as far as that is known. `aside` is the name
    of the damaged file.
    """

    at: str
    why: str
    kept: int
    lost: Mapping[str, int] = field(default_factory=dict)
    orphans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    unproven: int = 0
    aside: str = ""


def report_of(database: Path) -> Path:
    """Where it stands what came of the last recovery, until somebody has been told."""
    return database.with_name(database.name + ".recovery.json")


def recover(database: Path, said: tally.Tally | None, *, why: str, now: datetime) -> None:
    """Make a new database of what can be read, in the place of the damaged one.

    Raises `Broken` if nothing can be read; then all is as it was.
    """
    saved = _saved(database, said)
    if not saved.rows:
        raise Broken(f"No fact can be read in {database}.")
    heads = dict(said.heads) if said is not None else {}
    rows, last = _with_gaps(saved.rows, heads, now=now)
    name = _unused(database, f"{now:%Y%m%dT%H%M%SZ}")
    aside = _place(database, _DAMAGED + name)
    made = _place(database, ".recovering")
    fault("recovery.write.before")
    _write(made, rows, last=max(last, said.sequence if said is not None else 0))
    fault("recovery.write.after")
    lost = {row[1]: 0 for row in rows if row[4] == FactsLost.__name__}
    for row in rows[len(saved.rows) :]:
        lost[row[1]] += json.loads(row[6])["count"]
    told = Recovery(
        at=encode_time(now),
        why=why,
        kept=len(saved.rows),
        lost={name: count for name, count in lost.items() if count},
        orphans={name: found for name, found in _orphans(saved.rows).items() if found},
        paths=_paths(saved.rows),
        unproven=saved.unproven,
        aside=aside.name,
    )
    _report(database, told)
    fault("recovery.complete.before")
    made.replace(_place(database, _COMPLETE + name))
    fault("recovery.complete.after")
    finish(database)


def _report(database: Path, told: Recovery) -> None:
    """Say beside the damaged file what came of it. One that broke off before the new database was complete goes."""
    fault("recovery.report.before")
    for left in database.parent.glob(f"{glob.escape(database.name + _DAMAGED)}*.json"):
        if not left.with_suffix("").exists():
            left.unlink()
    _put(_place(database, f"{told.aside.removeprefix(database.name)}.json"), json.dumps(asdict(told), indent=2) + "\n")
    fault("recovery.report.after")


def finish(database: Path) -> None:
    """Put a new database that is complete in the place of the damaged one, if there is one. May be repeated."""
    for made in database.parent.glob(f"{glob.escape(database.name + _COMPLETE)}*"):
        aside = _place(database, _DAMAGED + made.name.removeprefix(database.name + _COMPLETE))
        # What is kept aside is there under both names before anything goes; what SQLite would take for a part of the
        # new database goes before that comes. On the disk, too: each step waits for the one before.
        _flush(database.parent)
        fault("recovery.aside.before")
        for end in ("", "-wal", ".tally"):
            _keep(_place(database, end), _place(aside, end))
        _flush(database.parent)
        fault("recovery.aside.after")
        fault("recovery.tell.before")
        _put(report_of(database), _place(aside, ".json").read_text(encoding="utf-8"))
        fault("recovery.tell.after")
        fault("recovery.clear.before")
        for end in ("-wal", "-shm", ".tally"):
            _place(database, end).unlink(missing_ok=True)
        _flush(database.parent)
        fault("recovery.clear.after")
        fault("recovery.replace.before")
        made.replace(database)
        _flush(database.parent)
        fault("recovery.replace.after")


def _put(file: Path, text: str) -> None:
    """Have a file of its owner's hold a text: all of it, or what it was before."""
    making = file.with_name(f"{file.name}.recovering")
    making.unlink(missing_ok=True)
    with os.fdopen(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    making.replace(file)


def _flush(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unused(database: Path, name: str) -> str:
    """A name for the damaged file that none has yet."""
    number, found = 1, name
    while _place(database, _DAMAGED + found).exists():
        number += 1
        found = f"{name}-{number}"
    return found


def _place(database: Path, end: str) -> Path:
    return database.with_name(database.name + end)


def _keep(file: Path, under: Path) -> None:
    """Have a file under a second name: all of it, or not at all."""
    copying = under.with_name(f"{under.name}.copying")
    copying.unlink(missing_ok=True)
    if file.exists() and not under.exists():
        try:
            os.link(file, under)
        except OSError:  # a file system without second names
            with contextlib.suppress(FileNotFoundError):
                shutil.copy2(file, copying)
                copying.replace(under)


# --- what can be read -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved:
    """Facts in their order; the last `unproven` of them could be read, and that is all that is known of them."""

    rows: list[Row]
    unproven: int = 0


def _saved(database: Path, said: tally.Tally | None) -> _Saved:
    best = _Saved(rows=[])
    for found in pages.found(database):
        proven = {row[0]: row for row in _proven(found.rows())}
        if said is not None:
            _add_beyond(proven, list(_proven(found.rows_beyond())), last=said.sequence)
        unproven = {} if proven else dict(_readable(found.rows()))
        rows = _in_order(proven or unproven)
        if len(rows) > len(best.rows):
            best = _Saved(rows=rows, unproven=len(unproven))
    return best


def _proven(rows: Iterator[pages.Row]) -> Iterator[Row]:
    """Rows that are facts of ours, as they were written."""
    for rowid, values in rows:
        if len(values) < _PROVEN or values[0] is not None:
            continue
        fields = values[1:_PROVEN]
        if all(isinstance(value, kinds) for value, kinds in zip(fields, _KINDS, strict=True)):
            row = cast("Row", (rowid, *fields))
            if digests.digest(*row[:8]) == row[8]:
                yield row


def _readable(rows: Iterator[pages.Row]) -> Iterator[tuple[int, Row]]:
    """Rows of a file that was not brought up to date yet: they have no digest, and say what can be understood."""
    there: set[int] = set()
    for rowid, values in rows:
        if len(values) not in schema.COLUMNS.values() or rowid in there or values[0] is not None:
            continue
        if not all(isinstance(value, kinds) for value, kinds in zip(values[1:7], _KINDS, strict=False)):
            continue
        repository, version, at, kind, type_version, payload = values[1:7]
        try:
            stored = Stored(type=str(kind), version=int(str(type_version)), payload=str(payload))
            event = event_codec().decode(stored)
            decode_time(str(at))
        except (Broken, ValueError):
            continue
        there.add(rowid)
        yield rowid, _row(rowid, str(repository), int(str(version)), str(at), event)


def _row(sequence: int, repository: str, version: int, at: str, event: Event) -> Row:
    stored = event_codec().encode(event)
    place = (sequence, repository, version, at, stored.type, stored.version, stored.payload, subject(event))
    return (*place, digests.digest(*place))


def _add_beyond(proven: dict[int, Row], rows: list[Row], *, last: int) -> None:
    """Add facts that were acknowledged, by the tally, and that SQLite does not see any more; of rivals, none."""
    found: dict[int, set[Row]] = {}
    for row in rows:
        if row[0] <= last and row[0] not in proven:
            found.setdefault(row[0], set()).add(row)
    proven |= {sequence: rivals.pop() for sequence, rivals in found.items() if len(rivals) == 1}


def _in_order(rows: Mapping[int, Row]) -> list[Row]:
    """Facts by their sequence; one whose version does not follow that of those before it is not ours.

    What an earlier recovery said of a gap is younger than the facts behind the gap. It stays where it still fits.
    """
    heads: dict[str, int] = {}
    kept, gaps = [], []
    for _, row in sorted(rows.items()):
        if row[4] == FactsLost.__name__:
            gaps.append(row)
        elif row[2] > heads.get(row[1], 0):
            heads[row[1]] = row[2]
            kept.append(row)
    taken: dict[str, list[tuple[int, int]]] = {}
    for row in kept:
        taken.setdefault(row[1], []).append((row[2], _before(row)))
    for gap in gaps:
        spans, span = taken.setdefault(gap[1], []), (gap[2], _before(gap))
        at = bisect.bisect_right(spans, span[1], key=lambda one: one[0])
        if at == len(spans) or spans[at][1] >= span[0]:
            spans.insert(at, span)
            kept.append(gap)
    return sorted(kept)


def _before(row: Row) -> int:
    """The last version in front of those that a fact stands for."""
    return row[2] - (int(json.loads(row[6])["count"]) if row[4] == FactsLost.__name__ else 1)


# --- what is lost ---------------------------------------------------------------------------------------------------


def _with_gaps(rows: Sequence[Row], heads: Mapping[str, int], *, now: datetime) -> tuple[list[Row], int]:
    """The facts, and behind them, for each gap in the versions of a repository, the fact that stands in its place."""
    last = max(row[0] for row in rows)
    sequence = last
    orphans, landed = _orphans(rows), _landed(rows)
    gaps: list[Row] = []
    for repository in sorted({row[1] for row in rows} | heads.keys()):
        found = list(_gaps([row for row in rows if row[1] == repository], heads.get(repository, 0)))
        for number, (version, count) in enumerate(found, 1):
            mine = orphans.get(repository, []) if number == len(found) else []
            lost = FactsLost(
                count=count,
                orphans=tuple(TaskId(task) for task in mine),
                landed=tuple(TaskId(task) for task in mine if (repository, task) in landed),
            )
            sequence += 1
            gaps.append(_row(sequence, repository, version, encode_time(now), lost))
    return [*rows, *gaps], sequence


def _gaps(rows: Sequence[Row], head: int) -> Iterator[tuple[int, int]]:
    """The last version of each gap, and how many are missing there."""
    known = 0
    for row in sorted(rows, key=lambda row: row[2]):
        begins = _before(row)
        if begins > known:
            yield begins, begins - known
        known = row[2]
    if head > known:
        yield head, head - known


def _orphans(rows: Sequence[Row]) -> dict[str, list[str]]:
    """By repository, the tasks that facts speak of and whose submission is not among them."""
    known = {(row[1], row[7]) for row in rows if row[4] == "TaskSubmitted"}
    for row in rows:
        if row[4] == FactsLost.__name__:
            known |= {(row[1], task) for task in json.loads(row[6])["orphans"]}
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        task = row[7]
        if task is not None and " " not in task and (row[1], task) not in known:
            found.setdefault(row[1], {})[task] = None
    return {repository: list(tasks) for repository, tasks in found.items()}


def _landed(rows: Sequence[Row]) -> set[tuple[str, str | None]]:
    return {(row[1], row[7]) for row in rows if row[4] == "ChangeLanded"}


def _paths(rows: Sequence[Row]) -> dict[str, str]:
    return {row[1]: json.loads(row[6])["path"] for row in rows if row[4] == "RepositoryOpened"}


# --- the new database -----------------------------------------------------------------------------------------------


def _write(made: Path, rows: Sequence[Row], *, last: int) -> None:
    """A new database of these facts, on the disk. `last` is the greatest sequence that was ever given."""
    made.unlink(missing_ok=True)
    os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as connection:
        digests.register(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        schema.migrate(connection)
        connection.executemany(INSERT, rows)
        connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'events'", (last,))
        for statement in projections.REBUILD:
            connection.execute(statement)
        connection.execute("COMMIT")
