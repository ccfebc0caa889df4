"""Rescues in memory: refs of a repository in memory, and archives that are files by their names."""

from collections.abc import Mapping
from pathlib import Path

from bandstand.domain.errors import Refused
from bandstand.domain.ids import TaskId
from bandstand.ports.rescues import Rescue, RescueArchive, RescueRef, Restored
from bandstand.testing.git import MemoryRepository

_PLACE = "refs/bandstand/rescue/"


class MemoryRescues:
    """`archives` are files by archive and name, `folders` what was restored. Archives are called `<task>-…`."""

    def __init__(self, repository: MemoryRepository) -> None:
        self.repository = repository
        self.archives: dict[str, Mapping[str, bytes]] = {}
        self.folders: dict[Path, dict[str, bytes]] = {}

    async def all(self) -> tuple[Rescue, ...]:
        """Every rescue, by task."""
        refs: dict[TaskId, list[RescueRef]] = {}
        for ref, commit in sorted(self.repository.refs.items()):
            if ref.startswith(_PLACE):
                task, _, number = ref.removeprefix(_PLACE).partition("/")
                at = self.repository.at(commit).at
                one = RescueRef(number=int(number), ref=ref, commit=commit, at=at, bytes=0)
                refs.setdefault(TaskId(task), []).append(one)
        tasks = {*refs, *(TaskId(name.rpartition("-")[0]) for name in self.archives)}
        return tuple(
            Rescue(task=task, refs=tuple(refs.get(task, ())), archives=self._of(task)) for task in sorted(tasks)
        )

    def _of(self, task: TaskId) -> tuple[RescueArchive, ...]:
        at = self.repository.at(next(iter(self.repository.commits))).at
        return tuple(
            RescueArchive(name=name, path=f"/memory/{name}", at=at, bytes=sum(map(len, files.values())))
            for name, files in sorted(self.archives.items())
            if name.rpartition("-")[0] == task
        )

    async def listing(self, archive: RescueArchive, *, most: int) -> tuple[str, ...]:
        """The names in an archive."""
        return tuple(self.archives[archive.name])[:most]

    async def to_branch(self, ref: RescueRef, branch: str) -> None:
        """Have a new branch begin at what was kept."""
        if f"refs/heads/{branch}" in self.repository.refs or " " in branch:
            raise Refused(f"There is a branch {branch} already.")
        self.repository.refs[f"refs/heads/{branch}"] = ref.commit

    async def to_folder(self, rescue: Rescue, ref: RescueRef | None, folder: Path) -> Restored:
        """Write everything to a new folder."""
        if folder in self.folders:
            raise Refused(f"There is something at {folder} already.")
        files = dict(self.repository.at(ref.commit).files) if ref is not None else {}
        for archive in rescue.archives:
            files = {**self.archives[archive.name], **files}
        self.folders[folder] = files
        return Restored(files=len(files))

    async def only_there(self, rescue: Rescue) -> tuple[str, ...]:
        """The files and archives that are nowhere else."""
        own = {one.ref for one in rescue.refs}
        kept = {
            content
            for ref, commit in self.repository.refs.items()
            if ref not in own
            for one in self.repository.history(commit)
            for content in self.repository.at(one).files.values()
        }
        lost = {
            name
            for ref in rescue.refs
            for one in self.repository.history(ref.commit)
            for name, content in self.repository.at(one).files.items()
            if content not in kept
        }
        return (*sorted(lost), *(one.name for one in rescue.archives))

    async def drop(self, rescue: Rescue) -> None:
        """Give up a rescue."""
        for ref in rescue.refs:
            self.repository.refs.pop(ref.ref, None)
        for archive in rescue.archives:
            self.archives.pop(archive.name, None)
