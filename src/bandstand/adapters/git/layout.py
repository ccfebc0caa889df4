"""Where a workspace lies on the host, and what Bandstand itself remembers of it.

<root>/vault.git             checkpoints of all workspaces of one repository
<root>/archive.d/            files that git ignored, of workspaces that are gone
<root>/<name>/workspace.json what Bandstand remembers; a workspace without it is not whole
<root>/<name>/included.json  what was copied into it of what git ignores
<root>/<name>/rewind.json    the order by which it went back to a checkpoint last
<root>/<name>/tree           the checkout with a git dir of its own: all of it is the agent's to change
<root>/<name>/home           the private home: the agent's too
<root>/<name>/capture/git    a git dir without refs or settings, for snapshots; never writable in any sandbox
<root>/<name>/capture/raw    the same, for files that git cannot convert as their attributes ask
<root>/<name>/capture/work   its index and its new objects: written by git in a sandbox, read in a sandbox
<root>/.<name>.new/          one being made; <root>/.<name>.gone/ one being removed
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bandstand.domain.errors import Broken, Refused
from bandstand.domain.ids import CommitId
from bandstand.ports.git import Signature

VAULT = "vault.git"
ARCHIVE = "archive.d"
LONGEST_NAME = 100
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What Bandstand remembers of a workspace."""

    name: str
    base: CommitId
    target: str
    author: Signature
    committer: Signature
    head: CommitId | None = None  # what it began with on top of its base, where it is a fork: a commit,
    files: CommitId | None = None  # and all files
    lent: tuple[str, ...] = ()  # the object stores that its submodules borrow

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """The facts in a file; `None` if there is none. Raises `Broken` if it is no longer what was written."""
        try:
            facts = json.loads(file.read_bytes())
            return cls(
                name=facts["name"],
                base=CommitId(facts["base"]),
                target=facts["target"],
                author=Signature(**facts["author"]),
                committer=Signature(**facts["committer"]),
                head=facts.get("head"),
                files=facts.get("files"),
                lent=tuple(facts.get("lent", ())),
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(f"The file {file} is damaged: {error}.") from error

    @property
    def lenders(self) -> tuple[Path, ...]:
        """Those of its submodules' object stores that are there."""
        return tuple(path for path in map(Path, self.lent) if path.is_dir())

    def write(self, file: Path) -> None:
        """Write the facts, to last."""
        with file.open("w", encoding="utf-8") as opened:
            json.dump(asdict(self), opened, indent=1)
            opened.flush()
            os.fsync(opened.fileno())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of one workspace."""

    folder: Path

    @property
    def facts(self) -> Path:
        """What Bandstand remembers."""
        return self.folder / "workspace.json"

    @property
    def included(self) -> Path:
        """What was copied into it."""
        return self.folder / "included.json"

    @property
    def rewind(self) -> Path:
        """By which order it went back last, and from where."""
        return self.folder / "rewind.json"

    @property
    def tree(self) -> Path:
        """The checkout."""
        return self.folder / "tree"

    @property
    def home(self) -> Path:
        """The private home."""
        return self.folder / "home"

    @property
    def capture(self) -> Path:
        """All that snapshots need."""
        return self.folder / "capture"

    @property
    def capture_git(self) -> Path:
        """The git dir of snapshots."""
        return self.capture / "git"

    @property
    def capture_raw(self) -> Path:
        """The git dir of snapshots that convert nothing."""
        return self.capture / "raw"

    @property
    def capture_work(self) -> Path:
        """The index and the new objects of snapshots."""
        return self.capture / "work"

    def renew_work(self) -> None:
        """Begin with no index and no objects; what was there is put aside."""
        if self.capture_work.exists():
            taken = len(list(self.capture.glob("spoilt-*")))
            self.capture_work.rename(self.capture / f"spoilt-{taken + 1}")
        (self.capture_work / "objects").mkdir(parents=True)


def require_name(name: str) -> str:
    """The name, if it can be one of a workspace: of a folder, of a branch. Raises `Refused`."""
    reserved = name in {VAULT, ARCHIVE} or ".." in name or name.endswith(".lock")
    if reserved or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise Refused(f"{name!r} cannot be the name of a workspace.")
    return name
