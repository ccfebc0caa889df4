"""Stopping everything: the emergency brake. It works whether or not a daemon answers.

First it is noted that everything is to stop: then no daemon, this one or the next, starts anything, and all tasks are
held. The daemon is asked to end the agents. What it leaves, or all of them where none answers, is ended directly.
"""

import argparse
import asyncio
import sys

from bandstand.config.places import Places
from bandstand.config.stops import StopNote
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.machine import live_agents
from bandstand.faces.cli.reaching import client, me
from bandstand.faces.cli.starting import here
from bandstand.faces.cli.terminal import counted
from bandstand.faces.wire import Json

_HELLO_SECONDS, _ANSWER_SECONDS = 3.0, 25.0
"""How long a daemon may take to say that it is there, and to end all agents."""


def stop(arguments: argparse.Namespace) -> int:
    """Stop the whole fleet. Raises `Broken` if an agent cannot be ended."""
    if not arguments.all:
        raise Refused(
            "`band stop` ends every agent in every repository; say that you mean it.",
            hint="All of them: band stop --all\nOne task:    band pause TASK\nThe daemon:  band down, and agents go on",
        )
    where = here()
    before = live_agents(where)
    noted = _note(where)
    said = _ask()
    left = live_agents(where)
    if left:
        left = _end(where)
    held = said["repositories"] if said is not None else []
    result = {"daemon": said is not None, "ended": before - left, "left": left, "repositories": held}
    if arguments.json:
        dump(result)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _words(result, noted=noted)))
    if left:
        raise Broken(f"{counted(left, 'agent')} could not be ended.", hint="`band doctor` tells more.")
    return 0


def _note(where: Places) -> bool:
    """Whether it is noted. Agents can be ended even where nothing can be written."""
    try:
        StopNote(file=where.stopped).write(me())
    except OSError as error:
        sys.stderr.write(f"band: It cannot be noted that everything stops: {error.strerror}. A daemon may go on.\n")
        return False
    return True


def _ask() -> Json | None:
    """What the daemon did, or nothing if none answers in time."""
    try:
        client(patience=_HELLO_SECONDS).call("hello")
        return client(patience=_ANSWER_SECONDS).call("stop_all", by=me())
    except (Unavailable, Broken):
        return None


def _end(where: Places) -> int:
    """End agents with no daemon; how many could not be ended."""
    from bandstand.unattended import end_agents

    return asyncio.run(end_agents(where))[1]


def _words(result: Json, *, noted: bool) -> list[str]:
    agents = counted(result["ended"], "agent")
    if not result["daemon"]:
        ended = f"{agents} ended; what was written is kept." if result["ended"] else "No agent was alive."
        after = ["The next daemon holds every task. To let them go on: band resume --all"]
        return [f"No daemon answered. {ended}", *(after if noted else [])]
    tasks = sum(len(one["tasks"]) for one in result["repositories"])
    if not tasks and not result["ended"]:
        return ["Nothing was going on."]
    lines = [f"Stopped: {counted(tasks, 'task')} held, {agents} ended; what was written is kept."]
    lines += [f"  {one['path']}: {', '.join(one['tasks'])}" for one in result["repositories"]]
    return [*lines, "To let them go on: band resume --all"]
