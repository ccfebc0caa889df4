"""What is wrong is said once, with the line it stands on and what to do; nothing is started."""

import re
import subprocess

import pytest

from tests.e2e.stage import CALC, HELLO, RULES, Said, Stage
from tests.real_git import Folder

GOOD = "tasks:\n  - {id: one, goal: Do it}\n"
TASK_FILES = {
    "an unknown key": ("tasks:\n  - id: one\n    goal: Do it\n    colour: red\n", 4),
    "a goal that is none": ("tasks:\n  - id: one\n    goal: [1]\n", 3),
    "no goal": ("tasks:\n  - id: one\n    title: One\n", 2),
    "a circle": (
        "tasks:\n  - {id: one, goal: a, depends_on: two}\n  - {id: two, goal: b, depends_on: one}\n",
        2,
    ),
    "itself": ("tasks:\n  - id: one\n    goal: a\n    depends_on: [one]\n", 4),
    "an id used twice": ("tasks:\n  - {id: one, goal: a}\n  - {id: one, goal: b}\n", 3),
    "a dependency that is not there": ("tasks:\n  - id: one\n    goal: a\n    depends_on: [zero]\n", 4),
    "a scope outside of the repository": ("tasks:\n  - id: one\n    goal: a\n    scope: [../x]\n", 4),
    "an unknown agent": ("tasks:\n  - id: one\n    goal: a\n    agent: nobody\n", 4),
    "a bad id": ("tasks:\n  - id: Not An Id\n    goal: a\n", 2),
    "no YAML": ("tasks:\n  - id: [one\n    goal: a\n", 2),
    "no tasks": ("tasks: []\n", 1),
}
SCORES = {
    "an unknown step": ("parts:\n  - steps:\n      - sing: loud\n", 3),
    "a key of no step": ("parts:\n  - steps:\n      - edit: {path: a, colour: red}\n", 3),
    "a pattern that is none": ('parts:\n  - when: "("\n    steps: [hang]\n', 2),
    "no YAML": ("parts:\n  - steps: [\n", 3),
}
SETTINGS = {
    "an unknown key": ('review = "none"\ncolour = "red"\n', 2),
    "a value that is none": ('review = "everybody"\n', 1),
    "no TOML": ('review = "none"\n[checks\n', 2),
    "an unknown table": ('review = "none"\n\n[sandbox]\nname = "none"\n', 3),
}


def refused(said: Said) -> None:
    """One error for a person, without the program's insides, and with exit code 2."""
    assert said.code == 2, said.text
    assert said.out == ""
    assert len(re.findall(r"^band: ", said.err, re.MULTILINE)) == 1, said.err
    assert "Error" not in said.err, said.err


def nothing_was_submitted(stage: Stage, at: Folder | None = None) -> None:
    """There is no task, and no agent ever ran."""
    assert stage.band_json("ps", at=at)["tasks"] == []
    assert stage.runs() == []


def test_a_mistake_in_a_task_file_is_shown_with_its_line(stage: Stage) -> None:
    """Whatever is wrong with one task, none is submitted."""
    stage.repository()
    options = ("run", "-f", stage.root / "tasks.yaml", *stage.rehearsing(HELLO))
    for what, (text, line) in TASK_FILES.items():
        stage.file("tasks.yaml", text)
        said = stage.band(*options, ends=None)
        refused(said)
        assert f"tasks.yaml:{line}: " in said.err, f"{what}: {said.err}"
    nothing_was_submitted(stage)


def test_a_mistake_in_a_score_is_shown_with_its_line(stage: Stage) -> None:
    """The score is read before anything is started."""
    stage.repository()
    for what, (text, line) in SCORES.items():
        said = stage.play("say hello", text, ends=None)
        refused(said)
        assert f"score.yaml:{line}: " in said.err, f"{what}: {said.err}"
    nothing_was_submitted(stage)


def test_a_mistake_in_the_rules_is_shown_with_its_line(stage: Stage) -> None:
    """It stands on main, so it is named as that of main; what stands in the checkout does not count."""
    repository = stage.repository()
    for what, (text, line) in SETTINGS.items():
        repository.commit(what, {"bandstand.toml": text})
        repository.write({"bandstand.toml": RULES})
        said = stage.play("say hello", HELLO, ends=None)
        refused(said)
        assert f"bandstand.toml at main:{line}: " in said.err, f"{what}: {said.err}"
    nothing_was_submitted_under_broken_rules(stage)


def nothing_was_submitted_under_broken_rules(stage: Stage) -> None:
    """Looking does not need the rules."""
    nothing_was_submitted(stage)
    assert stage.band("asks").out == "Nothing needs you.\n"


def test_a_mistake_in_the_users_settings_is_shown_with_its_line(stage: Stage) -> None:
    """The file is named by its path."""
    stage.repository()
    settings = stage.settings('slots = 2\nsandbox = "none"\n')
    said = stage.play("say hello", HELLO, ends=None)
    refused(said)
    assert f"{settings}:2: " in said.err


