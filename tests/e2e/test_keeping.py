"""Nothing left over, nothing lost: `band gc` on a real machine."""

import os
import shutil
import time

from tests.e2e.stage import HELLO, HOLD, Stage
from tests.e2e.test_json import fits

HELD = f"parts:\n  - steps:\n      - edit: {{path: kept.txt, content: kept}}\n      - {HOLD}\n"
YEAR = 365 * 24 * 3600


def old(stage: Stage, pattern: str) -> None:
    """Everything of this kind was last written to a year ago."""
    for path in stage.state.glob(pattern):
        for file in (*path.rglob("*"), path):
            if not file.is_symlink():
                os.utime(file, (time.time() - YEAR,) * 2)


def test_what_is_over_goes_and_what_lives_stays(stage: Stage) -> None:
    """A dry run says it first, and changes nothing; the log of what lives is still there."""
    user = stage.repository()
    stage.play("say hello", HELLO, "--id", "hello")
    stage.band("run", "wait", "--id", "wait", "--detach", *stage.rehearsing(HELD))
    stage.begun("wait")
    for kind in ("runs", "checks"):
        old(stage, f"repositories/*/{kind}/*")
    dry = stage.band_json("gc", "--dry-run")
    assert {thing["kind"] for thing in dry["things"]} == {"branch", "run", "check output", "packs"}
    assert not dry["cleared"]
    assert [thing for thing in dry["things"] if not thing["proof"]] == []
    assert "is an ancestor of main" in stage.band("gc", "--dry-run").out
    assert user.git("branch", "--list", "band/hello")
    said = stage.band("gc")
    assert "band/hello: all that it ever held is in main" in said.out
    assert "hello.1: hello has landed; 365 days old; kept for 90" in said.out
    assert stage.runs() == ["wait.1"]
    assert not user.git("branch", "--list", "band/*")
    assert stage.band("gc").out == "There is nothing that nobody needs.\n"
    assert "hello" in stage.band("ps").out
    assert "no longer kept" in stage.band("log", "hello").out
    assert stage.band("log", "wait").out
    stage.go_on("wait")
    stage.landed("wait")


def test_what_is_kept_of_a_repository_that_is_gone_goes_when_it_is_named(stage: Stage) -> None:
    """And not before, nor while it holds what is nowhere else."""
    stage.repository("here")
    gone = stage.repository("gone")
    stage.play("say hello", HELLO, "--id", "hello", at=gone)
    (folder,) = stage.state.glob("repositories/*")
    stage.band("down")
    shutil.rmtree(gone.path)
    said = stage.band("gc")
    assert f"{folder.name}: it is no longer at {gone.path}" in said.out
    assert f"band gc --repository {folder.name}" in said.out
    assert folder.exists()
    held = folder / "workspaces" / "lost"
    held.mkdir()
    assert "workspace lost" in stage.band("gc", "--repository", folder.name, ends=2).err
    held.rmdir()
    assert stage.band_json("gc", "--repository", folder.name)["things"][0]["name"] == folder.name
    assert not folder.exists()
    assert "is gone" in stage.band("gc", "--repository", folder.name, ends=2).err


TWO_TURNS = """\
parts:
  - steps:
      - edit: {path: calc.py, content: "broken(\\n"}
      - commit: Break it
  - steps:
      - HOLD
      - edit: {path: calc.py, content: "def add(a, b):\\n    return b + a\\n"}
      - commit: Mend it
"""

KEPT = """\
parts:
  - steps:
      - edit: {path: .gitignore, content: "*.log\\n"}
      - edit: {path: kept.txt, content: "kept\\n"}
      - edit: {path: debug.log, content: "noise\\n"}
      - HOLD
"""


def test_cancelled_work_is_listed_shown_restored_and_given_up(stage: Stage) -> None:
    """With what git ignored; what is nowhere else goes only for a yes, and each step says the next one."""
    user = stage.repository()
    assert stage.band("rescue").out.startswith("Nothing is kept")
    stage.band("run", "keep", "--id", "keep", "--detach", *stage.rehearsing(KEPT.replace("HOLD", HOLD)))
    stage.begun("keep")
    stage.band("cancel", "keep", "-m", "not now")
    stage.band("ps", "-f", "keep", ends=1)
    stage.until(lambda fleet: fleet["tasks"][0]["over"])
    (listed,) = fits("Rescues", stage.band_json("rescue"))["rescues"]
    assert (listed["task"], listed["why"]) == ("keep", "it was cancelled: not now")
    shown = fits("RescueContent", stage.band_json("rescue", "show", "keep"))
    assert "+kept" in shown["patch"]
    assert shown["listings"][0]["names"] == ["debug.log"]
    assert "band rescue restore keep" in stage.band("rescue", "show", "keep").out

    said = stage.band("rescue", "restore", "keep").out
    assert "git switch rescued/keep" in said
    assert "--to FOLDER" in said
    assert user.git("show", "rescued/keep:kept.txt") == "kept"
    assert "already" in stage.band("rescue", "restore", "keep", ends=2).err
    folder = stage.root / "saved"
    restored = fits("Restored", stage.band_json("rescue", "restore", "keep/1", "--to", folder))
    assert restored["folder"] == str(folder)
    assert ((folder / "kept.txt").read_text(), (folder / "debug.log").read_text()) == ("kept\n", "noise\n")
    assert not (folder / ".git").exists()

    dry = fits("Pruned", stage.band_json("rescue", "prune", "keep", "--dry-run"))
    assert [name.partition("-")[0] for name in dry["rescues"][0]["nowhere_else"]] == ["keep"]
    assert "--yes" in stage.band("rescue", "prune", "keep", ends=1).out
    stage.band("gc")
    assert user.git("for-each-ref", "refs/bandstand/rescue")
    assert "given up" in stage.band("rescue", "prune", "--older-than", "0", "--yes").out
    assert not user.git("for-each-ref", "refs/bandstand/rescue")
    assert fits("Rescues", stage.band_json("rescue")) == {"rescues": []}
    assert stage.band_json("show", "keep")["rescue"] is None


