"""Bombs in a sandbox harm nobody else: forks, memory, files. Each is bounded twice, by a group and by hand."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import UNUSED
from bandstand.domain.limits import Limits
from bandstand.ports.sandbox import Confinement, Mount
from bandstand.starter.groups import Group
from tests.starting import run

PATIENCE_SECONDS = 60.0
LIMITS = Limits(
    memory_bytes=200_000_000, processes=40, open_files=64, file_bytes=5_000_000, cpu_weight=50, disk_bytes=20_000_000
)

FORKS = """
import os, signal, time
children = 0
try:
    while children < 300:
        if os.fork() == 0:
            signal.pause()
        children += 1
except OSError as error:
    print("refused", error.errno, children)
else:
    print("started", children)
os.kill(-1, signal.SIGKILL)
"""
MEMORY = """
import subprocess, sys
bomb = "held = []\\nfor n in range(100): held.append(bytearray(8 << 20))"
print(subprocess.run([sys.executable, "-c", bomb]).returncode)
"""
FILES = """
for name in range(3):
    with open(f"/workspace/{name}", "wb", buffering=0) as file:
        try:
            for n in range(20):
                file.write(bytes(1 << 20))
        except OSError as error:
            print("refused", error.errno)
"""
OPEN = """
held = []
try:
    while len(held) < 500:
        held.append(open("/dev/null"))
except OSError as error:
    print("refused", error.errno)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A sandbox with limits: in a group of its own, or with nothing but what is bounded for each process."""

    workspace: Path
    home: Path
    group: Group

    def run(self, program: str, limits: Limits = LIMITS) -> "subprocess.CompletedProcess[str]":
        """What a program in Python does within the limits."""
        sandbox = BubblewrapSandbox("bwrap", Path("/nowhere"), (), uid=UNUSED[3] if os.geteuid() == 0 else None)
        launch = sandbox.confine(
            Confinement(
                argv=("/usr/bin/python3", "-c", program),
                cwd=Path("/workspace"),
                environment={"PATH": "/usr/bin:/bin"},
                home=self.home,
                writable=(Mount(host=self.workspace, inside=Path("/workspace")),),
                limits=limits,
            )
        )
        return run(launch, seconds=PATIENCE_SECONDS, group=self.group)


@pytest.fixture(params=["group", "by hand"])
def cell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cell]:
    """A sandbox of each kind; nothing of it is left."""
    named = Group.at(f"band-bomb-{os.getpid()}-{abs(hash(str(tmp_path)))}")
    made = Cell(workspace=tmp_path / "w", home=tmp_path / "h", group=named if request.param == "group" else Group({}))
    made.workspace.mkdir()
    made.home.mkdir()
    yield made
    made.group.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not made.group.remove():
        assert time.monotonic() < deadline
        Event().wait(0.01)


def test_a_fork_bomb_finds_its_end_and_takes_nobody_along(cell: Cell) -> None:
    """Its own forks are refused; those of the same user outside, and of a second sandbox, are not."""
    outside = [subprocess.Popen(["sleep", "60"]) for _ in range(60)]
    try:
        done = cell.run(FORKS)
        assert done.stdout.startswith("refused 11 "), done
        assert int(done.stdout.split()[2]) <= (LIMITS.processes or 0)
        assert subprocess.run(["true"], check=True).returncode == 0
    finally:
        for process in outside:
            process.kill()
            process.wait()


def test_without_a_limit_the_bomb_goes_off(cell: Cell) -> None:
    """So that what ends it above is the limit."""
    assert cell.run(FORKS, Limits()).stdout == "started 300\n"
    assert cell.run(MEMORY, Limits()).stdout == "0\n"
    assert cell.run(FILES, Limits()).stdout == cell.run(OPEN, Limits(open_files=2000)).stdout == ""


def test_a_memory_bomb_is_ended_and_who_started_it_goes_on(cell: Cell) -> None:
    """The kernel takes the largest process. By hand nothing of the kind is to be had: who watches has to see to it."""
    done = cell.run(MEMORY)
    if "memory" in cell.group.holds:
        assert done.stdout == "-9\n", done
        assert cell.group.starved() >= 1
    else:
        assert (done.stdout, cell.group.starved()) == ("0\n", 0)


def test_no_file_grows_beyond_its_limit(cell: Cell) -> None:
    """Each of them; how much they are together is for who watches."""
    assert cell.run(FILES).stdout == "refused 27\n" * 3
    assert {file.stat().st_size for file in cell.workspace.iterdir()} == {LIMITS.file_bytes}


def test_no_process_opens_more_than_it_may(cell: Cell) -> None:
    """Neither can it raise that again."""
    assert cell.run(OPEN).stdout == "refused 24\n"
    raising = "import resource as r\ntry: r.setrlimit(r.RLIMIT_NOFILE, (999, 999))\nexcept ValueError: print('refused')"
    assert cell.run(raising).stdout == "refused\n"


def test_who_has_a_smaller_share_gets_one(cell: Cell) -> None:
    """By its group, and by how nice it is."""
    assert cell.run("import os; print(os.nice(0))").stdout == "3\n"
    if "cpu" in cell.group.folders:
        assert (Path(cell.group.folders["cpu"]) / "cpu.shares").read_text() == "512\n"
