"""Attempts on the kernel: what it keeps for all, what it does for root, and what holes in it were found by."""

import contextlib
import ctypes
import errno
import os
import socket
import stat
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {
    "x86_64": {
        "add_key": 248, "keyctl": 250, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "reboot": 169,
        "finit_module": 313, "kexec_load": 246, "setns": 308, "swapon": 167, "clone3": 435, "io_uring_setup": 425,
    },
    "aarch64": {
        "add_key": 217, "keyctl": 219, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "reboot": 142,
        "finit_module": 273, "kexec_load": 104, "setns": 268, "swapon": 224, "clone3": 435, "io_uring_setup": 425,
    },
}  # fmt: skip
_NEW_USERS = 0x10000000
_USER_KEYRING = -4
_SEARCH, _READ = 10, 11


def _call(name: str, *words: object) -> int:
    result = int(_libc.syscall(_NUMBERS[os.uname().machine][name], *words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _got_past(name: str, *words: object, token: str, means: tuple[int, ...]) -> str:
    """Whether the kernel would have done it, had the words made sense: it looks at who asks first."""
    try:
        _call(name, *words)
    except OSError as error:
        if error.errno not in means:
            raise
    return token


def rewrite(path: str, token: str) -> str:
    """Write a setting of the whole machine, to what it is."""
    setting = os.open(path, os.O_RDWR)
    os.write(setting, os.pread(setting, 4096, 0))
    return token


def order(path: str, text: str, token: str) -> str:
    """Give the kernel an order by a file."""
    file = os.open(path, os.O_WRONLY)
    os.write(file, text.encode())
    return token


def log(text: str) -> str:
    """Write into the kernel's log."""
    file = os.open("/dev/kmsg", os.O_WRONLY)
    os.write(file, f"{text}\n".encode())
    return "wrote"


def read_log() -> str:
    """Read the kernel's log, its end first."""
    room = ctypes.create_string_buffer(1 << 20)
    found = _libc.klogctl(3, room, len(room))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return room.raw[:found][-4000:].decode(errors="backslashreplace")


def device(name: str, major: int, minor: int, text: str) -> str:
    """Make a device of the machine's in a place of one's own, and use it."""
    os.mknod(name, 0o600 | stat.S_IFCHR, os.makedev(major, minor))
    try:
        file = os.open(name, os.O_WRONLY)
        os.write(file, f"{text}\n".encode())
    finally:
        os.unlink(name)  # noqa: PTH108
    return "wrote"


def control_groups(place: str, name: str) -> str:
    """Mount the machine's control groups, and make one: the way to a program that the kernel runs for them as root."""
    folder = Path(place)
    folder.mkdir(exist_ok=True)
    for kind, options in ((b"cgroup", b"pids"), (b"cgroup2", None)):
        if _libc.mount(b"none", os.fsencode(folder), kind, 0, options) == 0:
            try:
                (folder / name).mkdir()
            finally:
                _libc.umount2(os.fsencode(folder), 2)
                folder.rmdir()
            return "made"
    number = ctypes.get_errno()
    folder.rmdir()
    raise OSError(number, os.strerror(number))


def remount(token: str) -> str:
    """Have a /proc of one's own that can be written to."""
    folder = Path("proc-of-mine")
    folder.mkdir(exist_ok=True)
    try:
        if _libc.mount(b"proc", os.fsencode(folder), b"proc", 0, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            os.close(os.open(folder / "sys/kernel/core_pattern", os.O_WRONLY))
        finally:
            _libc.umount2(os.fsencode(folder), 2)
    finally:
        folder.rmdir()
    return token


def namespace(token: str) -> str:
    """Be root in a user namespace of one's own, and with it have network devices, mounts and filters."""
    before = os.readlink("/proc/self/ns/user")  # noqa: PTH115
    if _libc.unshare(_NEW_USERS) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return token if os.readlink("/proc/self/ns/user") != before else "the same"  # noqa: PTH115


def namespace_by_clone(token: str) -> str:
    """The same by the newer call, whose words a filter cannot see."""
    words = (ctypes.c_uint64 * 11)(_NEW_USERS, 0, 0, 0, 17)
    child = _call("clone3", words, ctypes.sizeof(words))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return token


def enter(pid: int, kind: str, token: str) -> str:
    """Go into a namespace of a process of the host's."""
    file = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
    _call("setns", file, 0)
    return token


def key(name: str) -> str:
    """Read a key that the user keeps in the kernel."""
    found = _call("keyctl", _SEARCH, _USER_KEYRING, b"user", name.encode(), 0)
    room = ctypes.create_string_buffer(4096)
    size = _call("keyctl", _READ, found, room, len(room), 0)
    return room.raw[:size].decode(errors="backslashreplace")


def shared_memory(number: int) -> str:
    """Read memory that programs of the user's share."""
    found = _libc.shmget(number, 0, 0)
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _libc.shmat.restype = ctypes.c_void_p
    place = _libc.shmat(found, None, 0o10000)
    if place in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return ctypes.string_at(place, 256).decode(errors="backslashreplace")


def module(token: str) -> str:
    """Have the kernel load a module."""
    return _got_past("finit_module", -1, b"", 0, token=token, means=(errno.EBADF,))


def reboot(token: str) -> str:
    """Have the machine start anew; the words are wrong, so that it does not."""
    return _got_past("reboot", 0, 0, 0, 0, token=token, means=(errno.EINVAL,))


def swap(token: str) -> str:
    """Have the machine swap to a file."""
    return _got_past("swapon", b"/nowhere", 0, token=token, means=(errno.ENOENT,))


def host_name(token: str) -> str:
    """Give the machine a name, the one that it has."""
    socket.sethostname(socket.gethostname())
    return token


def programs_for_the_kernel(token: str) -> str:
    """Have the kernel take a program, or what is kept for one."""
    words = (ctypes.c_uint32 * 32)(2, 4, 4, 1)  # a map of one number
    os.close(_call("bpf", 0, words, ctypes.sizeof(words)))
    return token


def measure(token: str) -> str:
    """See what the whole machine does, by its counters."""
    words = (ctypes.c_uint32 * 32)(1, 128)  # a clock of the kernel's
    os.close(_call("perf_event_open", words, -1, 0, -1, 0))
    return token


def page_faults(token: str) -> str:
    """Decide when the kernel may go on that waits for memory."""
    os.close(_call("userfaultfd", 1))
    return token


def ring(token: str) -> str:
    """Have files opened and sent by a way that no filter of calls sees."""
    words = (ctypes.c_uint32 * 30)()
    with contextlib.suppress(MemoryError):
        os.close(_call("io_uring_setup", 1, words))
    return token
