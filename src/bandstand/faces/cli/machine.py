"""Stopping the daemon by hand."""

import argparse
import sys
import time

from bandstand.domain.errors import Unavailable
from bandstand.faces.cli.calling import here
from bandstand.faces.cli.looking import dump
from bandstand.faces.wire import Client, NotRunning

_DOWN_SECONDS = 15.0


def down(arguments: argparse.Namespace) -> int:
    """Stop the daemon, and return when it has gone."""
    where = here()
    try:
        said = Client(where.socket).call("down")
    except NotRunning:
        if arguments.json:
            return dump({"running": False})
        sys.stdout.write("No daemon is running.\n")
        return 0
    deadline = time.monotonic() + _DOWN_SECONDS
    while where.socket.exists():
        if time.monotonic() > deadline:
            raise Unavailable(f"The daemon, process {said['pid']}, takes long to end.", hint=f"See {where.daemon_log}.")
        time.sleep(0.02)
    if arguments.json:
        return dump(said)
    sys.stdout.write("The daemon is down. Agents go on; the next command finds them.\n")
    return 0
