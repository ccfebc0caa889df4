"""`band demo`: the whole job on a small project, in half a minute, without any agent or key.

Nothing here is staged but the agents' lines: the repository, the edits, the sandbox, the checks, the conflict and the
landing are real. The demo gives the same orders as `band run`, and answers the one question for you.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from importlib.resources import as_file, files
from pathlib import Path

from bandstand.config.usable import unusable, unusable_cache
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable
from bandstand.faces.cli.calling import call
from bandstand.faces.cli.live import LiveView
from bandstand.faces.cli.looking import ask_lines, dump
from bandstand.faces.cli.starting import here
from bandstand.faces.cli.terminal import Paint, width
from bandstand.faces.cli.watching import watch
from bandstand.faces.wire import Json

TESTS = ("python3", "-m", "unittest", "discover", "-q")
_YOU = ("-c", "user.name=You", "-c", "user.email=you@example.invalid", "-c", "commit.gpgsign=false")
_INTRO = """\
Three tasks for a small Python project go to agents at once, each in a sandboxed workspace of its own. The agents only
play a written score; the rest is real: edits, commits, tests, a review, a conflict, and the landing on main.
"""
_CLEAN = "band demo --clean removes what demos left behind."


def demo(arguments: argparse.Namespace) -> int:
    """Play the demo, or clean up after it."""
    if arguments.clean:
        return _clean(arguments)
    began = time.monotonic()
    where = here()
    trouble = unusable(where, os.environ, uid=os.getuid()) or unusable_cache(where, os.environ, uid=os.getuid())
    if trouble is not None:
        raise trouble
    repository = _repository(where.cache / "demo")
    paint = Paint(sys.stdout)
    if not arguments.json:
        intro = textwrap.fill(_INTRO, width=min(100, width()))
        sys.stdout.write(f"{paint.bold('Bandstand demo')}\n{intro}\n{paint.dim(f'repository: {repository}')}\n\n")
        sys.stdout.flush()
    try:
        rows, stuck = _watch(repository, _submit(repository, arguments), arguments)
    except KeyboardInterrupt:
        lines = ["", "No longer watching; the tasks go on. Look again:", *_alias(), f"  cd {repository} && band ps -f"]
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        return 130
    green = _tests_pass(repository)
    landed = all(row["mark"] == "landed" for row in rows)
    if arguments.json:
        dump({"repository": str(repository), "tasks": rows, "tests_pass": green, "asks": stuck})
    elif stuck:
        sys.stdout.write("".join(f"{line}\n" for line in _stopped(repository, stuck, paint)))
    else:
        seconds = time.monotonic() - began
        sys.stdout.write("".join(f"{line}\n" for line in _closing(repository, rows, paint, green=green, took=seconds)))
    return 0 if green and landed else 1


def _repository(root: Path) -> Path:
    """A new repository with the demo's project on main, under the next free number."""
    if shutil.which("git") is None:
        raise Refused("git is not installed.", hint="sudo apt-get install git")
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    number = 1 + max((int(folder.name) for folder in root.iterdir() if folder.name.isdigit()), default=0)
    repository = root / str(number)
    with as_file(files("bandstand") / "data" / "demo" / "project") as project:
        shutil.copytree(project, repository, ignore=shutil.ignore_patterns("__pycache__"))
    _git(repository, "init", "--quiet", "--template=", "--initial-branch=main")
    for key, value in (("user.name", "You"), ("user.email", "you@example.invalid")):
        _git(repository, "config", key, value)
    _git(repository, "add", "--all")
    _git(repository, *_YOU, "commit", "--quiet", "--message=A setlist")
    return repository


def _git(repository: Path, *words: str) -> str:
    """What git says of the demo's repository. No settings of the user's take part."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-C", str(repository), *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Broken(f"git {words[0]} failed in the demo's repository: {done.stderr.strip()}")
    return done.stdout


def _submit(repository: Path, arguments: argparse.Namespace) -> Json:
    """Hand over the tasks. The rules are the demo's own, so they are confirmed here."""
    texts = files("bandstand") / "data" / "demo"
    order: dict[str, Json] = {
        "tasks": {"name": "tasks.yaml", "text": (texts / "tasks.yaml").read_text()},
        "score": {"name": "score.yaml", "text": (texts / "score.yaml").read_text()},
        "agent": "rehearsal",
        "sandbox": arguments.sandbox,
        "variables": dict(os.environ),
    }
    planned = call("plan", at=repository, **order)
    return call("submit", at=repository, **order, digest=planned["digest"], by="the demo")


def _watch(repository: Path, submitted: Json, arguments: argparse.Namespace) -> tuple[list[Json], list[Json]]:
    """Watch the tasks to their end, and answer what they ask: their rows, and the asks that the demo cannot answer."""
    answered: set[str] = set()
    rows: list[Json] = []
    view = None if arguments.json else LiveView()
    lost = view.lost if view is not None else lambda: None
    with view if view is not None else contextlib.nullcontext():
        for item in watch(submitted["tasks"], at=repository, after=submitted["after"], lost=lost):
            if view is not None:
                view.take(item)
            rows = item.get("rows", rows)
            asks = [ask for ask in item.get("asks", ()) if ask["id"] not in answered]
            stuck = [ask for ask in asks if ask["kind"] != "permission"]
            if stuck:
                return rows, stuck
            for ask in asks:
                if _answer(repository, ask["id"]):
                    answered.add(ask["id"])
                    if view is not None:
                        view.note(f"  you would type: band answer {ask['id']} 1   (the demo does it for you)")
    return rows, []


