"""The two people whose machine it is: root, and an ordinary user with a state and a folder for temporary files of their
own.

Where these tests run as an ordinary user, that one is the only one.
"""

import os
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.stage import Stage
from tests.real_git import Folder

ORDINARY = 65534
SOURCE = Path(__file__).resolve().parents[3]
BECOME = Path(__file__).with_name("become.py")
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def people() -> list[str]:
    """Who can be played here."""
    return ["root", "user"] if os.geteuid() == 0 else ["user"]


def capabilities() -> int:
    """What root may do here: in a container it is less than on a machine."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("CapEff:")).split()[1], 16)


class PersonStage(Stage):
    """A stage on which `band`, and all that belongs to the person, is the person's.

    The person's secrets are all the same word, which nobody is told inside. What is left outside has the other word in
    it, the mark.
    """

    def __init__(self, root: Path, person: str) -> None:
        super().__init__(root)
        self.person = person
        self.other = ORDINARY if person == "user" and os.geteuid() == 0 else None
        self.temporary = root / "tmp"
        self.temporary.mkdir()
        word = uuid.uuid4().hex[:12]
        self.secret, self.mark, self.variable = f"secret-{word}", f"mark-{word}", f"TOKEN_{word.upper()}"
        self.environment |= {"TMPDIR": str(self.temporary), self.variable: self.secret}
        tool = self.home / ".local" / "bin" / "tool"
        tool.parent.mkdir(parents=True)
        tool.write_text("#!/bin/sh\necho here\n")
        tool.chmod(0o755)
        self.environment["PATH"] += f":{tool.parent}"
        self.own(root)

    def own(self, *paths: Path) -> None:
        """Have files belong to the person, with all that is in them."""
        if self.other is not None:
            for top in paths:
                for path in (top, *top.rglob("*")):
                    os.chown(path, self.other, self.other, follow_symlinks=False)

    def as_person(self, *words: str | Path) -> list[str]:
        """A command, to be executed by us, that the person executes."""
        return become(self.other, *words)

    def command(self, *words: str | Path) -> list[str]:
        """The command line of `band` with these words."""
        return self.as_person(sys.executable, "-m", "bandstand", *words)

    def run(self, *words: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
        """What a command of the person's says."""
        return subprocess.run(
            self.as_person(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=60,
            check=False,
            **{"cwd": self.root, **options},
        )

    def project(self, files: dict[str, str | None], *, rules: str) -> Folder:
        """A repository of the person's with these files on `main`."""
        made = self.repository(files=files, rules=rules)
        self.own(made.path)
        return made

    def commits(self, repository: Folder, message: str, files: dict[str, str | None]) -> None:
        """The person commits files."""
        repository.write(files)
        self.own(repository.path)
        for words in (("add", "-A"), ("commit", "-q", "-m", message)):
            done = self.run("git", *words, cwd=repository.path)
            assert done.returncode == 0, done.stderr

    def git(self, at: Path, *words: str, ends: Sequence[int] = (0,)) -> str:
        """What the person's git says."""
        done = self.run("git", *words, cwd=at)
        assert done.returncode in ends, f"git {words}: {done.stderr}"
        return done.stdout


def become(other: int | None, *words: str | Path) -> list[str]:
    """A command, to be executed by us, that another user executes, if one is named."""
    if other is None:
        return [*map(str, words)]
    reads = (Path(sys.base_prefix), Path(sysconfig.get_path("purelib")).parents[2], SOURCE)
    return [sys.executable, str(BECOME), str(other), *map(str, reads), "--", *map(str, words)]
