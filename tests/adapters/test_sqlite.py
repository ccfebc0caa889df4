"""What the log in SQLite promises beyond every log: about its file, and about several who use it at once."""

import asyncio
import os
import sqlite3
import stat
import struct
from contextlib import closing
from pathlib import Path

import pytest

from bandstand.adapters.store.digests import digest
from bandstand.adapters.store.recovery import INSERT
from bandstand.adapters.store.schema import APPLICATION_ID, MIGRATIONS
from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable
from bandstand.domain.ids import RepositoryId
from bandstand.ports.log import OutOfDate
from tests.adapters.sqlite_programs import ADA, NOON, read, said, texts, write
from tests.faulty import armed

BEA = RepositoryId("bea")


async def trouble(path: Path) -> BandstandError:
    """What opening a log says."""
    log = SqliteLog(path, wait_seconds=0.05)
    with pytest.raises(BandstandError) as caught:
        await log.open()
    # Nothing stays open: closing has nothing to do, and nothing else may be asked.
    await log.close()
    with pytest.raises(Unavailable):
        await log.read(ADA)
    assert caught.value.message.endswith(".")
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def commits(path: Path) -> int:
    """How many transactions the write-ahead log of a database holds: frames that tell the size after a commit."""
    journal = path.with_name(path.name + "-wal").read_bytes()
    (page_size,) = struct.unpack_from(">8xI", journal)
    salt = journal[16:24]
    found = 0
    for start in range(32, len(journal) - 23, 24 + page_size):
        size_after_commit, frame_salt = struct.unpack_from(">4xI8s", journal, start)
        found += bool(size_after_commit) and frame_salt == salt
    return found


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_new_log_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    """The folder, the database, and what stands beside it while it is used."""
    path = tmp_path / "state" / "band" / "log.db"

    async def main() -> set[int]:
        log = SqliteLog(path)
        await log.open()
        await log.append(ADA, [said("hello")], expected=0, at=NOON)
        modes = {stat.S_IMODE(beside.stat().st_mode) for beside in path.parent.iterdir()}
        await log.close()
        return modes

    mask = os.umask(0)
    try:
        assert asyncio.run(main()) == {0o600}
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_closed_log_is_one_whole_file_that_says_whose_it_is(tmp_path: Path) -> None:
    """With `file` and `sqlite3` anybody can see what it is; beside it is only what tells how it was closed."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "hello"))
    assert sorted(beside.name for beside in tmp_path.iterdir()) == ["log.db", "log.db.tally"]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        row = database.execute("SELECT * FROM events").fetchone()
    fact = (
        *(1, "ada", 1, "2026-03-04T12:00:00.000000+00:00", "MessageSent", 1),
        '{"task":"t","text":"hello","by":"ada"}',
        "t",
    )
    assert row == (*fact, digest(*fact))


def test_names_that_are_no_text_and_odd_paths_survive(tmp_path: Path) -> None:
    """In facts, and in the name of the log itself."""
    path = tmp_path / os.fsdecode(b"50% caf\xe9? #1") / "log.db"
    odd = [os.fsdecode(b"caf\xe9\xff"), "\ud83d\ude00", "a\0b", "\U0001f600 ä"]
    asyncio.run(write(path, *odd))
    assert asyncio.run(read(path)) == odd


def test_an_id_that_is_no_text_is_refused_alone(tmp_path: Path) -> None:
    """Who waits with it is not hindered."""

    async def main() -> None:
        log = SqliteLog(tmp_path / "log.db")
        await log.open()
        bad, good = await asyncio.gather(
            log.append(RepositoryId("\udcff"), [said("bad")], expected=0, at=NOON),
            log.append(ADA, [said("good")], expected=0, at=NOON),
            return_exceptions=True,
        )
        assert isinstance(bad, Broken)
        assert isinstance(good, tuple)
        assert await log.repositories() == (ADA,)
        await log.close()

    asyncio.run(main())


@pytest.mark.parametrize("content", [b"hello", b"x" * 9000, b"SQLite format 3\0" + b"\1" * 84])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """It is `Broken`, and not a byte of it changes."""
    path = tmp_path / "log.db"
    path.write_bytes(content)
    assert isinstance(asyncio.run(trouble(path)), Broken)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Also its way of keeping a journal."""
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (name)")
    content = path.read_bytes()
    told = asyncio.run(trouble(path))
    assert isinstance(told, Broken)
    assert "another program" in told.message
    assert path.read_bytes() == content