def _answer(repository: Path, ask: str) -> bool:
    """Answer an ask with its first choice; false if the daemon ended meanwhile and the ask may still stand."""
    try:
        call("answer", at=repository, ask=ask, choice="1", by="the demo")
    except Unavailable:
        return False
    except Refused:
        # The daemon that ended had taken the answer.
        return True
    return True


def _tests_pass(repository: Path) -> bool:
    """Whether main's own tests are green, run as you would run them."""
    if _git(repository, "status", "--porcelain").strip():
        return False
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(TESTS, cwd=repository, env=environment, capture_output=True, check=False).returncode == 0


def _stopped(repository: Path, stuck: list[Json], paint: Paint) -> list[str]:
    """What keeps the demo from going on, and where to look."""
    lines = ["", paint.bold("Something on this machine keeps the demo from going on:")]
    lines += [line for ask in stuck for line in ask_lines(ask, paint)]
    lines += ["", paint.bold("Look:"), *_alias(), f"  cd {repository}"]
    return [*lines, f"  band log {stuck[0]['task']} --full", "  band doctor", "", paint.dim(_CLEAN)]


def _closing(repository: Path, rows: list[Json], paint: Paint, *, green: bool, took: float) -> list[str]:
    """What came of it, where to look, and what to do next."""
    landed = [row for row in rows if row["mark"] == "landed"]
    tests = paint.green("green") if green else paint.red("red")
    lines = ["", paint.bold(f"{len(landed)} of {len(rows)} tasks landed in {took:.0f} seconds. main's tests: {tests}")]
    history = _git(repository, "log", "--first-parent", "--format=%h  %an  %s", "main").splitlines()
    lines += [f"  {line}" for line in history]
    lines += ["", paint.bold("Look around:"), *_alias(), f"  cd {repository}"]
    for verb, what in (
        ("band show frontend", "one task whole: its change, checks and review"),
        ("band log frontend", "what was said and done"),
        ("band diff backend", "its change"),
        ("git log --graph --oneline", "what landed"),
    ):
        lines.append(f"  {verb:<28}{paint.dim(what)}")
    lines += ["", paint.bold("In a repository of your own:")]
    for verb, what in (
        ("band doctor", "is everything there?"),
        ("band agents", "which agents are, and how to get one"),
        ('band run "add dark mode"', "hand over a goal"),
    ):
        lines.append(f"  {verb:<28}{paint.dim(what)}")
    return [*lines, "", paint.dim(_CLEAN)]


def _alias() -> list[str]:
    """How to have `band` at hand where it is not on the search path."""
    there = Path(sys.argv[0]).absolute()
    found = shutil.which("band")
    if there.name != "band" or (found is not None and Path(found).resolve() == there.resolve()):
        return []
    return [f"  alias band={there}"]


def _clean(arguments: argparse.Namespace) -> int:
    """Remove every repository that a demo made, and what is kept of it. One that is still at work stays.

    One that waits for a human is given up. Of one that was cut short before it was a repository only the folder goes.
    """
    root = here().cache / "demo"
    removed: list[str] = []
    kept: list[str] = []
    folders = (one for one in root.iterdir() if one.is_dir() and not one.is_symlink()) if root.is_dir() else ()
    for repository in sorted(folders):
        try:
            if _is_one(repository):
                _give_up(repository)
                call("forget", at=repository)
        except BandstandError as error:
            kept.append(str(repository))
            if not arguments.json:
                sys.stderr.write(f"{repository}: {error.message} {error.hint}\n")
            continue
        shutil.rmtree(repository)
        removed.append(str(repository))
    if arguments.json:
        json.dump({"removed": removed, "kept": kept}, sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(f"Removed {len(removed)} demo{'' if len(removed) == 1 else 's'}.\n")
    return 1 if kept else 0


def _is_one(folder: Path) -> bool:
    """Whether a folder is a repository with a commit, so that no order reaches one that it merely lies in."""
    try:
        _git(folder, f"--git-dir={folder / '.git'}", "rev-parse", "--verify", "HEAD")
    except Broken:
        return False
    return True


def _give_up(repository: Path) -> None:
    """Cancel all tasks of a demo that waits for an answer, and return when nothing of them is left."""
    fleet = call("ps", at=repository)
    if not fleet["asks"]:
        return
    live = [row["id"] for row in fleet["tasks"] if row["mark"] not in ("landed", "stopped")]
    for task in live:
        call("cancel", at=repository, task=task, reason="the demo is cleaned up", by="the demo")
    for _ in watch(live, at=repository) if live else ():
        pass
