"""A long history, made of a real one: the facts of a task that was really played, again under other names.

The rows are written as the log writes them, past its code, since half a million facts would take that minutes. What
the log keeps beside the facts is left out: the log finds that missing when it is opened, and makes it again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bandstand.adapters.store import tally
from bandstand.adapters.store.digests import digest
from bandstand.adapters.store.recovery import INSERT
from bandstand.config.places import places
from benchmarks import processes
from benchmarks.ground import Ground

MODEL = "model-of-all"
RULES = 'review = "agent"\n\n[checks]\ncommands = ["true"]\n'
SCORE = {
    "parts": [
        {"when": "Reason: review", "steps": [{"review": {"verdict": "approved", "summary": "It is good."}}]},
        {"steps": [{"edit": {"path": "{task}.txt", "content": "{task}\n"}}, {"commit": "Add a file"}]},
    ]
}
_SELECT = "SELECT at, type, type_version, payload, task FROM events WHERE repository = ? ORDER BY version"
Row = tuple[str, str, int, str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The facts of one repository in which one task has landed, reviewed by an agent."""

    path: str
    common: tuple[Row, ...]
    task: tuple[Row, ...]


def history(place: Ground) -> History:
    """Play it, and let the daemon end."""
    repository = place.repository("model", rules=RULES)
    place.submit([{"id": MODEL, "goal": "Play the model of all others."}], SCORE, at=repository)
    processes.until(lambda: not _left(place, repository), "the end of the model task", within=120, pause=0.2)
    place.band("down", at=repository)
    name = _identity(repository)
    with closing(sqlite3.connect(database(place))) as connection:
        rows = list(connection.execute(_SELECT, (name,)))
    kinds = [row[1] for row in rows]
    if "ReviewConcluded" not in kinds or kinds[-1] != "WorkspaceRetired":
        raise RuntimeError(f"the model task went another way than it should: {kinds}")
    common = tuple(row for row in rows if row[4] is None)
    return History(path=str(repository), common=common, task=tuple(row for row in rows if row[4] is not None))


def write(place: Ground, model: History, repository: Path, *, ended: int, live: int = 0) -> int:
    """Give a repository a past of so many tasks, and so many that wait for a slot; how many facts that are.

    The daemon must be down, and the repository must have no facts.
    """
    name = _identity(repository)
    with closing(sqlite3.connect(database(place))) as connection, connection:
        last = connection.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()[0]
        rows = [
            (last + version, name, version, at, kind, kind_version, payload, task)
            for version, (at, kind, kind_version, payload, task) in enumerate(_rows(model, repository, ended, live), 1)
        ]
        connection.executemany(INSERT, [(*row, digest(*row)) for row in rows])
    # What it says of the file is no longer so: it is opened like one that was not closed in order.
    tally.place(database(place)).unlink(missing_ok=True)
    return len(rows)


def database(place: Ground) -> Path:
    """The file of the log."""
    return places(place.environment, uid=0).database


def identity(place: Ground, repository: Path) -> str:
    """The id of a repository; it gets one by the first command there."""
    place.band("ps", at=repository)
    return _identity(repository)


def _identity(repository: Path) -> str:
    return (repository / ".git" / "bandstand-id").read_text().splitlines()[0]


def _rows(model: History, repository: Path, ended: int, live: int) -> Iterator[Row]:
    for at, kind, kind_version, payload, task in model.common:
        yield at, kind, kind_version, payload.replace(model.path, str(repository)), task
    submission = model.task[:1]
    for number in range(1, ended + live + 1):
        name = f"task-{number:06d}"
        for at, kind, kind_version, payload, _ in model.task if number <= ended else submission:
            yield at, kind, kind_version, payload.replace(MODEL, name), name


def _left(place: Ground, repository: Path) -> bool:
    return bool(place.workspaces()) or place.band_json("show", MODEL, at=repository)["row"]["mark"] != "landed"
