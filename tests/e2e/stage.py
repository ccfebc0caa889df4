"""A user's machine in a folder: a home, a state folder, real repositories, and the real `band` in real processes.

Nothing is faked: git, bubblewrap, the daemon, the holders and the agents are those that a user has. All of it lies
below one short folder (a socket's path has 108 bytes at most), and by that folder whatever runs on the stage is found.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bandstand.adapters.hosts.journal import scan
from bandstand.domain.errors import Unavailable
from bandstand.faces.wire import Client
from bandstand.ports.hosts import Record, RecordKind
from tests.e2e.processes import end, living_below
from tests.real_git import Folder

PATIENCE_SECONDS = 60.0
GRACE_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.05
ASK_AGAIN_SECONDS = 0.2

CALC = {
    "calc.py": "def add(a, b):\n    return a + b\n",
    "test_calc.py": textwrap.dedent(
        """\
        import unittest

        from calc import add


        class Add(unittest.TestCase):
            def test_add(self):
                self.assertEqual(add(1, 2), 3)
        """
    ),
}
"""The project of most tests: a function and its test."""

TESTS = "python3 -m unittest -q"
RULES = f'review = "none"\n\n[checks]\ncommands = ["{TESTS}"]\n'
"""Its rules: its tests, and no review."""

HELLO = """\
parts:
  - steps:
      - edit: {path: hello.txt, content: "hello\\n"}
      - commit: Say hello
"""
"""A score: one new file in one commit."""

HOLD = "run: touch .git/begun; while [ ! -e .git/go-on ]; do sleep 0.05; done"
"""A step that waits until the test says `go_on`, in a place that git does not look at."""

Json = Any


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended, and what it said."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it said."""
        return self.out + self.err


