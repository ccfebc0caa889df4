"""`band export`: what is known of tasks, in files that need no Bandstand to be read. The data is the user's."""

import argparse
import contextlib
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from bandstand import __version__, drafts
from bandstand.domain.errors import Refused, Unavailable
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.following import stream
from bandstand.faces.cli.keeping import size
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.terminal import counted
from bandstand.faces.wire import Json
from bandstand.faults import VARIABLE, arm, fault

FORMAT = 1
"""The format of what is written; see docs/reference/export.md."""

_ENDS = (".tar.gz", ".tgz")


def export(arguments: argparse.Namespace) -> int:
    """Write it to a new folder, or to an archive of one. Raises `Refused` if there is something in that place."""
    arm(os.environ.pop(VARIABLE, ""))
    if bool(arguments.tasks) == arguments.all:
        raise Refused("Which tasks?", hint="Name some, or say --all: band export docs · band export --all")
    target = Path(arguments.output or time.strftime("band-export-%Y%m%d-%H%M%S.tar.gz")).absolute()
    for broken_off in drafts.left(target):
        shutil.rmtree(broken_off, ignore_errors=True)
    if target.exists() or target.is_symlink():
        raise Refused(f"{target} is there already.", hint="Name another file or folder: -o FILE.tar.gz")
    if not target.parent.is_dir():
        raise Refused(f"There is no folder {target.parent}.", hint="Make it first.")
    rows = call("ps", tasks=arguments.tasks, all=True)["tasks"]
    with _made_whole(target) as folder:
        written = _write(folder, rows, repository=arguments.all)
    weight = _weight(target)
    if arguments.json:
        return dump({"path": str(target), "tasks": len(rows), "facts": written.facts, "bytes": weight})
    what = f"{counted(len(rows), 'task')} with {counted(written.facts, 'fact')}"
    sys.stdout.write(f"Exported {what}: {target}, {size(weight)}\n")
    return 0


@contextlib.contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """A folder to write to, which becomes the target in the end, or nothing."""
    with drafts.draft(target) as making:
        try:
            name = target.name
            for end in _ENDS:
                name = name.removesuffix(end)
            folder = making / name
            folder.mkdir(mode=0o700)
            fault("export.write.before")
            yield folder
            made = _packed(folder, making / "archive") if target.name.endswith(_ENDS) else folder
            fault("export.write.after")
            fault("export.place.before")
            made.rename(target)
            fault("export.place.after")
        finally:
            shutil.rmtree(making, ignore_errors=True)


def _packed(folder: Path, archive: Path) -> Path:
    with os.fdopen(_private(archive), "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.add(folder, folder.name)
    return archive


def _private(path: Path) -> int:
    """A new file for its owner only."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)


@dataclass(slots=True)
class _Written:
    facts: int = 0
    tasks: list[Json] = field(default_factory=list)


def _write(folder: Path, rows: list[Json], *, repository: bool) -> _Written:
    written = _Written()
    for number, row in enumerate(rows, 1):
        _say(f"exporting {number} of {len(rows)}: {row['id']}")
        place = folder / "tasks" / row["id"]
        place.mkdir(parents=True, mode=0o700)
        facts = _task(place, row["id"])
        written.facts += 0 if repository else facts
        written.tasks.append({"id": row["id"], "title": row["title"], "mark": row["mark"], "words": row["words"]})
    if repository:
        _say("exporting the facts of the repository")
        written.facts = _lines(folder / "facts.jsonl", "facts")
    _say("")
    about = {
        "format": FORMAT,
        "bandstand": __version__,
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "whole": repository,
        "tasks": written.tasks,
    }
    _json(folder / "export.json", about)
    return written


def _task(place: Path, name: str) -> int:
    """What is known of one task; how many facts that are."""
    shown = call("show", task=name)
    _json(place / "task.json", shown)
    _lines(place / "transcript.jsonl", "log", task=name)
    if shown["change"] is not None:
        # The objects of a branch that the user has removed may be gone; everything else is there.
        with contextlib.suppress(Refused, Unavailable), _new(place / "change.patch", errors="surrogateescape") as file:
            file.write(call("diff", task=name)["patch"])
    return _lines(place / "facts.jsonl", "facts", task=name)


def _lines(path: Path, op: str, **args: Json) -> int:
    """Write each item of a stream as a line of JSON; how many there are. After a loss all come again."""
    count = 0
    with _new(path) as file:

        def again() -> None:
            nonlocal count
            count = 0
            file.seek(0)
            file.truncate()

        for item in stream(op, lost=again, **args):
            file.write(json.dumps(item, ensure_ascii=False) + "\n")
            count += 1
    return count


def _json(path: Path, value: Json) -> None:
    with _new(path) as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _new(path: Path, *, errors: str = "backslashreplace") -> TextIO:
    """A new text file. Half a character is written as JSON writes it, unless it is said otherwise."""
    return os.fdopen(_private(path), "w", encoding="utf-8", errors=errors)


def _say(words: str) -> None:
    """How far it is, where somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()


def _weight(target: Path) -> int:
    files = target.rglob("*") if target.is_dir() else [target]
    return sum(file.stat().st_size for file in files if file.is_file())
