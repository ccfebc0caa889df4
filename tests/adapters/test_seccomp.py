"""Which system calls are not done for what is inside: the filter as the kernel reads it, and calls made by number."""

import errno
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from bandstand.adapters.sandbox import seccomp
from bandstand.adapters.sandbox.bpf import ALLOW, error
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.adapters.sandbox.syscalls import AUDIT, NUMBERS, X32
from bandstand.ports.sandbox import Confinement, Mount
from tests.starting import run

ARCHITECTURES = sorted(NUMBERS)
I386 = 0x40000003
EPERM, ENOSYS, NO_FAMILY, NO_PROTOCOL = errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT
NEW_USER, NEW_MOUNTS, NEW_NETWORK, NEW_TIME = 0x10000000, 0x00020000, 0x40000000, 0x80
HIGH = 1 << 32  # what the kernel does not look at of a C int
SET_USER, SET_GROUP, CREATE, TEMPORARY = 0o4000, 0o2000, os.O_CREAT, os.O_TMPFILE


def verdict(program: bytes, number: int, *words: int, architecture: int) -> int:
    """What the program answers, by the rules of classic BPF."""
    question = struct.pack("=IIQ6Q", number, architecture, 0, *(*words, *[0] * 6)[:6])
    instructions = list(struct.iter_unpack("=HBBI", program))
    taken, at = 0, 0
    while True:
        code, then, otherwise, value = instructions[at]
        at += 1
        match code:
            case 0x20:
                (taken,) = struct.unpack_from("=I", question, value)
            case 0x15:
                at += then if taken == value else otherwise
            case 0x35:
                at += then if taken >= value else otherwise
            case 0x45:
                at += then if taken & value else otherwise
            case 0x06:
                return int(value)
            case _:
                pytest.fail(f"There is no instruction {code:#x}.")


Row = tuple[str, tuple[int, ...], int]
"""A call, its arguments, and the error that it ends with; 0 is allowed."""

ALWAYS: list[Row] = [
    *((name, (), EPERM) for name in seccomp.FORBIDDEN),
    *((name, (), ENOSYS) for name in seccomp.ABSENT),
    *(("unshare", (flag,), EPERM) for flag in (NEW_USER, NEW_MOUNTS, NEW_NETWORK, NEW_TIME, NEW_USER | HIGH)),
    ("unshare", (0x400,), 0),  # CLONE_FILES
    *(("clone", (flag | 17,), EPERM) for flag in (NEW_USER, NEW_MOUNTS, NEW_NETWORK)),
    ("clone", (0x3D0F00,), 0),  # a thread, as C libraries begin one
    ("clone", (0x4111,), 0),  # vfork
    *(("ioctl", (0, request), EPERM) for request in (0x5412, 0x541C, 0x5412 | HIGH, 0x541C | HIGH)),
    *(("ioctl", (0, request), 0) for request in (0x5401, 0x5413, 0x541B)),
    *(("socket", (family, 1, 0), 0) for family in (1, 2, 10)),
    *(("socketpair", (family, 1, 0), 0) for family in (1, 1 | HIGH)),
    *(("socket", (family, 3, 0), NO_FAMILY) for family in (0, 3, 9, 17, 29, 38, 40, 44)),
    ("socketpair", (40, 1, 0), NO_FAMILY),
    ("socket", (16, 3, 0), 0),
    *(("socket", (16, 3, protocol), NO_PROTOCOL) for protocol in (2, 4, 5, 9, 12, 15, 16)),
]
OF_ROOTS_FILES: list[Row] = [
    *((name, (0, mode), EPERM) for name in ("chmod", "fchmod") for mode in (SET_USER | 0o755, SET_GROUP, 0o6755)),
    *((name, (0, 0, SET_USER | 0o755), EPERM) for name in ("fchmodat", "fchmodat2", "mknodat")),
    *((name, (0, SET_USER | 0o755), EPERM) for name in ("creat", "mknod")),
    ("open", (0, CREATE, SET_USER | 0o755), EPERM),
    ("openat", (0, 0, CREATE, SET_USER | 0o755), EPERM),
    ("openat", (0, 0, TEMPORARY, SET_GROUP | 0o755), EPERM),
    ("openat2", (), ENOSYS),
]
ORDINARY: list[Row] = [
    *((name, (0, 0o755), 0) for name in ("chmod", "fchmod", "creat", "mknod")),
    *((name, (0, 0, 0o1777), 0) for name in ("fchmodat", "fchmodat2", "mknodat")),
    ("open", (0, CREATE, 0o644), 0),
    ("open", (0, os.O_RDONLY, 0xFFFFFFFF), 0),  # nobody says a mode
    ("openat", (0, 0, os.O_RDONLY | os.O_DIRECTORY, 0xFFFFFFFF), 0),
]


