"""Before an upgrade changes the event log, it is kept as it was."""

import asyncio
import os
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bandstand.adapters import remains
from bandstand.adapters.store import backups
from bandstand.adapters.store.digests import register
from bandstand.adapters.store.recovery import report_of
from bandstand.adapters.store.schema import APPLICATION_ID, MIGRATIONS
from bandstand.config.places import places
from bandstand.domain.remains import RemainsKind, Retention
from bandstand.domain.state import State
from bandstand.ports.remains import Known
from tests.adapters.sqlite_programs import program, read, write

COLUMNS = "sequence, repository, version, at, type, type_version, payload"


def of_schema(path: Path, version: int) -> None:
    """Make a log of an older schema of one that was written today."""
    today = path.with_name("today.db")
    asyncio.run(write(today, "one", "two"))
    with closing(sqlite3.connect(path)) as database:
        register(database)
        database.execute("PRAGMA journal_mode = WAL")
        for statement in (line for lines in MIGRATIONS[:version] for line in lines):
            database.execute(statement)
        database.execute("ATTACH ? AS today", (str(today),))
        task = "task" if version > 1 else "NULL"
        names = f"{COLUMNS}, task" if version > 1 else COLUMNS
        rows = database.execute(f"SELECT {COLUMNS}, {task} FROM today.events").fetchall()
        count = len(names.split(","))
        marks = ", ".join("?" * count)
        database.executemany(f"INSERT INTO events ({names}) VALUES ({marks})", [row[:count] for row in rows])
        database.commit()
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {version}")
    for left in path.parent.glob("today.db*"):
        left.unlink()


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_log_is_kept_before_it_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """The copy is the log as the older program left it, for its owner only; the log itself says what it said."""
    path = tmp_path / "log.db"
    of_schema(path, version)
    assert asyncio.run(read(path)) == ["one", "two"]
    (copy,) = backups.copies(path)
    assert copy.name.endswith(f"-schema{version}.db")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (version,)
        assert database.execute("SELECT count(*) FROM events").fetchone() == (2,)
    assert asyncio.run(read(path)) == ["one", "two"]
    assert backups.copies(path) == [copy], "once is enough"
    path.write_bytes(copy.read_bytes())
    assert asyncio.run(read(path)) == ["one", "two"], "the way back, and forward again"


def test_a_log_of_this_version_is_not_copied(tmp_path: Path) -> None:
    """Neither a new one nor one that was opened before."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one"))
    asyncio.run(read(path))
    assert backups.copies(path) == []


def test_other_kinds_of_facts_are_an_upgrade_too(tmp_path: Path) -> None:
    """An older program could not read what this one may write from now on."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one"))
    with closing(sqlite3.connect(path)) as older:
        older.execute("""UPDATE about SET value = '{"MessageSent": 1}'""")
        older.commit()
    asyncio.run(read(path))
    assert len(backups.copies(path)) == 1


def test_the_last_copies_are_kept(tmp_path: Path) -> None:
    """Not more of them, and nothing that was left half made."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one"))
    half = backups.folder_of(path) / ".log-x.db.making"
    half.parent.mkdir()
    half.touch()
    with closing(sqlite3.connect(path)) as connection:
        made = [backups.back_up(connection, path, now=datetime(2026, 3, day, tzinfo=UTC)) for day in range(1, 6)]
    assert backups.copies(path) == made[-backups.KEPT :]
    assert not half.exists()


def test_without_room_for_a_copy_nothing_is_changed(tmp_path: Path) -> None:
    """The upgrade waits until there is room, and says so."""
    path = tmp_path / "log.db"
    of_schema(path, 2)
    content = path.read_bytes()
    backups.folder_of(path).write_text("in the way")
    said = subprocess.run(program("look", str(path)), capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.startswith("Broken: ")
    assert path.read_bytes() == content


def test_the_report_is_where_commands_look_for_it() -> None:
    """Commands know the file by its name, so as not to import what makes it."""
    where = places({"BAND_STATE_DIR": "/state"}, uid=1)
    assert where.recovery == report_of(where.database)


def test_copies_that_are_too_old_are_remains(tmp_path: Path) -> None:
    """They go with what else nobody needs, by the user's own settings; a copy that is gone already is no trouble."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one"))
    with closing(sqlite3.connect(path)) as connection:
        old, new = (backups.back_up(connection, path, now=datetime(2026, 3, day, tzinfo=UTC)) for day in (1, 2))
    now = datetime.now(UTC)
    os.utime(old, (now.timestamp() - 91 * 86_400,) * 2)

    async def main() -> None:
        part = remains.backups(backups.folder_of(path), destroy=backups.remove, is_copy=backups.is_copy)
        known = Known(state=State(), retention=Retention(), now=now)
        (found,) = await part.find(known)
        assert (found.kind, found.name) == (RemainsKind.BACKUP, old.name)
        assert "91 days old" in found.why
        assert await part.clear(found, known)
        assert not await part.clear(found, known)

    asyncio.run(main())
    assert backups.copies(path) == [new]
