"""A user's machine in a temporary folder: a home, a state folder, repositories, and the real `band` in real processes.

Nothing is faked: git, bubblewrap, the daemon, the holders and the agents are those that a user has. At the end, also
after a failure, every process is ended and the folder removed. Nothing outside of the folder is touched.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bandstand.config.places import places
from benchmarks import processes

BAND = Path(sys.executable).with_name("band")
MEMORY = Path("/dev/shm")
RULES = 'review = "none"\n\n[checks]\ncommands = []\n'
FILES, LARGEST_BYTES = 1_500, 100_000
Json = Any


class Ground:
    """One user with one state folder. `environment` is what each command is given, and all of it."""

    def __init__(self, root: Path, *, slots: int) -> None:
        self.root = root
        self.home = root / "home"
        self.state = root / "state"
        for folder in (self.home, self.state):
            folder.mkdir(mode=0o700)
        tools = [str(Path(sys.executable).parent)]
        tools += [str(Path(found).parent) for name in ("git", "bwrap") if (found := shutil.which(name))]
        self.environment = {
            "BAND_STATE_DIR": str(self.state),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join(dict.fromkeys([*tools, "/usr/local/bin", "/usr/bin", "/bin"])),
        }
        settings = places(self.environment, uid=os.getuid()).settings
        settings.parent.mkdir(parents=True)
        settings.write_text(f"slots = {slots}\n")

    # --- repositories -----------------------------------------------------------------------------------------------

    def repository(self, name: str = "project", *, files: int = 3, rules: str = RULES) -> Path:
        """A repository with one commit on `main`, the same one each time."""
        path = self.root / name
        path.mkdir()
        for place, content in _contents(files):
            (path / place).parent.mkdir(parents=True, exist_ok=True)
            (path / place).write_bytes(content)
        (path / "bandstand.toml").write_text(rules)
        self.git(path, "init", "-q", "-b", "main", ".")
        self.git(path, "config", "user.name", "Ada Example")
        self.git(path, "config", "user.email", "ada@example.org")
        self.git(path, "add", "-A")
        self.git(path, "commit", "-q", "-m", "Begin")
        return path

    def git(self, path: Path, *words: str | Path) -> str:
        """What git says."""
        return self._said(["git", *words], path).removesuffix("\n")

    # --- commands ---------------------------------------------------------------------------------------------------

    def band(self, *words: str | Path, at: Path) -> str:
        """Give one command and wait for its end; what it says. Raises `RuntimeError` if it fails."""
        return self._said([BAND, *words], at)

    def band_json(self, *words: str | Path, at: Path) -> Json:
        """What a command prints as JSON."""
        return json.loads(self.band(*words, "--json", at=at))

    def submit(self, tasks: Sequence[Mapping[str, object]], score: Json, *, at: Path) -> None:
        """Hand tasks to the rehearsal agent, with the rules confirmed, and do not watch them."""
        self.band(*self.order(tasks, score), at=at)

    def order(self, tasks: Sequence[Mapping[str, object]], score: Json) -> tuple[str | Path, ...]:
        """The words of `band` that hand over these tasks. JSON is YAML, so nothing is needed to write either."""
        plan, play = self.root / "tasks.yaml", self.root / "score.yaml"
        plan.write_text(json.dumps({"tasks": list(tasks)}))
        play.write_text(json.dumps(score))
        return ("run", "-f", plan, "--detach", "--agent", "rehearsal", "--score", play, "--yes")

    def count_processes(self, *programs: str) -> Path:
        """From the next daemon on, write a line into the file that is returned for each process of these programs.

        What runs inside a sandbox is not seen, only the sandbox. Each costs a shell more, so nothing else is measured.
        """
        counted, folder = self.root / "processes", self.root / "counting"
        folder.mkdir()
        counted.touch()
        for program in programs:
            real = shutil.which(program, path=self.environment["PATH"])
            script = folder / program
            script.write_text(f'#!/bin/sh\necho {program} >> {counted}\nexec {real} "$@"\n')
            script.chmod(0o755)
        self.environment["PATH"] = f"{folder}{os.pathsep}{self.environment['PATH']}"
        return counted

    @property
    def api(self) -> Path:
        """Where the daemon serves its HTTP API."""
        return places(self.environment, uid=os.getuid()).api_socket

    def _said(self, words: Sequence[str | Path], path: Path) -> str:
        done = subprocess.run(
            words, cwd=path, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode != 0:
            line = " ".join(map(str, words))
            raise RuntimeError(f"`{line}` ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    # --- what goes on -----------------------------------------------------------------------------------------------

    def daemon(self) -> int:
        """The process of the daemon."""
        found, *_ = processes.named("bandstand daemon")  # others are forks of it that are about to execute something
        return found

    def workspaces(self) -> list[Path]:
        """The checkouts of all agents."""
        return sorted(self.state.glob("repositories/*/workspaces/*/tree"))

    def run_folders(self) -> list[Path]:
        """Where the holders live."""
        return sorted(self.state.glob("repositories/*/runs/*"))

    def close(self) -> None:
        """End everything, and remove the folder."""
        left = processes.end_all()
        shutil.rmtree(self.root, ignore_errors=True)
        if left:
            raise RuntimeError(f"these processes could not be ended: {left}")


@contextmanager
def ground(*, slots: int = 8, below: Path | None = None) -> Iterator[Ground]:
    """A machine that is gone behind the block, in the temporary folder or `below` another."""
    processes.take_in_orphans()
    made = Ground(Path(tempfile.mkdtemp(prefix="bench-", dir=below)).resolve(), slots=slots)
    try:
        yield made
    finally:
        with _undisturbed():
            made.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal interrupt the block: whoever ends us twice gets the same end as whoever does it once."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(one, signal.SIG_IGN) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


def in_memory() -> Path | None:
    """A folder that is on no disk, where there is one: for what writes so many files that a slow disk would be all."""
    return MEMORY if os.access(MEMORY, os.W_OK) else None


def _contents(files: int) -> Iterator[tuple[str, bytes]]:
    """Files like those of a project: most are small, a few are large, the largest has 100 KB."""
    chance = random.Random(files)
    words = [f"word{number:04d}" for number in range(2_000)]
    for number in range(files):
        size = min(LARGEST_BYTES, int(chance.paretovariate(0.9) * 1_500))
        line = " ".join(chance.choices(words, k=200)) + "\n"
        text = f"file {number}\n" + line * (size // len(line) + 1)
        yield f"part{number % 30:02d}/unit{number // 30 % 10}/file{number}.txt", text[:size].encode()


def submitted(count: int, **fields: object) -> list[dict[str, object]]:
    """So many tasks that differ by their number."""
    return [{"id": f"task-{number:03d}", "goal": f"Play part {number}.", **fields} for number in range(1, count + 1)]
