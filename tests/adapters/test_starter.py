"""What is done around a sandbox while it starts: something is handed in, nothing runs early, its number is known."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.adapters.hosts.records import note
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount
from bandstand.ports.walls import Limits, Network
from bandstand.starter.handing import Start, confined
from bandstand.starter.hearing import let_in
from tests.adapters.holder_ground import RUN, Ground, eventually, grounded

PATIENCE_SECONDS = 30.0


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A host whose holders are ours."""
    with grounded(tmp_path) as ground:
        yield ground


def agent(folder: Path, script: str, *, network: Network = Network.NONE) -> Launch:
    """A command that may write to a folder, as an agent or a check is confined."""
    folder.mkdir(exist_ok=True)
    (folder / "home").mkdir(exist_ok=True)
    return BubblewrapSandbox("bwrap", folder, (), uid=ordinary_user()).confine(
        Confinement(
            argv=("/bin/sh", "-c", script),
            cwd=Path("/workspace"),
            environment={"PATH": "/usr/bin:/bin"},
            home=folder / "home",
            writable=(Mount(host=folder, inside=Path("/workspace")),),
            network=network,
        )
    )


def descriptors() -> set[str]:
    """What this process has open."""
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def begin(start: Start) -> "subprocess.Popen[bytes]":
    """The program of a start, with all that it inherits."""
    process = subprocess.Popen(
        start.argv, env={}, cwd="/", pass_fds=start.descriptors, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        preexec_fn=start.become,
    )  # fmt: skip
    start.begun()
    return process


def test_nothing_runs_inside_until_it_is_let_on(tmp_path: Path) -> None:
    """Its namespaces are there and can be entered from outside; the command itself begins when we say so."""
    launch = agent(tmp_path / "ws", "echo ran > mark")
    with Start(launch.argv, launch.orders) as start:
        process = begin(start)
        inside = start.inside(seconds=PATIENCE_SECONDS)
        own, its = (Path(f"/proc/{pid}/ns/net").readlink() for pid in ("self", inside))
        program = Path(f"/proc/{inside}/exe").readlink()
        began = (tmp_path / "ws" / "mark").exists()
        start.go_on()
        process.communicate(timeout=PATIENCE_SECONDS)
    assert (inside > 0, own != its, program.name, began) == (True, True, "bwrap", False)
    assert process.returncode == 0
    assert (tmp_path / "ws" / "mark").read_text() == "ran\n"


def test_who_has_an_event_loop_hears_the_same_number(tmp_path: Path) -> None:
    """Checks and git learn whom they confined without a thread."""
    launch = agent(tmp_path / "ws", "exit 3")

    async def body() -> tuple[int, int]:
        with Start(launch.argv, launch.orders) as start:
            process = begin(start)
            inside = await let_in(start)
            await asyncio.to_thread(process.communicate, None, PATIENCE_SECONDS)
        return inside, process.returncode

    inside, code = asyncio.run(body())
    assert inside > 0
    assert code == 3


def test_what_is_handed_in_is_read_from_a_descriptor() -> None:
    """All of it, behind its option; and nothing of ours stays open in the program or in us."""
    content = bytes(range(256)) * 16
    orders = Launch(argv=("x",), cwd=Path("/"), environment={}, handed={"--data": content}).orders
    before = descriptors()
    script = "import os, sys; sys.stdout.buffer.write(os.read(int(sys.argv[2]), 99999)); print(sys.argv[1], end='')"
    with Start((sys.executable, "-I", "-S", "-c", script), orders) as start:
        argv = (*start.argv[:1], *start.argv[3:], *start.argv[1:3])
        process = subprocess.Popen(argv, pass_fds=start.descriptors, stdout=subprocess.PIPE)
        start.begun()
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert said == content + b"--data"
    assert descriptors() == before


def test_a_program_that_ends_before_it_confined_anybody_keeps_nobody_waiting() -> None:
    """Its exit status says what was wrong."""
    launch = Launch(argv=("bwrap", "--no-such-option", "true"), cwd=Path("/"), environment={}, announces=True)

    async def body(start: Start) -> int:
        return await let_in(start)

    for hear in (lambda start: start.inside(seconds=PATIENCE_SECONDS), lambda start: asyncio.run(body(start))):
        with Start(launch.argv, launch.orders) as start:
            process = subprocess.Popen(start.argv, pass_fds=start.descriptors, stderr=subprocess.PIPE)
            start.begun()
            assert hear(start) == 0
            start.go_on()
            _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 1
        assert b"no-such-option" in said


@pytest.mark.parametrize("words", [b"", b"{}", b"[]", b"null", b'{"child-pid": "x"}', b'{"child-pid": 1'])
def test_words_that_name_nobody_are_nobody(words: bytes) -> None:
    """A program that says something else has confined nobody that we know."""
    assert confined(words) == 0


def test_orders_of_a_plain_program_are_empty() -> None:
    """A holder of a version that knows nothing of them starts it as ever; only what is wanted is said."""
    plain = Launch(argv=("true",), cwd=Path("/"), environment={})
    walled = Launch(
        argv=("true",),
        cwd=Path("/"),
        environment={},
        handed={"--seccomp": b"\x06\x00"},
        announces=True,
        network=Network.PROXIED,
        limits=Limits(memory_bytes=1 << 30, processes=100),
    )
    assert plain.orders == {}
    assert walled.orders == {
        "handed": {"--seccomp": "0600"},
        "announces": True,
        "network": "proxied",
        "limits": {"memory_bytes": 1 << 30, "processes": 100},
    }


def test_a_holder_notes_whom_its_sandbox_confined(ground: Ground, tmp_path: Path) -> None:
    """Who adopts the run finds its namespaces by the number, as the holder's own namespace has it."""

    async def body() -> None:
        launch = agent(tmp_path / "ws", "readlink /proc/self/ns/net > net; cat")
        await ground.host.start(RUN, launch)
        seen = tmp_path / "ws" / "net"
        await eventually(lambda: seen.exists() and seen.read_text() != "", "the agent runs")
        first = (await ground.journal())[0]
        inside = note(first)["inside"]
        its = seen.read_text().strip()
        assert inside > 0
        assert its in {link for pid, link in nets() if numbered(pid, inside)}

    ground.play(body())


def nets() -> Iterator[tuple[int, str]]:
    """The network of every process that we may look at."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), str((entry / "ns" / "net").readlink())


def numbered(pid: int, number: int) -> bool:
    """Whether some namespace knows a process by this number."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return str(number) in next(line for line in status.splitlines() if line.startswith("NSpid")).split()[1:]
