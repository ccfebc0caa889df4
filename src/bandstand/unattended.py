"""What is read of a user's state where no daemon can be asked: for a report about a fault, files are all that there is.

Beside `bootstrap` the only module that knows adapters. It only reads, but for ending agents in an emergency.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bandstand.adapters.credentials import known_logins
from bandstand.adapters.hosts.journal import scan, segments
from bandstand.adapters.hosts.local import LocalHost
from bandstand.adapters.hosts.records import note
from bandstand.adapters.hosts.stuck import stuck
from bandstand.adapters.store.outline import Outlined, outline, unfinished
from bandstand.adapters.surroundings import FileEnvironment
from bandstand.config.places import Places
from bandstand.domain.errors import BandstandError
from bandstand.starter import groups

_GRACE_SECONDS = 1.0


def facts_as_stored(places: Places, *, last: int) -> Iterator[Outlined]:
    """The last facts as they lie in the event log, with no daemon, and also if they make no sense. Raises as that."""
    return outline(places.database, last=last)


def unfinished_tasks(places: Places) -> frozenset[tuple[str, str]]:
    """The tasks of all repositories that are not over, as the event log has them. Raises as that."""
    return unfinished(places.database)


def journal_notes(places: Places) -> Iterator[tuple[Path, int, list[tuple[int, dict[str, Any]]]]]:
    """Each run's folder, the size of its journal, and what its holder noted there, with the time: no agent's words."""
    for folder in sorted(places.state.glob("repositories/*/runs/*")):
        with contextlib.suppress(OSError, BandstandError):
            journal = folder / "journal"
            files = [part.path(form) for part in segments(journal) for form in part.forms]
            notes = [(one.at_ms, said) for one in scan(journal) if (said := note(one))]
            yield folder, sum(file.stat().st_size for file in files), notes


def kept_variables(places: Places) -> Iterator[Mapping[str, str]]:
    """The environments that came with orders, of all repositories."""
    for path in places.state.glob("repositories/*/environment.json"):
        yield FileEnvironment(path).kept()


def limited_here() -> frozenset[str]:
    """What the kernel itself limits of runs on this machine, for this user: `memory`, `processes`, `cpu`."""
    return groups.limited(groups.found())


def kept_logins(places: Places) -> Iterator[str]:
    """What of the logins that agents share must not be shown."""
    return known_logins(places.logins)


def without_room(places: Places) -> list[str]:
    """The runs whose agents wait because the disk is full, as the folders tell: no daemon is needed to know."""
    return [run for runs in sorted(places.state.glob("repositories/*/runs")) for run in stuck(runs)]


async def end_agents(places: Places) -> tuple[int, int]:
    """End every agent of a user, with no daemon: how many ended, and how many could not be ended.

    Their journals, sessions and workspaces stay. It is for an emergency: a daemon that lives is to be asked first.
    """
    hosts = [LocalHost(runs, sys.executable) for runs in places.state.glob("repositories/*/runs")]
    living = [(host, run) for host in hosts for run in await host.live()]
    stopping = [host.stop(run, grace_seconds=_GRACE_SECONDS) for host, run in living]
    ends = await asyncio.gather(*stopping, return_exceptions=True)
    failed = [end for end in ends if isinstance(end, BaseException)]
    for end in failed:
        if not isinstance(end, BandstandError):
            raise end
    return len(ends) - len(failed), len(failed)
