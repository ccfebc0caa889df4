"""Files that git ignores in workspaces: what agents and checks find there, and what nobody finds afterwards."""

from tests.e2e.stage import CALC, Stage, wait_for
from tests.e2e.test_json import fits

SECRET = "TOKEN=correct-horse-battery\n"
RULES = """\
review = "none"

[checks]
commands = ["grep -q correct-horse .env"]

[workspace]
include = ["*.key"]
"""
SPREADING = """\
parts:
  - steps:
      - run: grep -q correct-horse .env && test -e a.key
      - run: cp .env spread.txt && git add -f .env spread.txt && git commit -q -m "All of it"
      - edit: {path: hello.txt, content: "hello\\n"}
      - commit: Say hello
"""


def test_agents_and_checks_have_what_is_named_and_main_never_does(stage: Stage) -> None:
    """It is confirmed with the rules, shown with the task, and not in what lands, though its agent committed it."""
    files = {**CALC, ".gitignore": ".env\n*.key\n", ".worktreeinclude": ".env\nnotes.txt\n"}
    user = stage.repository(files=files, rules=RULES)
    user.write({".env": SECRET, "a.key": "a key\n", "notes.txt": "mine\n"})
    planned = stage.play("say hello", SPREADING, "--id", "hello", "--dry-run").out
    assert "copies    .env, notes.txt, *.key" in planned
    stage.play("say hello", SPREADING, "--id", "hello")
    shown = fits("Task", stage.landed("hello"))
    assert shown["included"] == [".env", "a.key"]
    (left_out,) = shown["left_out"]
    assert left_out.startswith("notes.txt is not copied: git does not ignore it")
    said = stage.band("show", "hello").out
    assert "copied in" in said
    assert user.git("show", "main:hello.txt") == "hello"
    assert "spread.txt" not in user.git("ls-tree", "-r", "--name-only", "main")
    assert "copied into its workspace" in user.git("log", "--format=%B", "main")
    assert user.git("log", "--all", "--format=%H", "-S", "battery") == ""
    wait_for(lambda: not list(stage.state.glob("repositories/*/workspaces/hello")))
    assert not list(stage.state.glob("repositories/*/workspaces/archive.d/*"))
    assert (user.path / ".env").read_text() == SECRET
