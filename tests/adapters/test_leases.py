"""Leases as files: unique among workspaces that live, the same after a restart, gone with the workspace."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bandstand.adapters.leases import FileLeases
from bandstand.domain.errors import Unavailable
from bandstand.domain.ids import RepositoryId
from bandstand.domain.lease import Blocks, Lease

FEW = Blocks(first=20_000, last=20_059, count=10)
NAMES = ["docs", "docs.review.1", "check.docs.1", "check-docs.1", "Docs", "ä"]


class Machine:
    """The workspaces of some repositories, and a daemon of theirs."""

    def __init__(self, folder: Path, blocks: Blocks = FEW) -> None:
        self.folder = folder
        self.blocks = blocks

    def leases(self, repository: str) -> FileLeases:
        """Those of a repository, as a daemon that was just started has them."""
        return FileLeases(
            self.folder / "leases",
            repository=RepositoryId(repository),
            root=self.workspaces,
            blocks=lambda: self.blocks,
        )

    def workspaces(self, repository: str) -> Path:
        """Where those of a repository are."""
        return self.folder / repository / "workspaces"

    def make(self, repository: str, name: str) -> None:
        """A workspace is made."""
        (self.workspaces(repository) / name).mkdir(parents=True, exist_ok=True)

    def remove(self, repository: str, name: str) -> None:
        """A workspace goes."""
        shutil.rmtree(self.workspaces(repository) / name)

    def take(self, repository: str, name: str) -> Lease:
        """The lease of a workspace."""
        return asyncio.run(self.leases(repository).take(name))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with room for six leases."""
    yield Machine(tmp_path)


class Leasing(RuleBasedStateMachine):
    """Workspaces come and go, daemons die, and somebody changes how many ports a workspace has."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Machine(Path(tempfile.mkdtemp(prefix="bs-")))
        self.held: dict[tuple[str, str], Lease] = {}

    @rule(repository=st.sampled_from(["a", "b"]), name=st.sampled_from(NAMES))
    def take(self, repository: str, name: str) -> None:
        """A workspace is made, or is there, and its lease is wanted."""
        self.machine.make(repository, name)
        try:
            lease = self.machine.take(repository, name)
        except Unavailable:
            assert (repository, name) not in self.held
            self.machine.remove(repository, name)
            return
        assert self.held.setdefault((repository, name), lease) == lease
        assert asyncio.run(self.machine.leases(repository).of(name)) == lease

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """A workspace goes."""
        if self.held:
            gone = data.draw(st.sampled_from(sorted(self.held)))
            del self.held[gone]
            self.machine.remove(*gone)

    @rule(count=st.sampled_from([3, 10, 20]))
    def change(self, count: int) -> None:
        """From now on a workspace has other blocks; those that are leased stay."""
        self.machine.blocks = Blocks(first=FEW.first, last=FEW.last, count=count)

    @rule()
    def die(self) -> None:
        """A daemon dies while it writes a lease: what it was about to give away is nobody's."""
        (self.machine.folder / "leases").mkdir(exist_ok=True)
        (self.machine.folder / "leases" / "draft").write_text("{")

    @invariant()
    def nobody_shares(self) -> None:
        """No port, no project and no database is of two workspaces that live."""
        ports = [port for lease in self.held.values() for port in range(lease.base, lease.base + lease.count)]
        assert len(ports) == len(set(ports))
        assert all(FEW.first <= port <= FEW.last for port in ports)
        for names in ({one.project for one in self.held.values()}, {one.database for one in self.held.values()}):
            assert len(names) == len(self.held)

    def teardown(self) -> None:
        """Nothing stays."""
        shutil.rmtree(self.machine.folder)


TestLeasing = Leasing.TestCase
TestLeasing.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


def test_many_take_at_once(tmp_path: Path) -> None:
    """From several daemons, and from several threads of each: everybody has a block of their own."""
    machine = Machine(tmp_path, Blocks(first=20_000, last=21_999, count=10))
    names = [(repository, f"t{number}") for repository in ("a", "b") for number in range(40)]
    for one in names:
        machine.make(*one)

    async def body() -> list[Lease]:
        return await asyncio.gather(*(machine.leases(repository).take(name) for repository, name in names))

    leases = asyncio.run(body())
    assert len({lease.base for lease in leases}) == len(names)
    assert asyncio.run(body()) == leases


def test_when_all_are_taken_it_is_said_what_to_do(machine: Machine) -> None:
    """And the next workspace that goes makes room."""
    for number in range(6):
        machine.make("a", f"t{number}")
        machine.take("a", f"t{number}")
    machine.make("a", "more")
    with pytest.raises(Unavailable, match="No block of 10 ports is free between 20000 and 20059") as full:
        machine.take("a", "more")
    assert "[ports]" in full.value.hint
    machine.remove("a", "t3")
    assert machine.take("a", "more").base in range(20_000, 20_060, 10)


def test_a_port_that_somebody_has_is_not_given_away(tmp_path: Path) -> None:
    """Whoever it is: the program of another user, say."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        machine = Machine(tmp_path, Blocks(first=port, last=port, count=1))
        machine.make("a", "docs")
        with pytest.raises(Unavailable):
            machine.take("a", "docs")


def test_a_lease_that_cannot_be_read_is_nobodys(machine: Machine) -> None:
    """A power cut may leave anything: it keeps no block from being given away."""
    for number in range(6):
        machine.make("a", f"t{number}")
        machine.take("a", f"t{number}")
    (file,) = (file for file in (machine.folder / "leases").iterdir() if '"a/t2"' in file.read_text(errors="replace"))
    file.write_text("")
    again = machine.take("a", "t2")
    assert str(again.base) == file.name


def test_names_fit_where_they_are_used() -> None:
    """Docker Compose takes lower-case letters, digits and hyphens; databases 63 letters, digits and underscores."""
    for name in (*NAMES, "x" * 100, "---"):
        lease = Lease(workspace=name, base=20_010, count=10)
        assert lease.environment == {
            "BAND_PORT_BASE": "20010",
            "BAND_PORT_COUNT": "10",
            "COMPOSE_PROJECT_NAME": lease.project,
            "BAND_DATABASE": lease.database,
        }
        assert lease.project.replace("-", "").isalnum() and lease.project.isascii() and lease.project.islower()
        assert lease.database.replace("_", "").isalnum() and len(lease.database) <= 63
