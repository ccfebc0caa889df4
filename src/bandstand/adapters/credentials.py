"""Folders of logins on this machine, and the links to them in private homes.

<root>/<agent>/          what the vendor's own command left at login, and what the agent's runs renewed since

Both the folder and a private home belong to agents, which may have put links and pipes anywhere. So every step is taken
from the descriptor of the folder before, and no link is followed.
"""

import asyncio
import contextlib
import errno
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from bandstand.domain.credentials import Credentials
from bandstand.domain.errors import Broken
from bandstand.domain.ids import AgentName
from bandstand.domain.redaction import secrets_in_text

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_FILES, _MOST_BYTES, _MOST_LOOKED_AT, _DEEPEST = 32, 1 << 18, 512, 6
_LOOK_AGAIN_SECONDS = 0.05

Entry = tuple[PurePosixPath, os.stat_result, int, str]
"""A file's path in a folder, its state, and where it is: the descriptor of its folder and its name."""


class LoginFolders:
    """The folders of one user, below `root`. It is a `SharedLogins`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def open(self, agent: AgentName, credentials: Credentials) -> Path:
        """The folder of an agent, made if it is not there."""
        return await asyncio.to_thread(self._open, agent, credentials)

    def _open(self, agent: AgentName, credentials: Credentials) -> Path:
        folder = self._root / agent
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        with _opened(folder) as top:
            for link in credentials.links:
                with _parent(top, link):
                    pass
        return folder

    async def furnish(self, home: Path, credentials: Credentials, *, seen: Path) -> None:
        """Links and files in a private home."""
        await asyncio.to_thread(self._furnish, home, credentials, seen)

    def _furnish(self, home: Path, credentials: Credentials, seen: Path) -> None:
        with _opened(home) as top:
            for link in credentials.links:
                with _parent(top, link) as parent:
                    _link(parent, PurePosixPath(link).name, str(seen / link))
            for path, content in credentials.files:
                with _parent(top, path) as parent, contextlib.suppress(FileExistsError):
                    name = PurePosixPath(path).name
                    descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
                    _as_the_folder(parent, name)
                    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                        file.write(content)

    def kept(self, agent: AgentName, credentials: Credentials) -> bool:
        """Whether one of the linked files is there, or any file where no link is said."""
        wanted = [PurePosixPath(link) for link in credentials.links]
        found = _regular(self._root / agent)
        return any(not wanted or any(path.is_relative_to(link) for link in wanted) for path, *_ in found)

    def give_back(self, agent: AgentName) -> None:
        """Have everything in a folder belong to whom the folder belongs to.

        A vendor's command that root runs leaves root's files in what root's agents may have as another user.
        """
        folder = self._root / agent
        owner = folder.stat()
        for _, found, parent, name in _regular(folder):
            if (found.st_uid, found.st_gid) != (owner.st_uid, owner.st_gid):
                os.chown(name, owner.st_uid, owner.st_gid, dir_fd=parent, follow_symlinks=False)


def known_logins(root: Path) -> Iterator[str]:
    """What in the folders must not be shown."""
    for folder in _folders(root):
        for _, _, parent, name in itertools.islice(_regular(folder), _MOST_FILES):
            yield from secrets_in_text(_read(name, parent))


class LoginWatch:
    """What must not be shown of the logins as they are now; the files are read again only when they changed."""

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._looked = float("-inf")
        self._state: tuple[object, ...] = ()
        self._known: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """The values. A login is renewed once in hours, and answers are given many times a second."""
        now = self._clock()
        if now - self._looked >= _LOOK_AGAIN_SECONDS:
            self._looked = now
            state = tuple(
                (folder.name, path, found.st_ino, found.st_size, found.st_mtime_ns)
                for folder in _folders(self._root)
                for path, found, *_ in _regular(folder)
            )
            if state != self._state:
                self._state, self._known = state, tuple(dict.fromkeys(known_logins(self._root)))
        return self._known


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(one for one in root.iterdir() if one.is_dir() and not one.is_symlink())
    except OSError:
        return []


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _parent(top: int, path: str) -> Iterator[int]:
    """The folder that a path below `top` is in, made as far as it is missing."""
    descriptor = os.dup(top)
    try:
        for name in PurePosixPath(path).parts[:-1]:
            below = _step(descriptor, name)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _step(parent: int, name: str) -> int:
    for _ in range(2):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
            _as_the_folder(parent, name)
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            _put_aside(parent, name)
    raise Broken(f"A folder {name} cannot be made where an agent is to find its login.")


def _link(parent: int, name: str, target: str) -> None:
    """A link, in place of whatever else is there."""
    with contextlib.suppress(OSError):
        if os.readlink(name, dir_fd=parent) == target:
            return
    try:
        os.symlink(target, name, dir_fd=parent)
    except FileExistsError:
        _put_aside(parent, name)
        os.symlink(target, name, dir_fd=parent)
    _as_the_folder(parent, name)


def _as_the_folder(parent: int, name: str) -> None:
    """Have what was just made belong to whom its folder belongs to: root's agents may be another user."""
    owner = os.fstat(parent)
    if owner.st_uid != os.geteuid():
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=parent, follow_symlinks=False)


def _put_aside(parent: int, name: str) -> None:
    """Give what is in the way another name: it is the agent's."""
    taken = set(os.listdir(parent))
    number = next(number for number in range(1, len(taken) + 2) if f"{name}.aside-{number}" not in taken)
    os.rename(name, f"{name}.aside-{number}", src_dir_fd=parent, dst_dir_fd=parent)


def _regular(folder: Path) -> Iterator[Entry]:
    """The files in a folder, none behind a link; only so many, and not too deep: who filled it is not trusted."""
    with contextlib.suppress(OSError), _opened(folder) as top:
        yield from _walk(top, PurePosixPath(), [_MOST_LOOKED_AT])


def _walk(folder: int, below: PurePosixPath, budget: list[int]) -> Iterator[Entry]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in itertools.islice(entries, budget[0]))
    budget[0] -= len(names)
    for name in names:
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield below / name, found, folder, name
            elif stat.S_ISDIR(found.st_mode) and len(below.parts) < _DEEPEST:
                descriptor = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    yield from _walk(descriptor, below / name, budget)
                finally:
                    os.close(descriptor)


def _read(name: str, parent: int) -> str:
    """The beginning of a file as text; nothing if it is none."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=parent)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return ""
            return file.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
