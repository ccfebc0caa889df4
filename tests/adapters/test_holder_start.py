"""What a holder loads: every run starts one, so what it needs to no end is paid for each time."""

import subprocess
import sys
from pathlib import Path

import bandstand

SLOW = {"asyncio", "dataclasses", "inspect", "logging", "pathlib", "tempfile", "typing"}
"""What takes a good part of a holder's start to import."""

LOADING = """
import sys
sys.path.append(sys.argv[1])
import bandstand.adapters.hosts.holder.holding, bandstand.adapters.hosts.holder.bell
print(*sys.modules, sep="\\n")
"""


def test_a_holder_loads_nothing_slow(tmp_path: Path) -> None:
    """Not one of the modules that are known to be slow, whoever imports it."""
    source = str(Path(bandstand.__file__).parent.parent)
    words = [sys.executable, "-I", "-S", "-X", "utf8", "-c", LOADING, source]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(ran.stdout.split())
    assert "bandstand.adapters.hosts.holder.journal" in loaded
    assert loaded & SLOW == set()
