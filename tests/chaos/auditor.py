"""The auditor: what must be true of a repository, whatever was killed in it, by the log, the journals and git alone.

It asks no daemon and uses no service. Facts are read from the SQLite file, lines to and from agents from the journals,
commits, files and refs with plain git. Each rule gives the sentences of what violates it. `standing` holds at any
moment, `settled` when all tasks have ended.
"""

import hashlib
import itertools
import json
import os
import sqlite3
import subprocess
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from bandstand.adapters.hosts.journal import scan
from bandstand.adapters.store.codec import Stored, event_codec
from bandstand.adapters.store.shapes import decode_time
from bandstand.domain import events as e
from bandstand.domain.ask import Ask
from bandstand.domain.history import at_its_end
from bandstand.domain.past import subject
from bandstand.domain.stage import Cancelled, Landed
from bandstand.domain.standing import ended, standing
from bandstand.domain.state import State, fold
from bandstand.ports.hosts import Record, RecordKind

Problems = Iterator[str]
SNAPSHOTS = "vault.git"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact as it stands in the log."""

    version: int
    at: datetime
    event: e.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an agent says that it wrote."""

    task: str
    path: str
    text: str


class Evidence:
    """What is left of a job: a state folder and a repository. `submitted` are the tasks that were handed in, `checks`
    the commands that main must pass, `shown` the fleet as the daemon showed it last."""

    def __init__(
        self, state: Path, repository: Path, *, submitted: Sequence[str], checks: Sequence[str], shown: Any = None
    ) -> None:
        self.repository = repository
        self.state = state
        self.submitted = tuple(submitted)
        self.checks = tuple(checks)
        self.shown = shown

    @property
    def root(self) -> Path:
        """Our folder for the repository."""
        (found,) = (self.state / "repositories").iterdir()
        return found

    @property
    def workspaces(self) -> Path:
        """Where workspaces are, the vault and the archives beside them."""
        return self.root / "workspaces"

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact of the repository, in order: what stands for a gap is where the gap is."""
        connection = sqlite3.connect(f"file:{self.state / 'bandstand.db'}?mode=ro", uri=True)
        try:
            rows = connection.execute(
                "SELECT version, at, type, type_version, payload FROM events WHERE repository = ? ORDER BY version",
                (self.root.name,),
            ).fetchall()
        finally:
            connection.close()
        codec = event_codec()
        return tuple(
            Fact(
                version=version,
                at=decode_time(at),
                event=codec.decode(Stored(type=kind, version=type_version, payload=payload)),
            )
            for version, at, kind, type_version, payload in rows
        )

    @cached_property
    def journals(self) -> Mapping[str, tuple[Record, ...]]:
        """The records of every run."""
        return {run.name: tuple(scan(run / "journal")) for run in sorted((self.root / "runs").glob("*"))}

    def git(self, *words: str, at: Path | None = None) -> str:
        """What git says, in the user's repository or another folder."""
        done = subprocess.run(["git", *words], cwd=at or self.repository, capture_output=True, check=True)
        return os.fsdecode(done.stdout)


def task_of(run: str) -> str:
    """The task that a run is of."""
    return run.partition(".")[0]


# --- at any moment ---------------------------------------------------------------------------------------------------


def tasks_are_there(found: Evidence) -> Problems:
    """No task is lost: each that was handed in is in the log, once."""
    known = Counter(str(fact.event.spec.id) for fact in found.facts if isinstance(fact.event, e.TaskSubmitted))
    for task in found.submitted:
        if known[task] != 1:
            yield f"{task} was handed in, and is in the log {known[task]} times"


def facts_follow_each_other(found: Evidence) -> Problems:
    """The log has no gap and nothing twice."""
    versions = [fact.version for fact in found.facts]
    if versions != list(range(1, len(versions) + 1)):
        yield f"the versions of the facts are {versions}"


def one_agent_in_a_workspace(found: Evidence) -> Problems:
    """Never two live agents in a workspace: one has ended, by the log and by the journals, before the next begins."""
    live: dict[str, str] = {}
    for fact in found.facts:
        if isinstance(fact.event, e.RunStarted):
            run = fact.event.run
            if run.task in live:
                yield f"{run.id} starts while {live[run.task]} has not ended"
            live[run.task] = run.id
        elif isinstance(fact.event, e.RunEnded):
            live.pop(fact.event.task, None)
    for each in _lives(found).values():
        for (_, last, before), (first, _, behind) in itertools.pairwise(sorted(each)):
            if first < last:
                yield f"{behind} has begun {last - first} ms before {before} had ended"


def _lives(found: Evidence) -> Mapping[str, list[tuple[int, int, str]]]:
    """By task, when the first and the last line of each of its runs was written, and which run it is."""
    lives: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for run, records in found.journals.items():
        if records:
            lives[task_of(run)].append((records[0].at_ms, records[-1].at_ms, run))
    return lives