class Stage:
    """One user with one state folder. `environment` is what each command is given, and all of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.state = root / "state"
        self.repositories: list[Folder] = []
        self._started: list[subprocess.Popen[str]] = []
        for folder in (self.home, self.state):
            folder.mkdir(mode=0o700)
        self.environment = _environment(self.home, self.state)

    # --- the user ---------------------------------------------------------------------------------------------------

    def repository(
        self, name: str = "project", files: Mapping[str, str | None] | None = None, *, rules: str = RULES
    ) -> Folder:
        """A repository of the user's with one commit on `main`, and its rules if there are any."""
        content = dict(files if files is not None else CALC) | ({"bandstand.toml": rules} if rules else {})
        folder = Folder.init(self.root / name, content)
        folder.git("config", "user.name", "Ada Example")
        folder.git("config", "user.email", "ada@example.org")
        self.repositories.append(folder)
        return folder

    def file(self, name: str, text: str) -> Path:
        """A file of the user's outside of any repository."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def settings(self, text: str) -> Path:
        """The user's own settings."""
        return self.file("home/.config/bandstand/config.toml", text)

    def band(
        self,
        *words: str | Path,
        at: Folder | Path | None = None,
        ends: int | None = 0,
        deadline: float = PATIENCE_SECONDS,
        stdin: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Said:
        """Give one command and wait for its end, which `ends` names (`None` takes any)."""
        try:
            done = subprocess.run(
                self.command(*words),
                cwd=self._place(at),
                env={**self.environment, **(variables or {})},
                input=stdin,
                capture_output=True,
                text=True,
                timeout=deadline,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            heard = b"".join(part for part in (late.stdout, late.stderr) if isinstance(part, bytes)).decode()
            self.fail(f"`band {_line(words)}` did not end within {deadline:.0f} s. It said:\n{heard}")
        said = Said(words=tuple(map(str, words)), code=done.returncode, out=done.stdout, err=done.stderr)
        if ends is not None and said.code != ends:
            self.fail(f"`band {_line(words)}` ended with {said.code} and not with {ends}. It said:\n{said.text}")
        assert "Traceback" not in said.err, said.err
        return said

    def band_json(self, *words: str | Path, at: Folder | Path | None = None, ends: int | None = 0) -> Json:
        """What a command prints as JSON."""
        said = self.band(*words, "--json", at=at, ends=ends)
        try:
            return json.loads(said.out)
        except ValueError:
            self.fail(f"`band {_line(words)} --json` printed no JSON:\n{said.text}")

    def play(
        self, goal: str, score: str, *more: str | Path, at: Folder | Path | None = None, ends: int | None = 0
    ) -> Said:
        """Hand a goal to the rehearsal agent, with the rules confirmed, and watch it to its end."""
        return self.band("run", goal, *self.rehearsing(score), *more, at=at, ends=ends)

    def submit(self, tasks: str, score: str, *more: str | Path, at: Folder | Path | None = None) -> None:
        """Hand several tasks to the rehearsal agent, with the rules confirmed, and do not watch them."""
        file = self.file("tasks.yaml", tasks)
        self.band("run", "-f", file, "--detach", *self.rehearsing(score), *more, at=at)

    def rehearsing(self, score: str) -> tuple[str | Path, ...]:
        """The options that let the rehearsal agent play a score without a question."""
        return ("--agent", "rehearsal", "--score", self.file("score.yaml", score), "--yes")

    def start(self, *words: str | Path, at: Folder | Path | None = None) -> "subprocess.Popen[str]":
        """Give a command and do not wait for its end; `ended` does."""
        process = subprocess.Popen(
            self.command(*words),
            cwd=self._place(at),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def take(self, process: "subprocess.Popen[str]") -> None:
        """See to it that a process which somebody else has started is waited for in the end."""
        self._started.append(process)

    def ended(self, process: "subprocess.Popen[str]") -> tuple[int, str]:
        """How a started command ended, and all that it said."""
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in said, said
        return process.returncode, said

    def command(self, *words: str | Path) -> list[str]:
        """The command line of `band` with these words."""
        return [sys.executable, "-m", "bandstand", *map(str, words)]

    # --- what goes on -----------------------------------------------------------------------------------------------

    def until(
        self,
        condition: Callable[[Json], bool],
        *,
        at: Folder | Path | None = None,
        deadline: float = PATIENCE_SECONDS,
    ) -> Json:
        """What `band ps` tells as soon as the condition holds for it.

        It is asked once as a person would; after that as the command does it, which costs a tenth of the time.
        """
        over = time.monotonic() + deadline
        fleet = self.band_json("ps", at=at)
        while not condition(fleet):
            if time.monotonic() > over:
                self.fail(f"It did not come to this within {deadline:.0f} s:\n{json.dumps(fleet, indent=1)}")
            time.sleep(ASK_AGAIN_SECONDS)
            try:
                fleet = Client(self.state / "run" / "band.sock").call("ps", path=str(self._place(at)), tasks=[])
            except Unavailable:
                fleet = self.band_json("ps", at=at)
        return fleet

    def ask(self, *, at: Folder | Path | None = None) -> Json:
        """The one thing that needs the user, as soon as there is one."""
        self.until(lambda fleet: bool(fleet["asks"]), at=at)
        (ask,) = self.band_json("asks", at=at)
        return ask

    def landed(self, task: str, *, at: Folder | Path | None = None) -> Json:
        """Watch a task to its end, which is that it lands; all that is known of it then."""
        self.band("ps", "-f", task, at=at)
        shown = self.band_json("show", task, at=at)
        assert shown["row"]["mark"] == "landed", shown
        return shown

    def begun(self, *tasks: str) -> None:
        """Wait until the agents of these tasks are in the middle of a turn, where `HOLD` keeps them."""
        marks = [f"repositories/*/workspaces/{name}/tree/.git/begun" for name in tasks]
        wait_for(lambda: all(list(self.state.glob(mark)) for mark in marks))

    def go_on(self, *tasks: str) -> None:
        """Let the agents of these tasks go on."""
        for name in tasks:
            (self.workspace(name) / ".git" / "go-on").touch()

    def daemon(self) -> int:
        """The process of the daemon that runs, or is about to: a holder may have started it just now."""
        found: int = wait_for(self._daemon)
        return found

    def answers(self, op: str, **args: Json) -> Json:
        """What the daemon answers, once there is one that does: nobody types a command that would start it."""
        over = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return Client(self.state / "run" / "band.sock").call(op, path=str(self._place(None)), **args)
            except Unavailable:
                if time.monotonic() > over:
                    self.fail(f"No daemon answered {op!r} within {PATIENCE_SECONDS:.0f} s.")
            time.sleep(LOOK_AGAIN_SECONDS)

    def run_folder(self, run: str) -> Path:
        """Where the holder of a run lives."""
        (folder,) = self.state.glob(f"repositories/*/runs/{run}")
        return folder

    def workspace(self, task: str) -> Path:
        """The checkout of a task's agent, seen from outside."""
        (folder,) = self.state.glob(f"repositories/*/workspaces/{task}/tree")
        return folder

    def runs(self) -> list[str]:
        """Every run that there ever was."""
        return sorted(folder.name for folder in self.state.glob("repositories/*/runs/*"))

    def sent(self, run: str) -> list[Record]:
        """Every line that an agent was sent."""
        return [one for one in scan(self.run_folder(run) / "journal") if one.kind is RecordKind.TO_AGENT]

    def prompts(self, run: str) -> list[str]:
        """The keys of the prompts that an agent was sent, in order."""
        return [record.key for record in self.sent(run) if b'"session/prompt"' in record.payload]

    def gone(self, pid: int) -> None:
        """Wait until a process of this stage has gone."""
        wait_for(lambda: pid not in self.processes())

    def processes(self) -> dict[int, str]:
        """Everything alive on this stage, by its process id."""
        return living_below(self.root)

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Cancel what goes on, stop the daemon, end what is left even so, and remove the folder.

        Fails the test if orders alone did not end everything.
        """
        try:
            if self.processes():
                self._stop()
        finally:
            left = self._wait_for_none()
            end(left)
            for process in self._started:
                process.communicate()
            shutil.rmtree(self.root, ignore_errors=True)
        told = [f"process {pid}: {command}" for pid, command in left.items()]
        told += [f"mount {point}" for point in _mounts() if point.startswith(str(self.root))]
        if told:
            pytest.fail("`band cancel` and `band down` left something behind:\n  " + "\n  ".join(told))

    def _stop(self) -> None:
        for repository in self.repositories:
            if not list(self.state.glob("repositories/*")) or not repository.path.exists():
                continue
            fleet = self.band_json("ps", at=repository)
            live = [task["id"] for task in fleet["tasks"] if task["mark"] not in ("landed", "stopped")]
            for name in live:
                self.band("cancel", name, at=repository, ends=None)
            if live:
                self.band("ps", "-f", *live, at=repository, ends=None)
        self.band("down")

    def _wait_for_none(self) -> dict[int, str]:
        deadline = time.monotonic() + GRACE_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN_SECONDS)
        return left

    def fail(self, words: str) -> Any:
        """Fail the test, with what the daemon has to say."""
        log = self.state / "daemon.log"
        tail = log.read_text(errors="replace")[-4000:] if log.exists() else "nothing"
        pytest.fail(f"{words}\nThe daemon says:\n{tail}")

    def _daemon(self) -> int | None:
        # What a holder rings for becomes one by and by, and is not one yet.
        named = {pid: command for pid, command in self.processes().items() if "bandstand daemon" in command}
        found = [pid for pid, command in named.items() if "setsid" not in command and "flock" not in command]
        return found[0] if len(found) == 1 else None

    def _place(self, at: Folder | Path | None) -> Path:
        if at is None:
            return self.repositories[0].path if self.repositories else self.home
        return at.path if isinstance(at, Folder) else at


def kill(pid: int) -> None:
    """End a process at once."""
    os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], Any], *, deadline: float = PATIENCE_SECONDS) -> Any:
    """What a condition answers as soon as that is true."""
    over = time.monotonic() + deadline
    while not (found := condition()):
        if time.monotonic() > over:
            pytest.fail(f"It did not come to this within {deadline:.0f} s: {condition}")
        time.sleep(LOOK_AGAIN_SECONDS)
    return found


def task(fleet: Json, name: str) -> Json:
    """The row of one task."""
    return next(row for row in fleet["tasks"] if row["id"] == name)


def _environment(home: Path, state: Path) -> dict[str, str]:
    """The environment of a user who has git, bubblewrap and the interpreter of these tests on the search path."""
    tools = {Path(sys.executable).parent, *(Path(found).parent for name in ("git", "bwrap") if (found := _which(name)))}
    folders = [str(Path(sys.executable).parent), *(str(one) for one in tools), "/usr/local/bin", "/usr/bin", "/bin"]
    kept = ("BANDSTAND_TEST_SESSION", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "LC_ALL", "NO_COLOR", "TZ")
    return {
        **{name: os.environ[name] for name in kept},
        "BAND_STATE_DIR": str(state),
        "HOME": str(home),
        "PATH": os.pathsep.join(dict.fromkeys(folders)),
    }


def _which(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"These tests need {name}: install it (`make setup` says how)."
    return found


def _line(words: tuple[str | Path, ...]) -> str:
    return " ".join(map(str, words))


def _mounts() -> list[str]:
    table = Path("/proc/self/mountinfo")
    return [line.split()[4] for line in table.read_text().splitlines()] if table.exists() else []
