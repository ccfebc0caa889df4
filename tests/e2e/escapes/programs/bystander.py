"""A process of the user's that has nothing to do with us: it holds secrets as programs do, and listens as services do.

`python3 bystander.py WORDS.json` prints what somebody would know who knows this machine, writes down whatever reaches
it, and ends with its standard input.
"""

import ctypes
import json
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {"x86_64": {"add_key": 248, "keyctl": 250}, "aarch64": {"add_key": 217, "keyctl": 219}}
_USER_KEYRING = -4
_SET_PERMISSIONS, _INVALIDATE = 5, 21
_MAY_BE_TRACED = 0x59616D61
_SIGNALS = {
    who: int(signal.SIGRTMIN) + number for number, who in enumerate(("agent", "check", "reviewer", "setup", "plain"), 1)
}


def keep_key(name: str, secret: bytes) -> int:
    """Have the kernel keep a key for this user."""
    numbers = _NUMBERS[os.uname().machine]
    found: int = _libc.syscall(numbers["add_key"], b"user", name.encode(), secret, len(secret), _USER_KEYRING)
    _libc.syscall(numbers["keyctl"], _SET_PERMISSIONS, found, 0x3F3F0000)
    return found


def forget_key(number: int) -> None:
    """Have the kernel forget it."""
    _libc.syscall(_NUMBERS[os.uname().machine]["keyctl"], _INVALIDATE, number)


def share(secret: bytes) -> tuple[int, int]:
    """Memory that the programs of this user share: its name, and its number."""
    name = os.getpid() | 0x42000000
    number = _libc.shmget(name, 4096, 0o1600)
    _libc.shmat.restype = ctypes.c_void_p
    ctypes.memmove(_libc.shmat(number, None, 0), secret, len(secret))
    return name, number


def deleted(path: Path, secret: bytes) -> int:
    """A file that is open and has no name any more."""
    path.write_bytes(secret)
    file = os.open(path, os.O_RDONLY)
    path.unlink()
    return file


def listeners(words: dict[str, Any]) -> list[socket.socket]:
    """Whoever listens on this machine: at paths, at abstract names, and on the loopback."""
    found = []
    for place in (*words["paths"], *(f"\0{name}" for name in words["abstract"])):
        found.append(socket.socket(socket.AF_UNIX))
        found[-1].bind(place)
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        found.append(socket.socket(family))
        found[-1].bind((host, 0))
    for one in found:
        one.listen()
    found.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    found[-1].bind(("127.0.0.1", 0))
    return found


def serve(sockets: list[socket.socket], received: Path) -> None:
    """Write down what comes, until the standard input ends."""
    with selectors.DefaultSelector() as ready, received.open("a", buffering=1, encoding="utf-8") as file:
        for who, number in _SIGNALS.items():
            signal.signal(number, lambda *_, who=who: file.write(f"signal of {who}\n"))
        for one in sockets:
            one.setblocking(False)
            ready.register(one, selectors.EVENT_READ)
        ready.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is sys.stdin:
                    return
                _take(ready, key.fileobj, file)  # type: ignore[arg-type]


def _take(ready: selectors.BaseSelector, one: socket.socket, file: Any) -> None:
    if one.type == socket.SOCK_STREAM and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        connection, _ = one.accept()
        ready.register(connection, selectors.EVENT_READ)
        return
    try:
        heard = one.recv(4096)
    except OSError:
        heard = b""
    file.write(heard.decode(errors="backslashreplace"))
    if not heard:
        ready.unregister(one)
        one.close()


def main() -> None:
    """Be there."""
    words = json.loads(Path(sys.argv[1]).read_text())
    secret = words["secret"].encode()
    _libc.prctl(_MAY_BE_TRACED, ctypes.c_ulong(2**64 - 1), 0, 0, 0)
    held = ctypes.create_string_buffer(secret)
    name, number = share(secret)
    key = keep_key(words["key"], secret)
    sockets = listeners(words)
    facts = {
        "pid": os.getpid(),
        "address": ctypes.addressof(held),
        "size": len(secret),
        "descriptor": deleted(Path(words["received"]).with_name("deleted"), secret),
        "memory": name,
        "signals": _SIGNALS,
        "tcp": sockets[-3].getsockname()[1],
        "tcp6": sockets[-2].getsockname()[1],
        "udp": sockets[-1].getsockname()[1],
    }
    try:
        sys.stdout.write(f"{json.dumps(facts)}\n")
        sys.stdout.flush()
        serve(sockets, Path(words["received"]))
    finally:
        forget_key(key)
        _libc.shmctl(number, 0, None)


if __name__ == "__main__":
    main()
