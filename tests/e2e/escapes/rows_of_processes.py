"""Rows of the escape table: other processes, and those that stay behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.escapes.attempt import Attempt, Control, arrived, granted
from tests.e2e.escapes.ground import Ground

NAMESPACE = "process namespace: the process is not there inside"
SET_ID = ("/usr/bin/su", "/bin/su", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/mount", "/usr/bin/sudo")


def reads(name: str, program: str, words: Callable[[Ground], dict[str, Any]], **more: Any) -> Attempt:
    """A secret is read that another process has."""
    return Attempt(
        name=name,
        program=program,
        words=lambda ground, _: words(ground),
        told=arrived,
        **{"holds": NAMESPACE, "control": Control.PLAIN, **more},
    )


def of_bystander(ground: Ground, *names: str) -> dict[str, Any]:
    """What is known of the bystander."""
    return {name: ground.facts[name] for name in names}


def _signalled(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    return ground.came(f"signal of {who}")


def _stays(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    return stayed(ground, who) != []


def stayed(ground: Ground, who: str = "") -> list[int]:
    """What was left behind and lives."""
    name = f"{ground.mark}-stays-{who}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(name):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _beside(path: str) -> Callable[[Ground], dict[str, Any]]:
    return lambda ground: {"path": f"/proc/{ground.facts['pid']}/{path}"}


ROWS = (
    Attempt(
        name="see the daemon",
        program="processes.command",
        words=lambda ground, _: {"word": "bandstand daemon", "token": ground.mark},
        told=granted,
        holds=NAMESPACE,
        control=Control.PLAIN,
    ),
    Attempt(
        name="signal a process of the person's",
        program="processes.signal",
        words=lambda ground, _: {"pid": ground.facts["pid"], "number": "WHO", "numbers": ground.facts["signals"]},
        told=_signalled,
        holds=NAMESPACE,
        control=Control.PLAIN,
    ),
    Attempt(
        name="trace a process of the person's",
        program="processes.trace",
        words=lambda ground, _: {"pid": ground.facts["pid"], "token": ground.mark},
        told=granted,
        holds=NAMESPACE,
        control=Control.PLAIN,
    ),
    reads("read a process's memory", "processes.memory", lambda g: of_bystander(g, "pid", "address", "size")),
    reads("read a process's environment", "files.read", _beside("environ")),
    reads(
        "read a key through the root of a process",
        "files.read",
        lambda g: {"path": f"/proc/{g.facts['pid']}/root{g.plant(g.stage.home / '.ssh' / 'rooted')}"},
    ),
    reads(
        "read a key through the folder of a process",
        "files.read",
        lambda g: {"path": f"/proc/{g.facts['pid']}/cwd/{Path(g.plant(g.outside / 'beside')).name}"},
    ),
    reads(
        "take over a file that a process has open",
        "processes.descriptor",
        lambda g: {"pid": g.facts["pid"], "number": g.facts["descriptor"]},
    ),
    reads(
        "find a variable in the environment of any process",
        "processes.find",
        lambda g: {"word": f"{g.stage.variable}="},
    ),
    reads(
        "read the environment of the first process",
        "files.read",
        lambda g: {"path": "/proc/1/environ"},
        holds="bubblewrap is started with the environment of the order, and no other",
        control=Control.DIRTY,
    ),
    reads(
        "read files that were left open",
        "processes.inherited",
        lambda g: {},
        holds="descriptors: a run inherits three, and bubblewrap closes its own",
    ),
    Attempt(
        name="outlive the run",
        program="processes.stay",
        words=lambda ground, _: {"name": f"{ground.mark}-stays-WHO"},
        told=_stays,
        holds="process namespace: it ends with its first process",
        control=Control.PLAIN,
    ),
    Attempt(
        name="become root by a program that is root's",
        program="processes.gain",
        words=lambda ground, _: {"programs": list(SET_ID), "token": ground.mark},
        told=granted,
        holds="no new privileges; owners of the system's files are nobody inside",
        control=Control.ORDINARY,
    ),
)
BOMBS = (
    Attempt(
        name="have more processes at once than a run may",
        program="processes.multiply",
        words=lambda ground, _: {"count": 600, "token": ground.mark},
        told=granted,
        holds="a limit on processes: by the control group, or counted by the kernel for the namespace",
        control=Control.UNLIMITED,
    ),
    Attempt(
        name="fill the disk by one file",
        program="files.grow",
        words=lambda ground, _: {"path": "filler-WHO", "megabytes": 12, "token": ground.mark},
        told=granted,
        holds="a limit on the size of a file, which nobody inside may raise",
        control=Control.UNLIMITED,
    ),
)
