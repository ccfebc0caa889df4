"""Stopping the daemon by hand."""

import argparse
import sys

from bandstand.config.places import Places
from bandstand.domain.errors import Unavailable
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import client
from bandstand.faces.cli.starting import held, here, running, wait_for_its_end
from bandstand.faces.wire import NotRunning


def down(arguments: argparse.Namespace) -> int:
    """Stop the daemon, and return when it has gone. Holders of live agents start none before the next command does."""
    where = here()
    try:
        said = client().call("down")
        words = "The daemon is down."
        wait_for_its_end(where)
    except NotRunning:
        if held(where.lock):
            raise Unavailable("A daemon is running, but it does not answer.", hint=running(where)) from None
        said, words = {"running": False}, "No daemon is running."
    agents = live_agents(where)
    if agents:
        where.down.touch(mode=0o600)  # the daemon left it, but there may have been none
    if arguments.json:
        return dump({**said, "agents": agents})
    sys.stdout.write(f"{words}{_go_on(agents)}\n")
    return 0


def live_agents(where: Places) -> int:
    """How many agents live, whoever started them."""
    runs = where.state.glob("repositories/*/runs/*")
    return sum(held(run / "lock") for run in runs if not (run / "exit").exists())


def _go_on(agents: int) -> str:
    if not agents:
        return ""
    who = "1 agent goes on; what it asks" if agents == 1 else f"{agents} agents go on; what they ask"
    return f" {who} waits until the next command."
