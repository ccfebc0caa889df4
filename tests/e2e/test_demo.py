"""The demo: what somebody sees first."""

import re

import pytest

from bandstand.domain.errors import Refused
from bandstand.faces.wire import Client
from tests.e2e.stage import Stage
from tests.e2e.test_json import fits
from tests.real_git import Folder

PIPED = {"COLUMNS": "80", "TERM": "xterm-256color", "NO_COLOR": ""}
"""What a terminal with colours would say, while the output goes to a pipe."""

ASKS = """\
parts:
  - steps:
      - ask_permission: {title: Fetch the news, kind: fetch, command: "curl news"}
      - run: echo hello > hello.txt && git add -f hello.txt
      - commit: Say hello
"""


def test_the_demo_lands_everything_twice_and_once_more_after_it_was_cleaned(stage: Stage) -> None:
    """Three tasks land, a permission each, a line comment and a conflict on their way; each demo is a new one."""
    first = fits("Demo", stage.band_json("demo"))
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
    for run in ("backend.1", "frontend.1", "tests.1"):
        answers = [one for one in stage.sent(run) if b"allow_once" in one.payload]
        assert len(answers) == 1, f"{run} asked for one permission, and it was given"

    second = stage.band_json("demo")
    assert second["repository"] != first["repository"]
    assert [row["mark"] for row in second["tasks"]] == ["landed"] * 3

    cleaned = fits("DemoCleaned", stage.band_json("demo", "--clean"))
    assert cleaned == {"removed": [first["repository"], second["repository"]], "kept": []}
    assert list((stage.state / "cache" / "demo").iterdir()) == []
    assert list((stage.state / "repositories").iterdir()) == []

    third = stage.band("demo", variables=PIPED)
    assert "3 of 3 tasks landed" in third.out
    assert "main's tests: green" in third.out
    assert "\x1b" not in third.text
    asking = [line for line in third.out.splitlines() if "asks for permission (" in line]
    assert len(asking) == 3
    assert [line for line in asking if len(line) > 80] == []
    repository = Folder(next((stage.state / "cache" / "demo").iterdir()))
    for words in (["ps"], *(["show", name] for name in ("backend", "frontend", "tests"))):
        said = stage.band(*words, at=repository, variables=PIPED)
        assert "\x1b" not in said.text
        assert [line for line in said.out.splitlines() if len(line) > 80] == []


def test_cleaning_up_touches_no_repository_that_the_demos_lie_in(stage: Stage) -> None:
    """Who keeps their home in git loses nothing to a demo that was cut short: its folder goes, and that is all."""
    home = stage.repository(".", {".gitignore": "*\n"})
    (home.path / "home" / "notes").mkdir()
    stage.play("say hello", ASKS, "--detach", at=home)
    ask = stage.ask(at=home)
    demos = stage.state / "cache" / "demo"
    for name in ("1/src", "2/.git", "3"):
        (demos / name).mkdir(parents=True)
    Folder(demos / "3").git("init", "-q")
    with pytest.raises(Refused, match="is no repository of its own"):
        Client(stage.state / "run" / "band.sock").call("forget", path=str(home.path / "home" / "notes"))

    cleaned = stage.band_json("demo", "--clean", at=home)
    assert cleaned == {"removed": [str(demos / name) for name in "123"], "kept": []}
    assert list(demos.iterdir()) == []
    assert stage.ask(at=home) == ask
    stage.band("answer", ask["id"], "1", at=home)
    stage.landed("say-hello", at=home)
