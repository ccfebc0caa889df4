"""The demo: what somebody sees first."""

import re

from tests.e2e.stage import Stage
from tests.real_git import Folder

PIPED = {"COLUMNS": "80", "TERM": "xterm-256color", "NO_COLOR": ""}
"""What a terminal with colours would say, while the output goes to a pipe."""


def test_the_demo_lands_everything_twice_and_once_more_after_it_was_cleaned(stage: Stage) -> None:
    """Three tasks land, a permission, a line comment and a conflict on their way; each demo is a new one."""
    first = stage.band_json("demo")
    assert [(row["id"], row["mark"]) for row in first["tasks"]] == [
        ("backend", "landed"),
        ("frontend", "landed"),
        ("tests", "landed"),
    ]
    assert first["tests_pass"] is True
    repository = Folder(stage.root / first["repository"])
    assert repository.status() == []
    frontend = stage.band_json("show", "frontend", at=repository)
    assert frontend["runs"] == ["frontend.1"], "its comments and its conflict went back to the same session"
    comments = [(one["verdict"], [(c["path"], c["line"]) for c in one["comments"]]) for one in frontend["reviews"]]
    assert comments[0] == ("changes_requested", [("setlist/page.py", 15)])
    assert comments[-1] == ("approved", [])
    reasons = [re.search(rb"Reason: ([a-z-]+)", sent.payload) for sent in stage.sent("frontend.1")]
    assert [found[1] for found in reasons if found] == [b"goal", b"changes-requested", b"conflict"]
    answers = [one for one in stage.sent("backend.1") if b"allow_once" in one.payload]
    assert len(answers) == 1, "one permission was asked for and given"

    second = stage.band_json("demo")
    assert second["repository"] != first["repository"]
    assert [row["mark"] for row in second["tasks"]] == ["landed"] * 3

    cleaned = stage.band_json("demo", "--clean")
    assert cleaned == {"removed": [first["repository"], second["repository"]], "kept": []}
    assert list((stage.state / "cache" / "demo").iterdir()) == []
    assert list((stage.state / "repositories").iterdir()) == []

    third = stage.band("demo", variables=PIPED)
    assert "3 of 3 tasks landed" in third.out
    assert "main's tests: green" in third.out
    assert "\x1b" not in third.text
    repository = Folder(next((stage.state / "cache" / "demo").iterdir()))
    for words in (["ps"], *(["show", name] for name in ("backend", "frontend", "tests"))):
        said = stage.band(*words, at=repository, variables=PIPED)
        assert "\x1b" not in said.text
        assert [line for line in said.out.splitlines() if len(line) > 80] == []
