"""Ctrl-C, `down` and a closed pipe end what a person sees. The agents do not notice."""

import os
import signal
import subprocess

import pytest

from tests.e2e.stage import HELLO, Stage, task, wait_for

HELD = """\
parts:
  - steps:
      - run: touch .git/begun; while [ ! -e .git/go-on ]; do sleep 0.05; done
      - edit: {path: "{task}.txt", content: "hello\\n"}
      - commit: Say hello
"""


def begun(stage: Stage, name: str) -> None:
    """Wait until the agent of a task is at work."""
    wait_for(lambda: list(stage.state.glob(f"repositories/*/workspaces/{name}/tree/.git/begun")))


def go_on(stage: Stage, name: str) -> None:
    """Let it go on."""
    (stage.workspace(name) / ".git" / "go-on").touch()


def interrupt(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Ctrl-C: to the whole foreground group, as a terminal does it."""
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    return process.returncode, said


def test_ctrl_c_only_stops_watching(stage: Stage) -> None:
    """`band run` ends with a word on how to look again; the task goes on and others can be added."""
    stage.repository()
    running = stage.start("run", "say hello", "--id", "first", *stage.rehearsing(HELD))
    begun(stage, "first")
    code, said = interrupt(running)
    assert code in (0, 130)
    assert "the tasks go on" in said and "band ps -f" in said
    assert "Traceback" not in said
    assert task(stage.band_json("ps"), "first")["mark"] == "working"

    watching = stage.start("ps", "-f")
    adding = stage.start("run", "say more", "--id", "second", *stage.rehearsing(HELD))
    begun(stage, "second")
    for name in ("first", "second"):
        go_on(stage, name)
    for process in (watching, adding):
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert "landed" in said
    assert stage.runs() == ["first.1", "second.1"]


@pytest.mark.parametrize("how", ["down", "SIGTERM", "SIGINT"])
def test_the_daemon_may_be_ended_while_agents_work(stage: Stage, how: str) -> None:
    """Orderly, too: the agent goes on, the next command starts a new daemon, and nothing is done twice."""
    stage.repository()
    stage.play("say hello", HELD, "--detach", "--id", "first")
    begun(stage, "first")
    old = stage.daemon()
    if how == "down":
        assert "Agents go on" in stage.band("down").out
    else:
        os.kill(old, getattr(signal, how))
    wait_for(lambda: old not in stage.processes())
    assert [command for command in stage.processes().values() if "rehearsal" in command], "the agent is gone"
    assert task(stage.band_json("ps"), "first")["mark"] == "working"
    assert stage.daemon() != old
    go_on(stage, "first")
    stage.landed("first")
    assert stage.prompts("first.1") == ["turn-1"]
    assert stage.runs() == ["first.1"]


def test_who_watches_is_told_when_the_daemon_goes_down(stage: Stage) -> None:
    """`band run` does not claim an end that it has not seen."""
    stage.repository()
    running = stage.start("run", "say hello", "--id", "first", *stage.rehearsing(HELD))
    begun(stage, "first")
    stage.band("down")
    said, _ = running.communicate(timeout=30)
    assert running.returncode != 0, said
    assert "landed" not in said
    assert "Traceback" not in said
    go_on(stage, "first")
    stage.landed("first")


def test_down_without_a_daemon_says_so_and_starts_none(stage: Stage) -> None:
    """It may be said twice."""
    stage.repository()
    for _ in range(2):
        assert "No daemon is running." in stage.band("down").out
    stage.band("ps")
    stage.band("down")
    wait_for(lambda: not stage.processes())


def test_a_reader_who_goes_away_is_no_error(stage: Stage) -> None:
    """`band log T | head -1`."""
    stage.repository()
    stage.play("say hello", HELLO)
    for verb in ("log", "diff", "show", "ps"):
        words = [verb, *(["say-hello"] if verb != "ps" else [])]
        piped = f"{' '.join(stage.command(*words))} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", piped],
            cwd=stage.repositories[0].path,
            env=stage.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), verb
