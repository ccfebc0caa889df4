"""Looking: lists of tasks, asks and agents. The quickest commands: they import next to nothing."""

import os
import sys

from bandstand.faces.cli.calling import call
from bandstand.faces.cli.terminal import LACKS, UNSANDBOXED, Paint, ago, cut, encoded, table, width, wrap
from bandstand.faces.wire import TYPE_CHECKING, Json

if TYPE_CHECKING:
    import argparse

_ENDED_SHOWN = 10
_DETAIL_SHOWN = 6
_ENDED = ("landed", "stopped")
LOUDNESS = ("needs-you", "working", "checking", "review", "landing", "waiting", "paused", "landed", "stopped")
"""Every mark, the loudest first."""
_WORDS = {("review", False): " -m …", ("blocked", True): " [-m …]"}
"""How the words that go with a choice are given, by the kind of ask and whether the choice lets the task go on."""


def ps(arguments: "argparse.Namespace") -> int:
    """The fleet at a glance."""
    fleet = call("ps", tasks=arguments.tasks, all=arguments.all)
    if arguments.json:
        return dump(fleet)
    paint = Paint(sys.stdout)
    sys.stdout.write("".join(f"{line}\n" for line in fleet_lines(fleet, paint, every=arguments.all)))
    return 0


def fleet_lines(fleet: Json, paint: Paint, *, every: bool) -> list[str]:
    """A table of the tasks, with a line of counts above it."""
    tasks = fleet["tasks"]
    if not tasks:
        return ["No tasks here yet.", paint.dim('Start one: band run "add dark mode", or see a whole job: band demo')]
    live = [task for task in tasks if task["mark"] not in _ENDED]
    ended = [task for task in tasks if task["mark"] in _ENDED]
    folded = 0 if every else max(0, len(ended) - _ENDED_SHOWN)
    hidden = folded + fleet.get("omitted", 0)
    lines = [counts(tasks, paint)]
    if fleet["trouble"]:
        lines.append(paint.red(cut(f"nothing goes on: {fleet['trouble']}", width())))
    if not fleet["walled"]:
        lines.append(paint.red(UNSANDBOXED))
    lines += [paint.mark(f"weaker walls: {LACKS[gap]}", "needs-you") for gap in fleet["gaps"]]
    lines += task_lines(live + ended[folded:], paint)
    if hidden:
        lines.append(paint.dim(f"and {hidden} more that have ended: band ps --all"))
    if fleet["asks"]:
        lines.append(paint.mark("What needs you: band asks", "needs-you"))
    return lines


def task_lines(tasks: list[Json], paint: Paint) -> list[str]:
    """One line for each task."""
    cells = [[task["id"], task["agent"], ago(task["since"]), task["words"]] for task in tasks]
    rows = table(cells, columns=width() - 2)
    lines = []
    for task, (name, agent, age, words) in zip(tasks, rows, strict=True):
        glyph = paint.mark(task["glyph"], task["mark"])
        lines.append(
            f"{glyph} {paint.bold(name)}  {paint.dim(agent)}  {paint.dim(age)}  {paint.mark(words, task['mark'])}"
        )
    return lines


def counts(tasks: list[Json], paint: Paint) -> str:
    """How many tasks stand where, the loudest first."""
    return paint.dim(" · ").join(paint.mark(words, mark) for mark, words in tally(tasks))


def tally(tasks: list[Json]) -> list[tuple[str, str]]:
    """Each mark that tasks have, the loudest first, and how many have it."""
    found = []
    for mark in LOUDNESS:
        of_mark = [task for task in tasks if task["mark"] == mark]
        if of_mark:
            words = mark.replace("needs-you", "need you" if len(of_mark) > 1 else "needs you")
            found.append((mark, f"{of_mark[0]['glyph']} {len(of_mark)} {words}"))
    return found


