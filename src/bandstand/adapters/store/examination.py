"""Whether a database of ours is whole: all of its pages, all of its facts, and as many as there were."""

import sqlite3
from collections.abc import Mapping

from bandstand.adapters.store import digests
from bandstand.adapters.store.schema import COLUMNS, DIGESTS_SINCE, version

DAMAGE = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
"""What SQLite says of files that are not as they were written. `ERROR` is a table that is not as it was made."""

_FOREIGN_DIGEST = """
    SELECT sequence FROM events
    WHERE digest IS NOT fact_digest(sequence, repository, version, at, type, type_version, payload, task)
    LIMIT 1
"""
_VERSION_MISSING = """
    SELECT repository FROM events GROUP BY repository
    HAVING max(version) != count(*) + coalesce(sum(json_extract(payload, '$.count') - 1)
        FILTER (WHERE type = 'FactsLost'), 0)
    LIMIT 1
"""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error tells of what stands in the file, and not of the disk or of other programs."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in DAMAGE


def damage(connection: sqlite3.Connection) -> str:
    """What is wrong in the file, after looking at every byte of it; empty if it is whole.

    It takes about 10 ms per MiB. What is kept beside the facts is not looked at: it can be made again from them.
    """
    try:
        return _damage(connection)
    except sqlite3.Error as error:
        if is_damage(error):
            return str(error)
        raise


def _damage(connection: sqlite3.Connection) -> str:
    schema = version(connection)
    columns = connection.execute("SELECT count(*) FROM pragma_table_info('events')").fetchone()[0]
    if columns != COLUMNS.get(schema, 0):
        return "its tables are not those of its version"
    told: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if told != "ok":
        return told
    if schema >= DIGESTS_SINCE:
        digests.register(connection)
        if (found := connection.execute(_FOREIGN_DIGEST).fetchone()) is not None:
            return f"fact {found[0]} is not as it was written"
    if (found := connection.execute(_VERSION_MISSING).fetchone()) is not None:
        return f"facts of repository {found[0]} are missing"
    return ""


def missing(connection: sqlite3.Connection, heads: Mapping[str, int]) -> str:
    """Which facts are missing at the end of a repository, by what was said of it; empty if none are. It is quick."""
    for repository, head in heads.items():
        found = connection.execute("SELECT max(version) FROM events WHERE repository = ?", (repository,)).fetchone()[0]
        if (found or 0) < head:
            return f"the last {head - (found or 0)} facts of repository {repository} are missing"
    return ""
