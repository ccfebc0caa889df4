"""A remote in memory: what it has of each branch, and whether it can be reached or says no."""

from bandstand.domain.errors import BandstandError
from bandstand.domain.ids import CommitId
from bandstand.ports.remote import Fetched
from bandstand.testing.git import MemoryRepository


class MemoryRemote:
    """`tips` are branches of the remote; with none there is no remote. `trouble` is raised while it is there.

    A target is shared by the remote of that `name`; `at` says to which each of `pushed` went.
    """

    def __init__(self, repository: MemoryRepository) -> None:
        self._repository = repository
        self.tips: dict[str, CommitId] = {}
        self.name = "origin"
        self.pushed: list[CommitId] = []
        self.at: list[str] = []
        self.trouble: BandstandError | None = None

    async def of(self, branch: str) -> str | None:
        """The one that there is, if there is one."""
        return self.name if self.tips else None

    async def fetch(self, branch: str) -> Fetched | None:
        """Get what the remote has of a branch."""
        self._reach()
        if branch not in self.tips:
            return None
        local, tip = await self._repository.tip(branch), self.tips[branch]
        here, there = self._repository.history(local), self._repository.history(tip)
        return Fetched(remote=self.name, tip=tip, local=local, ahead=len(here - there), behind=len(there - here))

    async def push(self, branch: str, commit: CommitId, *, remote: str) -> None:
        """Have the branch of the remote hold a commit."""
        self._reach()
        if commit not in self._repository.history(self.tips[branch]):
            self.tips[branch] = commit
            self.pushed.append(commit)
            self.at.append(remote)

    def _reach(self) -> None:
        if self.trouble is not None:
            raise self.trouble
