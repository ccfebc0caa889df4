"""What a row of the escape table is where nothing is tried from inside: a trap that is laid for whoever looks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.escapes.person import PersonStage
from tests.real_git import Folder

SEQUENCE = "\x1b]0;"
_OURS = ("refs/heads/band/", "refs/bandstand/")


class Looks:
    """What there is to be seen on a person's machine, and what somebody saw who looked at a workspace."""

    def __init__(self, stage: PersonStage, repository: Folder) -> None:
        self.stage = stage
        self.repository = repository
        self.outside = stage.root / "outside"
        self.outside.mkdir()
        self.hidden = Folder.init(stage.root / "hidden", {"secret.txt": f"{stage.secret}-alternates.\n"})
        self.tip = self.hidden.head()
        stage.own(self.outside, self.hidden.path)
        self.before = self.state_of_repository()

    def witness(self, key: str) -> Path:
        """Where a trap says that it sprang."""
        return self.outside / f"witness-{key}"

    def secret(self, key: str) -> str:
        """A file of the person's that only they read, alone in its folder."""
        path = self.stage.home / ".secrets" / key / "secret.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{self.stage.secret}-{key}.\n")
        self.stage.own(path.parents[1])
        return str(path)

    def state_of_repository(self) -> str:
        """What stands in the person's repository that is not ours to change."""
        refs = self.stage.git(self.repository.path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        kept = [one for one in refs if not one.startswith(_OURS)]
        git_dir = self.repository.path / ".git"
        return "\n".join([*kept, (git_dir / "HEAD").read_text(), (git_dir / "config").read_text()])


Told = Callable[[Looks, str, str, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """One trap: the function of `plant.py` that lays it, and in the workspace of which agent.

    `told` looks whether it sprang; its key is the second, all that was shown at a terminal the third, and all that is
    kept the last. The control is a plain command of somebody's who `springs` it, in a clone with the same trap.
    """

    name: str
    plant: str
    words: Callable[[Looks, str], Mapping[str, Any]]
    told: Told
    holds: str
    springs: str
    agent: str
    law: int = 4

    @property
    def key(self) -> str:
        """Its name in files."""
        return self.plant.replace("_", "-")


def sprang(looks: Looks, key: str, shown: str, kept: str) -> bool:
    """Its program ran where it could reach the person's files."""
    return looks.witness(key).exists()


def leaked(looks: Looks, key: str, shown: str, kept: str) -> bool:
    """What must not be read is in what was shown or kept."""
    return f"{looks.stage.secret}-{key}." in shown + kept


def changed(looks: Looks, key: str, shown: str, kept: str) -> bool:
    """The person's repository is not as it was."""
    return looks.state_of_repository() != looks.before


def steers(looks: Looks, key: str, shown: str, kept: str) -> bool:
    """A terminal would obey it."""
    return f"{SEQUENCE}{looks.stage.mark}" in shown