def test_a_log_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    """The way out is an upgrade."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "hello"))
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    content = path.read_bytes()
    told = asyncio.run(trouble(path))
    assert isinstance(told, Refused)
    assert "newer" in told.message
    assert "Upgrade" in told.hint
    assert path.read_bytes() == content


def test_facts_of_a_newer_program_are_refused_and_left_alone(tmp_path: Path) -> None:
    """Also where the schema is the same: a kind that is not known here is not guessed at."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one"))
    fact = (2, "ada", 2, "2026-03-04T12:00:00.000000+00:00", "TaskSang", 1, "{}", None)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(INSERT, (*fact, digest(*fact)))
        newer.execute("UPDATE about SET value = '{}'")
        newer.commit()
    content = path.read_bytes()
    told = asyncio.run(trouble(path))
    assert isinstance(told, Refused)
    assert "TaskSang" in told.message
    assert path.read_bytes() == content


def test_a_log_that_was_only_just_begun_is_made(tmp_path: Path) -> None:
    """An empty file is what a process leaves that was killed while it made one."""
    path = tmp_path / "log.db"
    path.touch()
    asyncio.run(write(path, "hello"))
    assert asyncio.run(read(path)) == ["hello"]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    """There is no place for the log."""
    (tmp_path / "state").write_text("in the way")
    assert isinstance(asyncio.run(trouble(tmp_path / "state" / "log.db")), Broken)
    assert isinstance(asyncio.run(trouble(tmp_path / "state" / "band" / "log.db")), Broken)


def test_opening_and_closing_may_be_repeated(tmp_path: Path) -> None:
    """What is open stays open, what is closed stays closed, and may be opened again."""

    async def main() -> None:
        log = SqliteLog(tmp_path / "log.db")
        await log.close()
        for expected in range(2):
            await log.open()
            await log.open()
            await log.append(ADA, [said("hello")], expected=expected, at=NOON)
            await log.close()
            await log.close()
            for verb in (log.read_all(), log.repositories(), log.append(ADA, [], expected=0, at=NOON)):
                with pytest.raises(Unavailable, match="not open"):
                    await verb

    asyncio.run(main())


def test_a_disk_that_fails_is_told_and_what_was_written_is_known(tmp_path: Path) -> None:
    """Before the facts are on the disk none of them is there; behind that all are, whatever the writer was told."""

    async def main() -> None:
        log = SqliteLog(tmp_path / "log.db")
        await log.open()
        with armed("log.append.before=ENOSPC,log.append.after=EIO"):
            with pytest.raises(Unavailable, match="no room"):
                await log.append(ADA, [said("one")], expected=0, at=NOON)
            assert texts(await log.read(ADA)) == []
            with pytest.raises(Broken, match="cannot be used"):
                await log.append(ADA, [said("two")], expected=0, at=NOON)
        assert texts(await log.read(ADA)) == ["two"]
        with pytest.raises(OutOfDate):
            await log.append(ADA, [said("three")], expected=0, at=NOON)
        await log.close()

    asyncio.run(main())


# --- several at once ------------------------------------------------------------------------------------------------


