"""Drafts: new folders in which something is made before it takes its place, so that it is there whole or not at all.

A draft stands beside its place, since only there a rename is one step. Whoever makes it holds a lock on it as long as
they live. So one that nobody holds was left by a process that was killed, and goes when the next one is made there.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = ".band-draft-"


@contextmanager
def draft(beside: Path) -> Iterator[Path]:
    """A new folder of its owner's beside a place. Whoever made it removes it. Raises `OSError`."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside.parent))
        with _locked(folder):
            # Between its making and the lock it looks like one that was left, and somebody may have removed it.
            if folder.exists():
                yield folder
                return


def left(beside: Path) -> Iterator[Path]:
    """The drafts beside a place whose makers are dead. Each stays locked until the next one is asked for."""
    for folder in beside.parent.glob(f"{PREFIX}*"):
        with _locked(folder) as mine:
            if mine and folder.exists():
                yield folder


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether a folder is ours, and nobody else holds it while this lasts."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    if os.fstat(descriptor).st_uid != os.getuid():
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody holds it; or this disk knows no locks, and nothing can be said of it
        return False
    return True
