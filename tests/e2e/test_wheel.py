"""The wheel: installed where nothing is, used, removed; and nothing is left, in its environment or on the machine.

Root and ordinary users both: where the tests run as root, one of the two is a user without so much as an account.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.processes import end, living_below
from tests.e2e.stage import PATIENCE_SECONDS, wait_for
from tests.e2e.test_json import fits

PROJECT = Path(__file__).parents[2]
NOBODY_IN_PARTICULAR = 45_054
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built by the project's own back end."""
    out = tmp_path_factory.mktemp("dist")
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(built, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = out.glob("*.whl")
    return found


@dataclass(kw_only=True)
class Person:
    """A user with a home, and an environment of Python in which there is nothing. `uid` is theirs if it is not ours."""

    root: Path
    uid: int | None = None
    python: str = sys.executable
    band: Path = field(init=False)
    venv: Path = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.root / "home"
        self.home.mkdir()
        # As pipx lays it out: an environment for the program, and a link to it on the search path.
        self.venv = self.home / ".local/share/pipx/venvs/bandstand"
        self.band = self.home / ".local/bin/band"
        self.band.parent.mkdir(parents=True)
        subprocess.run([self.python, "-m", "venv", "--without-pip", str(self.venv)], check=True, capture_output=True)
        (self.library / "needs.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        self.band.symlink_to(self.venv / "bin" / "band")
        if self.uid is not None:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, self.uid, self.uid, follow_symlinks=False)

    @property
    def library(self) -> Path:
        """Where packages are."""
        (found,) = (self.venv / "lib").glob("python*/site-packages")
        return found

    @property
    def environment(self) -> Mapping[str, str]:
        """What a shell of theirs has."""
        tools = {str(Path(shutil.which(name) or "/usr/bin/x").parent) for name in ("git", "bwrap")}
        path = os.pathsep.join([str(self.band.parent), str(self.venv / "bin"), *sorted(tools), "/usr/bin", "/bin"])
        kept = {name: os.environ[name] for name in ("BANDSTAND_TEST_SESSION", "LC_ALL", "NO_COLOR")}
        return {**kept, "HOME": str(self.home), "PATH": path}

    def runs(self, *words: str | Path, ends: int = 0) -> str:
        """What a command says."""
        own = {} if self.uid is None else {"user": self.uid, "group": self.uid, "extra_groups": []}
        done = subprocess.run(
            list(map(str, words)),
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_SECONDS,
            check=False,
            **own,  # type: ignore[call-overload]
        )
        assert done.returncode == ends, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout + done.stderr)

    def pip(self, *words: str | Path) -> None:
        """Their own pip would do the same."""
        pip = [sys.executable, "-m", "pip", "--python", self.venv / "bin" / "python", "-q", "--no-input"]
        subprocess.run([*map(str, pip), *map(str, words)], check=True, capture_output=True)

    def content(self) -> set[str]:
        """Every file of the environment."""
        return {str(path.relative_to(self.venv)) for path in self.venv.rglob("*")}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, which anybody may enter. What runs below it in the end is ended."""
    root = Path(tempfile.mkdtemp(prefix="bw-", dir="/tmp")).resolve()
    root.chmod(0o755)
    try:
        yield root
    finally:
        end(living_below(root))
        shutil.rmtree(root, ignore_errors=True)


def an_ordinary_user(root: Path) -> Person:
    """Somebody else, if we are root and there is a Python of our kind that they may use; else whoever we are."""
    version = [SYSTEM_PYTHON, "-c", "import sys; print(sys.version_info[:2])"]
    if os.geteuid() == 0 and Path(SYSTEM_PYTHON).exists():
        said = subprocess.run(version, capture_output=True, text=True, check=False).stdout
        reachable = subprocess.run(
            ["test", "-r", f"{sysconfig.get_path('purelib')}/yaml/__init__.py"], user=NOBODY_IN_PARTICULAR, check=False
        )
        if said.strip() == str(sys.version_info[:2]) and reachable.returncode == 0:
            return Person(root=root, uid=NOBODY_IN_PARTICULAR, python=SYSTEM_PYTHON)
    return Person(root=root)


def test_the_demo_of_an_installed_wheel_leaves_nothing_behind(wheel: Path, place: Path) -> None:
    """As an ordinary user: the demo lands, everything is removed by the words of the guide, nothing remains."""
    person = an_ordinary_user(place)
    before = person.content()
    person.pip("install", "--no-deps", "--no-index", wheel)
    assert str(person.venv) in person.runs(person.venv / "bin/python", "-c", "import bandstand; print(bandstand)")
    assert [row["mark"] for row in json.loads(person.runs(person.band, "demo", "--json"))["tasks"]] == ["landed"] * 3
    told = person.runs(person.band, "purge", ends=2)
    assert "for good" in told and "band purge --yes" in told
    said = fits("Purged", json.loads(person.runs(person.band, "purge", "--yes", "--json")))
    assert len(said["removed"]) == 3, "the state, the runtime folder and the cache"
    assert not [path for path in said["removed"] if Path(path).exists()]
    assert said["kept"] == []
    wait_for(lambda: not living_below(place))
    assert "There is nothing to remove." in person.runs(person.band, "purge", "--yes")
    person.pip("uninstall", "-y", "bandstand")
    assert person.content() == before
    left = [path for path in person.home.rglob("*") if path.is_file() and not path.is_relative_to(person.venv)]
    assert left == []


def test_purging_keeps_what_goes_on_and_what_is_not_ours(wheel: Path, place: Path) -> None:
    """As whoever runs these tests, in a state folder with something else in it."""
    person = Person(root=place)
    person.pip("install", "--no-deps", "--no-index", wheel)
    state = person.home / "state"
    state.mkdir()
    (state / "mine.txt").write_text("mine\n")
    (person.home / ".config/bandstand").mkdir(parents=True)
    settings = person.home / ".config/bandstand/config.toml"
    settings.write_text("slots = 1\n")
    band = ("env", f"BAND_STATE_DIR={state}", person.band)
    score = person.home / "score.yaml"
    score.write_text("parts:\n  - steps:\n      - ask_permission: {title: 'May I?'}\n")
    for words in ("init -q -b main", "config user.name Ada", "config user.email a@example.org"):
        person.runs("git", *words.split())
    person.runs("git", "commit", "-q", "--allow-empty", "-m", "Begin")
    options = ("--agent", "rehearsal", "--score", score, "--yes", "--detach", "--id", "one")
    person.runs(*band, "run", "ask", *options)
    assert "1 task has not ended." in person.runs(*band, "purge", "--yes", ends=2)
    person.runs(*band, "cancel", "one")
    wait_for(lambda: json.loads(person.runs(*band, "ps", "one", "--json"))["tasks"][0]["over"])
    said = json.loads(person.runs(*band, "purge", "--yes", "--json"))
    assert said["kept"] == [str(state), str(settings)]
    assert [path.name for path in state.iterdir()] == ["mine.txt"]
    assert settings.read_text() == "slots = 1\n"
    wait_for(lambda: not living_below(place))
