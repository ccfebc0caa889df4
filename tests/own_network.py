"""Programs in a network namespace of their own, made by bubblewrap, and who listens in there."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ECHO = """
import socket, sys, threading
def serve(listener):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=answer, args=(client,), daemon=True).start()
def answer(client):
    said = b""
    while data := client.recv(65536):
        said += data
    client.sendall(sys.argv[1].encode() + b" heard " + said)
    client.close()
listeners = []
for place in sys.argv[2:]:
    address, _, port = place.rpartition(":")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.bind((address, int(port)))
    listener.listen(64)
    listeners.append(listener)
for listener in listeners:
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
print("listening", flush=True)
sys.stdin.read()
"""
"""Says back what it heard, once all was said. Its words: a name, and where to listen. Ends with its input."""


def echo(name: str, *places: str) -> tuple[str, ...]:
    """The command line of the echo."""
    return (sys.executable, "-I", "-S", "-c", ECHO, name, *places)


def walled(*command: str) -> tuple[str, ...]:
    """The same command in a network of its own."""
    words = "bwrap --unshare-user --unshare-net --unshare-pid --die-with-parent --dev-bind / / --proc /proc --"
    return (*words.split(), *command)


@contextlib.contextmanager
def neighbour(*command: str) -> Iterator[tuple[int, int]]:
    """A command that listens in a network of its own: its process, and when that began. It is ended."""
    with subprocess.Popen(walled(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
        try:
            assert outer.stdout is not None
            assert outer.stdout.readline() == b"listening\n"
            inner = child(outer.pid)
            yield inner, started(inner)
        finally:
            outer.kill()


def child(process: int) -> int:
    """The only child of a process: what bubblewrap confined."""
    (inner,) = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    return int(inner)


def started(process: int) -> int:
    """When a process began, in ticks since the machine was booted."""
    return int(
        Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    )