def test_checkpoints_are_listed_with_their_turns_and_shown_as_patches(stage: Stage) -> None:
    """While the task has a workspace; afterwards it is said where its content is."""
    stage.repository()
    stage.band("run", "two", "--id", "two", "--detach", *stage.rehearsing(TWO_TURNS.replace("HOLD", HOLD)))
    stage.begun("two")
    listed = fits("Checkpoints", stage.band_json("checkpoints", "two"))["checkpoints"]
    assert [(one["number"], one["turns"]) for one in listed] == [(1, [1])]
    assert [file["path"] for file in listed[0]["files"]] == ["calc.py"]
    said = stage.band("checkpoints", "two").out
    assert "two@1" in said
    assert "turn 1" in said
    assert "+broken" in stage.band("diff", "two@1").out
    assert stage.band("diff", "two@1", "--stat").out.startswith("M calc.py")
    assert "There are: 1 to 1" in stage.band("diff", "two@9", ends=2).err
    assert "band diff" not in stage.band("diff", "two@x", ends=2).out
    stage.go_on("two")
    stage.landed("two")
    stage.until(lambda fleet: fleet["tasks"][0]["over"])
    assert "What landed: band diff two" in stage.band("checkpoints", "two").out
    assert stage.band_json("checkpoints", "two")["checkpoints"] == []


def test_what_is_kept_of_one_task_goes_when_its_user_says_so(stage: Stage) -> None:
    """Its transcript and outputs; that there was such a task, and what landed, stays. One that lives is left alone."""
    repository = stage.repository()
    stage.play("say hello", HELLO, "--id", "hello")
    stage.band("run", "wait", "--id", "wait", "--detach", *stage.rehearsing(HELD))
    stage.begun("wait")
    assert "band cancel wait" in stage.band("purge", "--task", "wait", "--yes", ends=2).err
    assert stage.band("log", "hello").out
    told = stage.band("purge", "--task", "hello", ends=2).err
    assert "run hello.1" in told and "band purge --task hello --yes" in told
    purged = fits("Purged", stage.band_json("purge", "--task", "hello", "--yes"))
    assert "run hello.1" in purged["removed"]
    assert not [*stage.state.glob("repositories/*/runs/hello.*"), *stage.state.glob("repositories/*/checks/hello.*")]
    assert "Nothing is kept of hello" in stage.band("purge", "--task", "hello").out
    assert stage.band_json("show", "hello")["row"]["mark"] == "landed"
    assert "+hello" in stage.band("diff", "hello").out
    assert repository.text("hello.txt") == "hello\n"
    stage.go_on("wait")
    stage.landed("wait")
    assert stage.band("log", "wait").out


def test_what_is_kept_of_one_repository_goes_when_its_user_says_so(stage: Stage) -> None:
    """Not while anything goes on there, and nothing of another one; its git and the list of its tasks stay."""
    here, other = stage.repository("here"), stage.repository("other")
    for one in (here, other):
        stage.play("say hello", HELLO, "--id", "hello", at=one)
    stage.band("run", "wait", "--id", "wait", "--detach", *stage.rehearsing(HELD), at=here)
    stage.begun("wait")
    assert "band cancel" in stage.band("purge", "--here", "--yes", at=here, ends=2).err
    stage.go_on("wait")
    stage.landed("wait", at=here)
    told = stage.band("purge", "--here", at=here, ends=2).err
    assert "for good" in told and "band purge --here --yes" in told
    folders = set(stage.state.glob("repositories/*"))
    assert fits("Purged", stage.band_json("purge", "--here", "--yes", at=here))["bytes"] > 0
    (left,) = stage.state.glob("repositories/*")
    assert left in folders
    assert {row["id"] for row in stage.band_json("ps", at=here)["tasks"]} == {"hello", "wait"}
    assert here.git("log", "--oneline", "main").count("\n") >= 2
    assert stage.band("log", "hello", at=other).out
    assert "nothing to remove" in stage.band("purge", "--here", at=here).out
