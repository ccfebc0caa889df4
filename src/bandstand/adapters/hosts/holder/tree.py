"""The agent and all its offspring: how they begin, and how a signal reaches every one of them."""
# ruff: noqa: PTH123, PTH208 - pathlib would be a tenth of the start of a process that every run starts

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess

from bandstand.egress.gate import Gate
from bandstand.starter.groups import Group
from bandstand.starter.handing import Start

TYPE_CHECKING = False  # see `loop`
if TYPE_CHECKING:
    from typing import Any

GROUP = "group"  # the file in which it stands where the agent's control group is
ANNOUNCED = 15.0  # seconds within which the sandbox says which process it confined


def set_process_option(option: int, value: int) -> None:
    """Call prctl(2)."""
    __import__("ctypes").CDLL(None).prctl(option, value)  # the usual holder does without


def adopt_orphans() -> None:
    """Be the new parent of whatever below us loses its own; the first process of a namespace is anyway."""
    if os.getpid() != 1:
        set_process_option(36, 1)  # PR_SET_CHILD_SUBREAPER


def signal_tree(number: int, *, spare: str = "") -> None:
    """Send a signal to every process below us but those of one name."""
    known: dict[int, list[tuple[int, str]]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
            name, _, rest = file.read().rpartition(")")
            known.setdefault(int(rest.split()[1]), []).append((int(entry), name.partition("(")[2]))
    below = known.get(os.getpid(), [])
    for pid, name in below:
        below += known.get(pid, [])
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number if name != spare else 0)


def kill_tree() -> None:
    """Send SIGKILL to every process below us. To be repeated until none is left: one may be forking."""
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    else:
        signal_tree(signal.SIGKILL)


def own_group(spec: dict[str, Any]) -> Group:
    """The control group that the agent is to be in. Where it will be is kept first, for whoever comes after us."""
    group = Group.at(spec["group"]) if spec.get("group") else Group({})
    with open(GROUP, "w", encoding="utf-8") as file:
        json.dump(group.folders, file)
    return group


def spawn(spec: dict[str, Any], umask: int, group: Group) -> tuple[subprocess.Popen[bytes], int, Gate | None]:
    """The agent, started in its group, the process that its sandbox confined, or 0, and the proxy of that, if any.

    It inherits nothing: Popen resets SIGPIPE and SIGXFSZ, exec resets what we handle.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())

    pipe = subprocess.PIPE
    with Start(spec["argv"], spec.get("start", {}), group=group) as start:
        start.make_ready()

        def prepare() -> None:
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("500")  # when memory runs out the agent has to go, not its holder
            if start.become:
                start.become()
            if os.getppid() != 1:
                set_process_option(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; who becomes another user loses it

        agent = subprocess.Popen(
            start.argv, cwd=spec["cwd"], env=spec["env"], umask=umask, start_new_session=True, preexec_fn=prepare,
            pass_fds=start.descriptors, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe,
        )  # fmt: skip
        start.begun()
        inside = start.inside(seconds=ANNOUNCED)
        # What cannot have its proxy does not begin: the error ends us, and all of it with us.
        gate = Gate(inside) if spec.get("start", {}).get("network") == "proxied" else None
        start.go_on()
    return agent, inside, gate