def nothing_is_prompted_twice(found: Evidence) -> Problems:
    """No prompt is sent twice: by its key in all runs of a task, and by its text unless its turn broke off."""
    keys: Counter[tuple[str, str]] = Counter()
    texts: dict[tuple[str, str], tuple[str, str]] = {}
    for run, records in found.journals.items():
        answered = {_id(record) for record in records if record.kind is RecordKind.FROM_AGENT}
        for record in records:
            if record.kind is not RecordKind.TO_AGENT or b'"session/prompt"' not in record.payload:
                continue
            task = task_of(run)
            keys[task, record.key] += 1
            text = json.dumps(json.loads(record.payload)["params"]["prompt"])
            ended = "ended" if record.key in answered else "broke off"
            if texts.get((task, text), ("", "broke off"))[1] == "ended":
                yield f"{run} was sent {record.key}, word for word what {texts[task, text][0]} was sent and has done"
            texts[task, text] = (run, ended)
    for (task, key), times in keys.items():
        if times > 1:
            yield f"{task} was prompted {times} times for {key}"


def _id(record: Record) -> str:
    """The request that a line of an agent answers, if it does."""
    try:
        line = json.loads(record.payload)
    except ValueError:
        return ""
    return str(line.get("id", "")) if isinstance(line, dict) and ("result" in line or "error" in line) else ""


def permissions_are_answered_once(found: Evidence) -> Problems:
    """No request of an agent is answered twice."""
    for run, records in found.journals.items():
        sent = Counter(record.key for record in records if record.kind is RecordKind.TO_AGENT)
        yield from (f"{run} was sent {key} {times} times" for key, times in sent.items() if times > 1)


def nothing_lands_twice(found: Evidence) -> Problems:
    """No change lands twice: in the log, and in the history of main by the trailer of each commit."""
    landed = Counter(str(fact.event.task) for fact in found.facts if isinstance(fact.event, e.ChangeLanded))
    trailers = Counter(task for _, task in _landings(found))
    for task in landed.keys() | trailers.keys():
        if landed[task] > 1 or trailers[task] > 1:
            yield f"{task} landed {landed[task]} times in the log and {trailers[task]} times on main"


def what_landed_is_on_main(found: Evidence) -> Problems:
    """What the log says of main is so."""
    history = {commit for commit, _ in _landings(found)}
    for fact in found.facts:
        if isinstance(fact.event, e.ChangeLanded) and fact.event.commit not in history:
            yield f"{fact.event.task} landed as {fact.event.commit} in the log, and main does not hold that"


def _landings(found: Evidence) -> list[tuple[str, str]]:
    """The commits of main that landed a task, and which."""
    task = "%(trailers:key=Bandstand-Task,valueonly,separator=%x2C)"
    said = found.git("log", "--first-parent", f"--format=%H {task}", "main")
    pairs = (line.partition(" ")[::2] for line in said.splitlines())
    return [(commit, task.strip()) for commit, task in pairs if task.strip()]


def main_is_green(found: Evidence) -> Problems:
    """Every commit that main ever pointed to passes the checks, in a checkout of its own."""
    for commit in found.git("rev-list", "--first-parent", "main").split():
        with tempfile.TemporaryDirectory(prefix="audit-") as place:
            archive = Path(place) / "commit.tar"
            found.git("archive", "--output", str(archive), commit)
            with tarfile.open(archive) as packed:
                packed.extraction_filter = getattr(tarfile, "data_filter", None)  # not in early releases of 3.11
                packed.extractall(Path(place) / "tree")
            for command in found.checks:
                done = subprocess.run(command, shell=True, cwd=Path(place) / "tree", capture_output=True, check=False)
                if done.returncode != 0:
                    yield f"{commit} of main is red: {command}: {done.stderr.decode(errors='replace')[-300:]}"


def no_byte_is_lost(found: Evidence) -> Problems:
    """What an agent wrote is on a branch, at a rescue ref, in a snapshot, in an archive, or where it was written."""
    kept = _objects(found)
    for written in _writings(found):
        blob = _blob(written.text.encode())
        if blob not in kept and not _lies_there(found, written):
            yield f"{written.task} wrote {written.path}, and nothing holds {written.text!r} any more"


def _writings(found: Evidence) -> list[Written]:
    """Every edit that an agent told of as done, by its journal."""
    told = []
    for run, records in found.journals.items():
        for record in records:
            if record.kind is RecordKind.FROM_AGENT and b'"diff"' in record.payload:
                update = json.loads(record.payload).get("params", {}).get("update", {})
                if update.get("status") == "completed":
                    told += [
                        Written(task=task_of(run), path=one["path"], text=one["newText"])
                        for one in update.get("content", ())
                        if one.get("type") == "diff" and one.get("newText") is not None
                    ]
    return told


def _objects(found: Evidence) -> set[str]:
    """Every object that a ref reaches, in the user's repository or the vault; and what the archives hold."""
    listed = set(found.git("rev-list", "--objects", "--no-object-names", "--all").split())
    vault = found.workspaces / SNAPSHOTS
    if vault.exists():
        listed |= set(found.git("rev-list", "--objects", "--no-object-names", "--all", at=vault).split())
    for archive in found.workspaces.glob("archive.d/*.tar.gz"):
        with tarfile.open(archive) as packed:
            files = (packed.extractfile(one) for one in packed.getmembers() if one.isfile())
            listed |= {_blob(file.read()) for file in files if file is not None}
    return listed


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _lies_there(found: Evidence, written: Written) -> bool:
    """Whether what was written is still in the workspace."""
    place = found.workspaces / written.task / "tree" / Path(written.path).name
    return place.is_file() and place.read_bytes() == written.text.encode()


