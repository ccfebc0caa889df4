"""What walls cost: the start of a sandbox over that of the bare command, and the end of a hundred of them at once.

A sandbox is one as an agent gets it: its namespaces, a network of its own, the filter of system calls, and where this
is root the change to an ordinary user; with the handshake by which whoever starts it learns whom it confined.
"""

import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement, Mount
from bandstand.ports.walls import Network
from bandstand.starter.handing import Start
from benchmarks.figures import Figure, Findings, Found, Judged

TIMES, CROWD, CROWDS = 60, 100, 3
PATIENCE_SECONDS = 30.0
# A shell, its child, one that left its session and its group, and an orphan: none of them a child of who is killed.
_BUSY, _IN_IT = "sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &) ; echo; wait", 4
_ALONE = "echo; exec sleep 1000"
FIGURES = (
    Figure(
        key="walls.start",
        title="A sandbox, from its start to the end of `true` in it",
        unit="ms",
        floor="`true`, bare",
        judged=Judged.DIFFERENCE,
        target=15,
    ),
    Figure(key="walls.cpu", title="The same: processor time", unit="ms", floor="`true`, bare"),
    Figure(
        key="walls.kill",
        title=f"{CROWD} sandboxes with {_IN_IT} processes in each are killed: until nothing of them is left",
        unit="s",
        floor="as many bare processes, each killed by its number",
        target=1,
    ),
)


def measure() -> Findings:
    """Starts in turns, ours and bare ones; then the end of a crowd, several times."""
    with _places() as (confined, bare):
        starts = [(_started(bare("true")), _started(confined("true"))) for _ in range(TIMES)][1:]
        kills = [(_killed(bare(_ALONE), CROWD * _IN_IT), _killed(confined(_BUSY), CROWD)) for _ in range(CROWDS)]
    return {
        "walls.start": Found(
            floor=tuple(floor[0] for floor, _ in starts), ours=tuple(ours[0] for _, ours in starts), note=_whose()
        ),
        "walls.cpu": Found(floor=tuple(floor[1] for floor, _ in starts), ours=tuple(ours[1] for _, ours in starts)),
        "walls.kill": Found(floor=tuple(floor for floor, _ in kills), ours=tuple(ours for _, ours in kills)),
    }


def _whose() -> str:
    uid = ordinary_user()
    return f"root becomes user {uid} first" if uid is not None else "as an ordinary user"


@contextmanager
def _places() -> Iterator[tuple[Callable[[str], Launch], Callable[[str], Launch]]]:
    """What makes launches of a shell's words: in a sandbox with a workspace and a home, and bare."""
    with tempfile.TemporaryDirectory(prefix="band-walls-") as name:
        root = Path(name)
        for folder in ("workspace", "home"):
            (root / folder).mkdir()
        sandbox = BubblewrapSandbox("bwrap", root, (), uid=ordinary_user())
        workspace = Path("/workspace")

        def confined(words: str) -> Launch:
            return sandbox.confine(
                Confinement(
                    argv=("/bin/sh", "-c", words),
                    cwd=workspace,
                    environment={"PATH": "/usr/bin:/bin"},
                    home=root / "home",
                    writable=(Mount(host=root / "workspace", inside=workspace),),
                    network=Network.NONE,
                )
            )

        def bare(words: str) -> Launch:
            return Launch(argv=("/bin/sh", "-c", words), cwd=root, environment={"PATH": "/usr/bin:/bin"})

        yield confined, bare


def _started(launch: Launch) -> tuple[float, float]:
    """How long it took to its end, and the processor time for it, ours included; in ms."""
    used, begun = _used(), time.perf_counter()
    process = _begin(launch, subprocess.DEVNULL)
    process.wait()
    took = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{launch.argv[0]} ended with {process.returncode}")
    return took * 1000, (_used() - used) * 1000


def _used() -> float:
    """Our processor time, and that of all that we have waited for."""
    ours, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + theirs.ru_utime + theirs.ru_stime


def _killed(launch: Launch, count: int) -> float:
    """How long it takes, from the first kill, until nothing of so many launches is left; in s.

    All that is in them has the same pipe open, so the end of that is theirs.
    """
    reading, writing = os.pipe()
    crowd = [_begin(launch, writing) for _ in range(count)]
    os.close(writing)
    said = 0
    while said < count:
        said += len(os.read(reading, count))
    begun = time.perf_counter()
    for one in crowd:
        os.kill(one.pid, signal.SIGKILL)
    while os.read(reading, count):
        pass
    took = time.perf_counter() - begun
    os.close(reading)
    for one in crowd:
        one.wait()
    return took


def _begin(launch: Launch, output: int) -> "subprocess.Popen[bytes]":
    with Start(launch.argv, launch.orders) as start:
        start.make_ready()
        process = subprocess.Popen(
            start.argv,
            cwd=launch.cwd,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            pass_fds=start.descriptors,
            preexec_fn=start.become,
        )
        start.begun()
        if launch.announces and not start.inside(seconds=PATIENCE_SECONDS):
            raise RuntimeError("a sandbox does not say whom it confined")
        start.go_on()
    return process