def queue(arguments: "argparse.Namespace") -> int:
    """What lands next."""
    found = call("queue")
    if arguments.json:
        return dump(found)
    paint = Paint(sys.stdout)
    if not found["entries"]:
        sys.stdout.write("Nothing waits to land.\n")
        return 0
    sys.stdout.write(f"To land on {found['target']}, in this order:\n")
    for number, line in enumerate(task_lines(found["entries"], paint), start=1):
        sys.stdout.write(f"{paint.dim(f'{number:>2}')} {line}\n")
    return 0


def asks(arguments: "argparse.Namespace") -> int:
    """What needs a human."""
    found = call("asks")
    if arguments.json:
        return dump(found)
    paint = Paint(sys.stdout)
    if not found:
        sys.stdout.write("Nothing needs you.\n")
    for ask in found:
        sys.stdout.write("".join(f"{line}\n" for line in ask_lines(ask, paint)))
    return 0


def ask_lines(ask: Json, paint: Paint) -> list[str]:
    """An ask with its choices, and how to answer it."""
    head = f"▲ {ask['id']}  {ask['task']}  {ask['kind']}, {ago(ask['raised'])} ago"
    lines = [paint.mark(cut(head, width()), "needs-you"), *wrap(ask["title"], width(), indent="  ")]
    detail = wrap(ask["detail"], width(), indent="  | ")
    # Whoever permits or confirms something sees all of it; of evidence the end is what counts.
    whole = ask["kind"] in ("permission", "question", "policy")
    lines += [paint.dim(line) for line in (detail if whole else detail[-_DETAIL_SHOWN:])]
    if ask["kind"] == "review":
        lines.append(paint.dim(f"  look: band review {ask['task']}"))
    order = f"band answer {ask['id']}"
    for number, choice in enumerate(ask["choices"], start=1):
        label = cut(choice["label"], max(28, width() - len(order) - 12))
        words = _WORDS.get((ask["kind"], choice["grants"]), "")
        lines.append(f"  {number}  {label:<28} {paint.dim(f'{order} {number}{words}')}")
    if not ask["choices"]:
        lines.append(f"  answer in words: {paint.dim(order + ' -m …')}")
    return lines


def agents(arguments: "argparse.Namespace") -> int:
    """The agents that are here, and those that could be; or a login of one."""
    if arguments.action is not None:
        # Who only looks does not wait for it.
        from bandstand.faces.cli.logging_in import login

        return login(arguments)
    # Which variables there are says how agents are logged in; their values stay here.
    variables = {name: "set" for name, value in os.environ.items() if value}
    found = call("agents", variables={**variables, "PATH": os.environ.get("PATH", "")})
    if arguments.json:
        return dump(found)
    paint = Paint(sys.stdout)
    here = [agent for agent in found["agents"] if agent["state"] == "configured"]
    missing = [agent for agent in found["agents"] if agent["state"] == "missing"]
    if not here:
        sys.stdout.write("No agent is configured or installed here.\n")
    for agent in here:
        default = " (default)" if agent["name"] == found["default"] else ""
        name = paint.green(f"✓ {agent['name']:<12}")
        sys.stdout.write(f"{name}{cut(' '.join(agent['command']), width() - 16)}{default}\n")
        words = agent["login"]["words"]
        sys.stdout.write(f"  {'':<12}{paint.red(words) if agent['login']['cure'] else paint.dim(words)}\n")
        for line in agent["login"]["cure"].splitlines():
            sys.stdout.write(paint.dim(f"  {'':<12}{line}\n"))
    if missing:
        sys.stdout.write(paint.dim("Not installed:\n"))
    for agent in missing:
        sys.stdout.write(paint.dim(f"  {agent['name']:<12}{agent['install']}\n"))
    sys.stdout.write(paint.dim("Any other ACP command: [agents.NAME] in bandstand.toml. None at all: band demo\n"))
    return 0


def dump(value: Json) -> int:
    """Print JSON for programs."""
    sys.stdout.write(f"{encoded(value, indent=2)}\n")
    return 0
