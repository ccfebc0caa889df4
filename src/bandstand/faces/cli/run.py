"""`band run` and `band ps --follow`: tasks handed over, the rules shown once, and all of it watched to the end."""

import argparse
import os
import sys
from pathlib import Path

from bandstand.domain.errors import Refused
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import me
from bandstand.faces.cli.terminal import Paint, clean, encoded, table, width
from bandstand.faces.wire import Json

_MOST_NAMED = 20
NOT_LANDED, INTERRUPTED = 1, 130


def run(arguments: argparse.Namespace) -> int:
    """Hand over tasks, and watch them unless told not to."""
    order = _order(arguments)
    planned = call("plan", fetch=not arguments.dry_run, **order)
    paint = Paint(sys.stderr)
    if arguments.dry_run:
        return _show_plan(arguments, planned)
    if not arguments.json:
        sys.stderr.write("".join(f"{line}\n" for line in _warnings(planned, paint)))
    if not planned["confirmed"]:
        _confirm(arguments, planned, paint)
    submitted = call("submit", **order, digest=planned["digest"], by=me())
    if arguments.detach:
        if arguments.json:
            return dump({"tasks": submitted["tasks"], "target": submitted["target"]})
        sys.stdout.write(f"Submitted: {_some(submitted['tasks'])}\nWatch: band ps -f · Overview: band ps\n")
        return 0
    return follow(submitted["tasks"], arguments, repository=submitted["repository"], after=submitted["after"])


def _some(tasks: list[str]) -> str:
    """Tasks by their ids; of very many, the first."""
    more = len(tasks) - _MOST_NAMED
    return ", ".join(tasks) if more <= 1 else f"{', '.join(tasks[:_MOST_NAMED])} and {more:,} more"


def _order(arguments: argparse.Namespace) -> dict[str, Json]:
    """The words of the command as the daemon takes them. Files are read here, for they are the caller's."""
    if (arguments.goal is None) == (arguments.file is None):
        raise Refused(
            "Say what is to be done: one goal, or a file of tasks.",
            hint='band run "add dark mode"\nband run -f tasks.yaml',
        )
    return {
        "goal": arguments.goal,
        "tasks": _document(arguments.file),
        "agent": arguments.agent,
        "id": arguments.id,
        "priority": arguments.priority,
        "network": arguments.network,
        "score": _document(arguments.score),
        "target": arguments.target,
        "sandbox": arguments.sandbox,
        "variables": dict(os.environ),
    }


def _document(name: str | None) -> Json:
    if name is None:
        return None
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}.") from None
    try:
        return {"name": "standard input" if name == "-" else name, "text": data.decode()}
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(f"{name}:{line}: This is not UTF-8 text.", hint="Save the file as UTF-8.") from None


def _show_plan(arguments: argparse.Namespace, planned: Json) -> int:
    if arguments.json:
        return dump(planned)
    paint = Paint(sys.stdout)
    cells = [[task["id"], task["agent"], _title(task)] for task in planned["tasks"]]
    for name, agent, title in table(cells, columns=width()):
        sys.stdout.write(f"{paint.bold(name)}  {paint.dim(agent)}  {title}\n")
    sys.stdout.write("".join(f"{line}\n" for line in [*rule_lines(planned, paint), *_warnings(planned, paint)]))
    return 0


def _title(task: Json) -> str:
    needs = f" (after {', '.join(task['needs'])})" if task["needs"] else ""
    return f"{task['title']}{needs}"


def _warnings(planned: Json, paint: Paint) -> list[str]:
    return [f"{paint.mark('!', 'needs-you')} {line}" for line in planned["warnings"]]


