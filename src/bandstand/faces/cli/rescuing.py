"""Rescues: listed, shown, restored and given up."""

import argparse
import sys
from pathlib import Path

from bandstand.domain.errors import Refused
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.following import stream
from bandstand.faces.cli.keeping import size
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import me
from bandstand.faces.cli.showing import page, paint_patch
from bandstand.faces.cli.terminal import Paint, ago, counted, cut, table, width, wrap
from bandstand.faces.wire import Json

_NAMES_SHOWN, _LOST_SHOWN = 20, 3


def rescue(arguments: argparse.Namespace) -> int:
    """What was kept: look at it, get it back, or give it up."""
    actions = {"list": _list, "show": _show, "restore": _restore, "prune": _prune}
    return actions[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    found = call("rescues")["rescues"]
    if arguments.tasks:
        found = [one for one in found if one["task"] in arguments.tasks]
    if arguments.json:
        return dump({"rescues": found})
    paint = Paint(sys.stdout)
    sys.stdout.write("".join(f"{line}\n" for line in list_lines(found, paint)))
    return 0


def list_lines(found: list[Json], paint: Paint) -> list[str]:
    """One line for each rescue, and what to do with one."""
    if not found:
        return ["Nothing is kept: all that was written has landed, or is still being worked on."]
    cells = [[one["task"], ago(one["at"]), size(one["bytes"]), _parts(one["rescue"]), one["why"]] for one in found]
    lines = []
    for name, age, big, parts, why in table(cells, columns=width()):
        lines.append(f"{paint.bold(name)}  {paint.dim(age)}  {paint.dim(big)}  {paint.dim(parts)}  {why}")
    first = found[0]["task"]
    return [*lines, paint.dim(f"band rescue show {first} · band rescue restore {first}")]


def _parts(kept: Json) -> str:
    refs, archives = len(kept["refs"]), len(kept["archives"])
    parts = [counted(refs, "commit")] if refs else []
    return ", ".join(parts + ([counted(archives, "archive")] if archives else []))


def _show(arguments: argparse.Namespace) -> int:
    task, number = _one(arguments)
    shown = call("rescue", task=task, number=number)
    if arguments.json:
        return dump(shown)
    paint = Paint(sys.stdout)
    lines = content_lines(shown, paint)
    return page("".join(f"{line}\n" for line in lines) + ("\n" + paint_patch(shown["patch"], paint)))


def content_lines(shown: Json, paint: Paint) -> list[str]:
    """A rescue with its places, its files, and how to get it back."""
    view, kept = shown["view"], shown["view"]["rescue"]
    facts = [("why", view["why"]), ("kept", f"{ago(view['at'])} ago, {size(view['bytes']) or 'no room'}")]
    facts += [("commit", f"{one['ref']} at {one['commit'][:12]}") for one in kept["refs"]]
    if shown["change"] is not None:
        files = shown["change"]["files"]
        differ = "1 file differs" if len(files) == 1 else f"{len(files)} files differ"
        facts.append(("files", f"{differ} from the target"))
        facts += [("", f"{one['status']} {one['path']} +{one['added']} -{one['deleted']}") for one in files]
    for archive in kept["archives"]:
        facts.append(("archive", f"{archive['path']} ({size(archive['bytes'])})"))
        names = next(one["names"] for one in shown["listings"] if one["archive"] == archive["name"])
        facts += [("", name) for name in names[:_NAMES_SHOWN]]
        if len(names) > _NAMES_SHOWN:
            facts.append(("", f"and more: tar -tzf {archive['path']}"))
    title = f"{view['task']}: {view['title']}" if view["title"] else view["task"]
    lines = [paint.bold(cut(title, width())), ""]
    for key, value in facts:
        lines += wrap(value, width(), indent=" " * 9, first=f"{key:<9}")
    order = f"band rescue restore {view['task']}"
    return [*lines, "", paint.dim(f"get it back: {order} · {order} --to FOLDER")]


def _restore(arguments: argparse.Namespace) -> int:
    task, number = _one(arguments)
    folder = str(Path(arguments.to).absolute()) if arguments.to else ""
    branch = arguments.branch or ""
    (said,) = stream("restore", task=task, number=number, folder=folder, branch=branch)
    if arguments.json:
        return dump(said)
    if said["folder"]:
        sys.stdout.write(f"{counted(said['files'], 'file')} of {task} are in {said['folder']}.\n")
        for note in said["notes"]:
            sys.stdout.write("".join(f"{line}\n" for line in wrap(note, width(), indent="    ", first="  ! ")))
        return 0
    sys.stdout.write(f"{task} is on branch {said['branch']}. Next: git switch {said['branch']}\n")
    if said["archives"]:
        sys.stdout.write(
            "What git ignored is no part of a branch. To have it too, in a folder of its own:\n"
            f"  band rescue restore {task} --to FOLDER\n"
        )
    return 0


def _prune(arguments: argparse.Namespace) -> int:
    said = call(
        "prune-rescues",
        tasks=arguments.tasks,
        older_than_days=arguments.older_than,
        dry_run=arguments.dry_run,
        yes=arguments.yes,
        by=me(),
    )
    kept = [one for one in said["rescues"] if not one["gone"]]
    if arguments.json:
        dump(said)
    else:
        paint = Paint(sys.stdout)
        for one in said["rescues"]:
            sys.stdout.write("".join(f"{line}\n" for line in pruned_lines(one, paint, dry_run=said["dry_run"])))
        sys.stdout.write(f"{_pruned(said, kept)}\n")
    return 1 if kept and not said["dry_run"] else 0


def pruned_lines(one: Json, paint: Paint, *, dry_run: bool) -> list[str]:
    """What becomes of one rescue, and why."""
    view, lost = one["view"], one["nowhere_else"]
    if lost:
        more = f" and {len(lost) - _LOST_SHOWN} more" if len(lost) > _LOST_SHOWN else ""
        proof = f"nowhere else: {', '.join(lost[:_LOST_SHOWN])}{more}"
    else:
        proof = "all of it is in other refs of the repository"
    done = "given up" if one["gone"] else "could go" if dry_run and not lost else "kept"
    head = f"{done:<9}{size(view['bytes']):>9}  "
    told = cut(f"{view['task']}: {proof}", width() - len(head))
    return [f"{paint.dim(head)}{paint.mark(told, 'needs-you') if lost else told}"]


def _pruned(said: Json, kept: list[Json]) -> str:
    if not said["rescues"]:
        return "There is no such rescue."
    lossy = [one for one in kept if one["nowhere_else"]]
    if lossy:
        what = "This one is" if len(lossy) == 1 else "These are"
        return f"{what} lost for ever if given up. If you are sure, say so: --yes"
    total = size(sum(one["view"]["bytes"] for one in said["rescues"])) or "no room"
    return f"{counted(len(said['rescues']), 'rescue')}, {total}{'' if said['dry_run'] else ' given up'}."


def _one(arguments: argparse.Namespace) -> tuple[str, int | None]:
    """The one task that is meant, and which of its rescues: `docs`, or `docs/2`."""
    if len(arguments.tasks) != 1:
        raise Refused(f"`band rescue {arguments.action}` takes one task.", hint="`band rescue list` shows them.")
    task, _, number = arguments.tasks[0].partition("/")
    if number and not number.isdecimal():
        raise Refused(f"{number!r} is no number of a rescue.", hint=f"For example: {task}/1")
    return task, int(number) if number else None
