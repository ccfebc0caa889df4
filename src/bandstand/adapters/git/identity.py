"""The id of a repository, kept in its shared git dir.

    bandstand-id     id, device:inode of the shared git dir, its path; one line each

Linked worktrees share the git dir and so the id; a clone has no such file and gets an id of its own. A repository that
was moved still has its inode, or nobody is left at its old path: it keeps its id. A copy has another inode while the
original is still where it was: the copy gets a new id.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bandstand.domain.errors import Refused, Unavailable, of_the_disk
from bandstand.domain.ids import RepositoryId
from bandstand.faults import fault

FILE = "bandstand-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Card:
    id: str
    inode: str
    path: str


def identify(git_dir: Path, *, new_id: Callable[[], str]) -> RepositoryId:
    """The id of the repository with this shared git dir; a new one is kept there if it has none of its own.

    Raises `Refused` if the folder may not be written.
    """
    _clear_up(git_dir)
    there = git_dir.stat()
    inode, path = f"{there.st_dev}:{there.st_ino}", str(git_dir)
    card = _read(git_dir)
    if card is not None and card.inode == inode and card.path == path:
        return RepositoryId(card.id)
    try:
        if card is None:
            return RepositoryId(_write_first(git_dir, _Card(id=new_id(), inode=inode, path=path)).id)
        copied = card.inode != inode and card.path != path and _lives_at(card)
        card = _Card(id=new_id() if copied else card.id, inode=inode, path=path)
        _written(git_dir, card).replace(git_dir / FILE)
    except OSError as error:
        kind = Unavailable if isinstance(of_the_disk(error), Unavailable) else Refused
        raise kind(f"The folder {git_dir} cannot be written: {error.strerror}.") from error
    return RepositoryId(card.id)


def _lives_at(card: _Card) -> bool:
    """Whether the repository that the card was written for is still at its path."""
    other = _read(Path(card.path))
    return other is not None and other.id == card.id


def _read(git_dir: Path) -> _Card | None:
    try:
        lines = os.fsdecode((git_dir / FILE).read_bytes()).split("\n", 2)
    except OSError:
        return None
    return _Card(id=lines[0], inode=lines[1], path=lines[2].removesuffix("\n")) if len(lines) == 3 else None


def _write_first(git_dir: Path, card: _Card) -> _Card:
    """Write the card unless somebody else has just done so; whichever stands there counts."""
    written = _written(git_dir, card)
    try:
        fault("repository.identify.before")
        (git_dir / FILE).hardlink_to(written)
        fault("repository.identify.after")
    except FileExistsError:
        card = _read(git_dir) or card
    finally:
        written.unlink()
    return card


def _written(git_dir: Path, card: _Card) -> Path:
    draft = git_dir / f"{FILE}-{os.getpid()}"
    draft.write_bytes(os.fsencode(f"{card.id}\n{card.inode}\n{card.path}\n"))
    return draft


def _clear_up(git_dir: Path) -> None:
    """Remove drafts of processes that died over them. One whose number somebody else has now goes later."""
    for draft in git_dir.glob(f"{FILE}-*"):
        pid = draft.name.rpartition("-")[2]
        with contextlib.suppress(OSError):
            if not (pid.isdigit() and _lives(int(pid))):
                draft.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
