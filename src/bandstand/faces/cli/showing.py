"""Showing: one task whole, its transcript, its change."""

import argparse
import shutil
import subprocess
import sys
from collections import Counter
from datetime import datetime

from bandstand.faces.cli.calling import call
from bandstand.faces.cli.following import stream
from bandstand.faces.cli.keeping import size
from bandstand.faces.cli.looking import ask_lines, dump
from bandstand.faces.cli.terminal import UNSANDBOXED, Paint, ago, clean, counted, cut, encoded, width, wrap
from bandstand.faces.wire import Json

_LINES_SHOWN = 6


def show(arguments: argparse.Namespace) -> int:
    """One task, whole."""
    task = call("show", task=arguments.task)
    if arguments.json:
        return dump(task)
    sys.stdout.write("".join(f"{line}\n" for line in task_lines(task, Paint(sys.stdout))))
    return 0


def task_lines(task: Json, paint: Paint) -> list[str]:
    """A task with its change, checks, reviews and what to do next."""
    row = task["row"]
    lines = [
        *(paint.bold(line) for line in wrap(f"{row['id']}: {row['title']}", width(), indent="  ", first="")),
        paint.mark(f"{row['glyph']} {cut(row['words'], width() - 2)}", row["mark"]),
        *([] if task["walled"] else [paint.red(UNSANDBOXED)]),
        "",
    ]
    if task["goal"].strip() != row["title"].strip():
        lines += [*wrap(task["goal"], width(), indent="  "), ""]
    for sentence in task["acceptance"]:
        lines += wrap(sentence, width(), indent="    ", first="  - ")
    lines += [f"{paint.dim(f'{key:<14}')}{cut(value, width() - 14)}" for key, value in _facts(task)]
    for review in task["reviews"]:
        for one in review["comments"]:
            lines += wrap(f"{one['path']}:{one['line']}: {one['body']}", width(), indent=f"{'':<14}")
    for ask in task["asks"]:
        lines += ["", *ask_lines(ask, paint)]
    more = f"more: band log {row['id']} · band diff {row['id']}"
    return [*lines, "", *(paint.dim(line) for line in wrap(more, width(), indent="      ", first=""))]


def _facts(task: Json) -> list[tuple[str, str]]:
    """What is known of a task, by name."""
    row = task["row"]
    turns = counted(row["turns"], "turn")
    facts = [("agent", f"{row['agent']}, {turns}, runs: {', '.join(task['runs']) or 'none'}")]
    facts += _relatives(task)
    facts += [("branch", task["branch"]), ("since", f"{ago(row['since'])} ago")]
    facts += _change(task) + _checks(task) + _reviews(task)
    if task["landed"]:
        facts.append(("landed", _short(task["landed"])))
    if task["rescue"]:
        facts.append(("kept at", task["rescue"]))
    facts += [("gate", gate) for gate in task["gates"]]
    if task["leftovers"]:
        facts.append(("not committed", ", ".join(task["leftovers"][:5])))
    facts += [("set-up", _result(one)) for one in task["setup"]]
    if task["included"]:
        facts.append(("copied in", ", ".join(task["included"][:10])))
    facts += [("not copied", words) for words in task["left_out"][:10]]
    facts += _traffic(task)
    if task["trouble"]:
        facts.append(("trouble", task["trouble"].strip().splitlines()[-1]))
    return facts


def _relatives(task: Json) -> list[tuple[str, str]]:
    """Other tasks that it needs, or that it began with, or that began with it."""
    named = {
        "needs": ", ".join(task["depends_on"]),
        "stacked on": task["stacked_on"],
        "forked from": task["forked_from"],
        "forks": ", ".join(task["forks"]),
    }
    return [(key, value) for key, value in named.items() if value]


def _change(task: Json) -> list[tuple[str, str]]:
    change = task["change"]
    if change is None:
        return []
    row = task["row"]
    files, commits = counted(row["files"], "file"), counted(change["commits"], "commit")
    facts = [("change", f"{files}, +{row['added']} -{row['deleted']}, {commits}, at {_short(change['head'])}")]
    facts += [("", f"{one['status']} {one['path']} +{one['added']} -{one['deleted']}") for one in change["files"][:20]]
    if len(change["files"]) > 20:
        facts.append(("", f"and {len(change['files']) - 20} more files"))
    return facts


def _traffic(task: Json) -> list[tuple[str, str]]:
    """What went to which host, the most first."""
    shown = task["traffic"][:5]
    lines = [
        f"{one['host']}: {counted(one['connections'], 'connection')}, {size(one['up']) or '0 B'} up, "
        f"{size(one['down']) or '0 B'} down"
        for one in shown
    ]
    more = len(task["traffic"]) - len(shown)
    return [("network" if not number else "", line) for number, line in enumerate(lines)] + (
        [("", f"and {counted(more, 'more host')}")] if more else []
    )


def _short(commit: str) -> str:
    """Enough of a commit's name to name it."""
    return commit[:12]


def _checks(task: Json) -> list[tuple[str, str]]:
    if not task["checks"]:
        return [("checks", task["policy_checks"])]
    return [("check", _result(one)) for one in task["checks"]]


def _result(one: Json) -> str:
    return f"{one['conclusion'].replace('_', ' ')} ({one['seconds']:.1f} s): {one['command']}"


def _reviews(task: Json) -> list[tuple[str, str]]:
    if not task["reviews"]:
        by = task["policy_review"].replace("+", " and ")
        return [("review", "none: the policy asks for no review" if by == "none" else f"none yet: by {by}")]
    return [("review", _review(one)) for one in task["reviews"]]


