"""Rows of the escape table: the kernel, what it keeps for all, and what it does for root."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.escapes.attempt import (
    CHOWN,
    MKNOD,
    NET_RAW,
    SYS_ADMIN,
    SYS_BOOT,
    SYS_MODULE,
    SYSLOG,
    Attempt,
    Control,
    Told,
    arrived,
    granted,
)
from tests.e2e.escapes.ground import Ground

NOBODY = "an ordinary user; no capability"
READ_ONLY = f"{NOBODY}; /proc can only be read"
_GROUPS = Path("/sys/fs/cgroup")


def asks(name: str, program: str, holds: str, **more: Any) -> Attempt:
    """The kernel is asked for something, and the program says whether it did it."""
    words = more.pop("words", {})
    return Attempt(
        name=name,
        program=f"kernel.{program}",
        words=lambda ground, _: {"token": ground.mark, **words},
        told=granted,
        holds=holds,
        **more,
    )


def logged(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    """It stands in the kernel's log; where that cannot be read, what was tried says that the kernel took it."""
    words = f"{ground.mark}-{attempt.key}-{who}".encode()
    try:
        file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        return said == "wrote"
    try:
        while True:
            try:
                if words in os.read(file, 8192):
                    return True
            except BlockingIOError:
                return False
            except BrokenPipeError:  # older lines than the next one have gone
                continue
    finally:
        os.close(file)


