"""What the log keeps beside the facts, so that it opens quickly: heads and totals, and an index of tasks.

All of it follows from the facts and can be made again from them. What stays true: it is written in the transaction of
the facts that it follows from, so it is never behind them; only summaries come later, and may be missing.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from bandstand.adapters.store.shapes import Record, Shapes, Unfit
from bandstand.domain import events as e
from bandstand.domain.errors import Broken
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.domain.past import PastTask, Totals, counted

SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE repositories (
        repository TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        submitted INTEGER NOT NULL,
        asked INTEGER NOT NULL,
        queued INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE tasks (
        repository TEXT NOT NULL,
        task TEXT NOT NULL,
        number INTEGER NOT NULL,
        closed INTEGER,
        landed INTEGER NOT NULL DEFAULT 0,
        summary TEXT,
        PRIMARY KEY (repository, task)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX tasks_by_number ON tasks (repository, number)",
)
"""The tables. `closed` is the version of the fact with which a task left the state."""

_MILESTONES = (
    "type IN ('TaskSubmitted', 'AskRaised', 'TaskBlocked', 'ChangeQueued', 'ChangeLanded', 'WorkspaceRetired', "
    "'FactsLost')"
)
MILESTONES_INDEX = f"""
    CREATE INDEX milestones ON events (repository, task, version, type) WHERE {_MILESTONES}
"""
"""The few facts of each task from which all that is kept beside them is made: every fifth, and none of them is read."""

_LOST = f"SELECT * FROM events WHERE {_MILESTONES} AND task IS NULL AND type = 'FactsLost'"
REBUILD: tuple[str, ...] = (
    "DELETE FROM repositories",
    "DELETE FROM tasks",
    f"""
    INSERT INTO repositories (repository, version, submitted, asked, queued)
    WITH RECURSIVE names (name) AS (
        SELECT min(repository) FROM events
        UNION ALL
        SELECT (SELECT min(repository) FROM events WHERE repository > name) FROM names WHERE name IS NOT NULL
    ), counts AS (
        SELECT repository, sum(type = 'TaskSubmitted') AS submitted, sum(type IN ('AskRaised', 'TaskBlocked')) AS asked,
            sum(type = 'ChangeQueued') AS queued
        FROM events WHERE {_MILESTONES} GROUP BY repository
    ), gaps AS (
        SELECT repository, sum(json_extract(payload, '$.count')) AS lost FROM ({_LOST}) GROUP BY repository
    )
    SELECT name, (SELECT max(version) FROM events WHERE repository = name), coalesce(submitted, 0) + coalesce(lost, 0),
        coalesce(asked, 0) + coalesce(lost, 0), coalesce(queued, 0) + coalesce(lost, 0)
    FROM names LEFT JOIN counts ON counts.repository = name LEFT JOIN gaps ON gaps.repository = name
    WHERE name IS NOT NULL
    """,
    f"""
    INSERT INTO tasks (repository, task, number, closed, landed)
    SELECT repository, task, row_number() OVER (PARTITION BY repository ORDER BY submitted) + (
        SELECT coalesce(sum(json_extract(payload, '$.count')), 0) FROM ({_LOST}) AS gap
        WHERE gap.repository = found.repository AND gap.version < submitted
    ), closed, landed
    FROM (
        SELECT repository, task, min(version) FILTER (WHERE type = 'TaskSubmitted') AS submitted,
            min(version) FILTER (WHERE type = 'WorkspaceRetired') AS closed, max(type = 'ChangeLanded') AS landed
        FROM events WHERE {_MILESTONES} AND task IS NOT NULL GROUP BY repository, task
    ) AS found
    WHERE submitted IS NOT NULL
    """,
    f"""
    INSERT OR IGNORE INTO tasks (repository, task, number, closed, landed)
    SELECT repository, orphan.value, 0, version,
        EXISTS (SELECT 1 FROM json_each(payload, '$.landed') AS one WHERE one.value = orphan.value)
    FROM ({_LOST}) AS gap, json_each(payload, '$.orphans') AS orphan
    """,
)
"""What makes everything but the summaries again from the facts. It reads an index of milestones and no other fact."""

BEHIND = """
    SELECT 1 FROM (SELECT max(sequence) AS last FROM events) AS log
    JOIN events ON events.sequence = log.last
    LEFT JOIN repositories AS head ON head.repository = events.repository
    WHERE head.version IS NOT events.version
"""
"""A row if what was made from the facts has been lost, or was written by a program that did not keep it."""

_OPEN_FACTS = """
    SELECT sequence, repository, version, at, type, type_version, payload, task, digest FROM events
    WHERE repository = :repository AND task IS NULL
    UNION ALL
    SELECT f.sequence, f.repository, f.version, f.at, f.type, f.type_version, f.payload, f.task, f.digest
    FROM tasks AS t CROSS JOIN events AS f ON f.repository = t.repository AND f.task = t.task
    WHERE t.repository = :repository AND t.closed IS NULL
