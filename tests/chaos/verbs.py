"""Orders behind the main job, each struck at every point it comes by and given again: what comes of it is the same.

`clear` what nobody needs, `restore` and `prune` rescues, `export`, `purge`. A scene is what such an order meets: a
repository with a task that has landed and one that was cancelled. It is made once and laid out anew for each point.
"""

import json
import os
import shutil
import sqlite3
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bandstand.faces.wire import Json
from bandstand.faults import VARIABLE
from tests.chaos import auditor
from tests.chaos.auditor import Evidence, audit
from tests.chaos.deeds import ELSE, points
from tests.chaos.user import JOB_SECONDS, User
from tests.e2e.stage import HELLO, HOLD, LOOK_AGAIN_SECONDS, RULES, TESTS, Said, Stage
from tests.real_git import Folder

KEPT = f"""\
parts:
  - steps:
      - edit: {{path: .gitignore, content: "*.log\\n"}}
      - edit: {{path: kept.txt, content: "kept\\n"}}
      - edit: {{path: debug.log, content: "noise\\n"}}
      - {HOLD}
"""
YEAR = 365 * 24 * 3600
HOLDS = (
    auditor.tasks_are_there,
    auditor.facts_follow_each_other,
    auditor.nothing_lands_twice,
    auditor.what_landed_is_on_main,
    auditor.main_is_green,
    auditor.the_checkout_is_as_main,
)
"""What is true behind any order but `purge`, which removes the log."""

REPEATED = frozenset({"RemainsCleared"})
"""Facts that tell of an order and not of a thing: there is one for each time it was given."""

Seen = Mapping[str, object]


