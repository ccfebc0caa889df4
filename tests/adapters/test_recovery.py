"""What a log says and saves after its files were damaged: any bytes of them, anywhere."""

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.adapters.store import recovery
from bandstand.adapters.store.database import LOOKED_THROUGH_BYTES
from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.adapters.store.tally import place
from bandstand.adapters.store.troubles import troubles_told
from bandstand.domain import events as e
from bandstand.domain.errors import BandstandError, Broken
from bandstand.domain.ids import AgentName, CommitId, RepositoryId, TaskId
from bandstand.domain.past import PastTask
from bandstand.domain.task import TaskSpec
from bandstand.ports.log import Opening, Recorded
from tests.adapters.sqlite_programs import ADA, NOON, read, said, write

BEA = RepositoryId("bea")
Files = dict[str, bytes]
Facts = dict[RepositoryId, tuple[Recorded, ...]]


def story() -> Iterator[tuple[RepositoryId, list[e.Event]]]:
    """The facts of two repositories, in the order of their appends: tasks that live, landed and were given up."""
    for repository in (ADA, BEA):
        yield repository, [e.RepositoryOpened(path=f"/home/{repository}/project")]
    for number in range(12):
        for repository in (ADA, BEA):
            task = TaskId(f"task-{number}")
            spec = TaskSpec(id=task, title=f"Task {number}", goal="Do it. " * 40, agent=AgentName("a"))
            yield repository, [e.TaskSubmitted(spec=spec, by="ada")]
            yield repository, [e.MessageSent(task=task, text=f"{number} " * 400 * (number % 4), by="ada")]
            yield repository, [e.ChangeQueued(task=task), e.LandingStarted(task=task)]
            if number % 3 == 0:
                at, onto = CommitId("c" * 40), CommitId("b" * 40)
                yield repository, [e.ChangeLanded(task=task, commit=at, onto=onto, checks="", reviews="")]
            if number % 3 == 1:
                yield repository, [e.TaskCancelled(task=task, by="ada", reason="Enough.")]
            if number % 3 != 2:
                yield repository, [e.WorkspaceRetired(task=task)]


async def tell(log: SqliteLog, versions: dict[RepositoryId, int]) -> None:
    """Append the story."""
    for repository, events in story():
        recorded = await log.append(repository, events, expected=versions.get(repository, 0), at=NOON)
        versions[repository] = recorded[-1].version


