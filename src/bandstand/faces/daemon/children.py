"""How the daemon hears that a process of its own has ended: through a descriptor of it (`pidfd`).

Python 3.11 would start a thread for each process that waits for its end, some hundred for each change that lands.
From 3.12 on Python does it like this by itself.
"""

import asyncio
import os
import sys


def watch_by_descriptor() -> None:
    """Have event loops of this process do so, where the system can."""
    if sys.version_info < (3, 12) and _can():
        asyncio.get_event_loop_policy().set_child_watcher(asyncio.PidfdChildWatcher())


def _can() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True
