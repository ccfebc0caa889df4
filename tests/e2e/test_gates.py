"""Law 3: a change cannot rewrite its own gates. What it is judged by stands on main, and a human lets it change."""

import textwrap

import pytest

from tests.e2e.stage import CALC, HELLO, RULES, Stage, task
from tests.real_git import Folder

WEAK = 'review = "none"\n\n[checks]\ncommands = ["true"]\n'
FAKE_PYTEST = "import pathlib, sys\nsys.exit(0)\n"

MAKE = {**CALC, "Makefile": "test:\n\tpython3 -m unittest -q\n"}
SCRIPT = {**CALC, "check.sh": "#!/bin/sh\npython3 -m unittest -q\n"}


def rules(check: str) -> str:
    """Rules with one check, no review, and no second try."""
    return f'review = "none"\n\n[checks]\ncommands = ["{check}"]\n\n[rounds]\ncheck = 0\n'


def score(*steps: str) -> str:
    """One turn with these steps and a commit."""
    lines = [f"      - {step}" for step in (*steps, "commit: Make it easier")]
    return "parts:\n  - steps:\n" + "\n".join(lines) + "\n"


def written(path: str, content: str) -> str:
    """A step that writes a file."""
    return f"edit: {{path: {path}, content: {content!r}}}".replace("content: '", 'content: "')[:-2] + '"}'


def test_new_rules_are_not_those_that_judge_the_change_that_brings_them(stage: Stage) -> None:
    """Rules that ask for nothing, together with code that breaks: the old checks run, and fail."""
    repository = stage.repository(rules=rules("python3 -m unittest -q"))
    before = repository.head()
    broken = score(
        'run: printf \'review = "none"\\n[checks]\\ncommands = ["true"]\\n\' > bandstand.toml',
        "run: printf 'def add(a, b):\\n    return 0\\n' > calc.py",
    )
    stage.play("make it easier", broken, "--detach", "--id", "easy")
    ask = stage.ask()
    assert (ask["kind"], ask["task"]) == ("blocked", "easy")
    assert "AssertionError" in ask["detail"]
    assert stage.band_json("show", "easy")["checks"][0]["command"] == "python3 -m unittest -q"
    assert repository.head() == before