def the_log_explains_what_is_shown(found: Evidence) -> Problems:
    """A fresh fold of the facts, without snapshots and summaries, gives what the daemon shows."""
    if found.shown is None:
        return
    state = fold(State(), ((fact.at, fact.event) for fact in found.facts))
    told = {}
    for name, task in state.tasks.items():
        at = standing(state, task)
        told[str(name)] = [at.mark.value, at.words, at.owner.value, task.turns]
    for name in state.past:
        own = [(fact.at, fact.event) for fact in found.facts if subject(fact.event) == name]
        over = at_its_end(own)
        if over is None or not isinstance(over.stage, Landed | Cancelled):
            yield f"{name} has left the state without an end"
            continue
        landed = over.stage.commit if isinstance(over.stage, Landed) else None
        at = ended(landed=landed, reason=over.stage.reason if isinstance(over.stage, Cancelled) else "")
        told[str(name)] = [at.mark.value, at.words, at.owner.value, over.turns]
    shown = {row["id"]: [row["mark"], row["words"], row["owner"], row["turns"]] for row in found.shown["tasks"]}
    if shown != told:
        yield f"the daemon shows {shown}, and the facts give {told}"


# --- when all is over ------------------------------------------------------------------------------------------------


def every_task_has_ended(found: Evidence) -> Problems:
    """Landed or cancelled, and its workspace retired."""
    state = fold(State(), ((fact.at, fact.event) for fact in found.facts))
    yield from (f"{name} has not come to its end: {task.stage}" for name, task in state.tasks.items())


def no_ask_is_left_open(found: Evidence) -> Problems:
    """Whatever was asked was answered or withdrawn, or went with its run or its task. By the facts, not by the fold."""
    asked: dict[str, Ask] = {}
    for fact in found.facts:
        match fact.event:
            case e.AskRaised(ask=ask) | e.TaskBlocked(ask=ask):
                asked[ask.id] = ask
            case e.AskAnswered(ask=name) | e.AskWithdrawn(ask=name):
                asked.pop(name, None)
            case e.RunEnded(run=run):
                asked = {name: ask for name, ask in asked.items() if ask.run != run}
            case e.WorkspaceRetired(task=task):
                asked = {name: ask for name, ask in asked.items() if ask.task != task}
            case _:
                pass
    yield from (f"{ask.id}, a {ask.kind} of {ask.task}, is unanswered: {ask.title}" for ask in asked.values())


def nothing_is_left_over(found: Evidence) -> Problems:
    """No workspace, no draft of one, no check's checkout, no pin, no lock and no half of a write is left."""
    keep = {SNAPSHOTS, "archive.d"}
    left = [path for path in found.workspaces.iterdir() if path.name not in keep]
    left += found.root.glob("*.new")
    left += (found.root / "runs").glob("*/bell-*")
    left += (found.root / "checks").glob("*.new")
    left += (found.workspaces / "archive.d").glob(".*")
    left += (found.workspaces / SNAPSHOTS).glob("objects/pack/tmp_*")
    left += (found.workspaces / SNAPSHOTS).glob("objects/pack/*.keep")
    git_dir = found.repository / ".git"
    left += [*git_dir.glob("index.*"), *git_dir.rglob("*.lock"), *git_dir.glob("bandstand-id-*")]
    yield from (f"{path} is left" for path in left)
    refs = found.git("for-each-ref", "--format=%(refname)").split()
    yield from (f"{ref} is left" for ref in refs if ref.startswith(("refs/bandstand/pins/", "refs/bandstand/shown/")))


def the_checkout_is_as_main(found: Evidence) -> Problems:
    """The user's checkout is at the tip of main, with nothing changed or staged."""
    yield from (f"git status has {line!r}" for line in found.git("status", "--porcelain").splitlines())
    found.git("fsck", "--connectivity-only", "--no-dangling")


STANDING: tuple[Callable[[Evidence], Problems], ...] = (
    tasks_are_there,
    facts_follow_each_other,
    one_agent_in_a_workspace,
    nothing_is_prompted_twice,
    permissions_are_answered_once,
    nothing_lands_twice,
    what_landed_is_on_main,
    main_is_green,
    no_byte_is_lost,
    the_log_explains_what_is_shown,
)
SETTLED = (*STANDING, every_task_has_ended, no_ask_is_left_open, nothing_is_left_over, the_checkout_is_as_main)


def audit(found: Evidence, *, rules: Sequence[Callable[[Evidence], Problems]] = SETTLED) -> list[str]:
    """Every violation, each with the name of its rule in front."""
    return [f"{rule.__name__}: {problem}" for rule in rules for problem in rule(found)]