"""
"""Neither joined the other way round nor put in order by SQLite, which would then look at every fact there is."""

Row = tuple[int, str, int, str, str, int, str, str | None, int]


def head(connection: sqlite3.Connection, repository: RepositoryId) -> tuple[int, Totals]:
    """The version of a repository, and how many there ever were in it."""
    found = connection.execute(
        "SELECT version, submitted, asked, queued FROM repositories WHERE repository = ?", (repository,)
    ).fetchone()
    if found is None:
        return 0, Totals()
    return found[0], Totals(submitted=found[1], asked=found[2], queued=found[3])


def keep_head(connection: sqlite3.Connection, repository: RepositoryId, version: int, totals: Totals) -> None:
    """Write down the version of a repository and its totals."""
    connection.execute(
        "INSERT INTO repositories (repository, version, submitted, asked, queued) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (repository) DO UPDATE SET version = excluded.version, submitted = excluded.submitted, "
        "asked = excluded.asked, queued = excluded.queued",
        (repository, version, totals.submitted, totals.asked, totals.queued),
    )


def index(
    connection: sqlite3.Connection, repository: RepositoryId, version: int, event: e.Event, totals: Totals
) -> Totals:
    """Keep the index of tasks up with one more fact: the totals behind it."""
    totals = counted(totals, event)
    match event:
        case e.TaskSubmitted(spec=spec):
            connection.execute(
                "INSERT OR IGNORE INTO tasks (repository, task, number) VALUES (?, ?, ?)",
                (repository, spec.id, totals.submitted),
            )
        case e.ChangeLanded(task=task):
            connection.execute("UPDATE tasks SET landed = 1 WHERE repository = ? AND task = ?", (repository, task))
        case e.WorkspaceRetired(task=task):
            connection.execute(
                "UPDATE tasks SET closed = ? WHERE repository = ? AND task = ? AND closed IS NULL",
                (version, repository, task),
            )
        case e.FactsLost(orphans=orphans, landed=landed):
            connection.executemany(
                "INSERT OR IGNORE INTO tasks (repository, task, number, closed, landed) VALUES (?, ?, 0, ?, ?)",
                [(repository, task, version, task in landed) for task in orphans],
            )
        case _:
            pass
    return totals


def open_facts(connection: sqlite3.Connection, repository: RepositoryId) -> list[Row]:
    """The facts about the repository as a whole and about live tasks, in order."""
    found: list[Row] = connection.execute(_OPEN_FACTS, {"repository": repository}).fetchall()
    return sorted(found, key=lambda row: row[2])


def past(connection: sqlite3.Connection, repository: RepositoryId) -> dict[TaskId, bool]:
    """The tasks that are over, each with whether it landed."""
    found = connection.execute(
        "SELECT task, landed FROM tasks WHERE repository = ? AND closed IS NOT NULL", (repository,)
    )
    return {TaskId(task): bool(landed) for task, landed in found}


def numbers(connection: sqlite3.Connection, repository: RepositoryId) -> dict[TaskId, int]:
    """The numbers of live tasks."""
    found = connection.execute("SELECT task, number FROM tasks WHERE repository = ? AND closed IS NULL", (repository,))
    return {TaskId(task): number for task, number in found}


def unsummarised(connection: sqlite3.Connection, repository: RepositoryId, limit: int) -> tuple[TaskId, ...]:
    """Tasks that are over and have no summary."""
    found = connection.execute(
        "SELECT task FROM tasks WHERE repository = ? AND closed IS NOT NULL AND summary IS NULL LIMIT ?",
        (repository, limit),
    )
    return tuple(TaskId(task) for (task,) in found)


def summarise(connection: sqlite3.Connection, repository: RepositoryId, summaries: Sequence[PastTask]) -> None:
    """Keep summaries."""
    rows = [(json.dumps(_summary().encode(one)), repository, one.id) for one in summaries]
    connection.executemany("UPDATE tasks SET summary = ? WHERE repository = ? AND task = ?", rows)


def summaries(
    connection: sqlite3.Connection, repository: RepositoryId, limit: int, only: Sequence[TaskId]
) -> tuple[PastTask, ...]:
    """The summaries of the last tasks that are over, or of some, in the order of submission."""
    condition, values = "", [repository, *only, limit]
    if only:
        condition = f"AND task IN ({', '.join('?' * len(only))}) "
    found = connection.execute(
        f"SELECT number, summary FROM tasks WHERE repository = ? AND summary IS NOT NULL {condition}"
        "ORDER BY number DESC LIMIT ?",
        values,
    )
    return tuple(replace(_read(text), number=number) for number, text in reversed(found.fetchall()))


def _read(text: str) -> PastTask:
    try:
        read: PastTask = _summary().decode(json.loads(text))
    except (Unfit, ValueError) as error:
        raise Broken(f"The summary of a task cannot be read: {error}.", hint="Run `band doctor --repair`.") from None
    return read


@cache
def _summary() -> Record:
    return Shapes().record(PastTask)
