"""What the egress proxy adds to a connection: from a sandbox by the proxy, beside the same from outside without one.

The proxy is the one that an agent has, a fork in front of a sandbox with a network of its own. A connection is made,
one line is said and heard again, and it is closed; one after the other, to a server of this machine.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from bandstand.egress.gate import Gate
from bandstand.egress.variables import PROXY
from bandstand.egress.writing import write_rules
from bandstand.starter.handing import Start
from benchmarks.figures import Figure, Findings, Found, Judged

CONNECTIONS, TIMES = 200, 5
FIGURES = (
    Figure(
        key="egress.connection",
        title="A connection through the egress proxy: time until its first answer",
        unit="ms",
        floor="the same connection without a proxy",
        judged=Judged.DIFFERENCE,
        target=2,
    ),
)
_CLIENT = """
import json, socket, statistics, sys, time

proxy, name, port, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
place = (proxy, 3128) if proxy else (name, port)
took = []
for _ in range(times):
    begun = time.perf_counter()
    with socket.create_connection(place) as connection:
        if proxy:
            connection.sendall(f"CONNECT {name}:{port} HTTP/1.1\\r\\n\\r\\n".encode())
            said = b""
            while not said.endswith(b"\\r\\n\\r\\n"):
                said += connection.recv(4096)
            assert said.startswith(b"HTTP/1.1 200 "), said
        connection.sendall(b"hello\\n")
        assert connection.recv(16) == b"hello\\n"
    took.append((time.perf_counter() - begun) * 1000)
print(json.dumps(statistics.median(took)))
"""


def measure() -> Findings:
    """Several times so many connections, with and without the proxy in turns."""
    ours, floors = [], []
    with _server() as port:
        for _ in range(TIMES):
            floors.append(_outside(port))
            ours.append(_inside(port))
    return {"egress.connection": Found(ours=tuple(ours), floor=tuple(floors))}


@contextlib.contextmanager
def _server() -> Iterator[int]:
    """A server that says everything again."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(64):
                    connection.sendall(data)


def _client(proxy: str, port: int) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", _CLIENT, proxy, "localhost", str(port), str(CONNECTIONS))


def _outside(port: int) -> float:
    return float(json.loads(subprocess.check_output(_client("", port), timeout=60)))


def _inside(port: int) -> float:
    """The same in a sandbox, whose one way out is the proxy."""
    bwrap = shutil.which("bwrap") or "bwrap"
    address = PROXY.removeprefix("http://").partition(":")[0]
    walls = ("--unshare-user", "--unshare-net", "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/")
    argv = (bwrap, *walls, "--proc", "/proc", "--dev", "/dev", "--", *_client(address, port))
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Start(argv, {"announces": True}) as start:
        write_rules(folder, [("localhost", port, True)])
        os.chdir(folder)  # a gate has its files where it is opened
        gate = None
        try:
            process = subprocess.Popen(start.argv, pass_fds=start.descriptors, stdout=subprocess.PIPE)
            start.begun()
            gate = Gate(start.inside(seconds=15))
            start.go_on()
            said, _ = process.communicate(timeout=60)
            return float(json.loads(said))
        finally:
            os.chdir(before)
            if gate is not None:
                gate.close()
                os.waitpid(gate.process, 0)
