"""Set-up commands on a real machine: in the sandbox, before agents and checks, with a human asked where they fail."""

from tests.e2e.stage import CALC, Stage
from tests.e2e.test_json import fits

RULES = """\
review = "none"

[setup]
commands = [{ command = "sh prepare.sh", when = ["deps.lock"] }]

[checks]
commands = ["grep -q one installed/deps"]
"""
PREPARE = """\
echo "installing for $COMPOSE_PROJECT_NAME"
grep -q broken deps.lock && exit 3
mkdir -p installed && cp deps.lock installed/deps && echo x >> installed/count
"""
WORKING = """\
parts:
  - steps:
      - run: grep -q one installed/deps && test "$(wc -l < installed/count)" = 1
      - edit: {path: hello.txt, content: "hello\\n"}
      - commit: Say hello
"""


def project(lock: str) -> dict[str, str | None]:
    """A project with that content of its lock file."""
    return {**CALC, ".gitignore": "installed/\n", "deps.lock": lock, "prepare.sh": PREPARE}


def test_a_workspace_is_set_up_before_its_agent_and_before_its_checks(stage: Stage) -> None:
    """It is confirmed with the rules and shown with the task; its output is kept."""
    stage.repository(files=project("one\n"), rules=RULES)
    planned = stage.play("say hello", WORKING, "--id", "hello", "--dry-run").out
    assert "set-up    sh prepare.sh (where there is deps.lock, at most 20 minutes)" in planned
    stage.play("say hello", WORKING, "--id", "hello")
    shown = fits("Task", stage.landed("hello"))
    assert [(one["command"], one["conclusion"]) for one in shown["setup"]] == [("sh prepare.sh", "success")]
    assert [one["command"] for one in shown["checks"]] == ["sh prepare.sh", "grep -q one installed/deps"]
    assert "set-up" in stage.band("show", "hello").out
    (kept,) = stage.state.glob("repositories/*/checks/hello.setup.log")
    assert "installing for band-hello-" in kept.read_text()


def test_set_up_that_fails_is_asked_about(stage: Stage) -> None:
    """With what it said; whoever goes on without it has an agent that begins."""
    stage.repository(files=project("broken\n"), rules=RULES.replace("grep -q one installed/deps", "true"))
    score = 'parts:\n  - steps:\n      - edit: {path: hello.txt, content: "hello\\n"}\n      - commit: Say hello\n'
    stage.band("run", "say hello", "--id", "hello", "--detach", *stage.rehearsing(score))
    ask = stage.ask()
    assert ask["title"] == "The workspace of hello could not be set up: `sh prepare.sh` ended with exit code 3."
    assert "installing for band-hello-" in ask["detail"]
    stage.band("answer", ask["id"], "retry")
    again = stage.ask()
    assert again["title"] == ask["title"]
    stage.band("answer", again["id"], "without")
    shown = stage.landed("hello")
    assert [one["conclusion"] for one in shown["setup"]] == ["failure"]
    assert [one["command"] for one in shown["checks"]] == ["true"]


def test_what_a_project_usually_runs_is_a_suggestion(stage: Stage) -> None:
    """It stands with the rules that are confirmed, and nothing runs it."""
    stage.repository(files={**CALC, "package-lock.json": "{}\n"})
    planned = stage.play("say hello", WORKING, "--dry-run")
    assert "set-up    none; projects like this one run: npm ci" in planned.out