@cache
def left(*, closed: bool) -> Files:
    """The files of a log: closed in order, or as a process leaves them that is killed, much of it checkpointed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"

        async def main() -> Files:
            log = SqliteLog(path)
            await log.open()
            versions: dict[RepositoryId, int] = {}
            await tell(log, versions)
            if not closed:
                # One that was used before: some facts are in the database, and some only in what is written ahead.
                await log.close()
                await log.open()
                await log.append(ADA, [said("late"), said("later")], expected=versions[ADA], at=NOON)
                await log.append(BEA, [said("last")], expected=versions[BEA], at=NOON)
                files = kept(path)
                await log.close()
                return files
            await log.close()
            return kept(path)

        return asyncio.run(main())


def kept(path: Path) -> Files:
    """What there is on the disk; what SQLite shares in memory is of no use to who comes later."""
    return {file.name: file.read_bytes() for file in sorted(path.parent.iterdir()) if not file.name.endswith("-shm")}


async def everything(path: Path) -> tuple[Facts, dict[RepositoryId, Opening], dict[RepositoryId, list[PastTask]]]:
    """All that a log has to say."""
    log = SqliteLog(path)
    await log.open()
    try:
        names = await log.repositories()
        facts = {name: await log.read(name) for name in names}
        openings = {name: await log.opening(name) for name in names}
        past = {name: list(await log.past(name, limit=100)) for name in names}
    finally:
        await log.close()
    return facts, openings, past


@cache
def whole(*, closed: bool) -> tuple[Facts, dict[RepositoryId, Opening], dict[RepositoryId, list[PastTask]]]:
    """What the log has to say if nothing happens to its files."""
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), left(closed=closed))
        return asyncio.run(everything(Path(folder) / "log.db"))


def put(folder: Path, files: Files) -> None:
    """Lay files down."""
    for name, content in files.items():
        (folder / name).write_bytes(content)


def judge(path: Path, damaged: Files, *, closed: bool) -> str:
    """What came of an opening: as if nothing had happened, an honest recovery, or one clear error. Else this fails."""
    before, openings, _ = whole(closed=closed)
    try:
        after, opened, _ = asyncio.run(everything(path))
    except BandstandError as error:
        assert error.message.endswith(".") and error.hint
        left_over = {name: content for name, content in kept(path).items() if content or name in damaged}
        assert left_over == damaged, "what cannot be saved is left as it is"
        return "told"
    if not recovery.report_of(path).exists():
        assert after == before
        assert opened == openings
        return "whole"
    report = json.loads(recovery.report_of(path).read_text())
    aside = {
        name: path.with_name(name.replace("log.db", report["aside"])) for name in damaged if name != "log.db.tally"
    }
    assert {name: file.read_bytes() for name, file in aside.items()} == {name: damaged[name] for name in aside}
    assert after.keys() == before.keys()
    for name, facts in before.items():
        lost = compare(facts, after[name])
        assert report["lost"].get(name, 0) == lost
        assert opened[name].version == len(facts)
        assert opened[name].totals.submitted >= openings[name].totals.submitted
        live = {task for task, ended in openings[name].past.items() if not ended}
        assert live <= openings[name].past.keys()
        for task in openings[name].past.keys() | openings[name].numbers.keys():
            known = task in opened[name].past or task in opened[name].numbers
            assert known or lost, "no task goes without a word"
    assert report["kept"] == sum(len(facts) for facts in before.values()) - sum(report["lost"].values())
    again = asyncio.run(everything(path))
    assert again[:2] == (after, opened), "it is a log like any other"
    return "recovered"


def compare(before: tuple[Recorded, ...], after: tuple[Recorded, ...]) -> int:
    """How many facts are lost. Each of the others is what it was, and stands where it stood."""
    there = {fact.version: fact for fact in before}
    known = lost = 0
    for fact in after:
        if isinstance(fact.event, e.FactsLost):
            lost += fact.event.count
            known += fact.event.count
            assert fact.version == known
        else:
            known += 1
            assert fact == there[known]
    assert known == len(before)
    return lost


@given(data=st.data(), closed=st.booleans(), cut=st.booleans())
def test_any_damage_is_told_or_mended(data: st.DataObject, closed: bool, cut: bool) -> None:
    """Bytes of one of its files are others, or its end is gone: nothing is silently another fact."""
    files = dict(left(closed=closed))
    name = data.draw(st.sampled_from(sorted(files)), label="file")
    content = files[name]
    at = data.draw(st.integers(0, len(content) - 1), label="at")
    if cut:
        files[name] = content[:at]
    else:
        length = data.draw(st.sampled_from([1, 2, 16, 400, 4096, 9000, 50_000]), label="length")
        with_what = data.draw(st.sampled_from([b"\0", b"\xff", b"x", b"\x0d", b"fact "]), label="with")
        blot = (with_what * length)[:length]
        files[name] = content[:at] + blot[: len(content) - at] + content[at + length :]
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), files)
        judge(Path(folder) / "log.db", files, closed=closed)


def test_a_text_that_cannot_be_one_is_damage_and_is_not_repeated() -> None:
    """However much stands there, and whatever it is: the message names the file and the next step."""
    with pytest.raises(Broken, match="damaged") as caught, troubles_told(Path("log.db")):
        sqlite3.connect(":memory:").execute("SELECT CAST(x'736563726574ff' AS TEXT)").fetchall()
    assert "secret" not in caught.value.message
    assert "band down" in caught.value.hint


def test_damage_found_while_reading_is_told(tmp_path: Path) -> None:
    """A disk that fails under a log that is open is met when the fact is read; the next opening saves what it can."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, *("x" * 3000 for _ in range(200))))

    async def main() -> None:
        log = SqliteLog(path)
        await log.open()
        content = bytearray(path.read_bytes())
        content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
        path.write_bytes(content)
        with pytest.raises(Broken, match="damaged") as caught:
            await log.read(ADA)
        assert "band down" in caught.value.hint
        await log.close()

    asyncio.run(main())
    asyncio.run(read(path))
    assert recovery.report_of(path).exists()


def test_a_large_log_that_was_not_closed_is_looked_through_while_it_is_used(tmp_path: Path) -> None:
    """Once the damage is found nothing more is written, and the next opening saves what can be read."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, *("y" * 2**20 for _ in range(LOOKED_THROUGH_BYTES // 2**20 + 2))))
    content = path.read_bytes()
    at = content.index(b"yyyyyyyy", len(content) // 2)
    path.write_bytes(content[:at] + b"z" + content[at + 1 :])
    place(path).unlink()

    async def main() -> None:
        log = SqliteLog(path, look_after=0)
        await log.open()
        version = await log.latest()
        for _ in range(10_000):
            try:
                version = (await log.append(ADA, [said("more")], expected=version, at=NOON))[-1].version
            except Broken as error:
                assert "damaged" in error.message
                break
        else:
            raise AssertionError("nobody looked")
        await log.close()

    asyncio.run(main())
    asyncio.run(read(path))
    assert json.loads(recovery.report_of(path).read_text())["lost"] == {"ada": 1}


@pytest.mark.parametrize(
    "change",
    ["type = 'TaskSang'", "payload = '{}'", "at = 'noon'", "payload = CAST(x'ff' AS TEXT)", "task = 'u'", "digest = 7"],
)
def test_a_fact_that_somebody_else_changed_is_taken_for_lost(tmp_path: Path, change: str) -> None:
    """Those around it stay, the file with the change is kept, and a gap is told where the fact was."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "one", "two", "three"))
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"UPDATE events SET {change} WHERE version = 2")
        other.commit()

    async def main() -> None:
        log = SqliteLog(path)
        await log.open()
        facts = await log.read(ADA)
        assert [(fact.version, fact.event) for fact in facts] == [
            (1, said("one")),
            (2, e.FactsLost(count=1, orphans=(TaskId("t"),))),
            (3, said("three")),
        ]
        await log.close()

    asyncio.run(main())
