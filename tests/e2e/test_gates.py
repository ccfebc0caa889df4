"""Law 3: a change cannot rewrite its own gates. What it is judged by stands on main, and a human lets it change."""

import json
import textwrap

from tests.e2e.stage import CALC, HELLO, HOLD, RULES, TESTS, Stage, task

STRONGER = RULES.replace(f'"{TESTS}"', f'"{TESTS}", "grep -q hello hello.txt"')

WAYS = {
    "policy": ('printf \'review = "none"\\n[checks]\\ncommands = ["true"]\\n\' > bandstand.toml', "bandstand.toml"),
    "target": ("printf 'test:\\n\\ttrue\\n' > Makefile", "Makefile"),
    "script": ("echo exit 0 > check.sh", "check.sh"),
    "options": ("printf '[tool.pytest.ini_options]\\naddopts = \"--co\"\\n' > pyproject.toml", "pyproject.toml"),
    "runner": ("mkdir unittest; touch unittest/__init__.py unittest/__main__.py", "unittest"),
    "deleted": ("git rm -q test_calc.py", "test_calc.py"),
    "renamed": ("git mv test_calc.py calc_checks.py", "test_calc.py"),
}
"""Ways to make a gate easier, each with the file that a person is to be told."""


def test_new_rules_are_not_those_that_judge_the_change_that_brings_them(stage: Stage) -> None:
    """Rules that ask for nothing, together with code that breaks: the old checks run, and fail."""
    repository = stage.repository(rules=RULES + "\n[rounds]\ncheck = 0\n")
    before = repository.head()
    commands = (WAYS["policy"][0], "printf 'def add(a, b):\\n    return 0\\n' > calc.py")
    steps = [*(f"run: {json.dumps(command)}" for command in commands), "commit: Make it easier"]
    score = "parts:\n  - steps:\n" + "".join(f"      - {step}\n" for step in steps)
    stage.play("make it easier", score, "--detach", "--id", "easy")
    ask = stage.ask()
    assert (ask["kind"], ask["task"]) == ("blocked", "easy")
    assert "AssertionError" in ask["detail"]
    assert [check["command"] for check in stage.band_json("show", "easy")["checks"]] == [TESTS]
    assert repository.head() == before


def test_a_weaker_gate_needs_a_human(stage: Stage) -> None:
    """Whatever the checks say of it, such a change waits for a person, who is told which gate it touches."""
    files = {**CALC, "Makefile": f"test:\n\t{TESTS}\n", "check.sh": f"#!/bin/sh\n{TESTS}\n"}
    repository = stage.repository(
        files=files, rules=RULES.replace(f'"{TESTS}"', f'"{TESTS}", "make test", "sh check.sh"')
    )
    before = repository.head()
    stage.settings("slots = 4\n")
    tasks = ["tasks:", *(f"  - {{id: {name}, goal: Make it easier}}" for name in WAYS)]
    score = ["tasks:"]
    for name, (command, _) in WAYS.items():
        score += [f"  {name}:", f"    - steps: [run: {json.dumps(command)}, commit: Make it easier]"]
    stage.submit("\n".join(tasks), "\n".join(score))
    fleet = stage.until(lambda fleet: all(row["mark"] in ("needs-you", "landed") for row in fleet["tasks"]))
    assert {row["id"]: row["mark"] for row in fleet["tasks"]} == dict.fromkeys(WAYS, "needs-you")
    asks = {ask["task"]: ask for ask in stage.band_json("asks")}
    assert {name: ask["kind"] for name, ask in asks.items()} == dict.fromkeys(WAYS, "review")
    for name, (_, named) in WAYS.items():
        assert named in asks[name]["detail"], name
    assert repository.head() == before


def test_an_agents_approval_does_not_open_a_gate(stage: Stage) -> None:
    """Where an agent reviews and approves, a change of the rules waits for a person all the same.

    Once a person has let it land, the new rules are shown before they run anything.
    """
    repository = stage.repository(rules=RULES.replace('"none"', '"agent"'))
    before = repository.head()
    score = f"""\
tasks:
  review:
    match: "^Reason: review"
    parts:
      - steps: [{{review: approved}}]
parts:
  - steps:
      - edit:
          path: bandstand.toml
          content: |
{textwrap.indent(STRONGER, " " * 12)}
      - commit: Ask for a hello
"""
    stage.play("ask for a hello", score, "--detach", "--id", "stricter")
    ask = stage.ask()
    assert ask["kind"] == "review" and "bandstand.toml" in ask["detail"]
    assert [review["verdict"] for review in stage.band_json("show", "stricter")["reviews"]] == ["approved"]
    assert repository.head() == before
    stage.band("review", "stricter", "--approve")
    stage.landed("stricter")

    words = ("run", "say hello", "--agent", "rehearsal", "--score", stage.file("hello.yaml", HELLO))
    refused = stage.band(*words, ends=2)
    assert "confirmed" in refused.err and "--yes" in refused.err
    planned = stage.band_json(*words, "--dry-run")
    assert planned["changed"] is True and "grep -q hello hello.txt" in planned["checks"]
    stage.band(*words, "--yes")
    checked = [check["command"] for check in stage.band_json("show", "say-hello")["checks"]]
    assert checked == [TESTS, "grep -q hello hello.txt"]


def test_a_task_under_way_waits_for_the_new_rules_to_be_confirmed(stage: Stage) -> None:
    """A task that began under the old rules asks before the new ones are run, and goes on under them."""
    repository = stage.repository()
    stage.play("say hello", HELLO.replace("steps:\n", f"steps:\n      - {HOLD}\n"), "--detach", "--id", "hello")
    stage.begun("hello")
    repository.commit("stricter", {"bandstand.toml": STRONGER})
    stage.go_on("hello")
    ask = stage.ask()
    assert ask["kind"] == "policy" and "grep -q hello hello.txt" in ask["detail"]
    assert list(stage.state.glob("repositories/*/checks/*")) == [], "nothing was run yet"
    assert task(stage.band_json("ps"), "hello")["mark"] == "needs-you"
    stage.band("answer", ask["id"], "1")
    shown = stage.landed("hello")
    assert [check["command"] for check in shown["checks"]] == [TESTS, "grep -q hello hello.txt"]
