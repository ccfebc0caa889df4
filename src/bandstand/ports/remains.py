"""What is left of work that is over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bandstand.domain.ids import RepositoryId
from bandstand.domain.remains import Remnant, Retention
from bandstand.domain.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a fleet at one moment, and how long things are kept."""

    state: State
    retention: Retention
    now: datetime


class Remains(Protocol):
    """Things of some sorts that lie on this machine, for one repository."""

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """What may go, each thing with the proof that nobody needs it. Nothing is changed."""
        ...

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """Remove one thing that was found; `False` if by what is known now it may not go, or is gone already.

        What has not landed is captured and read back first, where that is possible at all; then it is no remnant. May
        be repeated. Raises `Broken` or `Unavailable` if it cannot be removed.
        """
        ...


class RepositoryFolders(Protocol):
    """What is kept outside of each repository, whether that is still there or not."""

    async def size(self, repository: RepositoryId) -> int | None:
        """What a repository's folder takes on the disk; `None` if there is none."""
        ...

    async def holds(self, repository: RepositoryId) -> tuple[str, ...]:
        """What is in it that is nowhere else, if its repository is gone."""
        ...

    async def remove(self, repository: RepositoryId) -> None:
        """Remove a repository's folder: only where it holds nothing that is nowhere else. May be repeated."""
        ...
