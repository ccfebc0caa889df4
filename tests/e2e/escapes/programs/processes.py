"""Attempts on other processes, and by processes that stay."""

import ctypes
import os
import signal as signals
import subprocess
import time
from pathlib import Path

_SEIZE = 0x4206
_VM_READ = {"x86_64": 310, "aarch64": 270}
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def find(word: str) -> str:
    """Look for a variable in the environment of every process there is."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            for variable in (folder / "environ").read_bytes().split(b"\0"):
                if variable.startswith(word.encode()):
                    return variable.decode(errors="backslashreplace")
        except OSError:
            continue
    raise OSError("nowhere")


def command(word: str, token: str) -> str:
    """Look for a process by what stands in its command."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes().replace(b"\0", b" "):
                return f"{token} {folder.name}"
        except OSError:
            continue
    raise OSError("nowhere")


def signal(pid: int, number: str, numbers: dict[str, int]) -> str:
    """Send a process a signal; who sends it says which."""
    os.kill(pid, numbers[number])
    return "sent"


def trace(pid: int, token: str) -> str:
    """Have a process as a debugger has it."""
    _checked(_libc.ptrace(_SEIZE, pid, None, None))
    return token


def memory(pid: int, address: int, size: int) -> str:
    """Read what a process holds in memory."""

    class Piece(ctypes.Structure):
        """`struct iovec`."""

        _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))

    here = ctypes.create_string_buffer(size)
    local, remote = Piece(ctypes.cast(here, ctypes.c_void_p), size), Piece(address, size)
    # The last word does not travel in a register: it has to be as wide as one.
    words = (pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, ctypes.c_ulong(0))
    _checked(_libc.syscall(_VM_READ[os.uname().machine], *words))
    return here.raw.decode(errors="backslashreplace")


def descriptor(pid: int, number: int) -> str:
    """Take over a file that a process has open."""
    process = _checked(_libc.syscall(_PIDFD_OPEN, pid, 0))
    file = _checked(_libc.syscall(_PIDFD_GETFD, process, number, 0))
    return os.pread(file, 4096, 0).decode(errors="backslashreplace")


def inherited() -> str:
    """Read every file that is open from the start, but the three that each program has."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2:
            try:
                found.append(os.pread(int(name), 4096, 0).decode(errors="backslashreplace"))
            except OSError:
                continue
    if not found:
        raise OSError("none is open")
    return "\n".join(found)


def stay(name: str) -> str:
    """Leave a process behind that belongs to nobody."""
    if os.fork() == 0:
        os.setsid()
        for number in (signals.SIGHUP, signals.SIGTERM, signals.SIGINT):
            signals.signal(number, signals.SIG_IGN)
        null = os.open("/dev/null", os.O_RDWR)
        for own in range(3):
            os.dup2(null, own)
        os.closerange(3, 256)
        if os.fork() == 0:
            signals.alarm(0)
            os.execv("/bin/sleep", [name, "60"])
        os._exit(0)
    return "left"


def gain(programs: list[str], token: str) -> str:
    """Start a program that runs as root whoever starts it."""
    for program in filter(os.path.exists, programs):
        process = subprocess.Popen(
            [program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            over = time.monotonic() + 1
            while process.poll() is None and time.monotonic() < over:
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                    numbers = line.split()[1:]
                    if line.startswith("Uid:") and numbers[0] != "0" and numbers[1] == "0":
                        return f"{token} by {program}"
        finally:
            process.kill()
            process.wait()
    raise OSError("nobody became root")


def multiply(count: int, token: str) -> str:
    """Have many processes at once."""
    children = []
    try:
        for _ in range(count):
            child = os.fork()
            if child == 0:
                signals.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signals.SIGKILL)
            os.waitpid(child, 0)
    return token