def asked(machine: str, rows: Iterable[Row], *, maps_root: bool) -> Mapping[str, int]:
    """The rows of which the answer is another one, and what it is."""
    program = seccomp.program(machine, maps_root=maps_root)
    assert program is not None
    wrong = {}
    for name, words, number in rows:
        if name in NUMBERS[machine]:
            answer = verdict(program, NUMBERS[machine][name], *words, architecture=AUDIT[machine])
            if answer != (error(number) if number else ALLOW):
                wrong[f"{name}{words}"] = answer
    return wrong


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_each_call_is_answered_as_it_should_be(machine: str) -> None:
    """By the kernel's own reading of the program, with arguments whose upper halves the kernel itself does not see."""
    assert asked(machine, ALWAYS, maps_root=False) == {}
    assert asked(machine, ALWAYS, maps_root=True) == {}
    assert asked(machine, ORDINARY, maps_root=True) == {}
    assert asked(machine, [*ORDINARY, *((name, words, 0) for name, words, _ in OF_ROOTS_FILES)], maps_root=False) == {}
    assert asked(machine, OF_ROOTS_FILES, maps_root=True) == {}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_every_other_call_is_allowed_and_other_architectures_are_not(machine: str) -> None:
    """What is not named passes, also calls that are newer than we; those of another width do not exist."""
    program = seccomp.program(machine)
    assert program is not None
    named = {NUMBERS[machine][name] for name in NUMBERS[machine]}
    for number in set(range(600)) - named:
        assert verdict(program, number, architecture=AUDIT[machine]) == ALLOW
    other = next(found for name, found in AUDIT.items() if name != machine)
    for architecture in (I386, other):
        assert verdict(program, 1, architecture=architecture) == error(ENOSYS)
    if machine == "x86_64":
        assert {verdict(program, X32 | number, architecture=AUDIT[machine]) for number in (0, 1, 520)} == {
            error(ENOSYS)
        }


def test_an_architecture_that_we_do_not_know_has_no_filter() -> None:
    """Numbers of others would forbid who knows what."""
    assert seccomp.program("riscv64") is None


