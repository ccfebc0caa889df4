"""The two worlds in which the contracts of repositories and workspaces hold: in memory, and on disk with real git.

A world is played by a user, who commits and edits in the checkout of `main`, and by an agent in its workspace.
"""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.domain.ids import CommitId
from bandstand.ports.git import Repository, Signature
from bandstand.ports.sandbox import Sandbox
from bandstand.ports.workspaces import Workspaces
from bandstand.testing.git import MemoryRepository
from bandstand.testing.sandbox import OpenSandbox
from bandstand.testing.workspaces import MemoryWorkspaces
from tests.real_git import Folder, ids

FILES = {".gitignore": "*.log\n", "a.txt": "a\n", "b.txt": "b\n", "dir/c.txt": "c\n"}
AGENT = Signature(name="Agent", email="agent@example.org")
BAND = Signature(name="Band", email="band@example.org")

Texts = Mapping[str, str | None]


class World(Protocol):
    """A repository with `main` checked out, its workspaces, and those who act in them."""

    @property
    def repository(self) -> Repository: ...

    @property
    def workspaces(self) -> Workspaces: ...

    def commit(self, files: Texts, *, branch: str = "main") -> CommitId:
        """The user commits on a branch; a new one begins at `main`. `None` removes a file."""
        ...

    def edit(self, path: str, text: str | None) -> None:
        """The user edits a file of the checkout and does not commit it."""
        ...

    def checkout(self) -> dict[str, str]:
        """All files of the checkout."""
        ...

    def ref(self, name: str) -> CommitId | None:
        """Where a ref of the user's repository points."""
        ...

    def write(self, name: str, files: Texts) -> None:
        """The agent writes files in a workspace."""
        ...

    def agent_commits(self, name: str) -> CommitId:
        """The agent commits all of its files."""
        ...

    def break_repository(self, name: str) -> None:
        """The agent removes the git dir of its workspace."""
        ...

    def inside(self, name: str, ref: str) -> CommitId | None:
        """Where a ref points in a workspace."""
        ...


class MemoryWorld:
    """The world of the fakes."""

    def __init__(self) -> None:
        self.repository = MemoryRepository({path: text.encode() for path, text in FILES.items()})
        self.workspaces = MemoryWorkspaces(self.repository)

    def commit(self, files: Texts, *, branch: str = "main") -> CommitId:
        """As promised above; so are all the others."""
        return self.repository.commit(_bytes(files), branch=branch)

    def edit(self, path: str, text: str | None) -> None:
        self.repository.edit(path, None if text is None else text.encode())

    def checkout(self) -> dict[str, str]:
        return {path: data.decode() for path, data in self.repository.checkout.items()}

    def ref(self, name: str) -> CommitId | None:
        return self.repository.refs.get(name)

    def write(self, name: str, files: Texts) -> None:
        self.workspaces.write(name, _bytes(files))

    def agent_commits(self, name: str) -> CommitId:
        return self.workspaces.commit(name)

    def break_repository(self, name: str) -> None:
        self.workspaces.break_repository(name)

    def inside(self, name: str, ref: str) -> CommitId | None:
        return self.workspaces.held[name].refs.get(ref)


class GitWorld:
    """The real world, below a folder."""

    def __init__(self, folder: Path, *, walls: bool) -> None:
        self.user = Folder.init(folder / "repository", FILES)
        self.root = folder / "state"
        self.repository: GitRepository = asyncio.run(
            GitRepository.find(self.user.path, environment=os.environ, new_id=ids())
        )
        self.workspaces = GitWorkspaces(self.repository, self.root, sandbox(self) if walls else OpenSandbox())

    def commit(self, files: Texts, *, branch: str = "main") -> CommitId:
        """As promised above; so are all the others."""
        if branch == "main":
            self.user.write(files)
            self.user.git("add", "-A", "-f", "--", *files)
            self.user.git("commit", "-q", "-m", "change", "--only", "--", *files)
            return self.user.head()
        there = self.ref(f"refs/heads/{branch}")
        new = self.user.commit_aside("change", files, onto=there or "main")
        self.user.git("update-ref", f"refs/heads/{branch}", new)
        return new

    def edit(self, path: str, text: str | None) -> None:
        self.user.write({path: text})

    def checkout(self) -> dict[str, str]:
        files = (path for path in self.user.path.rglob("*") if ".git" not in path.parts and path.is_file())
        return {path.relative_to(self.user.path).as_posix(): path.read_text() for path in files}

    def ref(self, name: str) -> CommitId | None:
        said = self.user.git("for-each-ref", "--format=%(objectname)", name)
        return CommitId(said) if said else None

    def write(self, name: str, files: Texts) -> None:
        self.agent(name).write(files)

    def agent_commits(self, name: str) -> CommitId:
        # An agent has no identity but the one that its workspace has.
        names = tuple(f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL"))
        agent = self.agent(name)
        agent.git("add", "-A")
        agent.git("commit", "-q", "-m", "agent's work", without=names)
        return agent.head()

    def break_repository(self, name: str) -> None:
        shutil.rmtree(self.root / name / "tree" / ".git")

    def inside(self, name: str, ref: str) -> CommitId | None:
        said = self.agent(name).git("for-each-ref", "--format=%(objectname)", ref)
        return CommitId(said) if said else None

    def agent(self, name: str) -> Folder:
        """The workspace as a folder."""
        return Folder(self.root / name / "tree")


def sandbox(world: GitWorld) -> Sandbox:
    """Real walls around everything of this world."""
    walls = BubblewrapSandbox(
        "bwrap", world.user.path.parent / "home", (world.root, world.user.path), uid=ordinary_user()
    )
    asyncio.run(walls.probe())
    return walls


def make_world(kind: str, folder: Path) -> World:
    """The world of that kind: `memory`, `git`, or `walls` for git behind a real sandbox."""
    if kind == "memory":
        return MemoryWorld()
    return GitWorld(folder, walls=kind == "walls")


def _bytes(files: Texts) -> dict[str, bytes | None]:
    return {path: None if text is None else text.encode() for path, text in files.items()}
