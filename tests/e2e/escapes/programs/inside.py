"""Makes attempts from wherever it is run: `python3 inside.py ATTEMPTS.json WHO` prints what came of each, as JSON.

It imports nothing of ours: it is what a hostile agent brings along. Each attempt has a process of its own.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

SECONDS = 10
MOST = 4096


def attempt(program: str, words: dict[str, Any], who: str) -> str:
    """What one attempt came to: what it brings home, or `blocked: ` and why."""
    module, _, name = program.partition(".")  # of a file beside this one
    filled = json.loads(json.dumps(words).replace("WHO", who))
    try:
        found: str = getattr(import_module(module), name)(**filled)
    except OSError as error:
        return f"blocked: {error}"
    return found


def apart(program: str, words: dict[str, Any], who: str) -> str:
    """The same in a process of its own, for some change what they are for good, and some do not come back."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(SECONDS)
        os.write(writing, attempt(program, words, who).encode(errors="surrogateescape")[:MOST])
        os._exit(0)
    os.close(writing)
    said, over = b"", time.monotonic() + SECONDS
    while select.select([reading], [], [], max(0.0, over - time.monotonic()))[0]:
        piece = os.read(reading, MOST)
        said += piece
        if not piece:
            break
    os.close(reading)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return said.decode(errors="backslashreplace") if said else "blocked: it came to nothing"


def main() -> None:
    """Try everything."""
    attempts = json.loads(Path(sys.argv[1]).read_text())
    who = sys.argv[2]
    # In hexadecimal digits, as somebody would who is afraid that it is looked through for secrets on its way out.
    found = {name: apart(one["program"], one["words"], who).encode().hex() for name, one in attempts.items()}
    json.dump(found, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main()
