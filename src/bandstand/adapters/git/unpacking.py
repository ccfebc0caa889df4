"""Unpacking an archive of what an agent left: into one folder, whatever its names and links say.

No member gets out of the folder: names that lead out are left out, and so is what lies behind a link. A link that leads
out is left out itself. No file takes the place of another. What git would read as a git dir gets another name, since a
git dir is a program as much as data. Devices and pipes hold nothing.
"""

import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from bandstand.domain.errors import Broken

GIT_DIR, RENAMED = ".git", "git.rescued"
_MOST_NOTES = 20


@dataclass(slots=True)
class Unpacking:
    """What has come of it so far."""

    folder: Path
    files: int = 0
    notes: list[str] = field(default_factory=list)

    def unpack(self, archive: Path) -> None:
        """Unpack one archive. Raises `Broken` if it is damaged; what came before that is there."""
        try:
            with tarfile.open(archive, "r:gz") as opened:
                for member in opened:
                    if reason := self._take(opened, member):
                        self._note(f"{member.name}: {reason}")
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise Broken(f"The archive {archive} is damaged: {error}.") from error

    def _note(self, words: str) -> None:
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(words)
        elif len(self.notes) == _MOST_NOTES:
            self.notes.append("and more")

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
        """Unpack one member; why not, if not."""
        parts = _parts(member.name)
        if parts is None:
            return "its name leads out of the folder"
        path = self.folder.joinpath(*parts)
        if path == self.folder:
            return ""
        if not self._is_inside(path.parent):
            return "it lies behind a link"
        if GIT_DIR in (part.lower() for part in PurePosixPath(member.name).parts) and parts[-1] == RENAMED:
            self._note(f"{member.name} is called {RENAMED}: git would run what an agent's git dir says")
        if member.isdir():
            return self._folder(path)
        if os.path.lexists(path):
            return "there is a file of that name already"
        self._folder(path.parent)
        return self._file(archive, member, path)

    def _folder(self, path: Path) -> str:
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            return "there is a file of that name already"
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return ""

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
        if member.issym():
            if not _leads_inside(member, self.folder, path):
                return f"it is a link that leads out: {member.linkname}"
            path.symlink_to(member.linkname)
        elif member.isreg() or member.islnk():
            try:
                source = archive.extractfile(member)  # of a hard link, what it is a link to
            except KeyError:
                return "it is a link to what is not in the archive"
            if source is None:
                return "it is no file"
            _write(source, path, member.mode)
        else:
            return "it is no file"
        self.files += 1
        return ""

    def _is_inside(self, path: Path) -> bool:
        """Whether a path is reached without a link, as far as it is there."""
        return not any(above.is_symlink() for above in (path, *path.parents) if above.is_relative_to(self.folder))


def names(archive: Path) -> Iterator[str]:
    """The names in an archive, those of folders aside. Raises `Broken` if it is damaged."""
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                if not member.isdir():
                    yield member.name.removeprefix("./")
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Broken(f"The archive {archive} is damaged: {error}.") from error


def _parts(name: str) -> list[str] | None:
    """The parts of a member's name, with what git would take for a git dir renamed; `None` if it leads out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        return None
    return [RENAMED if part.lower() == GIT_DIR else part for part in path.parts]


def _leads_inside(member: tarfile.TarInfo, folder: Path, path: Path) -> bool:
    if member.linkname.startswith("/") or "\0" in member.linkname:
        return False
    return Path(os.path.normpath(path.parent / member.linkname)).is_relative_to(folder)


def _write(source: IO[bytes], path: Path, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    executable = stat.S_IXUSR if mode & stat.S_IXUSR else 0
    descriptor = os.open(path, flags, 0o600 | executable)
    with os.fdopen(descriptor, "wb") as target:
        shutil.copyfileobj(source, target)
