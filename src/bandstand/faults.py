"""Fault points: places in the code with a name, where a test can have the process die, fail or stand still.

A *deed* is a durable write or something done to the world outside. Each has two points, `DEED.before` and
`DEED.after`, and each point stands in the code once, as `fault("DEED.before")`. Nothing is armed in a process unless
its face says so with what stands in the variable `BAND_FAULT`, and then a point is one comparison with `None`.

The variable holds orders with commas between:

    landing.move.after                  the process is killed at the first passing of this point
    log.append.before@7                 at the seventh
    log.append.before@7-9=ENOSPC        from the seventh to the ninth it meets a full disk; `7-` is for ever
    agent.prompt.after=hang             it stands still there, until somebody continues or kills it
    wall=-3600                          the time of day is told an hour early
    record=/tmp/passed                  every passing becomes a line of that file

A point of a holder strikes in the holder that is started next, once; it can only die there.

It is a tool of the tests. A daemon takes it out of its environment as it reads it, so none that is started in its place
dies at the same point. So does a command that does deeds itself: `band export`, `band purge`. Other commands hand it on
to the daemon that they start.
"""

import errno
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from bandstand.domain.errors import Refused

VARIABLE: Final = "BAND_FAULT"

DEEDS: Final[Mapping[str, str]] = {
    "daemon.listen": "The daemon's socket is bound.",
    "daemon.record": "The daemon notes that it has begun.",
    "log.append": "Facts are committed to the log.",
    "log.summarise": "The summaries of ended tasks are committed.",
    "recovery.write": "What can be read of a damaged database is written to a new one.",
    "recovery.report": "What came of a recovery is said beside the damaged database.",
    "recovery.complete": "A new database is called complete: the next opening goes on with it.",
    "recovery.aside": "The damaged database gets a second name, under which it stays.",
    "recovery.tell": "What came of a recovery is laid out for the next command, which tells it.",
    "recovery.clear": "The write-ahead log and the tally of the damaged database lose their names.",
    "recovery.replace": "The new database takes the place of the damaged one.",
    "environment.save": "The caller's environment takes its place.",
    "repository.identify": "The repository's id is kept in its git dir.",
    "workspace.pin": "What a workspace borrows is pinned in the user's repository.",
    "workspace.furnish": "The files of a workspace are checked out, in a draft.",
    "workspace.note": "A draft gets its `workspace.json`.",
    "workspace.make": "A draft takes its place as the workspace.",
    "workspace.show": "A commit of the user's repository is shown inside a workspace.",
    "workspace.remove": "A workspace loses its name.",
    "workspace.destroy": "What is left of a workspace is removed from the disk.",
    "workspace.unpin": "The pins of a workspace are dropped.",
    "snapshot.vault": "The vault of a repository takes its place.",
    "snapshot.receive": "The objects of a snapshot are taken into the vault.",
    "snapshot.keep": "The refs of a snapshot are set in the vault.",
    "snapshot.commit": "What an agent left uncommitted becomes a commit.",
    "snapshot.forget": "The refs of a workspace are dropped from the vault.",
    "rewind.mark": "What is taken back is marked in the vault, so that its rescue keeps it.",
    "rewind.note": "The workspace notes which snapshot it goes back from.",
    "rewind.files": "The files of a workspace go back to a snapshot.",
    "rewind.head": "The index and the HEAD of an agent go back to a snapshot.",
    "fork.pin": "What a new task begins with is pinned in the user's repository.",
    "branch.send": "The objects of a change are taken into the user's repository.",
    "branch.publish": "The branch of a task is pointed at its change.",
    "rescue.archive": "What git leaves out of a workspace takes its place in an archive.",
    "rescue.point": "What has not landed is kept at a rescue ref.",
    "rescue.branch": "A branch begins at what was kept.",
    "rescue.unpack": "What was kept is written beside the folder that it is to become.",
    "rescue.restore": "What was kept takes its place as a folder of the user's.",
    "rescue.drop": "The rescue ref of what is given up is dropped.",
    "rescue.discard": "An archive of what is given up is removed.",
    "remains.clear": "One thing that nobody needs is cleared away.",
    "remains.drop": "The branch of a task whose every file has landed is dropped.",
    "remains.destroy": "A file or a folder that nobody needs is removed.",
    "remains.tidy": "All that the vault still needs is put into one pack.",
    "remains.abandon": "What is kept of a repository that is gone is removed.",
    "run.prepare": "The folder of a run is made.",
    "run.start": "The holder of a run is started.",
    "run.stop": "The process of a run is ended.",
    "agent.greet": "A session of an agent is opened.",
    "agent.prompt": "A prompt is written to an agent.",
    "agent.answer": "An answer to a request is written to an agent.",
    "agent.cancel": "A turn is cancelled.",
    "setup.run": "A task's workspace is set up.",
    "check.run": "A check runs, from its checkout to its verdict.",
    "check.command": "One command of a check runs.",
    "merge.build": "The commit that would be main is built.",
    "checkout.lock": "A checkout of the target is locked against the user's git.",
    "checkout.files": "The files of a checkout move to the new commit; its index does not yet.",
    "checkout.index": "The new index of a checkout takes its place.",
    "checkout.release": "A checkout is unlocked.",
    "landing.move": "The branch moves, by compare-and-swap.",
    "remote.fetch": "What a remote has of the target is fetched.",
    "remote.push": "What landed is pushed to a remote.",
    "export.write": "What is known of tasks is written beside the place of an export.",
    "export.place": "An export takes its place.",
    "purge.forget": "What is kept of one repository is removed.",
    "purge.remove": "One thing of the state is removed.",
    "holder.spawn": "A holder starts its agent.",
    "holder.send": "A line to an agent is kept in the journal.",
    "holder.feed": "A line is written to an agent.",
    "holder.hear": "What an agent said is kept in the journal.",
    "holder.exit": "The exit file takes its place.",
}
"""Every deed, and what is done in it. Those of a `holder` are passed in that process: see `faults_of_next_holder`."""

