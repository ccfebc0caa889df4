"""Which system calls the kernel does not do for what is inside.

Not there is what only makes or changes walls, what reads or changes the machine as a whole, and what no build or test
needs but holes in kernels were found in. What is left is enough for compilers, language runtimes, package managers,
debuggers and browsers, these without a sandbox of their own. All that a command starts has the same filter.

A call with an error that means "this kernel has no such call" is done without by C libraries and runtimes that know
another way: where we cannot look at what a call would do, since it stands in memory, it has to be that.
"""

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path

from bandstand.adapters.sandbox import bpf
from bandstand.adapters.sandbox.bpf import Instruction, answer, argument, assembled, error, load
from bandstand.adapters.sandbox.syscalls import AUDIT, NUMBERS, X32

_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")

FORBIDDEN = (
    *("add_key", "keyctl", "request_key"),
    *("bpf", "perf_event_open", "userfaultfd"),
    *("mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount", "mount_setattr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "setns"),
    *("kexec_load", "kexec_file_load", "reboot", "init_module", "finit_module", "delete_module"),
    *("swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "iopl", "ioperm", "settimeofday", "clock_settime"),
    *("open_by_handle_at", "syslog"),
)
ABSENT = ("clone3", "io_uring_setup", "io_uring_enter", "io_uring_register")

# mount, cgroup, uts, ipc, user, pid and network namespaces; and time, whose bit means something else to clone(2).
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_TIME_NAMESPACE = 0x80
_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: keys pressed on a terminal, by program
_UNIX, _INET, _INET6, _NETLINK, _ROUTE = 1, 2, 10, 16, 0
_CREATES = 0o100 | 0o20000000  # O_CREAT, and the bit that is O_TMPFILE's own
_SET_ID = 0o6000


def available() -> bool:
    """Whether this kernel has filters that answer with errors."""
    try:
        return "errno" in _ACTIONS.read_text(encoding="ascii").split()
    except OSError:
        return False


def program(machine: str, *, maps_root: bool = False) -> bytes | None:
    """The filter for an architecture, as bubblewrap takes it; `None` for one whose calls we do not know.

    Where files inside are root's on the disk, none may be made that runs as who owns it: that is what `maps_root` says.
    """
    if machine not in NUMBERS:
        return None
    numbers = NUMBERS[machine]
    rules: list[Instruction] = [
        load(bpf.ARCHITECTURE),
        *bpf.unless_equal(AUDIT[machine], [answer(error(errno.ENOSYS))]),
        load(bpf.NUMBER),
        *(bpf.if_at_least(X32, [answer(error(errno.ENOSYS))]) if machine == "x86_64" else ()),
    ]
    for names, number in ((FORBIDDEN, errno.EPERM), (ABSENT, errno.ENOSYS)):
        rules += _each(numbers, names, [answer(error(number))])
    rules += _each(numbers, ("unshare",), _without_bits(0, _NAMESPACES | _TIME_NAMESPACE))
    rules += _each(numbers, ("clone",), _without_bits(0, _NAMESPACES))
    rules += _each(numbers, ("ioctl",), _none_of(1, _TERMINAL))
    rules += _each(numbers, ("socket", "socketpair"), _families())
    if maps_root:
        rules += _no_set_id(numbers)
    return assembled([*rules, answer(bpf.ALLOW)])


def _each(numbers: Mapping[str, int], names: Iterable[str], then: list[Instruction]) -> list[Instruction]:
    """The same for some calls, as far as the architecture has them."""
    return [one for name in names if name in numbers for one in bpf.if_equal(numbers[name], then)]


def _without_bits(index: int, bits: int) -> list[Instruction]:
    return [load(argument(index)), *bpf.if_any_bit(bits, [answer(error(errno.EPERM))]), answer(bpf.ALLOW)]


def _none_of(index: int, values: Iterable[int]) -> list[Instruction]:
    refused = [one for value in values for one in bpf.if_equal(value, [answer(error(errno.EPERM))])]
    return [load(argument(index)), *refused, answer(bpf.ALLOW)]


def _families() -> list[Instruction]:
    """Sockets of this machine and of the internet; of the kernel's own only those that tell of the network."""
    route = [
        load(argument(2)),
        *bpf.unless_equal(_ROUTE, [answer(error(errno.EPROTONOSUPPORT))]),
        answer(bpf.ALLOW),
    ]
    allowed = [one for family in (_UNIX, _INET, _INET6) for one in bpf.if_equal(family, [answer(bpf.ALLOW)])]
    return [
        load(argument(0)),
        *allowed,
        *bpf.if_equal(_NETLINK, route),
        answer(error(errno.EAFNOSUPPORT)),
    ]


def _no_set_id(numbers: Mapping[str, int]) -> list[Instruction]:
    """No file gets a mode with which it runs as its owner or its group."""
    rules: list[Instruction] = []
    modes = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1, "mknod": 1, "mknodat": 2}
    for name, index in modes.items():
        rules += _each(numbers, (name,), _without_bits(index, _SET_ID))
    for name, index in {"open": 1, "openat": 2}.items():
        creates = bpf.if_any_bit(_CREATES, _without_bits(index + 1, _SET_ID))
        rules += _each(numbers, (name,), [load(argument(index)), *creates, answer(bpf.ALLOW)])
    return rules + _each(numbers, ("openat2",), [answer(error(errno.ENOSYS))])
