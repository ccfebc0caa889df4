"""A full disk, one that can only be read, a database that another program holds: one clear error, and then it goes on.

No ordinary user may mount anything, so the small disk is one of bubblewrap's.
"""

import resource
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.e2e.stage import HELLO, HOLD, Stage, task

FULL = """\
band ps; echo "code $?"
head -c 2000000 /dev/zero > "$BAND_STATE_DIR/fill" 2> /dev/null
band down > /dev/null; echo "down $?"
band ps; echo "code $?"
rm "$BAND_STATE_DIR/fill"
band ps; echo "code $?"
band down > /dev/null; echo "down $?"
"""
FULL_TMP = """\
waits() { for try in $(seq 300); do band ps --json | grep -e "$@" && return; sleep 0.1; done; }
band ps > /dev/null
head -c 2000000 /dev/zero > /mnt/fill 2> /dev/null
band run hello --id one --agent rehearsal --score SCORE --sandbox none --yes --detach
waits "trying again" -e needs-you
band asks
rm /mnt/fill
band retry one
waits "landed as"
band down > /dev/null; echo "down $?"
"""
TALKING = f"""\
parts:
  - steps:
      - {HOLD}
      - say: {"much " * 2000}
      - edit: {{path: "{{task}}.txt", content: "hello\\n"}}
      - commit: Say hello
"""
HELD = f"""\
parts:
  - steps:
      - {HOLD}
      - edit: {{path: "{{task}}.txt", content: "hello\\n"}}
      - commit: Say hello
"""


def walled(stage: Stage, *options: str, script: str) -> list[str]:
    """What a shell says in which the disk of everything but what `options` say can only be read."""
    bwrap = shutil.which("bwrap")
    assert bwrap is not None, "bwrap is needed for a small disk: install bubblewrap"
    band = f'band() {{ {" ".join(stage.command())} "$@"; }}\n'
    command = [bwrap, "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *options]
    done = subprocess.run(
        [*command, "sh", "-c", band + script],
        cwd=stage.repositories[0].path,
        env=stage.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout.splitlines()


def test_a_full_disk_is_said_and_room_is_enough_to_go_on(stage: Stage) -> None:
    """A daemon that cannot even write why it ends is no riddle: the command looks."""
    stage.repository()
    state, path = str(stage.state), str(stage.repositories[0].path)
    said = walled(stage, "--bind", path, path, "--size", str(3 << 19), "--tmpfs", state, script=FULL)
    codes = [line for line in said if line.startswith(("code", "down"))]
    assert codes == ["code 0", "down 0", "code 3", "code 0", "down 0"], said
    assert f"band: There is no room on the disk for {state}." in said
    assert any("Make room" in line for line in said)


def test_a_disk_that_can_only_be_read_is_said(stage: Stage) -> None:
    """It is worth another try later, and nothing is written by half."""
    stage.repository()
    said = walled(stage, script='band ps; echo "code $?"\n')
    assert said[0] == f"band: The disk of {stage.state} can only be read."
    assert said[-1] == "code 3"
    assert list(stage.state.iterdir()) == []


def test_an_agent_that_waits_for_room_is_seen(stage: Stage) -> None:
    """Everywhere where its task is, in one sentence with the next step; it goes on by itself, and nothing is lost."""
    repository = stage.repository()
    stage.play("Say much", TALKING, "--id", "one", "--detach")
    stage.begun("one")
    (runs,) = stage.state.glob("repositories/*/runs/one.1")
    (holder,) = (pid for pid in stage.processes() if _holds(pid, runs / "journal"))
    size = (runs / "journal").stat().st_size
    _, most = resource.prlimit(holder, resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
    stage.go_on("one")
    fleet = stage.until(lambda fleet: "no room on the disk" in task(fleet, "one")["words"])
    assert (task(fleet, "one")["mark"], task(fleet, "one")["owner"]) == ("waiting", "human")
    said = stage.band("ps", variables={"COLUMNS": "200"}).out
    assert "there is no room on the disk for what it says; make some, and it goes on" in said
    assert "no room on the disk" in stage.band("show", "one").out
    resource.prlimit(holder, resource.RLIMIT_FSIZE, (most, most))
    stage.landed("one")
    assert repository.text("one.txt") == "hello\n"


def _holds(pid: int, file: Path) -> bool:
    """Whether a process has a file open."""
    try:
        return any(Path(link).resolve() == file for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_a_full_folder_for_temporary_files_is_said_and_waited_for(stage: Stage) -> None:
    """What needs it is tried again until there is room; the task that waits tells why."""
    stage.repository(rules='review = "none"\n[checks]\ncommands = ["true"]\n')
    path, score = str(stage.root), stage.file("score.yaml", HELLO)
    stage.environment["TMPDIR"] = "/mnt"
    script = FULL_TMP.replace("SCORE", str(score))
    said = "\n".join(walled(stage, "--size", str(1 << 16), "--tmpfs", "/mnt", "--bind", path, path, script=script))
    assert "no room" in said and "landed as" in said, said


def test_a_database_that_another_program_holds_is_waited_for(stage: Stage) -> None:
    """What was seen is still shown, orders are refused for the time being, and work goes on by itself behind it."""
    repository = stage.repository()
    stage.play("Say hello", HELD, "--id", "one", "--detach")
    stage.begun("one")
    with closing(sqlite3.connect(stage.state / "bandstand.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        stage.go_on("one")
        said = stage.band("send", "one", "Hurry.", ends=3)
        assert "Another program is writing" in said.err
        assert task(stage.band_json("ps"), "one")["mark"] == "working"
        other.execute("ROLLBACK")
    stage.landed("one")
    assert repository.text("one.txt") == "hello\n"
    assert stage.prompts("one.1") == ["turn-1"]
