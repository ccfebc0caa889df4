"""Completion: what a word of the command line could become, in a real shell, with ids from a daemon that runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandstand.faces.cli.completing import SCRIPTS, candidates
from tests.faces.rows import EVIL, ask, fleet, row
from tests.faces.standing_in import answering

ANSWERS = {
    "hello": {"outlived": ""},
    "ps": fleet(row("docs", words=f"waits {EVIL}", over=True), row("api-docs", over=False), row("done", over=False)),
    "checkpoints": {"checkpoints": [{"number": 1, "files": [1]}, {"number": 2, "files": []}]},
    "ports": {"ports": [{"port": 3000, "address": "127.0.0.1", "program": "node"}, {"port": 3000, "program": "node"}]},
    "rescues": {"rescues": [{"task": "old", "title": "Old"}, {"task": "old", "title": "Old"}]},
    "asks": [ask("permission", "Allow", "Reject"), ask("question", id="a4")],
    "agents": {
        "default": "codex",
        "agents": [
            {"name": "codex", "title": "Codex", "state": "configured"},
            {"name": "gemini", "title": "Gemini", "state": "missing"},
        ],
    },
}
BASH = """
eval "$(band completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_band band "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that answers."""
    with answering(ANSWERS) as state:
        monkeypatch.setenv("BAND_STATE_DIR", str(state))
        yield


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], ["run"]),
        (["--ver"], ["--version"]),
        (["help", "revi"], ["review"]),
        (["ps", "--a"], ["--all"]),
        (["ps", "--json", "d"], ["done", "docs"]),
        (["ps", "done", ""], ["api-docs", "docs"]),
        (["show", ""], ["api-docs", "done", "docs"]),
        (["show", "done", ""], []),
        (["log", "-f", "a"], ["api-docs"]),
        (["open", "docs", "--port", ""], ["3000"]),
        (["open", "--port", ""], []),
        (["answer", ""], ["a3", "a4"]),
        (["answer", "a3", ""], ["1", "2"]),
        (["answer", "a4", ""], []),
        (["answer", "a3", "-m", ""], []),
        (["run", "a goal", "--agent", ""], ["codex"]),
        (["run", "--agent=c"], ["--agent=codex"]),
        (["run", "--sandbox", "=", "b"], ["bubblewrap"]),
        (["run", "--sandbox", "="], ["bubblewrap", "none"]),
        (["run", "-f", ""], [":files"]),
        (["run", "--", "--d"], []),
        (["run", "--target", "no-such-br"], []),
        (["rescue", "re"], ["restore"]),
        (["rescue", "restore", ""], ["old"]),
        (["rescue", "restore", "old", "--to", ""], [":files"]),
        (["diff", "docs@"], ["docs@1", "docs@2"]),
        (["checkpoints", "do"], ["done", "docs"]),
        (["pause", "a"], ["api-docs"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["dance", ""], []),
    ],
)
@pytest.mark.usefixtures("daemon")
def test_what_a_word_could_become(words: list[str], offered: list[str]) -> None:
    """Verbs, options and their values, ids; tasks that go on before those that are over."""
    assert [value for value, _ in candidates(words)] == offered


@pytest.mark.usefixtures("daemon")
def test_what_stands_beside_it() -> None:
    """Which of two ids is meant can be seen."""
    assert dict(candidates(["answer", ""]))["a3"] == "dark-mode: Fetch the docs?"


def test_without_a_daemon_no_ids_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silently, and none is started."""
    monkeypatch.setenv("BAND_STATE_DIR", str(tmp_path / "state"))
    assert list(candidates(["show", ""])) == []
    assert list(tmp_path.iterdir()) == []


def test_an_older_daemon_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that would make way for the next command does not do so because somebody pressed Tab."""
    with answering({**ANSWERS, "hello": {"outlived": "It is of another installation."}}) as state:
        monkeypatch.setenv("BAND_STATE_DIR", str(state))
        assert list(candidates(["show", ""])) == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["revi"], ["review"]),
        (["show", "d"], ["done", "docs"]),
        (["run", "--sandbox", "=", "n"], ["none"]),
        (["show", "nothing-like-it"], [""]),
    ],
)
@pytest.mark.usefixtures("daemon")
def test_bash_completes(words: list[str], offered: list[str]) -> None:
    """A real one, which was given the script as its help says."""
    ran = bash(BASH, "band", *words)
    assert (ran.stdout.split("\n")[:-1], ran.stderr) == (offered, "")


@pytest.mark.usefixtures("daemon")
def test_what_bash_gets_cannot_steer_a_terminal() -> None:
    """What agents write is cleaned."""
    ran = bash('band complete -- show ""')
    assert "docs" in ran.stdout
    assert "\x1b" not in ran.stdout and "\r" not in ran.stdout


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_each_shell_has_a_script(shell: str) -> None:
    """Which asks `band` itself, by the name by which it was called."""
    ran = bash(f"band completion {shell}")
    assert ran.stdout == SCRIPTS[shell]
    assert " complete -- " in ran.stdout


def bash(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What bash makes of a script that is given words."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "--norc", "--noprofile", "-c", script, "bash", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
