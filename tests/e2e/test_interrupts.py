"""Ctrl-C, `down` and a closed pipe end what a person sees. The agents do not notice."""

import os
import signal
import subprocess
from functools import partial

from tests.e2e.stage import HELLO, HOLD, Stage, task, wait_for
from tests.e2e.terminal import Terminal

HELD = HELLO.replace("steps:\n", f"steps:\n      - {HOLD}\n").replace("hello.txt", "'{task}.txt'")


def _is_gone(stage: Stage, pid: int) -> bool:
    return pid not in stage.processes()


def test_ctrl_c_only_stops_watching(stage: Stage) -> None:
    """`band run` ends with a word on how to look again; the task goes on and others can be added."""
    stage.repository()
    running = stage.start("run", "say hello", "--id", "first", *stage.rehearsing(HELD))
    stage.begun("first")
    os.killpg(running.pid, signal.SIGINT)  # to the whole foreground group, as a terminal does it
    code, said = stage.ended(running)
    assert code in (0, 130)
    assert "the tasks go on" in said and "band ps -f" in said
    assert task(stage.band_json("ps"), "first")["mark"] == "working"

    watching = stage.start("ps", "-f")
    adding = stage.start("run", "say more", "--id", "second", *stage.rehearsing(HELD))
    stage.begun("second")
    stage.go_on("first", "second")
    for process in (watching, adding):
        code, said = stage.ended(process)
        assert code == 0, said
        assert "landed" in said
    assert stage.runs() == ["first.1", "second.1"]


def test_the_daemon_may_be_ended_while_agents_work(stage: Stage) -> None:
    """In an orderly way, again and again: the agent goes on, each next command starts a new daemon, nothing is doubled.

    Who watches is told, and not that anything has landed.
    """
    stage.repository()
    running = stage.start("run", "say hello", "--id", "first", *stage.rehearsing(HELD))
    stage.begun("first")
    for how in (signal.SIGTERM, signal.SIGINT, None):
        old = stage.daemon()
        if how is None:
            assert "1 agent goes on" in stage.band("down").out
        else:
            os.kill(old, how)
        wait_for(partial(_is_gone, stage, old))
        assert [command for command in stage.processes().values() if "rehearsal" in command], "the agent is gone"
        assert task(stage.band_json("ps"), "first")["mark"] == "working"
        assert stage.daemon() != old
    code, said = stage.ended(running)
    assert code not in (0, 1)
    assert "landed" not in said
    stage.go_on("first")
    stage.landed("first")
    assert stage.prompts("first.1") == ["turn-1"]
    assert stage.runs() == ["first.1"]


def test_down_without_a_daemon_says_so_and_starts_none(stage: Stage) -> None:
    """It may be said twice. One in the foreground ends with Ctrl-C, and is not doubled."""
    stage.repository()
    for _ in range(2):
        assert "No daemon is running." in stage.band("down").out
    with Terminal(stage, "up") as foreground:
        foreground.hears("is up")
        assert "already" in stage.band("up", ends=3).err
        foreground.types("\x03")
        assert foreground.ends() == 0
    stage.band("ps")
    stage.band("down")
    wait_for(lambda: not stage.processes())


def test_a_reader_who_goes_away_is_no_error(stage: Stage) -> None:
    """`band log T | head -1`, and output that has no place at all."""
    stage.repository()
    stage.play("say hello", HELLO)
    for words, code in (
        ("log say-hello | true", 0),
        ("diff say-hello | true", 0),
        ("ps | true", 0),
        ("ps >&-", 0),
        ("show say-hello > /dev/full", 70),
    ):
        verb, _, rest = words.partition(" ")
        piped = f"{' '.join(stage.command(verb))} {rest}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", piped],
            cwd=stage.repositories[0].path,
            env=stage.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == code, words
        assert done.stderr == ("band: The output cannot be written: No space left on device.\n" if code else ""), words


def test_a_person_at_a_terminal_confirms_the_rules_once(stage: Stage) -> None:
    """They are shown with their commands; anything but a yes starts nothing, and so does Ctrl-C."""
    stage.repository()
    words = ("run", "say hello", "--agent", "rehearsal", "--score", str(stage.file("score.yaml", HELLO)))
    for typed, code in (("n\n", 2), ("\x03", 130), ("\x04", 2)):
        with Terminal(stage, *words) as terminal:
            assert "python3 -m unittest -q" in terminal.hears("[y/N]")
            terminal.types(typed)
            assert terminal.ends() == code
    assert stage.band_json("ps")["tasks"] == []
    with Terminal(stage, *words) as terminal:
        terminal.hears("[y/N]")
        terminal.types("y\n")
        terminal.hears("landed as")
        assert terminal.ends() == 0
    with Terminal(stage, "run", "say hello again", *words[2:]) as terminal:
        terminal.hears("working on the goal")
        terminal.types("\x03")
        assert "the tasks go on" in terminal.hears("band ps -f")
        assert terminal.ends() in (0, 130)
