"""The remote that a branch of the user's repository is shared by, if there is one."""

from dataclasses import dataclass
from typing import Protocol

from bandstand.domain.ids import CommitId


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Where a branch is on its remote now, and how the local one stands to that. Diverged is ahead and behind."""

    remote: str
    tip: CommitId
    local: CommitId
    behind: int
    ahead: int


class Remote(Protocol):
    """Looks at remotes, and pushes a branch. Nobody is asked for anything, no hook of the user's runs, and each verb
    has a deadline. Raises `Unavailable` where a remote cannot be reached or takes too long, `Refused` where it says no.
    """

    async def of(self, branch: str) -> str | None:
        """The name of the remote that a branch is shared by: the one it follows, else `origin`, if there is one."""
        ...

    async def fetch(self, branch: str) -> Fetched | None:
        """Get what the remote has of a branch; `None` if there is no remote, or no such branch there.

        Nothing of the local branch is changed.
        """
        ...

    async def push(self, branch: str, commit: CommitId, *, remote: str) -> None:
        """Have the branch of that remote hold a commit: that one and what it holds, and no other branch or tag.

        It looks first, so it may be repeated. Never takes anything off the remote. Raises `Refused` if there is none
        of that name any more.
        """
        ...
