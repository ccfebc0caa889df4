"""A socket in the network namespace of a sandbox, made from outside: nothing of ours runs in there.

Whoever made a user namespace may enter it, and with it every namespace that belongs to it. A process that did cannot
come back, so it is one that is forked for this alone, and it sends the socket home. The socket stays what it is: who
accepts on it from outside is, to whoever connects inside, a neighbour on the loopback address.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time

from bandstand.egress import PORT
from bandstand.egress.files import read_rules

TYPE_CHECKING = False  # `typing` alone would be a part of the start of a process that every run starts
if TYPE_CHECKING:
    from collections.abc import Sequence

    Entrance = tuple[socket.socket, list[tuple[str, int, socket.socket]]]

NS_GET_USERNS = 0xB701
_LOOPBACK = "127.0.0.1"
_HOME = ("localhost", _LOOPBACK, "::1")
_BACKLOG = 128
_UP_SECONDS = 5.0


class NoEntrance(OSError):
    """The namespace cannot be entered, or has no loopback device that is up."""


def enter(pid: int, folder: str) -> Entrance:
    """The socket of the proxy inside, and the doors: what the rules name on this machine's own loopback address.

    Each of these is on its own port inside. Raises `NoEntrance`.
    """
    named = {port: host for host, port, private in read_rules(folder) if private and port and host in _HOME}
    named.pop(PORT, None)
    proxy, *others = listen(pid, [PORT, *named])
    return proxy, [(host, port, door) for (port, host), door in zip(named.items(), others, strict=True)]


def listen(pid: int, ports: Sequence[int]) -> list[socket.socket]:
    """Sockets that listen on these ports of the loopback address in the namespace of process `pid`.

    It forks, for only a process of a single thread may change its user namespace. Raises `NoEntrance`.
    """
    home, away = socket.socketpair()
    with home, away:
        child = os.fork()
        if child == 0:
            os._exit(_send_listeners(away, pid, ports))
        away.close()
        try:
            word, files, _, _ = socket.recv_fds(home, 16, len(ports))
        finally:
            os.waitpid(child, 0)
    listeners = [socket.socket(fileno=file) for file in files]
    if len(listeners) != len(ports):
        for listener in listeners:
            listener.close()
        number = int(word) if word.isdigit() and word != b"0" else errno.EIO
        raise NoEntrance(number, f"No socket can be made in the network of the sandbox: {os.strerror(number)}.")
    return listeners


def _send_listeners(home: socket.socket, pid: int, ports: Sequence[int]) -> int:
    """In the child: enter, listen, and send the sockets; where that is not possible, the number of the error."""
    try:
        _enter(pid)
        listeners = [_listener(port) for port in ports]
        socket.send_fds(home, [b"0"], [listener.fileno() for listener in listeners])
    except OSError as error:
        with contextlib.suppress(OSError):
            home.send(str(error.errno or errno.EIO).encode())
        return 1
    return 0


def _enter(pid: int) -> None:
    """Be in the network namespace of a process, with all rights over it."""
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if os.stat(network).st_ino == os.stat("/proc/self/ns/net").st_ino:
        raise OSError(errno.EXDEV, "the network of the sandbox is the machine's own")
    owner = fcntl.ioctl(network, NS_GET_USERNS)
    if os.stat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:
        _set_namespace(owner)
    _set_namespace(network)


def _set_namespace(number: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(number, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _listener(port: int) -> socket.socket:
    """A listening socket, as soon as the loopback device is up: whoever made the namespace is about to do that."""
    deadline = time.monotonic() + _UP_SECONDS
    while True:
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_LOOPBACK, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRNOTAVAIL or time.monotonic() > deadline:
                raise
            time.sleep(0.002)
        else:
            return listener
