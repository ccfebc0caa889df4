"""Launches started as our own code starts them, for tests that look at what a sandbox does."""

import subprocess
from collections.abc import Sequence

from bandstand.ports.hosts import Launch
from bandstand.starter.groups import Group
from bandstand.starter.handing import Start


def run(
    launch: Launch,
    *,
    before: Sequence[str] = (),
    terminal: int | None = None,
    seconds: float = 60.0,
    group: Group | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a launch to its end, behind a program that leads to it or at a terminal if one is given."""
    with Start(launch.argv, launch.orders, group=group) as start:
        start.make_ready()
        process = subprocess.Popen(
            (*before, *start.argv),
            cwd=launch.cwd,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            text=True,
            errors="replace",
            pass_fds=start.descriptors,
            preexec_fn=start.become,
        )
        start.begun()
        try:
            start.inside(seconds=seconds)
            start.go_on()
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
            process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
