"""Runs that are held up by a full disk. Their holders say so by a file, so that it can be known without a daemon."""

from pathlib import Path

from bandstand.adapters.hosts.channel import locked
from bandstand.adapters.hosts.holder import FULL


def stuck(runs: Path) -> list[str]:
    """The live runs below this folder whose journals cannot grow, and whose agents wait for that."""
    return sorted(mark.parent.name for mark in runs.glob(f"*/{FULL}") if locked(mark.parent))