PROBE = """
import ctypes, errno, json, os, sys
call = ctypes.CDLL(None, use_errno=True).syscall
found = []
for number, words in json.load(open(sys.argv[1])):
    ctypes.set_errno(0)
    child = os.fork()
    if not child:
        result = call(*(ctypes.c_long(word) for word in (number, *words)))
        os._exit(ctypes.get_errno() if result == -1 else 0)
    found.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(found))
"""
BAD = -1  # an address or a descriptor that is none
LIVE: list[tuple[str, tuple[int, ...], int, set[int]]] = [
    # A call that harms nobody when it is done, its error inside, and what it ends with where nothing is filtered.
    ("keyctl", (0, -3, 0), EPERM, {0}),
    ("add_key", (BAD, BAD, 0, 0, -3), EPERM, {errno.EFAULT}),
    ("request_key", (BAD, BAD, 0, 0), EPERM, {errno.EFAULT}),
    ("perf_event_open", (BAD, 0, -1, -1, 0), EPERM, {errno.EFAULT}),
    ("io_uring_setup", (0, BAD), ENOSYS, {errno.EFAULT, errno.EPERM}),
    ("clone3", (BAD, 0), ENOSYS, {errno.EINVAL}),
    ("setns", (BAD, 0), EPERM, {errno.EBADF}),
    ("fchmod", (BAD, 0o755), errno.EBADF, {errno.EBADF}),
    ("ioctl", (0, 0x5412, BAD), EPERM, {errno.ENOTTY}),
    ("ioctl", (0, 0x5412 | HIGH, BAD), EPERM, {errno.ENOTTY}),
    ("ioctl", (0, 0x541C, BAD), EPERM, {errno.ENOTTY}),
    ("socket", (40, 1, 0), NO_FAMILY, {0, NO_FAMILY}),  # few machines have it
    ("socket", (17, 3, 0), NO_FAMILY, {0, errno.EPERM}),
    ("socket", (38, 5, 0), NO_FAMILY, {0, NO_FAMILY}),
    ("socket", (16, 3, 15), NO_PROTOCOL, {0}),
    ("socket", (16, 3, 0), 0, {0}),
    ("socket", (2, 1, 0), 0, {0}),
    ("mount", (BAD, BAD, BAD, 0, 0), EPERM, {errno.EFAULT, errno.EPERM}),
    ("open_tree", (BAD, BAD, 0), EPERM, {errno.EFAULT}),
    ("fspick", (BAD, BAD, 0), EPERM, {errno.EFAULT, errno.EPERM}),
    ("open_by_handle_at", (BAD, BAD, 0), EPERM, {errno.EFAULT, errno.EBADF, errno.EPERM}),
]


def probed(argv: Sequence[str]) -> list[int]:
    """What the calls of the probe ended with."""
    found: list[int] = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout)
    return found


def test_calls_made_by_number_fail_inside_and_in_all_that_is_started_there(tmp_path: Path) -> None:
    """Each from the command itself and from what it starts; without the filter it is done, or finds another mistake."""
    machine = os.uname().machine
    (workspace := tmp_path / "workspace").mkdir()
    (home := tmp_path / "home").mkdir()
    (workspace / "probe.py").write_text(PROBE)
    each = [*((name, EPERM) for name in seccomp.FORBIDDEN), *((name, ENOSYS) for name in seccomp.ABSENT)]
    each = [(name, number) for name, number in each if name in NUMBERS[machine]]
    calls = [(NUMBERS[machine][name], words) for name, words, _, _ in LIVE]
    # With arguments that are none: without the filter, too, nothing would come of them.
    calls += [(NUMBERS[machine][name], (BAD,) * 6) for name, _ in each]
    (workspace / "calls").write_text(json.dumps(calls))
    python = Path(sys.executable).parent
    said = []
    for command in ("python3 probe.py calls", "sh -c 'setsid sh -c \"python3 probe.py calls\"'"):
        ran = run(
            BubblewrapSandbox("bwrap", tmp_path, (), uid=ordinary_user()).confine(
                Confinement(
                    argv=("/bin/sh", "-c", command),
                    cwd=Path("/workspace"),
                    environment={"PATH": f"{python}:/usr/bin:/bin"},
                    home=home,
                    writable=(Mount(host=workspace, inside=Path("/workspace")),),
                )
            )
        )
        assert ran.returncode == 0, ran.stderr
        said.append(json.loads(ran.stdout))
    expected = [*(number for _, _, number, _ in LIVE), *(number for _, number in each)]
    assert said == [expected, expected]
    (workspace / "calls").write_text(json.dumps(calls[: len(LIVE)]))
    without = probed((sys.executable, str(workspace / "probe.py"), str(workspace / "calls")))
    odd = {call[0]: found for found, call in zip(without, LIVE, strict=True) if found not in call[3]}
    assert odd == {}
