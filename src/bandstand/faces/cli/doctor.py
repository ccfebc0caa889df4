"""`band doctor`: what this machine has and lacks. It only looks; each failing line names the command that cures it."""

import argparse
import asyncio
import os
import re
import shlex
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bandstand import __version__
from bandstand.bootstrap import Bandstand
from bandstand.config.known_agents import KNOWN_AGENTS
from bandstand.config.places import Places
from bandstand.config.settings import own_profiles
from bandstand.config.usable import unusable
from bandstand.domain.errors import BandstandError
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import client, folder
from bandstand.faces.cli.recovered import reports, sentences
from bandstand.faces.cli.starting import held, here, running
from bandstand.faces.cli.terminal import BETTER, LACKS, STANDS, UNTRIED, Paint
from bandstand.faces.text import login_cure, login_words, no_login
from bandstand.faces.wire import NotRunning
from bandstand.unattended import limited_here, without_room

_LEAST_FREE_GIB = 1.0
_GIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `level` is `ok`, `note` or `missing`."""

    level: str
    what: str
    cure: str = ""


def doctor(arguments: argparse.Namespace) -> int:
    """Look at everything; 0 if nothing is missing."""
    findings = asyncio.run(examine(here()))
    missing = [finding for finding in findings if finding.level == "missing"]
    if arguments.json:
        dump({"ok": not missing, "findings": [asdict(finding) for finding in findings]})
        return 1 if missing else 0
    paint = Paint(sys.stdout)
    glyphs = {"ok": paint.green("✓"), "note": paint.mark("!", "needs-you"), "missing": paint.red("✖")}
    for finding in findings:
        sys.stdout.write(f"{glyphs[finding.level]} {finding.what}\n")
        if finding.cure:
            sys.stdout.write("".join(f"    {paint.bold(line)}\n" for line in finding.cure.splitlines()))
    return 1 if missing else 0


async def examine(where: Places) -> list[Finding]:
    """Everything that is looked at, in the order of how much depends on it."""
    band = Bandstand(where, dict(os.environ))
    return [
        Finding(level="ok", what=f"bandstand {__version__}, Python {sys.version.split()[0]}"),
        await _git(),
        *await _sandbox(band),
        *_limits(),
        _settings(band),
        await _repository(band),
        _agents(),
        *_logins(band),
        *_places(where),
        _disk(where),
        *_stuck(where),
        *_log(where),
        _daemon(where),
        *_troubled(),
    ]


def _limits() -> list[Finding]:
    """What keeps a run within its part of the machine."""
    held = limited_here()
    there = " and ".join(word for word in ("memory", "processes") if word in held)
    found = [Finding(level="ok", what=f"limits by control groups: {there}")] if there else []
    if "memory" not in held:
        what = "The kernel keeps no run within its memory: one is held still when it is seen near its limit, every 2 s."
        cure = (
            "On Linux with systemd: systemd-run --user --scope -p Delegate=yes band up"
            if shutil.which("systemd-run")
            else ""
        )
        found.append(Finding(level="note", what=what, cure=cure))
    if "processes" not in held:
        found.append(Finding(level="note", what="Processes are counted only inside of a sandbox."))
    return found


async def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding(level="missing", what="git is not installed.", cure="sudo apt-get install git")
    said = await _version(path)
    found = re.search(r"(\d+)\.(\d+)\S*", said)
    if found is None:
        return Finding(level="missing", what=f"{path} does not tell its version: {said!r}.", cure="Install git anew.")
    if (int(found[1]), int(found[2])) < (2, 38):
        what = f"git {found[0]} is too old: 2.38 is needed."
        return Finding(level="missing", what=what, cure="Install a newer git.")
    return Finding(level="ok", what=f"git {found[0]}")


async def _version(git: str) -> str:
    """What a git says of itself. One that hangs, or cannot be started, says nothing."""
    try:
        process = await asyncio.create_subprocess_exec(git, "version", stdout=asyncio.subprocess.PIPE)
    except OSError:
        return ""
    try:
        said, _ = await asyncio.wait_for(process.communicate(), timeout=_GIT_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return said.decode(errors="replace").strip()


async def _sandbox(band: Bandstand) -> list[Finding]:
    """Whether the walls stand, and of what they are made: what is lacking is a note, with what would be better."""
    try:
        sandbox = band.sandbox("bubblewrap")
        await sandbox.probe()
    except BandstandError as error:
        return [Finding(level="missing", what=f"The sandbox does not work: {error}", cure=error.hint)]
    gaps = sandbox.gaps
    there = "; ".join(words for gap, words in STANDS.items() if gap not in gaps)
    return [
        Finding(level="ok", what=f"{sandbox.name}: agents and checks are kept in their workspaces"),
        *([] if sandbox.name == "bubblewrap" else [Finding(level="note", what=UNTRIED)]),
        *([Finding(level="ok", what=f"walls: {there}")] if there else []),
        *(Finding(level="note", what=f"weaker walls: {LACKS[gap]}", cure=BETTER[gap]) for gap in gaps),
    ]


def _settings(band: Bandstand) -> Finding:
    try:
        band.settings()
    except BandstandError as error:
        return Finding(level="missing", what=str(error), cure=error.hint)
    there = band.places.settings
    what = f"settings: {there}" if there.exists() else "settings: none of your own, defaults hold"
    return Finding(level="ok", what=what)


async def _repository(band: Bandstand) -> Finding:
    try:
        repository = await band.repository(Path(folder(None)))
        await repository.user()
    except BandstandError as error:
        return Finding(level="note", what=str(error), cure=error.hint)
    return Finding(level="ok", what=f"repository: {repository.path}")


def _agents() -> Finding:
    there = [agent.name for agent in KNOWN_AGENTS.values() if shutil.which(agent.command[0])]
    if there:
        return Finding(level="ok", what=f"agents installed: {', '.join(there)}")
    return Finding(
        level="note",
        what="No known agent is installed; your own can be configured.",
        cure="band agents",
    )


def _logins(band: Bandstand) -> list[Finding]:
    """How agents that are here are logged in. Only what is missing is a finding: they may log in by other ways."""
    try:
        profiles = own_profiles(band.settings()).values()
    except BandstandError:
        return []  # that the settings have a mistake is said
    names = {name for name, value in os.environ.items() if value}
    there = [profile for profile in profiles if shutil.which(profile.command[0])]
    found = [(profile, band.logins.login(profile, names)) for profile in there]
    missing = [
        Finding(level="note", what=no_login(profile), cure=login_cure(profile))
        for profile, login in found
        if login.state == "missing"
    ]
    logged_in = [f"{profile.name} ({login_words(login)})" for profile, login in found if login.state != "missing"]
    return [*([Finding(level="ok", what=f"logins: {', '.join(logged_in)}")] if logged_in else []), *missing]


def _places(where: Places) -> list[Finding]:
    trouble = unusable(where, os.environ, uid=os.getuid())
    return [Finding(level="missing", what=str(trouble), cure=trouble.hint)] if trouble is not None else []


def _disk(where: Places) -> Finding:
    at = next(folder for folder in (where.state, *where.state.parents) if folder.exists())
    free = shutil.disk_usage(at).free / 2**30
    if free < _LEAST_FREE_GIB:
        return Finding(level="missing", what=f"Only {free:.1f} GiB are free at {at}.", cure="Free some space there.")
    return Finding(level="ok", what=f"disk: {free:.0f} GiB free at {where.state}")


def _stuck(where: Places) -> list[Finding]:
    return [
        Finding(
            level="missing",
            what=f"The disk does not take what the agent of run {run} says. The agent waits.",
            cure=f"Free some space at {where.state}. It goes on by itself.",
        )
        for run in without_room(where)
    ]


def _log(where: Places) -> list[Finding]:
    found = []
    for report in reports(where):
        first, *more = sentences(report, folder=where.state)
        aside = where.state / report["aside"]
        cure = "\n    ".join([*more, f"When you need it no more: rm {shlex.quote(str(aside))}*"])
        found.append(Finding(level="note", what=first, cure=cure))
    return found


def _daemon(where: Places) -> Finding:
    try:
        said = client().call("hello")
    except NotRunning:
        if held(where.lock):
            return Finding(level="missing", what="daemon: it is running, but it does not answer", cure=running(where))
        return Finding(
            level="ok", what=f"daemon: not running; the first command starts it. Its log is {where.daemon_log}"
        )
    except BandstandError as error:
        return Finding(level="missing", what=f"daemon: {error}", cure="band down")
    if said.get("outlived"):
        what = f"daemon: process {said['pid']} makes way for a new one at the next command. {said['outlived']}"
        return Finding(level="note", what=what)
    return Finding(level="ok", what=f"daemon: running, process {said['pid']}, log {where.daemon_log}")


def _troubled() -> list[Finding]:
    """The repositories in which nothing goes on. Only a daemon that is running, and is to stay, is asked."""
    try:
        troubles = [] if client().call("hello").get("outlived") else client().call("troubles")
    except BandstandError:
        return []  # what there is to say of the daemon is said
    return [
        Finding(level="missing", what=f"Nothing goes on in repository {one['repository']}.", cure=one["words"])
        for one in troubles
    ]
