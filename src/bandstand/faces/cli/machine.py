"""Stopping the daemon by hand."""

import argparse
import sys

from bandstand.domain.errors import Unavailable
from bandstand.faces.cli.calling import held, here, running, wait_for_its_end
from bandstand.faces.cli.looking import dump
from bandstand.faces.wire import Client, NotRunning


def down(arguments: argparse.Namespace) -> int:
    """Stop the daemon, and return when it has gone."""
    where = here()
    try:
        said = Client(where.socket).call("down")
    except NotRunning:
        if held(where.lock):
            raise Unavailable("A daemon is running, but it does not answer.", hint=running(where)) from None
        if arguments.json:
            return dump({"running": False})
        sys.stdout.write("No daemon is running.\n")
        return 0
    wait_for_its_end(where)
    if arguments.json:
        return dump(said)
    sys.stdout.write("The daemon is down. Agents go on; the next command finds them.\n")
    return 0