def test_a_place_without_a_repository_or_a_commit_is_refused(stage: Stage) -> None:
    """Each verb says what is missing where it was called."""
    empty = stage.root / "empty"
    subprocess.run(["git", "init", "-q", "-b", "main", str(empty)], check=True)
    for place, words in ((stage.home, "not in a git repository"), (empty, "no commit yet")):
        for verb in (("run", "say hello", *stage.rehearsing(HELLO)), ("ps",), ("asks",), ("show", "x")):
            said = stage.band(*verb, at=place, ends=None)
            refused(said)
            assert words in said.err, said.err


def test_without_an_agent_every_way_to_one_is_named(stage: Stage) -> None:
    """The known ones with how to install them, the table for any other, and the rehearsal agent."""
    stage.repository()
    said = stage.band("run", "say hello", "--yes", ends=2)
    refused(said)
    for words in ("claude", "codex", "gemini", "npm install -g", "[agents.NAME]", "--agent rehearsal --score"):
        assert words in said.err
    for name, words in (("codex", "npm install -g"), ("rehearsal", "--score"), ("nobody", "claude, codex")):
        said = stage.band("run", "say hello", "--agent", name, "--yes", ends=2)
        refused(said)
        assert words in said.err
    nothing_was_submitted(stage)


def test_without_an_identity_nothing_is_started(stage: Stage) -> None:
    """Landed commits carry the user's name, so git has to know it."""
    repository = stage.repository()
    repository.git("config", "--unset", "user.name")
    repository.git("config", "--unset", "user.email")
    said = stage.play("say hello", HELLO, ends=2)
    refused(said)
    assert "git config --global user.name" in said.err
    nothing_was_submitted(stage)


@pytest.mark.parametrize(("branch", "words"), [("band", ()), ("band/say-hello/x", ("--id", "say-hello"))])
def test_a_branch_that_is_in_the_way_of_a_tasks_own_is_named(stage: Stage, branch: str, words: tuple[str, ...]) -> None:
    """Before anything begins, with how to rename it."""
    repository = stage.repository()
    repository.git("branch", branch)
    said = stage.play("say hello", HELLO, *words, ends=2)
    refused(said)
    assert f"git branch -m {branch} OTHER-NAME" in said.err
    nothing_was_submitted(stage)


def test_a_task_is_not_given_the_branch_of_somebody_else(stage: Stage) -> None:
    """A name that is made up for a task is one whose branch is free; whoever chooses it is told."""
    repository = stage.repository()
    repository.git("branch", "band/say-hello")
    before = repository.git("rev-parse", "band/say-hello")
    refused(stage.play("say hello", HELLO, "--id", "say-hello", ends=2))
    stage.play("say hello", HELLO)
    assert [row["id"] for row in stage.band_json("ps")["tasks"]] == ["say-hello-2"]
    assert repository.git("rev-parse", "band/say-hello") == before


def test_what_agents_are_to_read_and_is_not_there_is_told_before(stage: Stage) -> None:
    """It is left out later without a word."""
    stage.repository()
    stage.file("home/.house/there", "")
    reads = 'reads = ["~/.house/there", "~/.house/gone"]'
    stage.settings(f'reads = ["/nowhere/at/all"]\n[agents.house]\ncommand = ["house-agent"]\n{reads}\n')
    plan = stage.band("run", "say hello", "--agent", "house", "--dry-run").text
    assert "`reads` names ~/.house/gone, and it is not there" in plan
    assert "`reads` names /nowhere/at/all, and it is not there" in plan
    assert ".house/there" not in plan


def test_rules_are_confirmed_by_somebody(stage: Stage) -> None:
    """Without a terminal nobody can be asked: it is refused, and `--yes` is named; `--dry-run` starts nothing."""
    stage.repository()
    words = ("run", "say hello", "--agent", "rehearsal", "--score", stage.file("hello.yaml", HELLO))
    said = stage.band(*words, stdin="y\n", ends=2)
    refused(said)
    assert "--yes" in said.err and "--dry-run" in said.err
    dry = stage.band(*words, "--dry-run", "--yes").out
    assert "python3 -m unittest -q" in dry and "bandstand.toml" in dry and "rehearsal" in dry
    nothing_was_submitted(stage)
    stage.band(*words, "--yes", "--detach")
    stage.landed("say-hello")
    stage.band(*words[:1], "say hello again", *words[2:], "--dry-run")
    stage.band(*words[:1], "say hello again", "--id", "again", *words[2:], "--detach")


def test_orders_on_what_is_not_there_are_refused(stage: Stage) -> None:
    """Unknown tasks and asks are named, and the verb that lists them."""
    stage.repository(files=CALC)
    for words in (
        ("show", "nothing"),
        ("log", "nothing"),
        ("diff", "nothing"),
        ("ps", "nothing"),
        ("cancel", "nothing"),
        ("send", "nothing", "hello"),
        ("review", "nothing", "--approve"),
        ("answer", "a1", "1"),
    ):
        said = stage.band(*words, ends=2)
        refused(said)
        assert "`band ps`" in said.err or "`band asks`" in said.err
