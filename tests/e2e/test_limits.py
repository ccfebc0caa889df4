"""A run that comes near a limit is held still, and its user says how it goes on; also when the daemon dies over it."""

import os
import signal

from tests.e2e.stage import HOLD, Json, Stage, wait_for

HOARDS = f"""\
parts:
  - steps:
      - run: python3 -c "held = bytearray(370000000); import subprocess; subprocess.run(['sh', '-c', '{HOLD[5:]}'])"
      - edit: {{path: hello.txt, content: "hello\\n"}}
      - commit: Say hello
"""
FILLS = f"""\
parts:
  - steps:
      - edit: {{path: hello.txt, content: "hello\\n"}}
      - run: for n in 1 2 3 4; do head -c 9000000 /dev/urandom > big.$n; done
      - {HOLD}
      - commit: Say hello
"""


def asks_about_limit(stage: Stage) -> Json:
    """The ask about a limit, as soon as there is one."""
    ask = stage.ask()
    assert ask["kind"] == "limit", ask
    return ask


def test_a_run_that_takes_too_much_memory_is_held_still_over_the_death_of_the_daemon(stage: Stage) -> None:
    """It goes on with more when its user says so, and lands; until then it does nothing, whatever happens."""
    stage.repository()
    stage.settings("[limits]\nmemory_mb = 400\n")
    stage.play("say hello", HOARDS, "--detach", "--id", "hello")
    stage.begun("hello")
    ask = asks_about_limit(stage)
    assert "400 MB is its limit" in ask["title"] and "of memory" in ask["title"]
    stage.go_on("hello")  # it would, if it could
    daemon = stage.daemon()
    os.kill(daemon, signal.SIGKILL)
    stage.gone(daemon)
    assert asks_about_limit(stage)["id"] == ask["id"]
    (row,) = stage.band_json("ps")["tasks"]
    assert row["mark"] == "needs-you"
    assert not (stage.workspace("hello") / "hello.txt").exists()
    stage.band("answer", ask["id"], "raise")
    stage.landed("hello")


def test_a_run_that_fills_the_disk_is_stopped_with_its_work_kept(stage: Stage) -> None:
    """It can be tried again, or given up: what it wrote is had back by its user."""
    stage.repository()
    stage.settings("[limits]\ndisk_mb = 30\n")
    stage.play("say hello", FILLS, "--detach", "--id", "hello")
    stage.begun("hello")
    ask = asks_about_limit(stage)
    assert "on the disk, and 30 MB is its limit" in ask["title"]
    stage.band("answer", ask["id"], "stop")
    wait_for(lambda: stage.band_json("asks")[0]["kind"] == "blocked" if stage.band_json("asks") else None)
    (blocked,) = stage.band_json("asks")
    assert blocked["title"].endswith("was stopped: it used too much.")
    assert (stage.workspace("hello") / "hello.txt").read_text() == "hello\n"
    stage.band("cancel", "hello")
    wait_for(lambda: "hello" in stage.band("rescue", "list").text)  # once its workspace has been retired
