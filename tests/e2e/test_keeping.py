"""Nothing left over, nothing lost: `band gc` on a real machine."""

import os
import shutil
import time

from tests.e2e.stage import HELLO, HOLD, Stage

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
