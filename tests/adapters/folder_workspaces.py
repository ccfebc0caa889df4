"""Workspaces that are plain folders: enough for what runs commands in them."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.inclusion import NOTHING, Inclusion
from bandstand.domain.task import Fork
from bandstand.ports.git import Signature
from bandstand.ports.workspaces import Rewound, Snapshot, Workspace


class FolderWorkspaces:
    """The files of each commit are given. `held` are the names of the workspaces that are there now, and `discarded` of
    all that were removed. No commit is there for which no files are given.
    """

    def __init__(self, root: Path, commits: Mapping[CommitId, Mapping[str, str]]) -> None:
        self.root = root
        self._commits = commits
        self.objects: tuple[Path, ...] = ()
        self.discarded: list[str] = []

    @property
    def held(self) -> set[str]:
        """The workspaces that are there."""
        return {folder.name for folder in self.root.iterdir()} if self.root.is_dir() else set()

    async def prepare(
        self,
        name: str,
        *,
        base: CommitId,
        target: str,
        author: Signature,
        committer: Signature,
        inclusion: Inclusion = NOTHING,
        fork: Fork | None = None,
    ) -> Workspace:
        """A folder with the files of `base`, or the one that is there."""
        if base not in self._commits:
            raise Unavailable(f"There is no commit {base} here.")
        workspace = Workspace(
            name=name,
            folder=self.root / name / "folder",
            home=self.root / name / "home",
            objects=self.objects,
        )
        if not workspace.folder.is_dir():
            workspace.home.mkdir(parents=True)
            workspace.folder.mkdir()
            for path, content in self._commits[base].items():
                (workspace.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (workspace.folder / path).write_text(content)
        return workspace

    async def find(self, name: str) -> Workspace | None:
        """Not asked for."""
        self._never()

    async def snapshot(self, name: str) -> Snapshot:
        """Not asked for."""
        self._never()

    async def publish(self, task: TaskId, commit: CommitId) -> None:
        """Not asked for."""
        self._never()

    async def commit_leftovers(self, name: str, snapshot: Snapshot, *, message: str, author: Signature) -> Snapshot:
        """Not asked for."""
        self._never()

    async def rewind(self, name: str, number: int, *, order: int) -> Rewound:
        """Not asked for."""
        self._never()

    async def lend(self, name: str, number: int, *, to: str) -> Fork:
        """Not asked for."""
        self._never()

    async def unlend(self, to: str) -> None:
        """Not asked for."""
        self._never()

    async def show_commit(self, name: str, *, ref: str, commit: CommitId) -> None:
        """Not asked for."""
        self._never()

    async def retire(self, name: str, *, landed: bool) -> str | None:
        """Not asked for: what a check leaves must never be rescued."""
        self._never()

    async def discard(self, name: str) -> None:
        """Remove the folder."""
        if "." not in name:
            raise Refused(f"{name} may hold work.")
        if name in self.held:
            shutil.rmtree(self.root / name)
            self.discarded.append(name)

    def _never(self) -> NoReturn:
        raise AssertionError("A check asks for nothing but a checkout and its end.")
