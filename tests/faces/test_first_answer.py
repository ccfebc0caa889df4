"""What a daemon that has just been started loads before it answers: the command that started it waits for that."""

import subprocess
import sys
from pathlib import Path

LATER = {"yaml", "compileall", "bandstand.config.score", "bandstand.config.yaml_documents"}
"""What only submitting needs."""

BEGINNING = "import sys, bandstand.bootstrap, bandstand.faces.daemon.operations; print(*sys.modules, sep='\\n')"


def test_who_looks_does_not_wait_for_what_submitting_needs(tmp_path: Path) -> None:
    """Task files and scores are read long after the first answer, if ever."""
    ran = subprocess.run(
        [sys.executable, "-c", BEGINNING], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(ran.stdout.split())
    assert "bandstand.services.views" in loaded
    assert loaded & LATER == set()