POINTS: Final = tuple(f"{deed}.{side}" for deed in DEEDS for side in ("before", "after"))
"""Every point."""

ERRORS: Final = ("ENOSPC", "EROFS", "EIO")
"""What a disk may say: it is full, may not be written, is broken."""

_KILL, _HANG = "kill", "hang"
_FOREVER = 1 << 60
_HOLDER = "holder."


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens at a point, from one passing to another one."""

    point: str
    first: int = 1
    last: int = 1
    action: str = _KILL

    def strike(self) -> None:
        """Have it happen. Raises `OSError` for what a disk may say; of the others nothing returns before time."""
        if self.action == _KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.action == _HANG:
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            number = getattr(errno, self.action)
            raise OSError(number, f"{os.strerror(number)} (a fault, at {self.point})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What `BAND_FAULT` says. `wall_seconds` is how wrong the time of day is told."""

    faults: tuple[Fault, ...] = ()
    record: Path | None = None
    wall_seconds: float = 0.0
    holders: "count[int]" = field(default_factory=count)
    passings: Mapping[str, "count[int]"] = field(default_factory=lambda: {point: count(1) for point in POINTS})

    def passing(self, point: str) -> None:
        """A point is passed. Points may be passed in several threads at once."""
        number = next(self.passings[point])
        due = [fault for fault in self.faults if fault.point == point and fault.first <= number <= fault.last]
        if self.record is not None:
            _add_line(self.record, " ".join([point, str(number), *(fault.action for fault in due)]))
        for fault in due:
            fault.strike()


_armed: Orders | None = (
    None  # the one thing in the package that is the same for a whole process: a process is what dies
)


def arm(text: str) -> None:
    """Have this process do from now on what `BAND_FAULT` says; nothing for an empty text. Raises `Refused`."""
    global _armed
    _armed = parsed(text) if text.strip() else None


def fault(point: str) -> None:
    """Pass a point. Raises `OSError` where that was ordered."""
    if _armed is not None:
        _armed.passing(point)


def faults_of_next_holder() -> dict[str, object]:
    """What the holder that is started next is to do: the first holder has the first such fault, and so on."""
    if _armed is None:
        return {}
    due = [fault for fault in _armed.faults if fault.point.startswith(_HOLDER)][next(_armed.holders) :][:1]
    orders: dict[str, object] = {"record": str(_armed.record)} if _armed.record is not None else {}
    return orders | ({"point": due[0].point, "at": due[0].first} if due else {})


def wall_seconds() -> float:
    """How wrong the time of day is to be told."""
    return 0.0 if _armed is None else _armed.wall_seconds


def parsed(text: str) -> Orders:
    """The orders that a text holds. Raises `Refused` for one that cannot be understood."""
    faults: list[Fault] = []
    record, wall = None, 0.0
    for word in filter(None, map(str.strip, text.split(","))):
        name, _, value = word.partition("=")
        try:
            match name:
                case "record":
                    record = Path(value)
                case "wall":
                    wall = float(value)
                case _:
                    faults.append(_fault(name, value or _KILL))
        except ValueError:
            hint = "It is DEED.before or DEED.after, @PASSING and =ACTION behind it; or wall=SECONDS, record=FILE."
            raise Refused(f"{VARIABLE} says {word!r}, which cannot be understood.", hint=hint) from None
    return Orders(faults=tuple(faults), record=record, wall_seconds=wall)


def _fault(name: str, action: str) -> Fault:
    point, _, passing = name.partition("@")
    known = (_KILL,) if point.startswith(_HOLDER) else (_KILL, _HANG, *ERRORS)
    if point not in POINTS or action not in known:
        raise ValueError(name)
    first, dash, last = (passing or "1").partition("-")
    return Fault(point=point, first=int(first), last=int(last or _FOREVER) if dash else int(first), action=action)


def _add_line(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)