def rule_lines(planned: Json, paint: Paint) -> list[str]:
    """The rules of a repository, for a person to confirm."""
    checks = planned["checks"] or ["none: changes land untested"]
    lines = [f"{'lands on':<10}{_line(planned['target'])}"]
    for index, command in enumerate(checks):
        source = paint.dim(f"  ({_line(planned['checks_from'])})") if planned["checks"] else ""
        lines.append(f"{'checks' if index == 0 else '':<10}{paint.bold(_line(command))}{source}")
    lines.append(f"{'review':<10}{planned['review']}")
    if planned["push"] != "never":
        lines.append(f"{'push':<10}{planned['push']}: {_line(planned['target'])} goes to its remote")
    setups = [one["value"] for one in planned["rules"] if one["key"] == "setup.commands"]
    lines += [f"{'set-up':<10}{paint.bold(_line(one))}" for one in setups]
    if planned["suggested"] and not setups:
        usual = "; ".join(planned["suggested"])
        lines.append(f"{'set-up':<10}{paint.dim(f'none; projects like this one run: {_line(usual)}')}")
    included = [one["value"] for one in planned["rules"] if one["key"] == "workspace.include"]
    if included:
        lines.append(f"{'copies':<10}{paint.bold(_line(', '.join(included)))}, where git ignores it, into workspaces")
    for agent in planned["agents"]:
        reads = f" (may read {', '.join(agent['reads'])})" if agent["reads"] else ""
        lines.append(f"{'agent':<10}{_line(agent['name'] + ': ' + ' '.join(agent['command']) + reads)}")
    if planned["sandbox"] == "none":
        lines.append(f"{'sandbox':<10}{paint.red('none: laws 2 and 4 not enforced')}")
    return lines


def _line(text: str) -> str:
    """What a repository says, in one line that cannot be taken for anything else."""
    return clean(text).replace("\n", "⏎").replace("\t", " ")


def _confirm(arguments: argparse.Namespace, planned: Json, paint: Paint) -> None:
    """Show the rules and have them confirmed, once for each content. Raises `Refused` without a yes."""
    if arguments.yes:
        return
    if arguments.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(
            "The rules of this repository have not been confirmed yet.",
            hint="See them with --dry-run, and confirm them with --yes.",
        )
    changed = "have changed" if planned["changed"] else "are"
    sys.stderr.write(f"The rules of this repository {changed}:\n")
    sys.stderr.write("".join(f"  {line}\n" for line in rule_lines(planned, paint)))
    sys.stderr.write("These commands will run on this machine, inside the sandbox. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("Nothing was started.", hint="Change the rules in bandstand.toml on the branch you land on.")


def watch(arguments: argparse.Namespace) -> int:
    """Watch tasks that are there."""
    return follow(arguments.tasks, arguments)


def follow(tasks: list[str], arguments: argparse.Namespace, *, repository: str = "", after: int | None = None) -> int:
    """Watch tasks to their end; 0 if all of them landed. Ctrl-C stops watching, and nothing else."""
    try:
        watching = {"repository": repository, "after": after}
        rows = _print_json(tasks, **watching) if arguments.json else _live(tasks, arguments, **watching)
    except KeyboardInterrupt:
        sys.stderr.write("\nNo longer watching; the tasks go on. Look again: band ps -f\n")
        return INTERRUPTED
    return 0 if all(row["mark"] == "landed" for row in rows) else NOT_LANDED


def _print_json(tasks: list[str], **watching: Json) -> list[Json]:
    from bandstand.faces.cli.watching import watch as events

    rows: list[Json] = []
    for item in events(tasks, **watching):
        if item["kind"] == "state":
            rows = item["rows"]
        if item["kind"] == "fact":
            sys.stdout.write(f"{encoded(item)}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{encoded({'kind': 'end', 'tasks': rows})}\n")
    return rows


def _live(tasks: list[str], arguments: argparse.Namespace, **watching: Json) -> list[Json]:
    from bandstand.faces.cli.live import LiveView
    from bandstand.faces.cli.watching import watch as events

    with LiveView(verbose=arguments.verbose) as view:
        for item in events(tasks, lost=view.lost, **watching):
            view.take(item)
        rows = view.rows
    lines = view.summary() if rows else ["Nothing is going on."]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return rows
