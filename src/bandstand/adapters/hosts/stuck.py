"""Runs that are held up by a full disk. Their holders say so by a file, so that it can be known without a daemon."""

from collections.abc import Collection
from pathlib import Path

from bandstand.adapters.hosts.channel import locked
from bandstand.adapters.hosts.holder import FULL
from bandstand.domain.ids import RunId


def held_up(runs: Path, named: Collection[RunId]) -> frozenset[RunId]:
    """Those of the named runs that are live, and whose journals cannot grow. No other folder is looked at."""
    return frozenset(run for run in named if (runs / run / FULL).exists() and locked(runs / run))


def stuck(runs: Path) -> list[str]:
    """The live runs below this folder whose journals cannot grow, and whose agents wait for that."""
    return sorted(mark.parent.name for mark in runs.glob(f"*/{FULL}") if locked(mark.parent))
