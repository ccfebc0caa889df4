"""The daemon hears that its processes have ended."""

import subprocess
import sys

SCRIPT = """
import asyncio, sys, threading
from bandstand.faces.daemon.children import watch_by_descriptor

async def main():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import sys; sys.exit(7)")
    threads = threading.active_count()
    return threads, await process.wait()

watch_by_descriptor()
print(*asyncio.run(main()))
"""


def test_no_thread_waits_for_a_process() -> None:
    """Its exit code arrives all the same."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["1", "7"]
