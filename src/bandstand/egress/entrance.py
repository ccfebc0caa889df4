"""A socket in the network namespace of a sandbox, made from outside: nothing of ours runs in there.

Whoever made a user namespace may enter it, and with it every namespace that belongs to it. A process that did cannot
come back, so it is one that is forked for this alone, and it sends the socket home. The socket stays what it is: who
accepts on it from outside is, to whoever connects inside, a neighbour on the loopback address.
"""

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import time

NS_GET_USERNS = 0xB701
_LOOPBACK = "127.0.0.1"
_BACKLOG = 128
_UP_SECONDS = 5.0


class NoEntrance(OSError):
    """The namespace cannot be entered, or has no loopback device that is up."""


def listen(pid: int, port: int) -> socket.socket:
    """A socket that listens on the loopback address of the namespace of process `pid`. Raises `NoEntrance`.

    To be called by a process of a single thread, because only such a one may change its user namespace.
    """
    home, away = socket.socketpair()
    with home, away:
        child = os.fork()
        if child == 0:
            os._exit(_send_listener(away, pid, port))
        away.close()
        try:
            word, sent, _, _ = home.recvmsg(16, socket.CMSG_SPACE(array.array("i").itemsize))
        finally:
            _, status = os.waitpid(child, 0)
    if not sent:
        number = int(word or b"0") or errno.EIO
        raise NoEntrance(number, f"no socket in the namespace of the sandbox: {os.strerror(number)} ({status})")
    files = array.array("i")
    files.frombytes(sent[0][2][: files.itemsize])
    return socket.socket(fileno=files[0])


def _send_listener(home: socket.socket, pid: int, port: int) -> int:
    """In the child: enter, listen, and send the socket; the number of the error where that is not possible."""
    try:
        _enter(pid)
        with _listener(port) as listener:
            home.sendmsg([b"0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))])
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
