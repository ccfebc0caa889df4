"""What the log keeps beside its facts is made from them, also when it was lost or never kept."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from bandstand.adapters.store.schema import APPLICATION_ID, MIGRATIONS
from bandstand.adapters.store.sqlite import SqliteLog
from bandstand.domain import events as e
from bandstand.domain.ids import AgentName, AskId, TaskId
from bandstand.domain.task import TaskSpec
from bandstand.ports.log import Opening
from tests.adapters.sqlite_programs import ADA, NOON, write


def test_a_log_of_the_first_version_opens_as_if_it_had_been_written_today(tmp_path: Path) -> None:
    """Its index of tasks is made from its facts; asks of then, which did not name their task, do no harm."""
    story: list[e.Event] = [
        e.TaskSubmitted(spec=TaskSpec(id=TaskId("one"), title="One", goal="One.", agent=AgentName("a")), by="ada"),
        e.TaskSubmitted(spec=TaskSpec(id=TaskId("two"), title="Two", goal="Two.", agent=AgentName("a")), by="ada"),
        e.TaskCancelled(task=TaskId("one"), by="ada", reason=""),
        e.AskWithdrawn(ask=AskId("a1"), reason=""),
        e.WorkspaceRetired(task=TaskId("one")),
    ]

    async def written(path: Path) -> Opening:
        log = SqliteLog(path)
        await log.open()
        await log.append(ADA, story, expected=0, at=NOON)
        opening = await log.opening(ADA)
        await log.close()
        return opening

    async def opened(path: Path) -> Opening:
        log = SqliteLog(path)
        await log.open()
        opening = await log.opening(ADA)
        await log.close()
        return opening

    today = asyncio.run(written(tmp_path / "today.db"))
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as database:
        database.executescript(
            f"{MIGRATIONS[0][0]}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
        )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("ATTACH ? AS today", (str(tmp_path / "today.db"),))
        columns = "sequence, repository, version, at, type, type_version, payload"
        database.execute(f"INSERT INTO events ({columns}) SELECT {columns} FROM today.events")
        database.commit()
    assert asyncio.run(opened(old)) == today
    assert today.past == {TaskId("one"): False}
    assert today.numbers == {TaskId("two"): 2}


def test_the_index_of_tasks_may_be_lost(tmp_path: Path) -> None:
    """Everything but the summaries is made again from the facts when the log is opened."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "hello"))

    async def opened() -> Opening:
        log = SqliteLog(path)
        await log.open()
        opening = await log.opening(ADA)
        await log.close()
        return opening

    before = asyncio.run(opened())
    with closing(sqlite3.connect(path)) as database:
        database.executescript("DELETE FROM repositories; DELETE FROM tasks;")
    assert asyncio.run(opened()) == before
    assert before.version == 1
