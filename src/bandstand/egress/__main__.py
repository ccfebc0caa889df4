"""The proxy of one sandbox as a program, for whoever cannot fork: `python -I -S …/egress PID FOLDER`.

It says on its output what a gate says: that it is ready, and what it refuses, a line of JSON for each. It ends when its
input does.
"""
# ruff: noqa: E402 - isolated from everything but the standard library, it has to say where its own modules are

import errno
import json
import os
import sys

# Last, and instead of our own folder: no module of the standard library may be taken from elsewhere.
sys.path[:1] = []
sys.path.append(__file__.rpartition("/bandstand/")[0])

from bandstand.egress.entrance import enter
from bandstand.egress.serving import serve


def say(message: dict[str, object]) -> None:
    """One line to whoever started us."""
    os.write(1, json.dumps(message).encode() + b"\n")


def main() -> None:
    """Serve until the input ends."""
    pid, folder = sys.argv[1:]
    try:
        entrance = enter(int(pid), folder)
    except OSError as error:
        return say({"errno": error.errno or errno.EIO})
    say({"ready": True})
    serve(entrance, folder, lambda host, port, why: say({"refused": {"host": host, "port": port, "why": why}}))
    while os.read(0, 1024):
        pass
    return None


if __name__ == "__main__":
    main()
