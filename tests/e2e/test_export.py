"""`band export`: what is known of tasks, in files that anybody can read."""

import json
import tarfile

from bandstand.adapters.store.codec import event_codec
from tests.e2e.stage import HELLO, Json, Stage
from tests.e2e.test_json import fits

SECRET = "ghp_" + "a1B2" * 9


def lines(text: str) -> list[Json]:
    """Lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_task_that_has_ended_is_exported(stage: Stage) -> None:
    """Its facts in order, its transcript, what `show` says, and a patch; without what looks like a secret."""
    stage.repository()
    stage.play(f"Say hello, not {SECRET}", HELLO, "--id", "one")
    stage.play("Say it again", HELLO.replace("hello.txt", "again.txt"), "--id", "two")
    archive = stage.root / "out.tar.gz"
    said = fits("Exported", stage.band_json("export", "one", "-o", archive))
    assert said["tasks"] == 1
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # early releases of Python 3.11 have none
        tar.extractall(stage.root / "in")
    folder = stage.root / "in" / "out"
    assert SECRET not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert json.loads((folder / "export.json").read_text())["format"] == 1
    task = folder / "tasks" / "one"
    assert json.loads((task / "task.json").read_text()) == stage.band_json("show", "one")
    assert lines((task / "transcript.jsonl").read_text()) == lines(stage.band("log", "one", "--json").out)
    assert (task / "change.patch").read_text() == stage.band_json("diff", "one")["patch"]
    facts = lines((task / "facts.jsonl").read_text())
    assert said["facts"] == len(facts)
    assert facts[0]["type"] == "TaskSubmitted" and facts[-1]["type"] == "WorkspaceRetired"
    assert {fact["task"] for fact in facts} == {"one"}
    assert {fact["type"] for fact in facts} <= event_codec().versions.keys()
    assert not (folder / "tasks" / "two").exists()


def test_a_whole_repository_is_exported_to_a_folder(stage: Stage) -> None:
    """Every fact of it, each once and in order; another repository has no part in it."""
    stage.repository()
    other = stage.repository("other")
    stage.play("Say hello", HELLO, "--id", "one")
    stage.play("Say hello", HELLO, "--id", "else", at=other)
    folder = stage.root / "all"
    assert "Exported 1 task" in stage.band("export", "--all", "-o", folder).out
    facts = lines((folder / "facts.jsonl").read_text())
    assert [fact["version"] for fact in facts] == list(range(1, len(facts) + 1))
    assert {fact["task"] for fact in facts} == {None, "one"}
    assert sorted(path.name for path in stage.root.iterdir() if path.name.startswith(".band-draft")) == []


def test_what_cannot_be_exported_is_refused(stage: Stage) -> None:
    """No task, an unknown one, a place that is taken: nothing is written."""
    repository = stage.repository()
    stage.play("Say hello", HELLO, "--id", "one")
    assert "Which tasks?" in stage.band("export", ends=2).err
    assert "nobody" in stage.band("export", "nobody", ends=2).err
    taken = stage.file("taken.tar.gz", "mine")
    assert "there already" in stage.band("export", "one", "-o", taken, ends=2).err
    assert taken.read_text() == "mine"
    assert not list(repository.path.glob("band-export*"))
    assert not list(repository.path.glob(".band-draft*"))
