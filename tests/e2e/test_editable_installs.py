"""A project that is installed with `pip install -e` in the caller's environment: the change is tested, nothing else."""

import subprocess
import sys

import pytest

from tests.e2e.stage import Stage
from tests.real_git import Folder

FILES = {
    ".gitignore": ".venv/\n__pycache__/\n",
    "src/calc/__init__.py": "VALUE = 1\n",
    "tests/__init__.py": "",
    "tests/test_value.py": "import unittest\n\nimport calc\n\n\nclass Value(unittest.TestCase):\n"
    "    def test_value(self):\n        self.assertEqual(calc.VALUE, 1)\n",
}
RULES = 'review = "none"\n\n[checks]\ncommands = ["python -m unittest discover -q -s tests"]\n'
SCORE = """\
parts:
  - steps:
      - edit: {path: src/calc/__init__.py, content: "VALUE = 2\\n"}
      - commit: Break it
  - steps:
      - run: python -c 'import calc; print(calc.__file__)' > where.txt
      - edit: {path: src/calc/__init__.py, content: "VALUE = 2 - 1\\n"}
      - commit: Mend it
"""


@pytest.fixture
def project(stage: Stage) -> Folder:
    """A repository with an activated environment that has it installed for editing."""
    project = stage.repository(files=FILES, rules=RULES)
    venv = project.path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "calc.pth").write_text(f"{project.path}/src\n")
    stage.environment |= {"VIRTUAL_ENV": str(venv), "PATH": f"{venv}/bin:{stage.environment['PATH']}"}
    return project


def test_in_the_sandbox_the_change_is_what_is_tested(stage: Stage, project: Folder) -> None:
    """A broken change comes back to the agent, a sound one lands; and what the agent runs is its own work, too."""
    stage.play("say it in other words", SCORE, "--id", "words")
    (run,) = stage.runs()
    assert len(stage.prompts(run)) == 2
    assert "AssertionError: 2 != 1" in stage.band("log", "words", "--full").out
    assert project.text("src/calc/__init__.py") == "VALUE = 2 - 1\n"
    assert project.text("where.txt") == "/workspace/src/calc/__init__.py\n"


def test_without_a_sandbox_the_order_is_refused(stage: Stage, project: Folder) -> None:
    """For the checkout would be tested, and the broken change would land."""
    said = stage.play("say it in other words", SCORE, "--sandbox", "none", ends=2)
    assert "calc.pth" in said.err
    assert stage.band_json("ps")["tasks"] == []


def test_what_is_installed_later_is_no_green_check(stage: Stage, project: Folder) -> None:
    """Without a sandbox, a task that was taken up before waits for a person; its change does not land."""
    packages = next((project.path / ".venv").glob("lib/python*/site-packages"))
    (packages / "calc.pth").rename(packages / "calc.later")
    later = f"run: mv {packages}/calc.later {packages}/calc.pth"
    stage.play("break it", SCORE.replace("steps:", f"steps:\n      - {later}", 1), "--detach", "--sandbox", "none")
    ask = stage.ask()
    assert "calc.pth" in str(stage.band_json("asks")), ask
    assert project.text("src/calc/__init__.py") == "VALUE = 1\n"
