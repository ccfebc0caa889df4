"""A command that only looks loads what an answer needs, and nothing else: that is why the prompt is back at once."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faces.rows import fleet, row

SLOW = {
    *("asyncio", "dataclasses", "inspect", "logging", "pathlib", "rich", "shutil"),
    *("subprocess", "tempfile", "textwrap", "threading", "typing", "unicodedata", "urllib"),
}
"""What takes a good part of a quick command's time to import, and is needed by none."""

OURS = {
    *("bandstand", "bandstand.__main__", "bandstand.config", "bandstand.config.folders"),
    *("bandstand.domain", "bandstand.domain.errors", "bandstand.faces", "bandstand.faces.cli"),
    *(f"bandstand.faces.cli.{name}" for name in ("calling", "looking", "main", "parser", "reaching", "terminal")),
    *("bandstand.faces.cli.verbs", "bandstand.faces.wire"),
}
"""Every module of our own that looking takes, besides the themes in which its verb is looked for."""

COMMAND = """
import sys
before = set(sys.modules)
from bandstand.__main__ import main
sys.argv = ["band", *{words!r}]
code = main()
loaded = sorted(set(sys.modules) - before)
sys.stderr.write(" ".join(loaded))
sys.exit(code)
"""
ANSWERS = {
    "ps": fleet(row("docs", words="waits for you"), row("api"), asks=1),
    "asks": [],
    "agents": {"default": "", "agents": []},
}


@contextmanager
def answering(state: Path) -> Iterator[None]:
    """What stands for a daemon: it answers every question with what is known, until the end."""
    path = state / "s"
    (state / "daemon.lock").write_text(f"1\n{path}\n")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as lines:
                request = json.loads(lines.readline() or b"null")
                if request is None:
                    return
                lines.write(json.dumps({"result": ANSWERS[request["op"]]}).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(str(path))
        thread.join()
        listener.close()


@pytest.mark.parametrize("words", [["ps"], ["ps", "--all", "docs"], ["ps", "--json"], ["asks"], ["agents"]])
def test_a_quick_command_loads_nothing_slow(words: list[str]) -> None:
    """Not one of the modules that are known to be slow, whoever imports it."""
    # A path of our own: that of a test may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="band-") as home, answering(Path(home)):
        ran = subprocess.run(
            [sys.executable, "-c", COMMAND.format(words=words)],
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": home, "BAND_STATE_DIR": home},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert "docs" in ran.stdout or words[0] != "ps"
    loaded = ran.stderr.split()
    assert SLOW.intersection(loaded) == set()
    ours = {name for name in loaded if name.startswith("bandstand")}
    assert {name for name in ours if not name.startswith("bandstand.faces.cli.verbs.")} == OURS
