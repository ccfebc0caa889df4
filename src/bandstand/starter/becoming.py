"""Root becomes an ordinary user before a sandbox begins: to the kernel, what is inside is then nobody's.

What the sandbox is to show may be root's own, in folders that nobody else may enter. So it is laid out anew for that
user, in a mount namespace that only this start has: a folder that keeps it out is covered by an empty one, and in there
stands what is to be shown, under the same path. What belongs to root is shown as that user's own, by a mount that maps
the two to each other: on the disk everything stays root's, who made it and will tidy it up. Where a file system cannot
map, what may be written is given to the user for good.
"""
# ruff: noqa: PTH102, PTH103, PTH116, PTH120 - pathlib would be a tenth of the start of a holder

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import pwd
import stat
import subprocess

TYPE_CHECKING = False  # see `handing`
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000  # flags of unshare(2)
_SLAVE, _NO_SUID, _NO_DEVICES = 1 << 19, 2, 4  # flags of mount(2)
_RECURSIVELY = 1 << 14
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same numbers on every architecture
_HERE, _EMPTY_PATH, _CLONE, _AT_RECURSIVE = -100, 0x1000, 1, 0x8000
_FROM_EMPTY_PATH = 4
_MAP_OWNERS = 0x00100000
_LAST_ID = 2**32 - 2


class _Attributes(ctypes.Structure):
    """`struct mount_attr` of mount_setattr(2)."""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("users", ctypes.c_uint64),
    )


class Becoming:
    """One start's change of user. Made by root, who looks for what is in the way; `now` is for the new process.

    `orders` name the `uid`, what it `reads` and what it `writes`; all paths are real ones. `swap` finds what maps.
    """

    def __init__(self, orders: dict[str, Any], *, swap: Callable[[int], int | None] | None = None) -> None:
        self._uid = int(orders["uid"])
        self._writes = set(orders.get("writes", ()))
        # What is not there the sandbox will complain of.
        self._places = sorted(filter(os.path.lexists, {*orders.get("reads", ()), *self._writes}))
        # A folder that keeps the user out, and is not inside of another one.
        self._closed = sorted({found for place in self._places for found in _first_closed(place, self._uid)})
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._mapping = (swap or swapped)(self._uid)

    @property
    def given(self) -> tuple[str, ...]:
        """What may be written and cannot be shown as the user's own, so that it has to be given to the user first.

        It is root's, or that of such a user as we had earlier; what is somebody's stays theirs.
        """
        owners = {place: os.lstat(place).st_uid for place in self._places if place in self._writes}
        return tuple(
            place
            for place, owner in owners.items()
            if (not self._maps(place) if owner == 0 else owner != self._uid and _is_nobody(owner))
        )

    def give(self) -> None:
        """Do that, which may take a while in a large workspace. May be repeated."""
        for place in self.given:
            give(place, self._uid)

    def now(self) -> None:
        """Be that user from here on, with nothing of root's. A failure ends this process, with a line on stderr."""
        try:
            self._call(self._libc.unshare, _NEW_MOUNTS)
            # With "slave", what is unmounted outside is not kept busy by us.
            self._mount(b"none", b"/", None, _SLAVE | _RECURSIVELY)
            trees = [(place, self._tree(place)) for place in self._places]
            for folder in self._closed:
                self._mount(b"tmpfs", os.fsencode(folder), b"tmpfs", _NO_SUID | _NO_DEVICES, b"mode=0755,size=1m")
            for place, tree in trees:
                self._put(place, tree)
            os.setgroups(())
            os.setresgid(self._uid, self._uid, self._uid)
            os.setresuid(self._uid, self._uid, self._uid)
        except OSError as error:
            _give_up(f"bandstand: cannot become user {self._uid}: {error}")

    def _clone(self, place: str) -> int:
        return self._syscall(_OPEN_TREE, _HERE, os.fsencode(place), _CLONE | os.O_CLOEXEC | _AT_RECURSIVE)

    def _tree(self, place: str) -> int:
        """What stands at a place, with all that is mounted in it, as a mount that is nowhere yet."""
        tree = self._clone(place)
        if os.lstat(place).st_uid == 0:
            self._map(tree)
        return tree

    def _maps(self, place: str) -> bool:
        """Whether the file system of a place can map. Tried, for none tells."""
        tree = self._clone(place)
        try:
            return self._map(tree)
        finally:
            os.close(tree)

    def _map(self, tree: int) -> bool:
        """Have root's files belong to the user as seen through this mount; whether the file system can do that."""
        if self._mapping is None:
            return False
        attributes = _Attributes(_MAP_OWNERS, 0, 0, self._mapping)
        size = ctypes.sizeof(attributes)
        with contextlib.suppress(OSError):
            self._syscall(_MOUNT_SETATTR, tree, b"", _EMPTY_PATH, ctypes.byref(attributes), size)
            return True
        return False

    def _put(self, place: str, tree: int) -> None:
        """Have a tree stand at its place, which may have been covered."""
        if not os.path.lexists(place):
            os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
            if stat.S_ISDIR(os.fstat(tree).st_mode):
                os.mkdir(place, 0o755)
            else:
                os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        self._syscall(_MOVE_MOUNT, tree, b"", _HERE, os.fsencode(place), _FROM_EMPTY_PATH)
        os.close(tree)

    def _mount(self, source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None) -> None:
        self._call(self._libc.mount, source, target, kind, ctypes.c_ulong(flags), data)

    def _syscall(self, number: int, *words: Any) -> int:
        return self._call(self._libc.syscall, ctypes.c_long(number), *words)

    @staticmethod
    def _call(function: Any, *words: Any) -> int:
        result = int(function(*words))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _give_up(words: str) -> NoReturn:
    """End a process that is not yet the program that it was to be."""
    with contextlib.suppress(OSError):
        os.write(2, words.encode(errors="replace") + b"\n")
    os._exit(1)


