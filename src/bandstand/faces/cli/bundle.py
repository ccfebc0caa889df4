"""`band doctor --bundle`: one archive for a report about a fault, with what helps to find it and nothing private.

Not in it: goals, prompts, what agents said and wrote, file contents, and the values of variables. Names of tasks, which
are made of goals, are numbers; the home folder is `~`; and everything that goes in is looked through for secrets last.
With `--with-texts` the facts are whole. It is made of files alone, so that it can be made when nothing else works.
"""

import argparse
import asyncio
import io
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bandstand import __version__
from bandstand.config.places import Places
from bandstand.domain.errors import BandstandError, Refused
from bandstand.domain.redaction import REDACTED, Redaction, is_secret_name
from bandstand.faces.cli.doctor import examine
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.reaching import folder
from bandstand.faces.cli.starting import here
from bandstand.faces.cli.terminal import Paint, counted
from bandstand.faces.wire import Json
from bandstand.unattended import facts_as_stored, journal_notes, kept_logins, kept_variables

_MOST_FACTS, _MOST_OF_A_LOG = 20_000, 1 << 20
_TELLING = ("reason", "cause", "step", "part", "version", "number", "code", "choice", "verdict", "conclusion", "kind")
"""Keys of facts whose values are words of ours, or numbers."""

