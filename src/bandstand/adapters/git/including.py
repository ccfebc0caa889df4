"""Files that git ignores in the user's checkout, copied into a workspace while nobody has been let into it yet.

What was copied stands in <workspace>/included.json, each file with its path, its size, and the names that git would
give to its content: by these it is kept out of git from then on, whatever the agent does with it.

Both sides may hold links. Of the user's checkout only those count that stay in it; in the workspace, which has the
files of a commit that somebody else may have made, none is followed.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bandstand.adapters.git.repository import GitRepository
from bandstand.domain.errors import Broken, Refused
from bandstand.domain.ids import CommitId
from bandstand.domain.inclusion import Inclusion

MOST_FILES = 5_000
_TELLING = 8  # bytes beside blanks: of less it cannot be told that it was copied
_MEGA = 1024 * 1024
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL = frozenset("\\*?[]!# ")


@dataclass(frozen=True, slots=True, kw_only=True)
class IncludedFile:
    """One file that was copied, and the names that git has for its content; none where these tell nothing."""

    path: str
    size: int
    blobs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """What was copied into a workspace, and in sentences what was left out."""

    files: tuple[IncludedFile, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def read(cls, file: Path) -> Self:
        """What stands in a file. Raises `Broken` if it is no longer what was written."""
        try:
            facts = json.loads(file.read_bytes())
            files = tuple(
                IncludedFile(path=one["path"], size=int(one["size"]), blobs=tuple(one["blobs"]))
                for one in facts["files"]
            )
            return cls(files=files, left_out=tuple(facts["left_out"]))
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError) as error:
            raise Broken(f"The file {file} is damaged: {error}.") from error

    def write(self, file: Path) -> None:
        """Write it, to last."""
        with file.open("w", encoding="utf-8") as opened:
            json.dump(asdict(self), opened, indent=1)
            opened.flush()
            os.fsync(opened.fileno())

    @property
    def paths(self) -> frozenset[str]:
        """Where they are."""
        return frozenset(one.path for one in self.files)

    @property
    def blobs(self) -> frozenset[str]:
        """The names that git has for their contents."""
        return frozenset(blob for one in self.files for blob in one.blobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What of a checkout is to be copied, sorted, and in sentences what is not."""

    paths: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def excludes(self) -> bytes:
        """Lines for git by which it ignores the files in a workspace, whatever the commit there says of them."""
        return b"".join(b"/" + os.fsencode(_escaped(path)) + b"\n" for path in self.paths)


async def find(repository: GitRepository, inclusion: Inclusion) -> Found:
    """The files of the user's checkout that are to be copied. Raises `Refused` if that is too much."""
    if not inclusion.patterns:
        return Found()
    inside = await repository.git.run("rev-parse", "--is-inside-work-tree", at=repository.path)
    if inside.text != "true":
        return Found()
    excludes = (f"--exclude={pattern}" for pattern in inclusion.patterns)
    said = await repository.git.run("ls-files", "-z", "--others", "--ignored", *excludes, at=repository.path)
    matching = [name for name in said.names if _is_plain(name)]
    if len(matching) > MOST_FILES:
        raise _too_much(f"{len(matching)} files", f"{MOST_FILES} files")
    asked = b"".join(os.fsencode(f"./{name}") + b"\0" for name in matching)
    ignoring = ("check-ignore", "-z", "--stdin", "--no-index")
    extra = {"GIT_LITERAL_PATHSPECS": "0"}
    said = await repository.git.run(*ignoring, at=repository.path, stdin=asked, extra=extra, ok=(0, 1))
    ignored = {name.removeprefix("./") for name in said.names} if matching else set()
    size = await asyncio.to_thread(_size, repository.path, ignored)
    if size > inclusion.megabytes * _MEGA:
        raise _too_much(f"{-(-size // _MEGA)} MB", f"{inclusion.megabytes} MB")
    others = sorted(set(matching) - ignored)
    why = "is not copied: git does not ignore it, so it would become part of the change."
    return Found(paths=tuple(sorted(ignored)), left_out=tuple(f"{name} {why}" for name in others))


def _is_plain(name: str) -> bool:
    """Whether it is a file, of a name that git's settings can hold, and not of a repository inside."""
    return not name.endswith("/") and "\n" not in name and ".git" not in _parts(name)


def _parts(name: str) -> list[str]:
    return [part.lower() for part in name.split("/")]


def _size(checkout: Path, names: Iterable[str]) -> int:
    total = 0
    for name in names:
        try:
            total += (checkout / name).stat().st_size
        except OSError:
            continue
    return total


def _too_much(there: str, most: str) -> Refused:
    return Refused(
        f"What .worktreeinclude and [workspace] include have copied into a workspace is {there}; at most {most} are.",
        hint="Name less there, or let more be copied: [workspace] include_megabytes in bandstand.toml.",
    )


def copy(checkout: Path, found: Found, tree: Path, *, algorithm: str, tracked: bytes) -> Included:
    """Copy what was found into a new workspace. `tracked` names the objects of its commit: these tell nothing."""
    files: list[IncludedFile] = []
    left_out = list(found.left_out)
    top = Path(os.path.realpath(checkout))
    for path in found.paths:
        try:
            content, mode = _read(top, path)
            _write(tree, path, content, mode)
        except FileExistsError:
            left_out.append(f"{path} is not copied: it is part of the commit.")
        except OSError as error:
            left_out.append(f"{path} is not copied: {error.strerror or error}.")
        else:
            blobs = tuple(blob for blob in _blobs(content, algorithm) if blob.encode() not in tracked)
            files.append(IncludedFile(path=path, size=len(content), blobs=blobs))
    return Included(files=tuple(files), left_out=tuple(left_out))


def _read(top: Path, path: str) -> tuple[bytes, int]:
    """A file of the user's, through links of theirs that stay in the checkout."""
    real = Path(os.path.realpath(top / path))
    if not real.is_relative_to(top) or ".git" in _parts(str(real.relative_to(top))):
        raise OSError(0, "it leads out of the checkout")
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(0, "it is no file")
        return file.read(), facts.st_mode & 0o700


def _write(tree: Path, path: str, content: bytes, mode: int) -> None:
    """A new file in the workspace, in new folders where need be; no link on the way is followed."""
    *folders, name = path.split("/")
    at = os.open(tree, _FOLDER)
    try:
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o755, dir_fd=at)
            below = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = below
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600 | mode, dir_fd=at), "wb") as file:
            file.write(content)
    finally:
        os.close(at)


def _blobs(content: bytes, algorithm: str) -> Sequence[str]:
    """What git would call a content, as it is and with the line ends that git may give it."""
    if len(content.strip()) < _TELLING:
        return ()
    forms = dict.fromkeys((content, content.replace(b"\r\n", b"\n")))
    named = [b"blob %d\0" % len(form) + form for form in forms]
    return [hashlib.new(algorithm, form, usedforsecurity=False).hexdigest() for form in named]


def _escaped(path: str) -> str:
    """A path as a pattern that matches nothing else."""
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in path)


async def tracked(repository: GitRepository, base: CommitId) -> bytes:
    """The names of all files and contents of a commit, as git lists them."""
    return (await repository.store.run("ls-tree", "-r", "-z", "--full-tree", base)).out
