"""What agents and checks may reach: `network`."""

import argparse
import sys

from bandstand.domain.errors import Refused
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import me
from bandstand.faces.cli.terminal import Paint, width, wrap
from bandstand.faces.wire import Json


def network(arguments: argparse.Namespace) -> int:
    """Look at it, or change what is allowed beside the rules."""
    action, host = arguments.action, arguments.host
    if action == "list":
        if host or arguments.task:
            raise Refused("A list takes no host and no task.", hint="band network allow HOST")
        found = call("network")
        if arguments.json:
            return dump(found)
        sys.stdout.write("".join(f"{line}\n" for line in network_lines(found, Paint(sys.stdout))))
        return 0
    if not host or (arguments.task and action == "revoke"):
        raise Refused(f"Say which host is to be {action}d." if not host else "A host is revoked for all tasks at once.")
    given = {"host": host, "by": me()} | ({"task": arguments.task} if arguments.task else {})
    said = call("allow-host" if action == "allow" else "revoke-host", **given)
    if arguments.json:
        return dump(said)
    whose = f"{arguments.task} may" if arguments.task else "All tasks of this repository may"
    words = f"{whose} reach {said['host']} now." if action == "allow" else f"{said['host']} is allowed no more."
    sys.stdout.write(f"{words}\n")
    return 0


def network_lines(found: Json, paint: Paint) -> list[str]:
    """The policies, the hosts that go with them, and the tasks that have something of their own."""
    usual = found["roles"][0]["policy"]
    lines = [paint.bold(f"agents: {usual}")]
    lines += [f"{one['role']}: {one['policy']}" for one in found["roles"][1:] if one["policy"] != usual]
    if not found["enforced"]:
        lines.append(
            paint.mark("Without a sandbox nothing keeps anybody to it: agents reach all of the network.", "stopped")
        )
    lines += _hosts("the rules name", found["listed"], paint)
    lines += _hosts("you allowed", found["allowed"], paint)
    for task in found["tasks"]:
        if task["allowed"] or task["policy"] != usual:
            also = f", and {', '.join(task['allowed'])}" if task["allowed"] else ""
            lines.append(f"{task['task']}: {task['policy']}{also}")
    return lines


def _hosts(words: str, hosts: list[str], paint: Paint) -> list[str]:
    return [paint.dim(f"{words}:"), *wrap(", ".join(hosts), width(), indent="  ")] if hosts else []