_A_WORD_OF_OURS = re.compile(r"[a-z][a-z0-9_+-]{0,40}")
_TOKEN = re.compile(r"[A-Za-z0-9][\w-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of the archive: its name, what it is, and its text."""

    name: str
    about: str
    text: str


class Names:
    """Numbers for the names of tasks, the same one wherever a name stands."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def learn(self, task: object) -> None:
        """Give a task a number."""
        if isinstance(task, str) and task:
            self._known.setdefault(task, f"task-{len(self._known) + 1}")

    def hidden(self, text: str) -> str:
        """The text with numbers for names."""
        return _TOKEN.sub(lambda found: self._known.get(found[0], found[0]), text)


def bundle(arguments: argparse.Namespace) -> int:
    """Write the archive, and say what is in it."""
    where = here()
    path = Path(arguments.output or f"bandstand-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz").absolute()
    entries = collect(where, os.environ, texts=arguments.with_texts)
    size = write(path, entries)
    told = [{"name": one.name, "about": one.about, "bytes": len(one.text.encode())} for one in entries]
    if arguments.json:
        return dump({"file": str(path), "bytes": size, "entries": told})
    paint = Paint(sys.stdout)
    sys.stdout.write(f"{paint.bold(str(path))}  {counted(len(told), 'file')}, {size // 1024 + 1} KB\n")
    for one in told:
        sys.stdout.write(f"  {one['name']:<16}{one['bytes']:>9}  {one['about']}\n")
    left = "values of variables" if arguments.with_texts else "goals, prompts, names of tasks, values of variables"
    sys.stdout.write(f"Not in it: {left}, what agents said and wrote, secrets that Bandstand can recognise.\n")
    name = path.name if path.parent == Path.cwd() else path
    sys.stdout.write(paint.dim(f"Look through it before you send it: tar -xzOf {name} | less\n"))
    return 0


def collect(where: Places, environment: Mapping[str, str], *, texts: bool) -> list[Entry]:
    """Everything that goes in."""
    redaction = Redaction(environment)
    for variables in kept_variables(where):
        redaction.learn(variables)
    redaction.source = partial(tuple, kept_logins(where))
    redaction.refresh()
    names, home = Names(), environment.get("HOME") or "/nowhere"
    facts = _text(lambda: "".join(_facts(where, names, texts=texts)))
    parts = (
        ("versions.json", "versions of programs, and the system", lambda: _json(_versions())),
        ("doctor.json", "what `band doctor` finds", lambda: _json(_doctor(where))),
        ("limits.json", "limits of processes, disks and memory", lambda: _json(_limits(where))),
        ("settings.json", "your settings, without values of variables", lambda: _json(_settings(where))),
        ("variables.txt", "names of variables that are set, without values", lambda: "\n".join(sorted(environment))),
        ("daemon.log", "the end of the daemon's log", lambda: _logs(where)),
        ("daemon.txt", "when daemons began and ended, and complained", lambda: _daemons(where)),
        ("facts.jsonl", _about_facts(texts=texts), lambda: facts),
        ("journals.jsonl", "sizes of journals, and what holders noted", lambda: "".join(_journals(where))),
    )
    found = []
    for name, about, make in parts:
        text = _text(make).replace(home, "~") if home != "/" else _text(make)
        found.append(Entry(name=name, about=about, text=redaction.text(text if texts else names.hidden(text))))
    return found


def _about_facts(*, texts: bool) -> str:
    return "facts, whole" if texts else "facts in short: type, time, and words of Bandstand's own"


def write(path: Path, entries: list[Entry]) -> int:
    """Make the archive, for its owner alone; its size. Raises `Refused` if there is something already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already.", hint="Name another file with -o.") from None
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for one in entries:
            data = one.text.encode(errors="backslashreplace")
            info = tarfile.TarInfo(f"{path.name.removesuffix('.tar.gz')}/{one.name}")
            info.size, info.mode, info.mtime = len(data), 0o600, int(time.time())
            archive.addfile(info, io.BytesIO(data))
    return path.stat().st_size


def _text(make: Callable[[], str]) -> str:
    """What is found, or why nothing is: a report about a fault has to be made in the middle of one."""
    try:
        return make()
    except BandstandError as error:
        return f"cannot be read: {error} {error.hint}\n"
    except (OSError, ValueError) as error:
        return f"cannot be read: {type(error).__name__}: {error}\n"


def _json(value: Json) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _versions() -> Json:
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return {
        "bandstand": __version__,
        "python": sys.version,
        "executable": sys.executable,
        "system": {"name": release.get("PRETTY_NAME", ""), **platform.uname()._asdict(), "node": REDACTED},
        "git": _said("git", "version"),
        "bubblewrap": _said("bwrap", "--version"),
        "user": "root" if os.getuid() == 0 else "an ordinary user",
        "container": Path("/.dockerenv").exists() or Path("/run/.containerenv").exists(),
        "terminal": {name: os.environ.get(name, "") for name in ("TERM", "LANG", "LC_ALL", "COLUMNS")},
    }


def _said(program: str, word: str) -> str:
    path = shutil.which(program)
    if path is None:
        return "not installed"
    said = subprocess.run([path, word], capture_output=True, text=True, timeout=10, check=False)
    return (said.stdout or said.stderr).strip()


def _doctor(where: Places) -> Json:
    return [asdict(finding) for finding in asyncio.run(examine(where))]


def _limits(where: Places) -> Json:
    at = next(one for one in (where.state, *where.state.parents) if one.exists())
    disk = shutil.disk_usage(at)
    return {
        "processes": {
            name.removeprefix("RLIMIT_").lower(): resource.getrlimit(getattr(resource, name))
            for name in sorted(vars(resource))
            if name.startswith("RLIMIT_")
        },
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "memory": [line for line in _read("/proc/meminfo").splitlines() if line.startswith(("Mem", "Swap"))],
        "disk": {"total": disk.total, "free": disk.free},
        "kernel": {
            name: _read(f"/proc/sys/{name}").strip()
            for name in (
                *("kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns"),
                *("user/max_user_namespaces", "fs/inotify/max_user_watches", "kernel/pid_max", "vm/overcommit_memory"),
            )
        },
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _settings(where: Places) -> Json:
    found: dict[str, Json] = {}
    for name, path in (("of the user", where.settings), ("of the repository", Path(folder(), "bandstand.toml"))):
        if path.is_file():
            found[name] = _without_values(tomllib.loads(path.read_text(encoding="utf-8")))
    return found


def _without_values(value: Json, *, key: str = "") -> Json:
    """Settings without what is set in variables, or stands under a name that says it is secret."""
    if isinstance(value, dict):
        hide = key == "environment"
        return {name: REDACTED if hide else _without_values(inner, key=name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_values(one, key=key) for one in value]
    return REDACTED if is_secret_name(key.replace("-", "_")) else value


def _logs(where: Places) -> str:
    parts = []
    for path in (where.daemon_log.with_name("daemon.log.1"), where.daemon_log):
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_OF_A_LOG))
                parts.append(file.read().decode(errors="replace"))
    return "".join(parts)[-_MOST_OF_A_LOG:]


def _daemons(where: Places) -> str:
    return "".join(
        f"--- {path.name}\n{path.read_text(errors='replace')}"
        for path in (where.starts, where.state / "daemon.start")
        if path.is_file()
    )


def _facts(where: Places, names: Names, *, texts: bool) -> Iterator[str]:
    for fact in facts_as_stored(where, last=_MOST_FACTS):
        task = _task(fact.payload)
        names.learn(task)
        line = {
            "sequence": fact.sequence,
            "at": fact.at,
            "repository": fact.repository,
            "type": fact.type,
            "task": task,
        }
        told = fact.payload if texts else dict(_words(fact.payload))
        yield json.dumps({**line, **({"fact": told} if told else {})}, ensure_ascii=False) + "\n"


def _task(payload: Mapping[str, Json]) -> Json:
    """The task that a fact is about: named by itself, or in what was submitted, started or asked."""
    inner = [one for key in ("spec", "run", "ask") if isinstance(one := payload.get(key), dict)]
    return payload.get("task") or next((one.get("task") or one.get("id") for one in inner), None)


def _words(payload: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """What of a fact is a number, or a word of Bandstand's own."""
    for key, value in payload.items():
        if key in _TELLING and (
            isinstance(value, int) or (isinstance(value, str) and _A_WORD_OF_OURS.fullmatch(value))
        ):
            yield key, value


def _journals(where: Places) -> Iterator[str]:
    for path, size, notes in journal_notes(where):
        said = Counter(str(facts.get("note")) for _, facts in notes)
        first, last = (notes[0], notes[-1]) if notes else ((0, {}), (0, {}))
        ended = {key: last[1][key] for key in ("note", "code", "signal", "reason") if key in last[1]}
        line = {
            "run": path.name,
            "bytes": size,
            "notes": said,
            "began_ms": first[0],
            "version": first[1].get("version"),
            "tree": first[1].get("tree"),
            "last_ms": last[0],
            "last": ended,
        }
        yield json.dumps(line, default=str) + "\n"