def _is_nobody(uid: int) -> bool:
    """Whether a user has no account."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return True
    return False


def _first_closed(place: str, uid: int) -> Iterator[str]:
    """The outermost folder above a place that the user may not enter, if there is one."""
    folder = ""
    for name in place.split("/")[1:-1]:
        folder = f"{folder}/{name}"
        if not may_enter(os.stat(folder), uid):
            yield folder
            return


def may_enter(folder: os.stat_result, uid: int) -> bool:
    """Whether a user, whose only group has the same number, may go through a folder."""
    if folder.st_uid == uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    return bool(folder.st_mode & (stat.S_IXGRP if folder.st_gid == uid else stat.S_IXOTH))


def give(place: str, uid: int) -> None:
    """Have a file, or a folder with all that is in it however deep, belong to a user. No link is followed.

    The folder itself is last, so that who was cut short begins again. Raises `OSError`.
    """
    top = os.open(place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(top).st_mode):
            return os.chown(f"/proc/self/fd/{top}", uid, uid)
        words = ("chown", "-R", "-h", f"{uid}:{uid}", ".")
        # Some of it may have gone meanwhile: what counts is whether the folder is the user's in the end.
        subprocess.run(
            words, cwd=f"/proc/self/fd/{top}", env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False
        )
        if os.fstat(top).st_uid != uid:
            raise PermissionError(errno.EPERM, f"{place} cannot be given to user {uid}")
    finally:
        os.close(top)


@functools.cache
def can_lay_out() -> bool:
    """Whether this kernel has the calls that it takes: since 5.2, and where nothing filters them."""
    tree = int(ctypes.CDLL(None).syscall(ctypes.c_long(_OPEN_TREE), _HERE, b"/", _CLONE | os.O_CLOEXEC))
    if tree >= 0:
        os.close(tree)
    return tree >= 0


def swapped(uid: int) -> int | None:
    """A user namespace in which root and a user have each other's number, for mounts; `None` where none can be made.

    It is made once.
    """
    if uid not in _swapped:
        with contextlib.suppress(OSError):
            _swapped[uid] = _swap(uid)
    return _swapped.get(uid)


_swapped: dict[int, int] = {}


def _swap(uid: int) -> int:
    """Make that namespace: by a process that is in it for as long as it takes. Raises `OSError`."""
    unshare = ctypes.CDLL(None).unshare
    process = subprocess.Popen(
        ("cat",), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"}, cwd="/",
        preexec_fn=lambda: unshare(_NEW_USERS),
    )  # fmt: skip
    ranges = ((0, uid, 1), (1, 1, uid - 1), (uid, 0, 1), (uid + 1, uid + 1, _LAST_ID - uid))
    lines = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in ranges).encode()
    try:
        for ids in ("uid_map", "gid_map"):
            file = os.open(f"/proc/{process.pid}/{ids}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(file, lines)
            finally:
                os.close(file)
        return os.open(f"/proc/{process.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        process.communicate()
