"""What is left on a machine of work that is over, and when nobody needs it any more.

A task's id is given once. So once a task is in the past nothing that bears its name will be written again: whether it
landed is known for good, and what had not landed was kept before its workspace went. All proofs here rest on that.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bandstand.domain.ids import TaskId
from bandstand.domain.state import State

COLLECT_AFTER = timedelta(days=1)
"""How long after the last time remains are collected by themselves, at the earliest."""

CHECK_PLACE, REVIEW_PLACE = "check.", "review-"
"""How the names of throw-away checkouts begin; behind it stands the check, or the run that reviews."""

ARCHIVE_SUFFIX = ".tar.gz"

_ARCHIVE = re.compile(r"(.+)-[0-9a-f]{12}")
_GIB = 1024**3


class RemainsKind(StrEnum):
    """What sort of thing it is. The order is that of a list."""

    WORKSPACE = "workspace"
    CHECKOUT = "checkout"
    CHECKPOINTS = "checkpoints"
    PACKS = "packs"
    PIN = "pin"
    BRANCH = "branch"
    RUN = "run"
    CHECK = "check output"
    ARCHIVE = "archive"
    BACKUP = "backup"
    REPOSITORY = "repository"


BY_HAND = frozenset({RemainsKind.BRANCH, RemainsKind.REPOSITORY})
"""What goes only when a person gives the order: what they see in their own repository, or would have to name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remnant:
    """One thing that may go: `why` in a few words, and the `proof` in sentences, each of which was looked at just now.

    `bytes` is what it takes on the disk.
    """

    kind: RemainsKind
    name: str
    why: str
    bytes: int = 0
    proof: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long things of one sort are kept, and how much room they may take together. 0 is for ever, and any room."""

    days: int = 0
    bytes: int = 0


class Beyond(StrEnum):
    """What becomes of the oldest parts of a journal that takes more room than it may."""

    PACK = "pack"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long to keep what nobody needs any more, but somebody might want to read."""

    journals: Keep = field(default_factory=lambda: Keep(days=90, bytes=5 * _GIB))
    archives: Keep = field(default_factory=lambda: Keep(days=90, bytes=20 * _GIB))
    checks: Keep = field(default_factory=lambda: Keep(days=30, bytes=_GIB))
    backups: Keep = field(default_factory=lambda: Keep(days=90, bytes=5 * _GIB))


_NO_DAY = Keep(days=-1)
NOT_AT_ALL = Retention(journals=_NO_DAY, archives=_NO_DAY, checks=_NO_DAY, backups=_NO_DAY)
"""Nothing is kept, however young it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A thing with its age: `last` is when it was last written to."""

    name: str
    last: datetime
    bytes: int


def spent(things: Iterable[Aged], keep: Keep, *, now: datetime) -> list[tuple[Aged, str]]:
    """Which things are kept no longer, and why: those that are too old, then the oldest until the others have room."""
    found: list[tuple[Aged, str]] = []
    room = keep.bytes
    for thing in sorted(things, key=lambda one: (one.last, one.name), reverse=True):
        age = (now - thing.last).days
        room -= thing.bytes
        if keep.days and age >= keep.days:
            found.append((thing, f"{age} days old; kept for {keep.days}"))
        elif keep.bytes and room < 0:
            found.append((thing, f"newer ones take the {keep.bytes // 1024**2} MB that are kept"))
    return found[::-1]


def task_of(name: str) -> TaskId:
    """The task that a run or a check is of, by its name: neither has a task's id without a dot behind it."""
    return TaskId(name.partition(".")[0])


def archived_task(name: str) -> TaskId:
    """The task that an archive is of, by its name without its ending."""
    named = _ARCHIVE.fullmatch(name)
    return TaskId(named[1] if named else name)


def checkout_task(name: str) -> TaskId:
    """The task that a throw-away checkout is of, by its name."""
    of_check = name.startswith(CHECK_PLACE)
    return task_of(name.removeprefix(CHECK_PLACE) if of_check else name.removeprefix(REVIEW_PLACE))


def ended(state: State, task: TaskId) -> str:
    """Why nobody writes to what is a task's any more, in words; empty while somebody may, or if nothing is known."""
    if task not in state.past:
        return ""
    return f"{task} has landed" if state.past[task] else f"{task} was cancelled"


def run_over(state: State, name: str) -> str:
    """Why nobody writes any more to what bears the name of a run or of a check; empty while somebody may."""
    return ended(state, task_of(name))


def archive_over(state: State, name: str) -> str:
    """Why an archive is of no use; empty for one that is, and for what is no finished archive.

    What a task left that did not land is nowhere else: it is part of the rescue.
    """
    task = archived_task(name.removesuffix(ARCHIVE_SUFFIX))
    finished = name.endswith(ARCHIVE_SUFFIX) and not name.startswith(".")
    return ended(state, task) if finished and state.past.get(task) else ""


def is_wanted(state: State, checkout: str) -> bool:
    """Whether a throw-away checkout may be in use. Of a live task that is the one of its last check, or of its review.

    One of a task that nobody knows may be.
    """
    name = checkout_task(checkout)
    task = state.tasks.get(name)
    if task is None:
        return name not in state.past
    if checkout.startswith(CHECK_PLACE):
        return checkout == f"{CHECK_PLACE}{name}.{task.checks}"
    return task.review_run is not None and checkout == f"{REVIEW_PLACE}{task.review_run.id}"


def due(state: State, *, now: datetime) -> bool:
    """Whether remains should be collected, now that something has ended."""
    last = state.collected or state.opened
    return last is not None and now >= last + COLLECT_AFTER
