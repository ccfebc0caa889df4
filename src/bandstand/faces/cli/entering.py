"""Sockets in the network namespace of a sandbox, made from outside: nothing of ours runs in there.

Whoever made a user namespace may enter it, and with it every namespace that belongs to it; so the kernel sees to it
that this works for the user whose agent it is, and for root. A process that entered cannot come back, and must have one
thread only. So it is a small one of its own, which makes sockets there and sends them home. A socket stays what it is:
whoever connects it from outside is, to who listens inside, a neighbour on the loopback address.

Run as a program it is that small process; then it stands alone.
"""

# ruff: noqa: PTH116 - as a program it is to start at once, and pathlib would be a tenth of that

import contextlib
import fcntl
import os
import socket
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

_NS_GET_USERNS = 0xB701
_STARTED = 19  # fields behind the name in /proc/<pid>/stat
_ANSWER = 16  # bytes
_SECONDS = 10.0  # for an answer, which takes next to nothing once the interpreter runs


class NoEntrance(OSError):
    """The network cannot be entered: its run is over, or it is somebody else's."""


class Entrance:
    """Makes sockets in the network of a process, which began at `started`. To be closed. Raises `NoEntrance`."""

    def __init__(self, process: int, started: int) -> None:
        folder = _folder(process, started)
        self._home, away = socket.socketpair()
        self._home.settimeout(_SECONDS)
        try:
            # In a session of its own, Ctrl-C does not reach it; it ends with our end of the pair.
            self._maker = subprocess.Popen(
                (sys.executable, "-I", "-S", __file__, str(away.fileno()), str(folder)),
                pass_fds=(away.fileno(), folder), stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._home.close()
            raise
        finally:
            away.close()
            os.close(folder)
        try:
            self._hear()
        except BaseException:
            self.close()
            raise

    def socket(self, family: socket.AddressFamily) -> socket.socket:
        """A new TCP socket in there, not connected. Raises `NoEntrance`."""
        try:
            self._home.send(b"6" if family == socket.AF_INET6 else b"4")
        except OSError as error:
            raise NoEntrance(error.errno, str(error)) from None
        return socket.socket(family, socket.SOCK_STREAM, fileno=self._hear())

    def _hear(self) -> int:
        """The descriptor that comes with an answer; -1 if the answer is only that all is well."""
        try:
            word, files, *_ = socket.recv_fds(self._home, _ANSWER, 1)
        except OSError as error:
            raise NoEntrance(error.errno, str(error)) from None
        if word != b"0":
            number = int(word) if word.isdigit() else 0
            raise NoEntrance(number, os.strerror(number) if number else "nobody answers")
        return files[0] if files else -1

    def close(self) -> None:
        """Let go of the network; sockets that were made there stay."""
        self._home.close()
        self._maker.wait()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _folder(process: int, started: int) -> int:
    """The folder of a process in /proc: opened once it is that process and no later one of its number."""
    try:
        folder = os.open(f"/proc/{process}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NoEntrance(error.errno, f"Process {process} is gone") from None
    try:
        with open("stat", encoding="utf-8", errors="replace", opener=_in(folder)) as file:
            if int(file.read().rpartition(")")[2].split()[_STARTED]) == started:
                return folder
    except (OSError, ValueError, IndexError):
        pass
    os.close(folder)
    raise NoEntrance(0, f"Process {process} is gone")


def _in(folder: int) -> "Callable[[str, int], int]":
    return lambda name, flags: os.open(name, flags, dir_fd=folder)


def _enter(folder: int) -> None:
    """Be in the network namespace of a process, with all rights over it."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    network = os.open("ns/net", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    owner = fcntl.ioctl(network, _NS_GET_USERNS)
    for number, mine in ((owner, "user"), (network, "net")):
        # Nobody enters the user namespace that they are in.
        if not os.path.samestat(os.fstat(number), os.stat(f"/proc/self/ns/{mine}")) and libc.setns(number, 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.close(number)


def _serve(home: socket.socket) -> None:
    """Make a socket for each letter that comes."""
    while letter := home.recv(1):
        try:
            with socket.socket(socket.AF_INET6 if letter == b"6" else socket.AF_INET, socket.SOCK_STREAM) as made:
                socket.send_fds(home, [b"0"], [made.fileno()])
        except OSError as error:
            home.send(str(error.errno).encode())


def main() -> None:
    """Enter, and make sockets until nobody wants any."""
    with socket.socket(fileno=int(sys.argv[1])) as home, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        try:
            _enter(int(sys.argv[2]))
        except OSError as error:
            home.send(str(error.errno).encode())
            return
        os.close(int(sys.argv[2]))
        home.send(b"0")
        _serve(home)


if __name__ == "__main__":
    main()
