"""What is kept, and what goes: `checkpoints` and `gc`."""

import argparse
import sys

from bandstand.faces.cli.calling import call
from bandstand.faces.cli.following import stream
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import me
from bandstand.faces.cli.terminal import Paint, ago, counted, cut, table, width, wrap
from bandstand.faces.wire import Json

_KIND, _SIZE = 13, 9


def checkpoints(arguments: argparse.Namespace) -> int:
    """What was kept of a task after each turn."""
    found = call("checkpoints", task=arguments.task)
    if arguments.json:
        return dump(found)
    sys.stdout.write("".join(f"{line}\n" for line in checkpoint_lines(found, Paint(sys.stdout))))
    return 0


def checkpoint_lines(found: Json, paint: Paint) -> list[str]:
    """One line for each checkpoint; or why there is none."""
    task, kept = found["task"], found["checkpoints"]
    if not kept:
        return [_no_checkpoints(found)]
    cells = [
        [f"{task}@{one['number']}", one["commit"][:12], ago(one["at"]), _turns(one["turns"]), _files(one["files"])]
        for one in kept
    ]
    lines = []
    for name, commit, age, turns, files in table(cells, columns=width()):
        lines.append(f"{paint.bold(name)}  {paint.dim(commit)}  {paint.dim(age)}  {turns}  {files}")
    return [*lines, paint.dim(f"what one changed: band diff {task}@{kept[-1]['number']}")]


def _no_checkpoints(found: Json) -> str:
    task = found["task"]
    if not found["over"]:
        return f"Nothing was kept of {task} yet: its first turn has not ended."
    if found["rescue"]:
        return f"The checkpoints of {task} went with its workspace. What it held is kept: band rescue show {task}"
    if found["landed"]:
        return f"The checkpoints of {task} went with its workspace. What landed: band diff {task}"
    return f"The checkpoints of {task} went with its workspace, which held nothing new."


def _turns(numbers: list[int]) -> str:
    return f"turn {', '.join(map(str, numbers))}" if numbers else "its agent was ended"


def _files(files: list[Json]) -> str:
    if not files:
        return "nothing new"
    lines = f"+{sum(one['added'] for one in files)} -{sum(one['deleted'] for one in files)}"
    return f"{counted(len(files), 'file')} {lines}: {', '.join(one['path'] for one in files)}"


def gc(arguments: argparse.Namespace) -> int:
    """Clear away what nobody needs; 1 if some of it could not be."""
    if arguments.repository:
        return _abandon(arguments)
    if arguments.dry_run:
        found = call("remains")
        things = found["things"]
    else:
        found = None
        things = stream("gc", by=me())
    paint = Paint(sys.stdout)
    told = []
    for thing in things:
        told.append(thing)
        if not arguments.json:
            lines = [*thing_lines(thing, paint), *(proof_lines(thing, paint) if arguments.dry_run else [])]
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.flush()
    gone = [thing for thing in told if not thing["trouble"]]
    total = sum(thing["bytes"] for thing in gone)
    abandoned = call("abandoned")["things"]
    if arguments.json:
        dump({"cleared": found is None, "things": told, "bytes": total, "abandoned": abandoned})
    else:
        sys.stdout.write(f"{_summary(len(gone), total, arguments)}\n")
        for thing in abandoned:
            sys.stdout.write("".join(f"{line}\n" for line in thing_lines(thing, paint)))
            sys.stdout.write(paint.dim(f"{'':<{_KIND + _SIZE + 2}}Kept unless you name it: {_order(thing)}\n"))
    return 0 if len(gone) == len(told) else 1


def _order(thing: Json) -> str:
    return f"band gc --repository {thing['name']}"


def _abandon(arguments: argparse.Namespace) -> int:
    """Clear away what is kept of a repository that is gone."""
    if arguments.dry_run:
        things = [thing for thing in call("abandoned")["things"] if thing["name"] == arguments.repository]
    else:
        things = [call("abandon", repository=arguments.repository)]
    total = sum(thing["bytes"] for thing in things)
    if arguments.json:
        return dump({"cleared": not arguments.dry_run, "things": things, "bytes": total, "abandoned": []})
    for thing in things:
        sys.stdout.write("".join(f"{line}\n" for line in thing_lines(thing, Paint(sys.stdout))))
    sys.stdout.write(f"{_summary(len(things), total, arguments)}\n")
    return 0


def _summary(count: int, total: int, arguments: argparse.Namespace) -> str:
    if not count:
        return "There is nothing that nobody needs."
    words = f"{counted(count, 'thing')}, {size(total)}"
    order = f"band gc --repository {arguments.repository}" if arguments.repository else "band gc"
    return f"{words} could go: {order}" if arguments.dry_run else f"{words} cleared away."


def thing_lines(thing: Json, paint: Paint) -> list[str]:
    """One thing: what it is, its size, its name, and why it may go."""
    head = f"{thing['kind']:<{_KIND}}{size(thing['bytes']):>{_SIZE}}  "
    line = f"{thing['name']}: {thing['why']}"
    lines = [f"{paint.dim(head)}{cut(line, width() - len(head))}"]
    if thing["trouble"]:
        lines.append(paint.red(cut(f"{'':<{len(head)}}still there: {thing['trouble']}", width())))
    return lines


def proof_lines(thing: Json, paint: Paint) -> list[str]:
    """What was looked at to know that a thing may go."""
    indent = f"{'':<{_KIND + _SIZE + 2}}"
    lines = [line for one in thing["proof"] for line in wrap(one, width(), indent=f"{indent}  ", first=f"{indent}- ")]
    return [paint.dim(line) for line in lines]


def size(count: int) -> str:
    """So many bytes, as a person reads it; nothing for none."""
    if not count:
        return ""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
