"""Control groups: what is made where, what it holds, and what it does to the processes in it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from bandstand.starter import groups
from bandstand.starter.groups import Group

PATIENCE_SECONDS = 30.0
LIMITS = {"memory_bytes": 100 << 20, "processes": 20, "cpu_weight": 50}
HOG = "import sys, time\nheld = bytearray(60 << 20)\nprint('held', flush=True)\ntime.sleep(60)"
BOMB = "held = []\nwhile True:\n    held.append(bytearray(8 << 20))"


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    event = Event()
    while not condition():
        assert time.monotonic() < deadline, f"In vain: {what}."
        event.wait(0.01)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """A group with limits, as far as this user may make one here; nothing is left of it."""
    made = Group.at(f"band-test-{os.getpid()}-{abs(hash(str(tmp_path)))}")
    made.begin(LIMITS)
    yield made
    made.thaw()
    made.kill()
    eventually(made.remove, "the group goes")


@contextlib.contextmanager
def inside(group: Group, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A program in a group."""
    process = subprocess.Popen(words, preexec_fn=group.enter, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        group.kill()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_group_takes_in_what_enters_it_and_all_that_this_starts(group: Group) -> None:
    """Also what has a session of its own, which no signal to a process group reaches, is killed with it."""
    script = "setsid sleep 60 & echo $!; exec sleep 60"
    with inside(group, "sh", "-c", script) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert not group.folders or {process.pid, child} <= set(group.pids())
        group.kill()
        if group.folders:
            assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
            eventually(lambda: not group.pids(), "the child dies, too")
        else:
            os.kill(child, signal.SIGKILL)


def test_what_is_frozen_stands_still_and_can_be_killed(group: Group) -> None:
    """A crash of who froze it leaves nothing that cannot be ended."""
    counting = "import itertools\nfor n in itertools.count():\n    print(n, flush=True)"
    with inside(group, sys.executable, "-c", counting) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        assert group.freeze() is group.frozen is ("unified" in group.folders)
        group.kill()
        if group.folders:
            assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL


def test_memory_is_counted_and_ends_what_takes_too_much(group: Group) -> None:
    """The kernel says how often it had to."""
    if "memory" not in group.holds:
        assert (group.used(), group.may_use(), group.starved()) == (None, None, 0)
        return
    assert group.may_use() == LIMITS["memory_bytes"]
    with inside(group, sys.executable, "-c", HOG) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        used = group.used()
        assert used is not None
        assert 60 << 20 <= used < LIMITS["memory_bytes"]
        assert group.starved() == 0
        with inside(group, sys.executable, "-c", BOMB) as bomb:
            assert bomb.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        assert group.starved() >= 1


def test_a_limit_is_raised_and_lowered_while_it_holds(group: Group) -> None:
    """In either direction, although of two limits of version 1 neither may pass the other."""
    for size in (300 << 20, 80 << 20, 200 << 20):
        group.allow({"memory_bytes": size})
        assert group.may_use() == (size if "memory" in group.holds else None)


def test_processes_are_counted(group: Group) -> None:
    """Beyond the limit none is started, and nobody else is kept from it."""
    script = "for n in $(seq 60); do sleep 60 & done 2>/dev/null; wait"
    if "processes" in group.holds:
        with inside(group, "bash", "-c", script):
            eventually(lambda: len(group.pids()) == LIMITS["processes"], "as many as may be are there")
            assert subprocess.run(["true"], check=True).returncode == 0


def test_a_group_may_be_begun_and_removed_again(group: Group) -> None:
    """Whoever comes later finds it by where it is."""
    later = Group(group.folders)
    later.begin(LIMITS)
    assert later.remove()
    assert later.remove()
    assert (later.used(), later.starved(), later.pids(), later.frozen) == (None, 0, [], False)


def write(folder: Path, **files: str) -> None:
    """Files as the kernel shows them; `_` in a name stands for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    """A machine with version 2 only, as it is shown below a folder: our own group has processes, two above it none."""
    top = tmp_path / "cgroup"
    for folder in (top, top / "user", top / "user" / "app", top / "user" / "app" / "shell"):
        write(folder, cgroup_procs="", cgroup_controllers="cpu io memory pids", cgroup_subtree_control="")
    write(top / "user", cgroup_subtree_control="memory pids")
    (tmp_path / "mounts").write_text(f"30 20 0:26 / {top} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n")
    (tmp_path / "own").write_text("0::/user/app/shell\n")
    return top


def test_with_version_2_the_nearest_group_that_can_limit_is_used(tmp_path: Path, unified: Path) -> None:
    """Our own has processes in it, and the kernel then lets nothing be limited below."""
    for folder in ("user/app/shell", "user/app"):
        (unified / folder / "cgroup.subtree_control").unlink()
        (unified / folder / "cgroup.subtree_control").mkdir()  # nothing can be written there
    found = groups.found(mounts=str(tmp_path / "mounts"), own=str(tmp_path / "own"))
    assert found == {"unified": str(unified / "user")}


def test_with_version_2_limits_are_asked_for(tmp_path: Path, unified: Path) -> None:
    """Where a group may limit what is below it, and does not yet."""
    found = groups.found(mounts=str(tmp_path / "mounts"), own=str(tmp_path / "own"))
    assert found == {"unified": str(unified / "user/app/shell")}
    assert (unified / "user/app/shell/cgroup.subtree_control").read_text().startswith("+")


def test_with_version_2_a_group_has_its_files(tmp_path: Path) -> None:
    """What is slowed down near its limit is so only until somebody lets it go on."""
    place = tmp_path / "band-x"
    write(place, memory_max="max", memory_high="max", memory_swap="", pids_max="max", cpu_weight="100")
    (place / "memory.swap.max").write_text("max")
    group = Group.at("band-x", places={"unified": str(tmp_path)})
    group.begin({"memory_bytes": 1000, "processes": 7, "cpu_weight": 50})
    assert group.holds == {"memory", "processes", "cpu"}
    told = {file.name: file.read_text()[:3] for file in place.iterdir()}
    assert told["memory.max"].startswith("100")
    assert (place / "memory.high").read_text().startswith("950")
    assert (place / "memory.swap.max").read_text().startswith("0")
    assert (place / "pids.max").read_text().startswith("7")
    assert (place / "cpu.weight").read_text().startswith("50")
    group.allow({"memory_bytes": 1000}, unasked=True)
    assert (place / "memory.high").read_text().startswith("max")
    write(place, memory_current="5000", memory_stat="anon 1\ninactive_file 1000\n", memory_events="oom 2\noom_kill 1\n")
    assert (group.used(), group.starved()) == (4000, 1)


def test_a_machine_without_groups_has_none(tmp_path: Path) -> None:
    """Then nothing is made, and nothing holds."""
    group = Group.at("band-x", places=groups.found(mounts=str(tmp_path / "none"), own=str(tmp_path / "none")))
    group.begin(LIMITS)
    group.enter()
    group.kill()
    assert (group.folders, group.holds, group.freeze(), group.remove()) == ({}, frozenset(), False, True)


def test_where_only_a_part_of_a_hierarchy_is_mounted_paths_are_below_it(tmp_path: Path) -> None:
    """As in a container, whose own group is the top of what it sees."""
    (tmp_path / "memory/inner").mkdir(parents=True)
    mounts = f"31 20 0:27 /docker/abc {tmp_path}/memory rw - cgroup cgroup rw,memory\n"
    (tmp_path / "mounts").write_text(mounts)
    for own, found in (("/docker/abc/inner", {"memory": f"{tmp_path}/memory/inner"}), ("/elsewhere", {})):
        (tmp_path / "own").write_text(f"4:memory:{own}\n")
        assert groups.found(mounts=str(tmp_path / "mounts"), own=str(tmp_path / "own")) == found