@dataclass(kw_only=True)
class Scene:
    """A stage at rest: no daemon, nothing live. `repository` is the user's; `gone` was one, and its folder is not."""

    stage: Stage
    repository: Folder
    ids: Mapping[str, str]
    kept: Path

    @classmethod
    def set(cls, stage: Stage) -> "Scene":
        """Bring it about."""
        user, gone = stage.repository(), stage.repository("gone")
        stage.play("say hello", HELLO, "--id", "hello", at=gone)
        (folder,) = stage.state.glob("repositories/*")
        ids = {"gone": folder.name}
        stage.play("say hello", HELLO, "--id", "hello", at=user)
        stage.band("run", "keep", "--id", "keep", "--detach", *stage.rehearsing(KEPT), at=user)
        stage.until(lambda _: any(stage.state.glob("repositories/*/workspaces/keep/tree/.git/begun")), at=user)
        stage.band("cancel", "keep", "-m", "not now", at=user)
        stage.until(lambda fleet: all(task["over"] for task in fleet["tasks"]), at=user)
        stage.band("down")
        shutil.rmtree(gone.path)
        (own,) = (one for one in stage.state.glob("repositories/*") if one.name != ids["gone"])
        ids["own"] = own.name
        (own / "workspaces" / ".hello.new" / "tree").mkdir(parents=True)
        for kind in ("runs", "checks"):
            _aged(own / kind)
        kept = stage.root / "kept"
        for name in ("state", "project"):
            _copied(stage.root / name, kept / name)
        return cls(stage=stage, repository=user, ids=ids, kept=kept)

    @property
    def record(self) -> Path:
        """Where it is written what is passed."""
        return self.stage.root / "passed"

    def laid_out(self) -> None:
        """Have everything as it was."""
        if self.stage.state.exists():
            self.stage.band("down", at=self.stage.root)
        for path in self.stage.root.iterdir():
            if path not in (self.kept, self.stage.home):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in ("state", "project"):
            _copied(self.kept / name, self.stage.root / name)

    def passed(self) -> list[str]:
        """Every point that was passed, with what struck there."""
        return self.record.read_text().splitlines() if self.record.exists() else []

    def seen(self) -> Seen:
        """All that is kept in the state and in the repository, and what the log has to tell."""
        state = self.stage.state
        files = [path.relative_to(state) for path in state.rglob("*") if not path.is_socket()]
        return {
            "refs": self.repository.git("for-each-ref", "--format=%(refname) %(objectname)"),
            "facts": self.facts(),
            "kept": sorted(str(file) for file in files if "repositories" in file.parts[:1] and _tells(file)),
            "beside": sorted(path.name for path in self.stage.root.iterdir() if path != self.record),
            "restored": sorted(str(path) for path in (self.stage.root / "saved").rglob("*")),
        }

    def facts(self) -> Mapping[tuple[str, str, str], int]:
        """How often there is a fact of a kind about a task of a repository."""
        with closing(sqlite3.connect(f"file:{self.stage.state / 'bandstand.db'}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT repository, task, type FROM events").fetchall()
        told = Counter((repository, str(task), kind) for repository, task, kind in rows)
        return {fact: 1 if fact[2] in REPEATED else count for fact, count in told.items()}

    def evidence(self) -> Evidence:
        """For the auditor."""
        return _Own(
            self.stage.state, self.repository.path, submitted=("hello", "keep"), checks=(TESTS,), name=self.ids["own"]
        )


class _Own(Evidence):
    """Evidence of one repository among several."""

    def __init__(self, *words: Path, name: str, **more: object) -> None:
        super().__init__(*words, **more)  # type: ignore[arg-type]
        self._name = name

    @property
    def root(self) -> Path:
        return self.state / "repositories" / self._name


def _copied(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("*.sock", "sock", "run"))


def _aged(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink():
            os.utime(path, (time.time() - YEAR,) * 2)


def _tells(file: Path) -> bool:
    """Whether it is the same each time: git's packs and what is loose among its objects are not."""
    return "objects" not in file.parts and file.name not in ("packed-refs", "info", "lock")


# --- orders ----------------------------------------------------------------------------------------------------------


def _nothing(_scene: Scene) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Verb:
    """An order and the deeds it comes by. If it is done `by_command` the command strikes, else its daemon.

    `refused` is what is said when it is given again behind its end; then it had been done. Of many passings of one
    point `most` are struck. `holds` is looked at in the moment behind the strike, and once more in the end.
    """

    words: tuple[str, ...]
    deeds: tuple[str, ...]
    by_command: bool = False
    refused: str = ""
    most: int = 1
    holds: Callable[[Scene], None] = field(default=_nothing)


def _an_export_is_whole(scene: Scene) -> None:
    target = scene.stage.root / "all.tar.gz"
    if target.exists():
        with tarfile.open(target) as packed:
            about = packed.extractfile("all/export.json")
            assert about is not None
            assert {one["id"] for one in json.load(about)["tasks"]} == {"hello", "keep"}


def _a_restored_folder_is_whole(scene: Scene) -> None:
    folder = scene.stage.root / "saved"
    if folder.exists():
        assert ((folder / "kept.txt").read_text(), (folder / "debug.log").read_text()) == ("kept\n", "noise\n")


VERBS: Mapping[str, Verb] = {
    "gc": Verb(words=("gc",), deeds=("remains.clear", "remains.drop", "remains.destroy", "remains.tidy"), most=2),
    "gc of a repository": Verb(words=("gc", "--repository", "{gone}"), deeds=("remains.abandon",), refused="is gone"),
    "rescue restore": Verb(words=("rescue", "restore", "keep"), deeds=("rescue.branch",), refused="already"),
    "rescue restore to": Verb(
        words=("rescue", "restore", "keep", "--to", "{root}/saved"),
        deeds=("rescue.unpack", "rescue.restore"),
        refused="already",
        holds=_a_restored_folder_is_whole,
    ),
    "rescue prune": Verb(
        words=("rescue", "prune", "keep", "--yes"), deeds=("rescue.drop", "rescue.discard"), refused="Nothing is kept"
    ),
    "export": Verb(
        words=("export", "--all", "-o", "{root}/all.tar.gz"),
        deeds=("export.write", "export.place"),
        by_command=True,
        refused="already",
        holds=_an_export_is_whole,
    ),
    "purge here": Verb(words=("purge", "--here", "--yes"), deeds=("purge.forget",)),
    "purge": Verb(words=("purge", "--yes"), deeds=("purge.remove",), by_command=True, most=4),
}
"""By a name, every order that does deeds which no main job does."""


def given(scene: Scene, verb: Verb, orders: str = "") -> Said:
    """Give the order, to a process with orders for its points."""
    stage, armed = scene.stage, f"record={scene.record}" + (f",{orders}" if orders else "")
    if not verb.by_command:
        User(stage=stage, repository=scene.repository, always=tuple(armed.split(","))).start()
    words = [word.format(root=stage.root, **scene.ids) for word in verb.words]
    variables = {VARIABLE: armed} if verb.by_command else {}
    return stage.band(*words, at=scene.repository, ends=None, variables=variables)


def outcome(scene: Scene) -> Seen:
    """What has come of it, once the daemon is down."""
    if not scene.stage.state.exists():
        return {"beside": sorted(path.name for path in scene.stage.root.iterdir() if path != scene.record)}
    scene.stage.band("down", at=scene.stage.root)
    found = audit(scene.evidence(), rules=HOLDS)
    assert found == [], found
    return scene.seen()


def tried(scene: Scene, verb: Verb) -> tuple[Seen, list[str]]:
    """What comes of an order that nothing befalls; and where it can be struck, each point with its passing."""
    scene.laid_out()
    said = given(scene, verb)
    assert said.code == 0, said.text
    expected = outcome(scene)
    count = Counter(line.split()[0] for line in scene.passed())
    places = points(verb.deeds)
    assert [point for point in places if not count[point]] == [], "the order never comes by"
    return expected, [f"{point}@{number}" for point in places for number in _spread(count[point], verb.most)]


def _spread(count: int, most: int) -> list[int]:
    """Some of so many passings: the first one, the last one, and some between."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({1 + step * (count - 1) // max(1, most - 1) for step in range(most)})


def struck(scene: Scene, verb: Verb, place: str, expected: Seen) -> None:
    """The process dies at a place; the order is given again until it is carried out, which it is once."""
    scene.laid_out()
    given(scene, verb, place)
    point, _, number = place.partition("@")
    assert f"{point} {number} kill" in scene.passed(), f"nothing has struck: {scene.passed()}"
    verb.holds(scene)
    words = [word.format(root=scene.stage.root, **scene.ids) for word in verb.words]
    again = scene.stage.band(*words, at=scene.repository, ends=None)
    assert again.code == 0 or (verb.refused and verb.refused in again.err), again.text
    verb.holds(scene)
    same(outcome(scene), expected)


def same(found: Seen, expected: Seen) -> None:
    """What has come of it is what was to come of it."""
    others = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    assert not others, "\n".join(f"{name}: {found.get(name)} and not {expected.get(name)}" for name in others)


# --- a damaged log, a remote -----------------------------------------------------------------------------------------

RECOVERY = tuple(deed for deed in ELSE if deed.startswith("recovery."))
REMOTE = ("remote.fetch", "remote.push")


def recovered(scene: Scene, orders: tuple[str, ...]) -> Seen:
    """What comes of a log that was damaged, where daemons that recover it are struck one after the other."""
    scene.laid_out()
    database = scene.stage.state / "bandstand.db"
    content = database.read_bytes()
    assert b'{"run":{"id":"hello.1"' in content
    database.write_bytes(content.replace(b'{"run":{"id":"hello.1"', b'{"run":{"id":"hullo.1"'))
    user = User(stage=scene.stage, repository=scene.repository, plan=[*orders])
    user.start()
    while not user.answering():
        user.start()
    assert user.struck() == [*orders]
    told = scene.stage.band("ps", at=scene.repository).err
    assert (told.count("was damaged"), told.count("1 fact lost")) == (1, 2), told
    return outcome(scene)


BACK = ("rewind.mark", "rewind.note", "rewind.files", "rewind.head", "fork.pin")
FORTH = """\
parts:
  - steps:
      - edit: {path: .gitignore, content: "*.log\\n"}
      - edit: {path: first.txt, content: "first\\n"}
      - commit: First
      - edit: {path: build.log, content: "built\\n"}
      - edit: {path: left.txt, content: "left\\n"}
  - times: always
    steps:
      - edit: {path: second.txt, content: "second\\n"}
      - commit: Second
"""


def gone_back(stage: Stage, deeds: tuple[str, ...]) -> User:
    """A task that goes back to its beginning, and one that begins where it was: daemons die at these deeds."""
    repository = stage.repository(rules=RULES.replace('"none"', '"human"'))
    user = User(stage=stage, repository=repository, score=FORTH, plan=points(deeds))
    user.start()
    deadline = time.monotonic() + JOB_SECONDS
    user.submit(deadline, ONE)
    _until(user, deadline, lambda row: row["mark"] == "needs-you")
    user.order("/tasks/hello/checkpoints/0/rewind", {"text": "Once more."}, key="rewind", deadline=deadline)
    _until(user, deadline, lambda row: row["mark"] == "needs-you" and row["turns"] == 2)
    # A holder would start a daemon that is spared.
    user.order("/tasks/hello/pause", {}, key="pause", deadline=deadline)
    _until(user, deadline, lambda row: row["mark"] == "paused" and row["owner"] == "human")
    user.order("/tasks/hello/checkpoints/1/fork", {"id": "again"}, key="fork", deadline=deadline)
    user.submitted.append("again")
    user.order("/tasks/hello/resume", {}, key="resume", deadline=deadline)
    shown = user.play_on(deadline)
    stage.band("down")
    assert sorted(user.struck()) == sorted(points(deeds))
    found = Evidence(stage.state, repository.path, submitted=("hello", "again"), checks=(TESTS,), shown=shown)
    assert audit(found) == []
    kinds = Counter(type(fact.event).__name__ for fact in found.facts)
    assert (kinds["TaskRewound"], kinds["ChangeLanded"], kinds["TaskSubmitted"]) == (1, 2, 2)
    assert repository.text("first.txt") == "first\n", "the fork has landed what its origin took back"
    rescued = repository.git("for-each-ref", "--format=%(refname)", "refs/bandstand/rescue/hello")
    assert "left.txt" in repository.git("log", "--format=", "--name-only", "-m", rescued), "and nothing of it is lost"
    return user


def _until(user: User, deadline: float, is_so: Callable[[Json], bool]) -> None:
    """Wait for the first task to be as is wanted."""
    while not is_so(user.look(deadline)["tasks"][0]):
        user.in_time(deadline, "The task does not come that far.")
        time.sleep(LOOK_AGAIN_SECONDS)


ONE = "tasks: [{id: hello, goal: Say hello}]"
PUSHING = f'{RULES}\n[landing]\npush = "after-landing"\n'


def shared(stage: Stage, deeds: tuple[str, ...]) -> User:
    """A task on a repository whose remote is ahead, and which what lands is pushed to: daemons die at these deeds."""
    repository = stage.repository(rules=PUSHING)
    remote = Folder(stage.root / "remote.git")
    repository.git("init", "-q", "--bare", "-b", "main", str(remote.path))
    repository.git("remote", "add", "origin", f"file://{remote.path}")
    repository.git("push", "-q", "-u", "origin", "main")
    theirs = repository.commit_aside("theirs", {"theirs.txt": "theirs\n"})
    repository.git("push", "-q", "origin", f"{theirs}:refs/heads/main")
    user = User(stage=stage, repository=repository, score=HELLO, plan=points(deeds))
    user.start()
    deadline = time.monotonic() + JOB_SECONDS
    user.submit(deadline, ONE)
    shown = user.play_on(deadline)
    stage.band("down")
    assert user.struck() == [f"{deed}.{side}" for deed in deeds for side in ("before", "after")]
    found = Evidence(stage.state, repository.path, submitted=("hello",), checks=(TESTS,), shown=shown)
    assert audit(found) == []
    kinds = Counter(type(fact.event).__name__ for fact in found.facts)
    assert (kinds["ChangeLanded"], kinds["ChangePushed"]) == (1, 1)
    assert remote.head("main") == repository.head("main")
    assert theirs in repository.git("rev-list", "main").split()
    return user
