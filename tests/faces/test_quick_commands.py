"""A command that only looks loads what an answer needs, and nothing else: that is why the prompt is back at once."""

import os
import subprocess
import sys

import pytest

from tests.faces.rows import fleet, row
from tests.faces.standing_in import answering

SLOW = {
    *("asyncio", "dataclasses", "inspect", "logging", "pathlib", "rich", "shutil"),
    *("subprocess", "tempfile", "textwrap", "threading", "typing", "unicodedata", "urllib"),
}
"""What takes a good part of a quick command's time to import, and is needed by none."""

OURS = {
    *("bandstand", "bandstand.__main__", "bandstand.config", "bandstand.config.folders"),
    *("bandstand.domain", "bandstand.domain.errors", "bandstand.faces", "bandstand.faces.cli"),
    *(f"bandstand.faces.cli.{name}" for name in ("calling", "looking", "main", "parser", "reaching", "terminal")),
    *("bandstand.faces.cli.verbs", "bandstand.faces.wire"),
}
"""Every module of our own that looking takes, besides the themes in which its verb is looked for."""

COMMAND = """
import sys
before = set(sys.modules)
from bandstand.__main__ import main
sys.argv = ["band", *{words!r}]
code = main()
loaded = sorted(set(sys.modules) - before)
sys.stderr.write(" ".join(loaded))
sys.exit(code)
"""
ANSWERS = {
    "ps": fleet(row("docs", words="waits for you"), row("api"), asks=1),
    "asks": [],
    "agents": {"default": "", "agents": []},
}


@pytest.mark.parametrize("words", [["ps"], ["ps", "--all", "docs"], ["ps", "--json"], ["asks"], ["agents"]])
def test_a_quick_command_loads_nothing_slow(words: list[str]) -> None:
    """Not one of the modules that are known to be slow, whoever imports it."""
    with answering(ANSWERS) as home:
        ran = subprocess.run(
            [sys.executable, "-c", COMMAND.format(words=words)],
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "BAND_STATE_DIR": str(home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert "docs" in ran.stdout or words[0] != "ps"
    loaded = ran.stderr.split()
    assert SLOW.intersection(loaded) == set()
    ours = {name for name in loaded if name.startswith("bandstand")}
    assert {name for name in ours if not name.startswith("bandstand.faces.cli.verbs.")} == OURS
