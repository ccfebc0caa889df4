"""A change: what a task's branch adds to its target. It maps one to one to a pull request."""

from dataclasses import dataclass

from bandstand.domain.ids import CommitId, TreeId


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file of a change. `status` is git's letter (A, M, D, R, T); binary files count no lines."""

    path: str
    status: str
    added: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfiltered:
    """A file for which the attributes of the repository name a filter that did not run."""

    path: str
    filter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What of a change is kept elsewhere or otherwise: links to commits of other repositories, files past a filter."""

    links: tuple[str, ...] = ()
    unfiltered: tuple[Unfiltered, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The commits between `base` and `head`, and the files they touch, sorted by path."""

    base: CommitId
    head: CommitId
    tree: TreeId
    files: tuple[FileChange, ...]
    commits: int

    @property
    def added(self) -> int:
        """Lines added in all files."""
        return sum(file.added for file in self.files)

    @property
    def deleted(self) -> int:
        """Lines deleted in all files."""
        return sum(file.deleted for file in self.files)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths it touches."""
        return tuple(file.path for file in self.files)
