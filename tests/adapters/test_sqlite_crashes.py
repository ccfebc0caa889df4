"""What the log in SQLite promises when processes are killed and disks are full or cannot be written."""

import asyncio
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from bandstand.domain.ids import RepositoryId
from tests.adapters.sqlite_programs import WRITERS, program, read, write

DEADLINE_SECONDS = 60


def walled(*words: str) -> list[str]:
    """A command in which everything is read-only, whoever runs it, but what `words` begin with."""
    bwrap = shutil.which("bwrap")
    assert bwrap is not None, "bwrap is needed for a disk that cannot be written: install bubblewrap"
    return [bwrap, "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *words]


def said_by(command: list[str]) -> list[str]:
    """The lines that a program says before it ends well."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.parametrize("acknowledged", [1, 40, 300])
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, acknowledged: int) -> None:
    """A writer is killed in the middle of its work: each append that had returned is there, and none by half."""
    path = tmp_path / "state" / "log.db"
    heads = dict.fromkeys((str(number) for number in range(WRITERS)), 0)
    with subprocess.Popen(program("write", str(path)), stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(acknowledged)]
        finally:
            writer.send_signal(signal.SIGKILL)
            lines += writer.stdout.readlines() if writer.stdout is not None else []
    whole = [line for line in lines if line.endswith("\n")]
    assert len(whole) >= acknowledged, "the writer ended by itself"
    for line in whole:
        name, said = line.split()
        heads[name] = max(heads[name], int(said))
    for name, version in heads.items():
        there = asyncio.run(read(path, RepositoryId(name)))
        assert len(there) >= version, f"{version} facts of {name} were acknowledged and {len(there)} are there"
        assert len(there) % 2 == 0, "an append of two facts was written by half"
        assert there == [f"{name} {number}" for number in range(len(there))]


def test_a_killed_writer_is_followed_by_another_one(tmp_path: Path) -> None:
    """Nothing has to be repaired by hand: the next process opens the log and goes on behind the last fact."""
    path = tmp_path / "log.db"
    with subprocess.Popen(program("write", str(path)), stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline()
        finally:
            writer.kill()
    before = asyncio.run(read(path, RepositoryId("0")))
    asyncio.run(write(path, "on it goes", repository=RepositoryId("0")))
    assert asyncio.run(read(path, RepositoryId("0"))) == [*before, "on it goes"]


def test_several_processes_may_make_the_same_log_at_once(tmp_path: Path) -> None:
    """One of them makes it, and all of them can use it."""
    path = tmp_path / "state" / "log.db"
    openers = [
        subprocess.Popen(program("look", str(path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        answers = [opener.communicate(timeout=DEADLINE_SECONDS) for opener in openers]
    finally:
        for opener in openers:
            opener.kill()
            opener.wait()
    assert answers == [("0 facts\n", "")] * 4


@pytest.mark.parametrize("closed", [True, False])
def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path, closed: bool) -> None:
    """A new log cannot be made there, an old one is not opened, whether or not it was closed in order."""
    path = tmp_path / "log.db"
    asyncio.run(write(path, "hello"))
    if not closed:
        with subprocess.Popen(program("write", str(path)), stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline()
            writer.kill()
    content = {beside: beside.read_bytes() for beside in tmp_path.iterdir()}
    for file in (path, tmp_path / "new" / "log.db"):
        (line,) = said_by([*walled(), *program("look", str(file))])
        assert line == f"Unavailable: The disk of {file} can only be read."
    assert {beside: beside.read_bytes() for beside in tmp_path.iterdir()} == content


def test_a_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    """What was acknowledged before is there, and with room again the log goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [*walled("--size", str(2**20), "--tmpfs", str(disk)), *program("fill", str(disk))]
    told, kept, went_on = said_by(command)
    assert told.startswith(f"Unavailable: There is no room on the disk for {disk / 'log.db'}.")
    assert kept == "all acknowledged facts are there"
    assert went_on == "with room again it goes on"