WAYS: dict[str, tuple[dict[str, str], str, str, str]] = {
    "the policy": (CALC, "python3 -m unittest -q", f"cat > bandstand.toml <<'E'\n{WEAK}E", "bandstand.toml"),
    "the make target": (MAKE, "make test", "printf 'test:\\n\\ttrue\\n' > Makefile", "Makefile"),
    "the script": (SCRIPT, "sh check.sh", "echo exit 0 > check.sh", "check.sh"),
    "the options of pytest": (
        CALC,
        "python3 -m unittest -q",
        "printf '[tool.pytest.ini_options]\\naddopts = \"--co\"\\n' > pyproject.toml",
        "pyproject.toml",
    ),
    "a runner of the same name": (
        CALC,
        "python3 -m unittest -q",
        "mkdir unittest; touch unittest/__init__.py unittest/__main__.py",
        "unittest",
    ),
    "deleted tests": (CALC, "python3 -m unittest -q", "git rm -q test_calc.py", "test_calc.py"),
    "tests under another name": (CALC, "python3 -m unittest -q", "git mv test_calc.py calc_checks.py", "test_calc.py"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_weaker_gate_needs_a_human(stage: Stage, way: str) -> None:
    """Whatever the checks say of it, such a change waits for a person, who is told which gate it touches."""
    files, check, command, named = WAYS[way]
    repository = stage.repository(files=files, rules=rules(check))
    before = repository.head()
    steps = textwrap.indent(command, " " * 10)
    weak = f"parts:\n  - steps:\n      - run: |\n{steps}\n      - run: git add -A\n      - commit: Make it easier\n"
    stage.play("make it easier", weak, "--detach", "--id", "easy")
    fleet = stage.until(lambda fleet: fleet["asks"] or task(fleet, "easy")["mark"] == "landed")
    assert task(fleet, "easy")["mark"] == "needs-you", "it landed without a human"
    (ask,) = stage.band_json("asks")
    assert named in ask["title"] + ask["detail"]
    assert repository.head() == before


def test_an_agents_approval_does_not_open_a_gate(stage: Stage) -> None:
    """Where an agent reviews and approves, a change of the rules waits for a person all the same."""
    repository = stage.repository(rules=rules("python3 -m unittest -q").replace('"none"', '"agent"'))
    before = repository.head()
    approving = """\
        tasks:
          review:
            match: "^Reason: review"
            parts:
              - steps: [{review: approved}]
        parts:
          - steps:
              - edit: {path: bandstand.toml, append: "\\n# easier\\n"}
              - commit: Make it easier
        """
    stage.play("make it easier", approving, "--detach", "--id", "easy")
    ask = stage.ask()
    assert ask["kind"] == "review" and "bandstand.toml" in ask["detail"]
    assert [review["verdict"] for review in stage.band_json("show", "easy")["reviews"]] == ["approved"]
    assert repository.head() == before


def rules_change(stage: Stage) -> Folder:
    """A repository whose rules were changed by a task that a person approved."""
    repository = stage.repository()
    stronger = RULES.replace('unittest -q"', 'unittest -q", "grep -q hello hello.txt"')
    text = textwrap.indent(stronger, " " * 14)
    score = f"parts:\n  - steps:\n      - edit:\n          path: bandstand.toml\n          content: |\n{text}"
    stage.play("ask for a hello", score + "      - commit: Ask for a hello\n", "--detach", "--id", "stricter")
    ask = stage.ask()
    assert ask["kind"] == "review" and "bandstand.toml" in ask["detail"]
    stage.band("review", "stricter", "--approve")
    stage.landed("stricter")
    assert "grep" in repository.text("bandstand.toml")
    return repository


def test_rules_that_landed_are_confirmed_before_they_run_anything(stage: Stage) -> None:
    """After a change of the rules has landed, `band run` shows them anew and starts nothing without a yes."""
    rules_change(stage)
    words = ("run", "say hello", "--agent", "rehearsal", "--score", stage.score(HELLO))
    refused = stage.band(*words, ends=2)
    assert "confirmed" in refused.err and "--yes" in refused.err
    planned = stage.band_json(*words, "--dry-run")
    assert planned["changed"] is True and "grep -q hello hello.txt" in planned["checks"]
    stage.band(*words, "--yes")
    checked = [check["command"] for check in stage.band_json("show", "say-hello")["checks"]]
    assert checked == ["python3 -m unittest -q", "grep -q hello hello.txt"]


def test_a_task_under_way_waits_for_the_new_rules_to_be_confirmed(stage: Stage) -> None:
    """A task that began under the old rules asks before the new ones are run, and goes on under them."""
    repository = stage.repository()
    waiting = HELLO.replace("  - steps:\n", "  - steps:\n      - run: while [ ! -e .git/go-on ]; do sleep 0.05; done\n")
    stage.play("say hello", waiting, "--detach", "--id", "hello")
    stronger = RULES.replace('unittest -q"', 'unittest -q", "grep -q hello hello.txt"')
    repository.commit("stricter", {"bandstand.toml": stronger})
    stage.until(lambda fleet: task(fleet, "hello")["mark"] == "working")
    (stage.workspace("hello") / ".git" / "go-on").touch()
    ask = stage.ask()
    assert ask["kind"] == "policy" and "grep -q hello hello.txt" in ask["detail"]
    assert list(stage.state.glob("repositories/*/checks/*")) == [], "nothing was run yet"
    stage.band("answer", ask["id"], "1")
    shown = stage.landed("hello")
    assert [check["command"] for check in shown["checks"]] == ["python3 -m unittest -q", "grep -q hello hello.txt"]
