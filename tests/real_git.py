"""Real repositories for tests: made, edited and looked at with plain git, as a user would."""

import os
import subprocess
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from bandstand.adapters.git.repository import GitRepository
from bandstand.domain.ids import CommitId

HOOKS = (
    "pre-commit",
    "post-commit",
    "post-checkout",
    "post-merge",
    "post-index-change",
    "pre-receive",
    "update",
    "post-update",
    "post-receive",
    "reference-transaction",
    "push-to-checkout",
    "fsmonitor-watchman",
)


def ids() -> Callable[[], str]:
    """A source of repository ids that counts."""
    numbers = count(1)
    return lambda: f"{next(numbers):016x}"


class Folder:
    """A folder with a real repository in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def init(cls, path: Path, files: Mapping[str, str | None] | None = None) -> "Folder":
        """A repository on branch `main` with one commit."""
        subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
        folder = cls(path)
        folder.commit("first", files or {"a.txt": "a\n", "b.txt": "b\n", "dir/c.txt": "c\n"})
        return folder

    def git(
        self,
        *argv: str,
        ok: tuple[int, ...] = (0,),
        env: Mapping[str, str] | None = None,
        without: tuple[str, ...] = (),
        stdin: str = "",
    ) -> str:
        """What git says. `env` is added to the environment, the variables `without` are taken out of it."""
        whole = {name: value for name, value in (os.environ | dict(env or {})).items() if name not in without}
        said = subprocess.run(
            ["git", *argv], cwd=self.path, capture_output=True, check=False, env=whole, input=os.fsencode(stdin)
        )
        assert said.returncode in ok, f"git {argv} ended with {said.returncode}: {said.stderr.decode(errors='replace')}"
        return os.fsdecode(said.stdout).removesuffix("\n")

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files; `None` removes one."""
        for name, text in files.items():
            path = self.path / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def commit(self, message: str, files: Mapping[str, str | None]) -> CommitId:
        """Write files and commit everything."""
        self.write(files)
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def commit_aside(self, message: str, files: Mapping[str, str | None], *, onto: str = "HEAD") -> CommitId:
        """A commit on top of `onto` that no branch and no checkout knows."""
        index = self.path / ".git" / "index-aside" if (self.path / ".git").is_dir() else self.path / "index-aside"
        env = {"GIT_INDEX_FILE": str(index)}
        self.git("read-tree", onto, env=env)
        for name, text in files.items():
            if text is None:
                self.git("rm", "-q", "--cached", name, env=env)
            else:
                blob = self.git("hash-object", "-w", "--stdin", stdin=text)
                self.git("update-index", "--replace", "--add", "--cacheinfo", f"100644,{blob},{name}", env=env)
        tree = self.git("write-tree", env=env)
        index.unlink()
        return CommitId(self.git("commit-tree", tree, "-p", onto, "-m", message))

    def head(self, name: str = "HEAD") -> CommitId:
        """The commit a name stands for."""
        return CommitId(self.git("rev-parse", "--verify", f"{name}^{{commit}}"))

    def status(self) -> list[str]:
        """`git status`, a line for each path that is not as in HEAD."""
        return self.git("status", "--porcelain", "--untracked-files=all").splitlines()

    def text(self, name: str) -> str:
        """What a file holds."""
        return (self.path / name).read_text()

    def plant_hooks(self, witness: Path) -> None:
        """Every hook leaves its name in the file `witness`."""
        hooks = Path(self.git("rev-parse", "--path-format=absolute", "--git-path", "hooks"))
        hooks.mkdir(exist_ok=True)
        for name in HOOKS:
            (hooks / name).write_text(f"#!/bin/sh\necho {name} >> '{witness}'\n")
            (hooks / name).chmod(0o755)

    async def open(self, **environment: str) -> GitRepository:
        """The repository as the adapter sees it, by an environment with these variables in it."""
        return await GitRepository.find(self.path, environment={**os.environ, **environment}, new_id=ids())
