"""Whom root becomes before a sandbox begins."""

import contextlib
import functools
import os
import pwd
from pathlib import Path

from bandstand.starter.becoming import can_lay_out

UNUSED = range(60_877, 60_977)
"""Users that no distribution hands out, and that also containers with few numbers have."""

_NEEDED = (0, 6, 7, 21)  # CAP_CHOWN, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN
_PROC = Path("/proc")
_PROFILES = Path("/sys/kernel/security/apparmor/profiles")


def ordinary_user(wanted: int | None = None, *, proc: Path = _PROC, profiles: Path = _PROFILES) -> int | None:
    """The user that we become, if we are root and may become one; `wanted` if it is said, else one without an account.

    In a container root may lack what it takes; and where ordinary users may open no sandbox, root alone can.
    """
    uid, own = wanted or _unused(), proc / "self"
    able = os.geteuid() == 0 and _may_change(own) and _is_mapped(uid, own / "uid_map") and can_lay_out()
    return uid if able and _open_sandboxes(proc / "sys" / "kernel", profiles) else None


def _open_sandboxes(settings: Path, profiles: Path) -> bool:
    """Whether ordinary users may: by the kernel's settings, and by AppArmor's, which may know bubblewrap."""

    def says(file: Path, what: str) -> bool:
        with contextlib.suppress(OSError):
            return what in file.read_text(encoding="utf-8", errors="replace").split()
        return False

    forbidden = says(settings / "unprivileged_userns_clone", "0")
    restricted = says(settings / "apparmor_restrict_unprivileged_userns", "1")
    return not forbidden and (not restricted or says(profiles, "bwrap"))


@functools.cache
def _unused() -> int:
    """The first one without an account. Once a state has files of one, it stays that one."""
    for uid in UNUSED:
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid
    return UNUSED[0]


def _may_change(proc: Path) -> bool:
    """Whether we have the capabilities for it, and may leave our groups."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = (proc / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        effective = int(next(line for line in lines if line.startswith("CapEff:")).split()[1], 16)
        groups = (proc / "setgroups").read_text(encoding="ascii").strip()
        return groups == "allow" and all(effective >> number & 1 for number in _NEEDED)
    return False


def _is_mapped(uid: int, table: Path) -> bool:
    """Whether the user namespace that we are in has a user of this number."""
    with contextlib.suppress(OSError, ValueError):
        for line in table.read_text(encoding="ascii").splitlines():
            first, _, count = map(int, line.split())
            if first <= uid < first + count:
                return True
    return False