def test_appends_that_wait_together_are_committed_together(tmp_path: Path) -> None:
    """A hundred of them take two or three transactions, not a hundred; those out of date among them take none."""
    path = tmp_path / "log.db"

    async def main() -> None:
        log = SqliteLog(path)
        await log.open()
        before = commits(path)
        answers = await asyncio.gather(
            *(log.append(RepositoryId(f"r{number}"), [said("a")], expected=0, at=NOON) for number in range(50)),
            *(log.append(RepositoryId(f"r{number}"), [said("b")], expected=1, at=NOON) for number in range(50)),
            *(log.append(RepositoryId(f"r{number}"), [said("c")], expected=1, at=NOON) for number in range(50)),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [tuple] * 100 + [OutOfDate] * 50
        assert 1 <= commits(path) - before <= 3
        for number in range(50):
            assert texts(await log.read(RepositoryId(f"r{number}"))) == ["a", "b"]
        await log.close()

    asyncio.run(main())


def test_an_append_alone_is_a_transaction_of_its_own(tmp_path: Path) -> None:
    """Nobody waits for company; what writes nothing commits nothing."""
    path = tmp_path / "log.db"

    async def main() -> None:
        log = SqliteLog(path)
        await log.open()
        before = commits(path)
        for number in range(5):
            await log.append(ADA, [said("a"), said("b")], expected=2 * number, at=NOON)
            await log.append(ADA, [], expected=2 * number + 2, at=NOON)
        assert commits(path) - before == 5
        await log.close()

    asyncio.run(main())


def test_closing_writes_what_is_waiting(tmp_path: Path) -> None:
    """Whoever began to append before is answered, also who waits behind a transaction that is under way."""
    path = tmp_path / "log.db"

    async def main() -> None:
        log = SqliteLog(path)
        await log.open()
        waiting = []
        for number in range(20):
            append = log.append(RepositoryId(f"r{number}"), [said("a")], expected=0, at=NOON)
            waiting.append(asyncio.ensure_future(append))
            await asyncio.sleep(0)
        await log.close()
        assert all(isinstance(answer, tuple) for answer in await asyncio.gather(*waiting))

    asyncio.run(main())
    assert asyncio.run(read(path, RepositoryId("r19"))) == ["a"]


def test_who_is_cancelled_while_waiting_takes_nobody_along(tmp_path: Path) -> None:
    """The others are answered, and the log goes on."""

    async def main() -> None:
        log = SqliteLog(tmp_path / "log.db")
        await log.open()
        leaving = asyncio.ensure_future(log.append(ADA, [said("a")], expected=0, at=NOON))
        staying = asyncio.ensure_future(log.append(BEA, [said("b")], expected=0, at=NOON))
        await asyncio.sleep(0)
        leaving.cancel()
        assert texts(await staying) == ["b"]
        assert leaving.cancelled()
        assert texts(await log.read(BEA)) == ["b"]
        await log.close()

    asyncio.run(main())


def test_two_may_have_one_log_open(tmp_path: Path) -> None:
    """Each sees what the other wrote, and neither overwrites it."""

    async def main() -> None:
        first, second = SqliteLog(tmp_path / "log.db"), SqliteLog(tmp_path / "log.db")
        await asyncio.gather(first.open(), second.open())
        await first.append(ADA, [said("one")], expected=0, at=NOON)
        with pytest.raises(OutOfDate):
            await second.append(ADA, [said("two")], expected=0, at=NOON)
        await second.append(ADA, [said("two")], expected=1, at=NOON)
        assert texts(await first.read(ADA)) == ["one", "two"]
        await first.close()
        await second.append(ADA, [said("three")], expected=2, at=NOON)
        assert texts(await second.read_all()) == ["one", "two", "three"]
        await second.close()

    asyncio.run(main())


def test_a_log_that_another_program_holds_is_unavailable_for_that_time(tmp_path: Path) -> None:
    """Nothing is written; it can be read all the while, and written again afterwards."""

    async def main() -> None:
        path = tmp_path / "log.db"
        log = SqliteLog(path, wait_seconds=0.05)
        await log.open()
        await log.append(ADA, [said("one")], expected=0, at=NOON)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="Another program"):
                await log.append(ADA, [said("two")], expected=1, at=NOON)
            assert texts(await log.read(ADA)) == ["one"]
            other.execute("ROLLBACK")
        await log.append(ADA, [said("three")], expected=1, at=NOON)
        assert texts(await log.read(ADA)) == ["one", "three"]
        await log.close()

    asyncio.run(main())
