"""The systemd unit: what it says, that systemd understands it where there is one, and that only ours is touched."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bandstand.faces.cli import main
from bandstand.faces.cli.unit import MARK, NAME, place, unit
from tests.e2e.test_json import fits


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the unit of a user with an empty home is written."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return place(os.environ)


def settings(text: str) -> dict[str, str]:
    """The settings of a unit by their names; of several of one name the last."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_agents_outlive_the_service(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the daemon is ended, and started again only if it did not mean to end."""
    assert main.run(["up", "--install-unit", "--port", "8787"]) == 0
    said = capsys.readouterr().out
    assert str(path) in said and f"systemctl --user enable --now {NAME}" in said
    found = settings(path.read_text())
    assert (found["KillMode"], found["Restart"], found["RestartPreventExitStatus"]) == ("process", "on-failure", "2 3")
    command = shlex.split(found["ExecStart"])
    assert command == [sys.executable, "-m", "bandstand", "up", "--port", "8787"]


def test_systemd_understands_it(path: Path, tmp_path: Path) -> None:
    """By the judgement of its own program, where there is one; elsewhere each line is a setting or a section."""
    assert main.run(["up", "--install-unit"]) == 0
    if (judge := shutil.which("systemd-analyze")) is not None:
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        command = [judge, "verify", "--user", str(path)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.partition("=")[1] or line in ("[Unit]", "[Service]", "[Install]") for line in lines)


def test_it_finds_what_the_caller_finds() -> None:
    """The state folder and the search path of whoever wrote it; no other variable, and whatever is in them."""
    strange = '/a "b"/100%/$HOME\\'
    text = unit(strange, [], {"BAND_STATE_DIR": strange, "PATH": "/bin", "GITHUB_TOKEN": "x" * 40, "BAND_LOG": "a\nb"})
    assert 'ExecStart="/a \\"b\\"/100%%/$$HOME\\\\" "-m"' in text
    assert 'Environment="BAND_STATE_DIR=/a \\"b\\"/100%%/$HOME\\\\"\n' in text
    assert 'Environment="PATH=/bin"\n' in text
    assert "TOKEN" not in text and "BAND_LOG" not in text


def test_it_goes_as_it_came(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Writing it again, and removing what is not there, is no mistake."""
    for _ in range(2):
        assert main.run(["up", "--install-unit", "--json"]) == 0
        assert fits("Unit", json.loads(capsys.readouterr().out))["there"] is True
    assert path.read_text().startswith(MARK)
    for _ in range(2):
        assert main.run(["up", "--remove-unit", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["there"] is False
        assert not path.exists()


def test_a_unit_that_somebody_wrote_is_left_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither overwritten nor removed."""
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=/bin/true\n")
    assert main.run(["up", "--install-unit"]) == 2
    assert main.run(["up", "--remove-unit"]) == 2
    assert path.read_text() == "[Service]\nExecStart=/bin/true\n"
    assert "was not written by band" in capsys.readouterr().err
