"""Removing what is kept outside of repositories and settings: of one repository, or of all on this machine."""

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from bandstand.config.places import Places
from bandstand.domain.errors import Refused, Unavailable
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.following import api_socket
from bandstand.faces.cli.keeping import size
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.machine import live_agents
from bandstand.faces.cli.reaching import client, me
from bandstand.faces.cli.starting import here, wait_for_its_end
from bandstand.faces.stream import Api
from bandstand.faults import VARIABLE, arm, fault
from bandstand.unattended import unfinished_tasks

_OURS = (
    "bandstand.db*",
    "backups",
    "daemon.*",
    "wake.lock",
    "clock.*",
    "down",
    "stopped*",
    "api.token",
    "leases",
    "scores",
    "logins",
    "repositories",
)
"""What Bandstand has in its state folder. `BAND_STATE_DIR` may name one that holds other things, too."""


def purge(arguments: argparse.Namespace) -> int:
    """Remove everything, once nothing goes on. Raises `Refused` while anything does, and without a word of consent."""
    if arguments.here:
        return _purge_here(arguments)
    if arguments.task:
        return _purge_task(arguments)
    arm(os.environ.pop(VARIABLE, ""))
    where = here()
    known: Collection[tuple[str, str]] = ()
    if where.state.exists():
        known = unfinished_tasks(where)
        _nothing_goes_on(where)
    weight = sum(_weight(path) for path in _found(where))
    if weight and not arguments.yes:
        raise Refused(
            f"This removes {size(weight)} for good: the log of what happened, checkpoints, transcripts, "
            f"and archives of files that git ignores{_and_logins(where)}.",
            hint="What is in your repositories stays, rescues and band/* branches too. Go on: band purge --yes",
        )
    there = [folder for folder in (where.state, where.runtime, where.cache) if folder.exists()]
    if where.state.exists():
        client().call("down")
        wait_for_its_end(where)
        try:
            clear_away(where, known=known)
        except Refused:
            call("ready")  # what was ordered is to go on
            raise
    else:
        _remove_all(where)
    removed = [str(path) for path in there if not path.exists()]
    kept = [str(path) for path in (where.state, where.settings) if path.exists()]
    if arguments.json:
        return dump({"removed": removed, "kept": kept, "bytes": weight})
    whole = [one for one in removed if not any(one.startswith(f"{other}/") for other in removed)]
    words = f"Removed {', '.join(whole)}: {size(weight)}." if weight else "There is nothing to remove."
    stays = f" This is yours, and stays: {', '.join(kept)}." if kept else ""
    sys.stdout.write(f"{words}{stays}\n")
    return 0


def clear_away(where: Places, *, known: Collection[tuple[str, str]]) -> None:
    """Remove everything where no daemon is, and let none begin meanwhile.

    What a daemon took up before its end counts. Raises `Refused` if that is a task which is not `known`, or if anything
    lives, and `Unavailable` if there is a daemon again.
    """
    with where.lock.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("A daemon was started meanwhile.", hint="Try again: band purge") from None
        if new := sorted(task for _, task in unfinished_tasks(where) - frozenset(known)):
            raise Refused(
                f"This was ordered meanwhile, and goes on: {', '.join(new[:3])}. Nothing was removed.",
                hint="Wait for it, or cancel it: band cancel TASK",
            )
        _nothing_lives(where, tasks=0)
        _remove_all(where)


def _and_logins(where: Places) -> str:
    """The agents that are logged in here, in words: they will have to be once more."""
    agents = sorted(folder.name for folder in where.logins.glob("*"))
    return f"; and the logins of {', '.join(agents)}" if agents else ""


def _remove_all(where: Places) -> None:
    for path in [path for path in _found(where) if path != where.lock]:
        _remove(path)
    _remove(where.lock)  # the last of all: until now no daemon could begin
    for folder in (where.runtime, where.cache, where.state):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _purge_here(arguments: argparse.Namespace) -> int:
    """Remove what is kept of the repository that the caller is in; its facts stay in the log."""
    repository = Path(call("ps")["repository"])
    weight = call("forget", at=repository, dry_run=True)["bytes"]
    if weight and not arguments.yes:
        raise Refused(
            f"This removes {size(weight)} for good that is kept of {repository}: transcripts, checkpoints, outputs of "
            "checks, and archives of files that git ignores.",
            hint="The repository stays as it is, and so does the list of its tasks. Go on: band purge --here --yes",
        )
    call("forget", at=repository)
    if arguments.json:
        return dump({"removed": [str(repository)] if weight else [], "kept": [], "bytes": weight})
    words = f"Removed what was kept of {repository}: {size(weight)}." if weight else "There is nothing to remove."
    sys.stdout.write(f"{words}\n")
    return 0


def _purge_task(arguments: argparse.Namespace) -> int:
    """Remove what is kept of one ended task; its facts stay in the log, which says that it was purged."""
    task = arguments.task
    found = call("purge", task=task, dry_run=True)
    if found["things"] and not arguments.yes:
        raise Refused(
            f"This removes {size(found['bytes'])} for good: {', '.join(found['things'])}.",
            hint=f"The facts of {task}, and all that landed, stay. Go on: band purge --task {task} --yes",
        )
    gone = call("purge", task=task, by=me())
    if arguments.json:
        return dump({"removed": gone["things"], "kept": [], "bytes": gone["bytes"]})
    words = f"Purged {task}: {', '.join(gone['things'])}." if gone["things"] else f"Nothing is kept of {task}."
    sys.stdout.write(f"{words}\n")
    return 0


def _nothing_goes_on(where: Places) -> None:
    """Ask the daemon, which is the one to know; it is started if need be."""
    call("ready")
    _nothing_lives(where, tasks=Api(api_socket()).ask("GET", "/health")["live"])


def _nothing_lives(where: Places, *, tasks: int) -> None:
    if tasks:
        words = "1 task has" if tasks == 1 else f"{tasks} tasks have"
        raise Refused(f"{words} not ended.", hint="Wait for them, or cancel each: band cancel TASK")
    if agents := live_agents(where):
        words = "An agent still lives." if agents == 1 else f"{agents} agents still live."
        raise Refused(words, hint="Cancel its task, or end all agents: band stop --all")
    # One that is half made nobody was ever let into, and what one held that is half removed was kept before.
    for tree in where.state.glob("repositories/*/workspaces/[!.]*/tree"):
        raise Refused(
            f"The workspace {tree} has not been cleared away.",
            hint="Its repository may be gone: put it back, or see what `band gc` says of it.",
        )


def _found(where: Places) -> Iterator[Path]:
    """What there is of ours, the database last: as long as it is there, what is left can be tried again."""
    yield from (path for folder in (where.cache, where.runtime) if folder.exists() for path in folder.iterdir())
    yield from (path for pattern in reversed(_OURS) for path in sorted(where.state.glob(pattern), reverse=True))


def _weight(path: Path) -> int:
    """How many bytes there are. What vanishes meanwhile weighs nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(_weight(one) for one in path.iterdir())
    with contextlib.suppress(OSError):
        return path.lstat().st_size
    return 0


def _remove(path: Path) -> None:
    fault("purge.remove.before")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    fault("purge.remove.after")
