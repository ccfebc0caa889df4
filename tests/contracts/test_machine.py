"""What every machine promises; and how the real one is read."""

from pathlib import Path

import pytest

from bandstand.adapters.machine import LinuxMachine
from bandstand.domain.admission import Disk, Memory, Pressure
from bandstand.ports.machine import Machine
from bandstand.testing.machine import FakeMachine

MB = 1_000_000
KILO = 1024


@pytest.fixture(params=["fake", "linux"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """A machine of each kind."""
    return FakeMachine(8_000 * MB) if request.param == "fake" else LinuxMachine()


def test_there_is_less_available_than_there_is(machine: Machine) -> None:
    """And something of both."""
    memory = machine.memory()
    assert memory is not None
    assert 0 < memory.available <= memory.total


def test_a_machine_need_not_tell(tmp_path: Path) -> None:
    """The fake that was given nothing, and a system without this `proc`."""
    assert FakeMachine().memory() is None
    assert LinuxMachine(proc=tmp_path).memory() is None


class Written:
    """The files of a machine with 16 GB, of which 8 are available, as a test writes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file("proc/meminfo", f"MemTotal: {16_000_000} kB\nMemFree: 5 kB\nMemAvailable: {8_000_000} kB\n")

    def file(self, name: str, text: str) -> None:
        """One file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def group(self, path: str, *, most: str, used: int, idle: int = 0) -> None:
        """A control group of version 2."""
        for name, text in (("max", most), ("current", str(used)), ("stat", f"anon 1\ninactive_file {idle}")):
            self.file(f"groups/{path}/memory.{name}", f"{text}\n")

    def memory(self) -> Memory | None:
        """What is read from them."""
        return LinuxMachine(proc=self.root / "proc", groups=self.root / "groups").memory()


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Such a machine."""
    return Written(tmp_path)


WHOLE = Memory(available=8_000_000 * KILO, total=16_000_000 * KILO)


def test_a_machine_without_control_groups_is_ours_alone(written: Written) -> None:
    """Whether they are not there, or set no limit."""
    assert written.memory() == WHOLE
    written.file("proc/self/cgroup", "0::/user/session\n")
    assert written.memory() == WHOLE
    written.group("user/session", most="max", used=5)
    assert written.memory() == WHOLE


def test_the_tightest_group_counts(written: Written) -> None:
    """Whichever above us it is; pages of files that nobody used for a while are as good as free."""
    written.file("proc/self/cgroup", "0::/user/session\n")
    written.group("user", most=str(3_000 * MB), used=2_500 * MB, idle=500 * MB)
    written.group("user/session", most=str(4_000 * MB), used=1_000 * MB)
    assert written.memory() == Memory(available=1_000 * MB, total=3_000 * MB)
    written.group("user/session", most=str(4_000 * MB), used=5_000 * MB)
    assert written.memory() == Memory(available=0, total=3_000 * MB)


def test_groups_of_version_1_are_read_too(written: Written) -> None:
    """A limit that is none is a huge number there."""
    written.file("proc/self/cgroup", "5:cpu:/x\n4:memory:/x\n0::/\n")
    for name, text in (("limit_in_bytes", 2_000 * MB), ("usage_in_bytes", 1_500 * MB)):
        written.file(f"groups/memory/x/memory.{name}", f"{text}\n")
    written.file("groups/memory/x/memory.stat", f"cache 7\ntotal_inactive_file {200 * MB}\n")
    assert written.memory() == Memory(available=700 * MB, total=2_000 * MB)
    written.file("groups/memory/x/memory.limit_in_bytes", "9223372036854771712\n")
    assert written.memory() == WHOLE


def test_a_disk_tells_its_room(machine: Machine, tmp_path: Path) -> None:
    """That of any folder that is there; of one that is not, nothing."""
    if isinstance(machine, FakeMachine):
        machine.disks[str(tmp_path)] = Disk(path=str(tmp_path), free=1, total=2)
    disk = machine.disk(str(tmp_path))
    assert disk is not None
    assert 0 <= disk.free <= disk.total
    assert disk.path == str(tmp_path)
    assert machine.disk(str(tmp_path / "none")) is None


def test_pressure_is_read_as_the_kernel_tells_it(tmp_path: Path) -> None:
    """The share of the last ten seconds in which nothing went on at all; a kernel without PSI tells none."""
    machine = LinuxMachine(proc=tmp_path)
    assert machine.pressure() is None
    (tmp_path / "pressure").mkdir()
    for name, full in (("memory", "12.50"), ("io", "0.25")):
        some = "some avg10=99.00 avg60=1.00 avg300=1.00 total=5\n"
        (tmp_path / "pressure" / name).write_text(f"{some}full avg10={full} avg60=2.00 avg300=0.00 total=1\n")
    assert machine.pressure() == Pressure(memory=12.5, disk=0.25)
