"""What holds for every test: nothing of this machine is read or touched, and nothing is left behind.

The environment is set before any test module is imported, so that what a test starts inherits it. Each worker of
pytest-xdist has a home and a mark of its own; by the mark, what its tests forgot to stop is found at the end.
"""

import atexit
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

MARK = "BANDSTAND_TEST_SESSION"
GRACE_SECONDS = 5.0

# Short, for sockets live below it and a socket's path has 108 bytes at most.
_place = Path(tempfile.mkdtemp(prefix="bt-"))
_mark = uuid.uuid4().hex
atexit.register(shutil.rmtree, _place, ignore_errors=True)

settings.register_profile("default", max_examples=50, deadline=None)
settings.register_profile("nightly", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _own_world() -> dict[str, str]:
    """The environment of a person who has just unpacked a machine."""
    folders = {
        "HOME": "home",
        "XDG_CACHE_HOME": "cache",
        "XDG_CONFIG_HOME": "config",
        "XDG_DATA_HOME": "data",
        "XDG_RUNTIME_DIR": "run",
        "XDG_STATE_HOME": "state",
    }
    for folder in folders.values():
        (_place / folder).mkdir(mode=0o700)
    return {name: str(_place / folder) for name, folder in folders.items()} | {
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_AUTHOR_NAME": "Ada Example",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada Example",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "TZ": "UTC",
        MARK: _mark,
    }


def _clear_the_callers_world() -> None:
    """Take away what a person's shell, or the git hook that started the tests, would tell the code under test."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "BAND_", "BANDSTAND_", "XDG_")):
            del os.environ[name]


_clear_the_callers_world()
os.environ.update(_own_world())


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session when a process or a mount of its tests outlives them. What is found is ended."""
    places = (str(_place), str(tmp_path_factory.getbasetemp()))
    yield
    left = _wait_for_none(places)
    for pid in left:
        _end(pid)
    mounts = [point for point in _mounts() if point.startswith(places)]
    shutil.rmtree(_place, ignore_errors=True)
    told = [f"process {pid}: {command}" for pid, command in left.items()] + [f"mount {point}" for point in mounts]
    if told:
        pytest.fail("These tests left something behind; stop it in a fixture's teardown:\n  " + "\n  ".join(told))


def _wait_for_none(places: tuple[str, ...]) -> dict[int, str]:
    """The processes of this session that are still there after the grace time."""
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := _ours(places)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _ours(places: tuple[str, ...]) -> dict[int, str]:
    """Processes younger than this one that carry our mark or name one of our places, as pid -> command.

    The mark alone is not enough: a sandbox starts with an environment of its own. Empty where there is no /proc.
    """
    mark = f"{MARK}={_mark}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # A zombie has no command line; its parent has to collect it and nobody else can.
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            ours = any(place in command for place in places) or mark in (folder / "environ").read_bytes()
            if command and ours and _started(folder) > _started(Path("/proc/self")):
                found[int(folder.name)] = command
        except OSError:
            continue  # It ended while we looked, or it belongs to somebody else.
    return found


def _started(folder: Path) -> int:
    """When the process began, in clock ticks since the machine did."""
    return int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[19])


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _mounts() -> list[str]:
    table = Path("/proc/self/mountinfo")
    return [line.split()[4] for line in table.read_text().splitlines()] if table.exists() else []
