"""Going back and going on elsewhere, on a real machine: `band checkpoint`, `band rewind`, `band fork`."""

from tests.e2e.stage import HOLD, TESTS, Json, Stage
from tests.e2e.test_json import fits

RULES = f'review = "human"\n\n[checks]\ncommands = ["{TESTS}"]\n'
SCORE = """\
tasks:
  one:
    - steps:
        - edit: {path: a.txt, content: "first\\n"}
        - edit: {path: .gitignore, content: "*.log\\n"}
        - commit: First
        - edit: {path: build.log, content: "built\\n"}
    - steps:
        - edit: {path: a.txt, content: "second\\n"}
        - edit: {path: "odd\\nname.txt", content: "odd\\n"}
        - commit: Second
    - steps:
        - edit: {path: c.txt, content: "third\\n"}
        - commit: Third
  other:
    - steps:
        - edit: {path: d.txt, content: "forked\\n"}
        - commit: Forked
"""


def asked(stage: Stage, task: str, *, turns: int) -> Json:
    """The ask for a review of a task behind so many turns."""
    stage.until(lambda fleet: any(row["id"] == task and row["turns"] == turns for row in fleet["tasks"]))
    stage.until(lambda fleet: any(row["id"] == task and row["mark"] == "needs-you" for row in fleet["tasks"]))
    (ask,) = [ask for ask in stage.band_json("asks") if ask["task"] == task]
    return ask


def test_a_task_goes_back_and_another_one_goes_on_from_there(stage: Stage) -> None:
    """The files, the branch and the index are what they were, ignored ones stay, and both tasks land."""
    user = stage.repository(rules=RULES)
    stage.band("run", "one", "--id", "one", "--detach", *stage.rehearsing(SCORE))
    asked(stage, "one", turns=1)
    stage.band("send", "one", "More.")
    asked(stage, "one", turns=2)
    (tree,) = stage.state.glob("repositories/*/workspaces/one/tree")
    (tree / "by-hand.txt").write_text("written, and in no turn\n")
    assert fits("Checkpointed", stage.band_json("checkpoint", "one")) == {"task": "one", "number": 3}
    assert "one@3" in stage.band("checkpoints", "one").out

    assert fits("GoesBack", stage.band_json("rewind", "one@1", "-m", "Keep it short."))["checkpoint"] == 1
    asked(stage, "one", turns=3)
    names = {path.name for path in tree.iterdir()}
    assert {"a.txt", "c.txt", "build.log"} <= names
    assert not {"odd\nname.txt", "by-hand.txt"} & names
    assert (tree / "a.txt").read_text() == "first\n"
    assert user.git("show", "band/one:a.txt") == "first"
    assert user.git("log", "--format=%s", "main..band/one").splitlines() == ["Third", "First"]
    said = stage.band("log", "one", "--full").out
    assert "taken your work back to checkpoint 1" in said
    assert "Keep it short." in said

    forked = fits("Forked", stage.band_json("fork", "one@2", "Otherwise.", "--id", "other"))
    assert forked == {"task": "other", "from": "one", "checkpoint": 2}
    asked(stage, "other", turns=1)
    assert user.git("log", "--format=%s", "main..band/other").splitlines() == ["Forked", "Second", "First"]
    assert stage.band_json("show", "other")["forked_from"] == "one@2"
    assert "forks         other" in stage.band("show", "one").out

    stage.band("review", "other", "--approve", "--commit", user.git("rev-parse", "band/other"))
    stage.landed("other")
    assert user.git("show", "main:d.txt") == "forked"
    stage.band("cancel", "one")
    stage.until(lambda fleet: all(row["over"] for row in fleet["tasks"] if row["id"] == "one"))
    rescued = stage.band_json("show", "one")["rescue"]
    kept = user.git("log", "--format=", "--name-only", "-m", "-z", rescued)
    assert "by-hand.txt" in kept


def test_a_live_turn_is_ended_only_when_that_is_said(stage: Stage) -> None:
    """And what it had written by then is a checkpoint; what names no checkpoint is refused."""
    stage.repository(rules=RULES)
    first = f"  - steps:\n      - edit: {{path: half.txt, content: half}}\n      - {HOLD}\n"
    score = f"parts:\n{first}  - steps: [{{say: Well.}}]\n"
    stage.band("run", "one", "--id", "one", "--detach", *stage.rehearsing(score))
    stage.begun("one")
    said = stage.band("rewind", "one@0", ends=2).err
    assert "in the middle of a turn" in said
    assert "--after-turn" in said
    assert "--now" in said
    assert "names no checkpoint" in stage.band("rewind", "one", ends=2).err
    assert "There are: none" in stage.band("rewind", "one@7", "--now", ends=2).err
    stage.band("rewind", "one@0", "--now")
    stage.until(lambda _: any(one["number"] == 1 for one in stage.band_json("checkpoints", "one")["checkpoints"]))
    assert "+half" in stage.band("diff", "one@1").out
    stage.band("cancel", "one")