def _review(review: Json) -> str:
    verdict = review["verdict"].replace("_", " ")
    current = "" if review["current"] else ", of an earlier commit"
    return f"{verdict} by {review['name']}{current}{': ' if review['summary'] else ''}{review['summary']}"


def review_text(seen: Json, paint: Paint) -> str:
    """A change with its evidence, and the orders that give a verdict on exactly what is shown."""
    task = seen["task"]
    row = task["row"]
    lines = task_lines(task, paint)[:-2]
    if row["owner"] != "nobody":
        order, commit = f"band review {row['id']}", f"--commit {_short(task['change']['head'])}"
        offered = [f"{order} --approve {commit}", f'{order} --request-changes {commit} -m "…"']
        lines += ["", *(paint.dim(line) for line in offered), ""]
    return "\n".join([*lines, ""]) + paint_patch(seen["patch"], paint)


def log(arguments: argparse.Namespace) -> int:
    """What was said and done."""
    paint = Paint(sys.stdout)
    last = ""
    shown: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for entry in stream("log", task=arguments.task, follow=arguments.follow, lost=count.clear):
        # After a loss all comes again.
        count[entry["run"]] += 1
        if count[entry["run"]] <= shown[entry["run"]]:
            continue
        shown[entry["run"]] = count[entry["run"]]
        if arguments.json:
            sys.stdout.write(f"{encoded(entry)}\n")
        elif entry["kind"] != "done" or entry["text"].strip():
            if entry["run"] != last:
                sys.stdout.write(paint.bold(f"{'' if not last else chr(10)}— {entry['run']}\n"))
            last = entry["run"]
            sys.stdout.write("".join(f"{line}\n" for line in entry_lines(entry, paint, full=arguments.full)))
        sys.stdout.flush()
    if not shown and not arguments.json:
        sys.stdout.write(f"{_silence(call('show', task=arguments.task))}\n")
    return 0


def _silence(task: Json) -> str:
    """Why there is nothing to show of a task."""
    name, runs = task["row"]["id"], [*task["runs"], *task["review_runs"]]
    if not runs:
        return f"Nothing was said: {name} has had no run."
    if task["row"]["owner"] == "nobody":
        return f"The journals of {name} are no longer kept. How long they are stands in your settings: [retention]"
    return f"Nothing was said yet in {', '.join(runs)}."


def entry_lines(entry: Json, paint: Paint, *, full: bool) -> list[str]:
    """An entry of a transcript: its time, what it is, and its text, long ones cut unless `full`."""
    at = datetime.fromtimestamp(entry["at_ms"] / 1000).astimezone()
    lines = clean(entry["text"]).strip().splitlines() or [""]
    more = len(lines) - _LINES_SHOWN
    shown = lines if full or more <= 1 else lines[:_LINES_SHOWN]
    kind = entry["kind"]
    colour = _KIND_COLOURS.get(kind, "36")
    head = f"{paint.dim(at.strftime('%H:%M:%S'))} {paint(f'{kind:<10}', colour)} "
    found = [f"{head}{shown[0]}", *(f"{'':<20}{line}".rstrip() for line in shown[1:])]
    if len(shown) < len(lines):
        found.append(paint.dim(f"{'':<20}and {more} more lines: --full"))
    return found


_KIND_COLOURS = {"prompt": "1;33", "agent": "0", "thought": "2", "done": "2", "failed": "31", "permission": "1;33"}


def diff(arguments: argparse.Namespace) -> int:
    """A task's change, or that of one of its checkpoints."""
    task, at, number = arguments.task.partition("@")
    if at:
        return _checkpoint(arguments, task, number)
    if arguments.stat:
        task = call("show", task=arguments.task)
        if arguments.json:
            return dump(task["change"])
        lines = [f"{key:<9} {cut(value, width() - 10)}" for key, value in _change(task)] or ["No change yet."]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        return 0
    found = call("diff", task=arguments.task)
    if arguments.json:
        return dump(found)
    return page(paint_patch(found["patch"], Paint(sys.stdout)))


def _checkpoint(arguments: argparse.Namespace, task: str, number: str) -> int:
    """What one checkpoint changed since the one before."""
    patch = call("checkpoint-diff", task=task, number=number)["patch"]
    if not arguments.stat:
        return dump({"patch": patch}) if arguments.json else page(paint_patch(patch, Paint(sys.stdout)))
    kept = call("checkpoints", task=task)["checkpoints"]
    files = next(one["files"] for one in kept if str(one["number"]) == number)
    if arguments.json:
        return dump(files)
    for one in files:
        line = f"{one['status']} {one['path']} +{one['added']} -{one['deleted']}"
        sys.stdout.write(f"{cut(line, width())}\n")
    return 0


def paint_patch(patch: str, paint: Paint) -> str:
    """A patch with its lines in colours."""
    codes = {"+": "32", "-": "31", "@": "36"}
    found = []
    for line in patch.split("\n"):
        head = line.startswith(("diff ", "index ", "+++", "---", "new file", "deleted file", "rename", "similarity"))
        code = "1" if head else codes.get(line[:1], "")
        found.append(paint(clean(line), code) if code else clean(line))
    return "\n".join(found)


def page(text: str) -> int:
    """Print long text, through `less` if it is longer than the terminal."""
    pager = shutil.which("less")
    if not sys.stdout.isatty() or pager is None or text.count("\n") < shutil.get_terminal_size().lines - 1:
        sys.stdout.write(text)
        return 0
    return subprocess.run([pager, "-RFX"], input=text.encode(), check=False).returncode
