"""What the kernel bounds for each process alone, where no group does it for all of them together.

Memory is not among it. What a process maps (`RLIMIT_AS`, `RLIMIT_DATA`) says nothing of what it uses: node and others
map many gigabytes that they never touch, and do not come up under a bound that would be of any use.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource

TYPE_CHECKING = False  # as `typing` has it, which would be a tenth of the start of a holder
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_USUAL_WEIGHT = 100
_STEP = 1.25  # one step of niceness is about so much of a share
_KINDES = 19


def bound_self(limits: Mapping[str, int]) -> None:
    """Bound the process that calls this, and all that it starts: files, and its share of the processor."""
    for name, kind in (("open_files", resource.RLIMIT_NOFILE), ("file_bytes", resource.RLIMIT_FSIZE)):
        if (most := limits.get(name)) is not None:
            _bound(0, kind, most)
    if (weight := limits.get("cpu_weight")) is not None and weight < _USUAL_WEIGHT:
        with contextlib.suppress(OSError):
            os.nice(min(_KINDES, round(math.log(_USUAL_WEIGHT / weight, _STEP))))


def bound_inside(pid: int, limits: Mapping[str, int], *, held: Collection[str], uid: int | None = None) -> None:
    """Bound what a sandbox has confined: how many processes there are inside, unless a group has `held` that already.

    The kernel counts the processes of a user in each user namespace. Set from within, the bound is for those inside
    alone; set before the namespace is there, it would count everything that the user has running.

    `uid` is who the process is, where that is another one than we: root may not bound it where root has been deprived
    of the capability for that, as in many containers. The user itself may.
    """
    if (most := limits.get("processes")) is None or "processes" in held or pid <= 0:
        return
    if uid is None:
        _bound(pid, resource.RLIMIT_NPROC, most)
        return
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(())
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            _bound(pid, resource.RLIMIT_NPROC, most)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _bound(pid: int, kind: int, most: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.prlimit(pid, kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.prlimit(pid, kind, (most, most))
