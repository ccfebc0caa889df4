"""What a database of ours is made of, from version to version, and which facts the program that wrote it knew."""

import json
import sqlite3
from collections.abc import Mapping

from bandstand.adapters.store import projections
from bandstand.adapters.store.codec import event_codec

APPLICATION_ID = 0x42414E44
"""What the header of every database of Bandstand says: the letters BAND."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            repository TEXT NOT NULL,
            version INTEGER NOT NULL,
            at TEXT NOT NULL,
            type TEXT NOT NULL,
            type_version INTEGER NOT NULL,
            payload TEXT NOT NULL,
            UNIQUE (repository, version)
        ) STRICT
        """,
    ),
    (
        "ALTER TABLE events ADD COLUMN task TEXT",
        """
        UPDATE events SET task = CASE type
            WHEN 'TaskSubmitted' THEN json_extract(payload, '$.spec.id')
            WHEN 'RunStarted' THEN json_extract(payload, '$.run.task')
            WHEN 'AskRaised' THEN json_extract(payload, '$.ask.task')
            ELSE json_extract(payload, '$.task')
        END
        """,
        "CREATE INDEX events_of_tasks ON events (repository, task, version)",
        *projections.SCHEMA,
    ),
    (
        "ALTER TABLE events ADD COLUMN digest INTEGER",
        """
        UPDATE events SET digest =
            fact_digest(sequence, repository, version, at, type, type_version, payload, task)
        """,
        projections.MILESTONES_INDEX,
        "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
        *projections.REBUILD,
    ),
)
"""What makes the schema of one version that of the next, from an empty file on. What stands here is never changed.

What is kept beside the facts is made in the end, as it is made today.
"""

DIGESTS_SINCE = 3
"""The version of the schema from which on each fact has a digest."""

COLUMNS: Mapping[int, int] = {1: 7, 2: 8, 3: 9}
"""How many columns the facts have, by the version of the schema."""


def number(connection: sqlite3.Connection, question: str) -> int:
    """The answer to a question that is one number."""
    return int(connection.execute(question).fetchone()[0])


def version(connection: sqlite3.Connection) -> int:
    """The version of the schema; 0 for an empty file."""
    return number(connection, "PRAGMA user_version")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date. Another process may have been first."""
    there = version(connection)
    for statements in MIGRATIONS[there:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {max(there, len(MIGRATIONS))}")


# --- which facts it knew --------------------------------------------------------------------------------------------


def known_kinds(connection: sqlite3.Connection) -> Mapping[str, int] | None:
    """The types of facts, each with its version, that the last program knew which opened it; nothing if none said."""
    if version(connection) < DIGESTS_SINCE:
        return None
    found = connection.execute("SELECT value FROM about WHERE name = 'kinds'").fetchone()
    if found is None:
        return None
    try:
        said = json.loads(found[0])
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def keep_known_kinds(connection: sqlite3.Connection) -> None:
    """Write down which facts this program knows."""
    said = json.dumps(event_codec().versions)
    connection.execute("INSERT OR REPLACE INTO about (name, value) VALUES ('kinds', ?)", (said,))


def unknown_kind(connection: sqlite3.Connection) -> str | None:
    """A type of fact that stands in it and that this program does not know; nothing if it knows all."""
    known = event_codec().versions
    for kind, latest in connection.execute("SELECT type, max(type_version) FROM events GROUP BY type ORDER BY type"):
        if latest > known.get(kind, 0):
            return f"{kind} {latest}"
    return None