def grouped(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    """There is a control group of that name."""
    return bool(groups(ground, who))


def groups(ground: Ground, who: str = "*") -> list[Path]:
    """Control groups that were made from inside."""
    name = f"{ground.mark}-group-{who}"
    return [*_GROUPS.glob(name), *_GROUPS.glob(f"*/{name}")]


def runs_as_root(ground: Ground, attempt: Attempt, who: str, said: str) -> bool:
    """What was left in the workspace would run as root for whoever starts it: whose files they are is the person."""
    return said == "left" and ground.stage.person == "root"


def _key(
    words: Callable[[Ground], dict[str, Any]],
    program: str,
    name: str,
    holds: str,
    control: Control = Control.UNSANDBOXED,
) -> Attempt:
    return Attempt(
        name=name,
        program=program,
        words=lambda ground, _: words(ground),
        told=arrived,
        holds=holds,
        control=control,
    )


def _makes(name: str, program: str, words: dict[str, Any], told: Told, needs: int, holds: str) -> Attempt:
    return Attempt(
        name=name,
        program=program,
        words=lambda ground, words_: {
            key: word.replace("MARK", ground.mark).replace("TEXT", words_) if isinstance(word, str) else word
            for key, word in words.items()
        },
        told=told,
        holds=holds,
        needs=needs,
    )


SETTINGS = (
    asks(
        "name the program that the kernel starts for a crash",
        "rewrite",
        READ_ONLY,
        words={"path": "/proc/sys/kernel/core_pattern"},
        needs=CHOWN,
    ),
    asks(
        "have the kernel forget what it keeps in memory",
        "rewrite",
        READ_ONLY,
        words={"path": "/proc/sys/vm/swappiness"},
        needs=CHOWN,
    ),
    asks(
        "press the keys that the kernel obeys",
        "order",
        READ_ONLY,
        words={"path": "/proc/sysrq-trigger", "text": "h"},
        needs=CHOWN,
        may_be_absent=True,
    ),
    asks("mount a /proc that can be written", "remount", f"{NOBODY}; seccomp: mount", needs=SYS_ADMIN),
    asks("give the machine a name", "host_name", f"{NOBODY}; host name namespace", needs=SYS_ADMIN),
    asks("load a module", "module", f"{NOBODY}; seccomp: finit_module", needs=SYS_MODULE, may_be_absent=True),
    asks("start the machine anew", "reboot", f"{NOBODY}; seccomp: reboot", needs=SYS_BOOT),
    asks("have the machine swap to a file", "swap", f"{NOBODY}; seccomp: swapon", needs=SYS_ADMIN, may_be_absent=True),
    _makes(
        "make a control group, whose end starts a program as root",
        "kernel.control_groups",
        {"place": "groups-WHO", "name": "MARK-group-WHO"},
        grouped,
        SYS_ADMIN,
        f"{NOBODY}; seccomp: mount; control group namespace",
    ),
    _makes("write into the kernel's log", "kernel.log", {"text": "TEXT"}, logged, CHOWN, "devices: it is not there"),
    _makes(
        "make a device of the machine's and use it",
        "kernel.device",
        {"name": "device-WHO", "major": 1, "minor": 11, "text": "TEXT"},
        logged,
        MKNOD,
        f"{NOBODY}; file systems inside have no devices",
    ),
    _makes(
        "leave a program that runs as root",
        "files.set_id",
        {"path": "MARK-runs-as-root-WHO"},
        runs_as_root,
        CHOWN,
        "seccomp: no file gets such a mode where it would be root's on the disk",
    ),
)
NAMESPACES = (
    asks("be root in a user namespace of one's own", "namespace", "user namespaces are forbidden inside"),
    asks("the same by the newer call", "namespace_by_clone", "user namespaces are forbidden inside; seccomp: clone3"),
    Attempt(
        name="enter the network of the host",
        program="kernel.enter",
        words=lambda ground, _: {"pid": ground.facts["pid"], "kind": "net", "token": ground.mark},
        told=granted,
        holds="process namespace; no capability; seccomp: setns",
        needs=SYS_ADMIN,
        control=Control.PLAIN,
    ),
)
KEPT = (
    _key(
        lambda g: {"name": g.key()},
        "kernel.key",
        "read a key that the kernel keeps for the person",
        "seccomp: keyctl; user namespace",
        Control.PLAIN,
    ),
    _key(
        lambda g: {"number": g.facts["memory"]},
        "kernel.shared_memory",
        "read memory that the person's programs share",
        "IPC namespace",
    ),
    Attempt(
        name="read the names of the keys that the kernel keeps",
        program="files.read",
        words=lambda ground, _: {"path": "/proc/keys"},
        told=lambda ground, attempt, who, said: ground.key() in said,
        holds="mounts: the list is covered",
        control=Control.PLAIN,
    ),
    Attempt(
        name="read the kernel's log",
        program="kernel.read_log",
        words=lambda ground, _: {},
        told=arrived,
        holds=f"{NOBODY}; seccomp: syslog",
        needs=SYSLOG,
    ),
)
SURFACE = (
    asks(
        "give the kernel a program",
        "programs_for_the_kernel",
        "no capability; seccomp: bpf",
        needs=SYS_ADMIN,
        may_be_absent=True,
    ),
    asks(
        "watch the whole machine by its counters",
        "measure",
        "no capability; seccomp: perf_event_open",
        needs=SYS_ADMIN,
        may_be_absent=True,
    ),
    asks("hold the kernel up in the middle of a call", "page_faults", "seccomp: userfaultfd", may_be_absent=True),
    asks("open files by a ring that no filter sees", "ring", "seccomp: io_uring_setup", may_be_absent=True),
    Attempt(
        name="listen to every packet",
        program="sockets.family",
        words=lambda ground, _: {"number": 17, "kind": 3, "protocol": 0x0300, "token": ground.mark},
        told=granted,
        holds="no capability; seccomp: socket families",
        needs=NET_RAW,
    ),
    Attempt(
        name="ask the kernel for every connection of the machine",
        program="sockets.family",
        words=lambda ground, _: {"number": 16, "kind": 3, "protocol": 4, "token": ground.mark},
        told=granted,
        holds="seccomp: socket families",
        may_be_absent=True,
    ),
    Attempt(
        name="speak to the machine below this one",
        program="sockets.family",
        words=lambda ground, _: {"number": 40, "kind": 1, "protocol": 0, "token": ground.mark},
        told=granted,
        holds="seccomp: socket families",
        may_be_absent=True,
    ),
)
ROWS = (*SETTINGS, *NAMESPACES, *KEPT, *SURFACE)


def prepare(ground: Ground) -> None:
    """Let the kernel's log hold the secret, where we may write to it."""
    with contextlib.suppress(PermissionError), open("/dev/kmsg", "w") as log:  # noqa: PTH123 - it is no file
        log.write(f"{ground.secret}\n")


def tidy(ground: Ground) -> None:
    """Remove the control groups."""
    for group in groups(ground):
        group.rmdir()
