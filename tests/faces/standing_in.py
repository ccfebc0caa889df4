"""What stands for a daemon in front of a command that is run as a process: it answers what it was told to answer."""

import json
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bandstand.faces.wire import Json


@contextmanager
def answering(answers: Mapping[str, Json]) -> Iterator[Path]:
    """A state folder whose daemon answers operations by name, until the end. One that it does not know it refuses."""
    # A path of our own: that of a test may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="band-") as folder:
        path = Path(folder, "s")
        Path(folder, "daemon.lock").write_text(f"1\n{path}\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen()
            thread = threading.Thread(target=_serve, args=(listener, answers))
            thread.start()
            try:
                yield Path(folder)
            finally:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
                    last.connect(str(path))
                thread.join()


def _serve(listener: socket.socket, answers: Mapping[str, Json]) -> None:
    """Answer one connection after the other, until one says nothing."""
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as lines:
            request = lines.readline()
            if not request:
                return
            op = json.loads(request)["op"]
            refusal = {"error": {"kind": "refused", "message": f"There is no {op}.", "hint": ""}}
            lines.write(json.dumps({"result": answers[op]} if op in answers else refusal).encode() + b"\n")
