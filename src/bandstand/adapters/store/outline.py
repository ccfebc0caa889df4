"""The event log read as it lies there, for a report about it: nothing is decoded, folded, changed or locked.

So it can be read when this program cannot make sense of it, which is when somebody wants a report.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandstand.adapters.store.troubles import troubles_told


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlined:
    """A fact as it is stored. `payload` is empty where it cannot be read."""

    sequence: int
    repository: str
    at: str
    type: str
    payload: Mapping[str, Any]


def outline(path: Path, *, last: int) -> Iterator[Outlined]:
    """The last facts of the log at `path`, the oldest first; none if there is no log.

    Raises `Broken` or `Unavailable` when the file cannot be read.
    """
    rows = _selected(
        path,
        "SELECT sequence, repository, at, type, payload FROM"
        " (SELECT * FROM events ORDER BY sequence DESC LIMIT ?) ORDER BY sequence",
        last,
    )
    for sequence, repository, at, kind, payload in rows:
        yield Outlined(sequence=sequence, repository=repository, at=at, type=kind, payload=_object(payload))


def unfinished(path: Path) -> frozenset[tuple[str, str]]:
    """The tasks of all repositories that are not over, each with its repository. Raises as `outline` does."""
    return frozenset(_selected(path, "SELECT repository, task FROM tasks WHERE closed IS NULL"))


def _selected(path: Path, statement: str, *values: int) -> Iterator[Any]:
    if not path.exists():
        return
    with troubles_told(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
        try:
            yield from connection.execute(statement, values)
        finally:
            connection.close()


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
