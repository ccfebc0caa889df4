"""The proxy of one sandbox as a process of its own: a fork of whoever opens it, so that they share their memory.

Whoever opens it hears, message by message, that it is ready, and what it refuses. It ends with them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import sys

TYPE_CHECKING = False  # `typing` alone would be a part of the start of a process that every run starts
if TYPE_CHECKING:
    from typing import Any

READY_SECONDS = 15.0
MESSAGE = 1 << 12  # bytes


class Gate:
    """The proxy for the sandbox whose process is `pid`; its files are in the folder in which it is opened.

    What it says comes on the socket `says`, until it is `over`. Raises `OSError` if it cannot be opened.
    """

    def __init__(self, pid: int) -> None:
        self.over = False
        self.says, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        with theirs:
            self.process = os.fork()
            if self.process == 0:
                _be_the_proxy(theirs, pid)
        self.says.setblocking(False)
        word = self.hear() if select.select([self.says], [], [], READY_SECONDS)[0] else None
        if not word or "ready" not in word:
            self.close()
            number = word["errno"] if word else errno.ETIMEDOUT
            raise OSError(number, f"The egress proxy cannot be opened: {os.strerror(number)}")

    def hear(self) -> dict[str, Any] | None:
        """The next message; nothing if there is none now, and at the end."""
        try:
            data = self.says.recv(MESSAGE)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        self.over = not data
        return dict(json.loads(data)) if data else None

    def close(self) -> None:
        """End it. Somebody has to wait for the process."""
        self.says.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)


def _be_the_proxy(says: socket.socket, pid: int) -> None:
    """In the child, which never returns: it ends when nobody hears it any more.

    Who connects early waits in the queue of the socket, so all else may come behind the word that we are ready.
    """
    try:
        _become_nobody(says)
        from bandstand.egress.entrance import enter

        entrance = enter(pid, ".")
        says.send(b'{"ready": true}')
        from bandstand.egress.serving import serve

        def tell(host: str, port: int, why: str) -> None:
            says.send(json.dumps({"refused": {"host": host, "port": port, "why": why}}).encode())

        serve(entrance, ".", tell)
        while says.recv(MESSAGE):
            pass
    except OSError as error:
        with contextlib.suppress(OSError):
            says.send(json.dumps({"errno": error.errno or errno.EIO}).encode())
    finally:
        os._exit(0)


def _become_nobody(says: socket.socket) -> None:
    """Keep nothing of the parent's but the way to it.

    An agent's pipes would not end while they are open here, and a lock would be held.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the agent
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor > 2 and descriptor != says.fileno():
            with contextlib.suppress(OSError):  # one of them is that by which we looked
                os.close(descriptor)
