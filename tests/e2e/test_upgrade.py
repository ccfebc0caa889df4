"""A state folder that the first version left in the middle of its work is taken up by this one."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import bandstand
from tests.e2e.kept_state import KeptStage, unpack
from tests.e2e.stage import Json, task
from tests.real_git import Folder

TASKS = ("landed", "given-up", "asked", "blocked", "finished", "working", "queued")


@pytest.fixture
def kept() -> Iterator[KeptStage]:
    """The kept state, on a stage with this version of the program."""
    stage = unpack(Path(bandstand.__file__).resolve().parent.parent)
    try:
        yield stage
    finally:
        stage.close()
        shutil.rmtree(stage.root, ignore_errors=True)


def approve_all(stage: KeptStage, *names: str) -> None:
    """Approve the changes of tasks, each as soon as it asks for it; one that used up its turns has some more."""
    left = set(names)

    def one_asks(fleet: Json) -> bool:
        return any(task(fleet, name)["mark"] == "needs-you" for name in left)

    while left:
        stage.until(one_asks)
        for ask in stage.band_json("asks"):
            if ask["task"] in left:
                stage.band("answer", ask["id"], "approve" if ask["kind"] == "review" else "retry")
                left -= {ask["task"]} if ask["kind"] == "review" else set()


def test_what_an_earlier_version_left_goes_on_to_land(kept: KeptStage) -> None:
    """All tasks are there, those that live land, none is prompted twice, and the log is kept as it was."""
    project = Folder(kept.root / "project")
    rescue = project.git("rev-parse", "refs/bandstand/rescue/given-up/1")
    fleet = kept.band_json("ps", "--all")
    assert {one["id"] for one in fleet["tasks"]} == set(TASKS)
    assert task(fleet, "landed")["mark"] == "landed"
    assert task(fleet, "given-up")["mark"] == "stopped"
    assert {ask["task"]: ask["kind"] for ask in kept.band_json("asks")}.items() >= {
        ("asked", "review"),
        ("blocked", "blocked"),
    }
    (copy,) = (kept.state / "backups").glob("*.db")
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)

    (blocked,) = (ask for ask in kept.band_json("asks") if ask["task"] == "blocked")
    kept.band("answer", blocked["id"], "retry", "-m", "The user mended the checks: take broken.txt out.")
    approve_all(kept, "asked", "finished", "working", "blocked")
    approve_all(kept, "queued")
    for name in TASKS:
        if name != "given-up":
            kept.landed(name)
            assert project.text(f"{name}.txt") == f"{name}\n"
    assert kept.prompts("finished.1") == ["turn-1"], "what its journal says is not asked for again"
    assert [run for run in kept.runs() if run.startswith("finished")] == ["finished.1"]
    assert kept.prompts("working.1") == ["turn-1"]
    assert kept.prompts("working.2") == ["turn-2"], "its agent is gone: the turn is given once more, and says so"
    assert "Say hello" in kept.band("log", "landed", "--full").out
    assert project.git("rev-parse", "refs/bandstand/rescue/given-up/1") == rescue
    assert project.git("log", "--format=%(trailers:key=Bandstand-Task,valueonly)", "main").split().count("asked") == 1
