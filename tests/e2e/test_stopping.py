"""Pausing one task and stopping everything: the agents are gone, the work is there, and all of it goes on when told."""

import os
import signal

import pytest

from tests.e2e.stage import HOLD, Json, Stage, task
from tests.e2e.test_json import fits

HELD = f"""\
parts:
  - when: start
    steps:
      - {HOLD}
      - edit: {{path: "{{task}}.txt", content: "hello\n"}}
      - commit: Say hello
  - when: "broke off"
    steps:
      - edit: {{path: "{{task}}.txt", content: "hello again\n"}}
      - commit: Say hello again
"""
"""Goes on when the test says so; what was interrupted is done at once."""


def agents(stage: Stage) -> list[str]:
    """The agents that live."""
    return [command for command in stage.processes().values() if "rehearsal" in command]


def working(stage: Stage, *names: str) -> None:
    """Tasks whose agents are in the middle of their turns."""
    stage.repository()
    for name in names:
        stage.band("run", f"say {name}", "--id", name, "--detach", *stage.rehearsing(HELD))
    stage.begun(*names)


def test_a_paused_task_lands_when_it_goes_on(stage: Stage) -> None:
    """Its agent is gone meanwhile, and the others are not."""
    working(stage, "first", "second")
    assert "band resume first" in stage.band("pause", "first", "-m", "lunch").out
    stage.until(lambda fleet: task(fleet, "first")["words"].startswith("paused by"))
    assert task(stage.band_json("ps"), "first")["words"].endswith(": lunch")
    assert [command for command in agents(stage) if "first.1" in command] == []
    assert fits("Queue", stage.band_json("queue"))["entries"] == []
    assert fits("Retried", stage.band_json("retry", "second"))["facts"] == ["RunStopRequested"]
    stage.landed("second")
    assert "goes on" in stage.band("resume", "first").out
    stage.landed("first")
    assert stage.runs() == ["first.1", "first.2", "second.1", "second.2"]


def stopped(stage: Stage) -> Json:
    """What `stop --all` says; then no agent lives."""
    said = fits("Halted", stage.band_json("stop", "--all"))
    assert agents(stage) == []
    assert said["left"] == 0
    return said


@pytest.mark.parametrize("daemon", ["alive", "hanging", "dead"])
def test_everything_stops_whatever_the_daemon_does(stage: Stage, daemon: str) -> None:
    """And everything goes on when it is told to, with the turns given again."""
    working(stage, "first", "second")
    pid = stage.daemon()
    if daemon != "alive":
        os.kill(pid, signal.SIGSTOP if daemon == "hanging" else signal.SIGKILL)
    try:
        said = stopped(stage)
    finally:
        if daemon == "hanging":
            os.kill(pid, signal.SIGCONT)
    assert said["ended"] == 2
    stage.until(lambda fleet: {row["mark"] for row in fleet["tasks"]} == {"paused"})
    assert agents(stage) == []
    assert fits("Resumed", stage.band_json("resume", "--all"))["repositories"][0]["tasks"] == ["first", "second"]
    stage.landed("first")
    stage.landed("second")


def test_stopping_everything_has_to_be_meant(stage: Stage) -> None:
    """Without the word for it nothing happens, and where nothing goes on that is said."""
    stage.repository()
    stage.band("ps")
    assert "band stop --all" in stage.band("stop", ends=2).err
    assert "band resume TASK" in stage.band("resume", ends=2).err
    assert "Nothing was going on." in stage.band("stop", "--all").out
    assert "Nothing was stopped" in stage.band("resume", "--all").out
    assert "Nothing waits to land." in stage.band("queue").out
