"""What looking and showing print: the lines, word for word, and nothing in them that commands a terminal."""

import io
import unicodedata

import pytest
from inline_snapshot import snapshot

from bandstand.domain.standing import Mark
from bandstand.faces.cli.looking import ask_lines, counts, fleet_lines
from bandstand.faces.cli.run import rule_lines
from bandstand.faces.cli.showing import entry_lines, paint_patch, review_text, task_lines
from bandstand.faces.cli.terminal import Paint
from bandstand.faces.wire import Json
from tests.faces.rows import EVIL, ask, back, fleet, row, task

PLAIN = Paint(io.StringIO())


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As wide as a terminal mostly is."""
    monkeypatch.setenv("COLUMNS", "80")


def test_a_repository_without_tasks_says_how_to_begin() -> None:
    """The first thing that a person sees there."""
    assert fleet_lines(fleet(), PLAIN, every=False) == snapshot(
        ["No tasks here yet.", 'Start one: band run "add dark mode", or see a whole job: band demo']
    )


def test_a_fleet_at_a_glance() -> None:
    """Counts, the loudest first, then a line for each task."""
    rows = [
        row("docs", Mark.LANDED, "landed as 0123456789", agent="claude", since=back(days=3.5)),
        row("dark-mode", Mark.NEEDS_YOU, "a3: Fetch the docs?"),
        row("login", Mark.NEEDS_YOU, "a4: " + "Which one? " * 20, since=back(seconds=3700)),
    ]
    assert fleet_lines(fleet(*rows, asks=2), PLAIN, every=False) == snapshot(
        [
            "▲ 2 need you · ✓ 1 landed",
            "▲ dark-mode  codex   5m  a3: Fetch the docs?",
            "▲ login      codex   1h  a4: Which one? Which one? Which one? Which one? Which…",
            "✓ docs       claude  3d  landed as 0123456789",
            "What needs you: band asks",
        ]
    )


def test_what_is_wrong_stands_above_the_tasks() -> None:
    """That nothing goes on, and that no walls are there."""
    found = fleet_lines(fleet(row(), gaps=["root"]), PLAIN, every=False)
    assert found[1] == "weaker walls: to the kernel, agents and checks are root, who cannot be an ordinary user here"
    found = fleet_lines(fleet(row(), walled=False, trouble="The disk is full."), PLAIN, every=False)
    assert found[1:3] == ["nothing goes on: The disk is full.", "unsandboxed: laws 2 and 4 not enforced"]


def test_of_many_ended_tasks_the_last_ones_are_shown() -> None:
    """All of them with `--all`; live ones always."""
    rows = [row(f"t{n}", Mark.LANDED, "landed") for n in range(14)] + [row("live")]
    found = fleet_lines(fleet(*rows), PLAIN, every=False)
    assert [line.split()[1] for line in found[1:-1]] == ["live", *(f"t{n}" for n in range(4, 14))]
    assert found[-1] == "and 4 more that have ended: band ps --all"
    assert len(fleet_lines(fleet(*rows), PLAIN, every=True)) == 16


def test_the_counts() -> None:
    """One needs you, two need you."""
    one, two = row("a", Mark.NEEDS_YOU), row("b", Mark.NEEDS_YOU)
    assert counts([row("c", Mark.LANDED), one], PLAIN) == "▲ 1 needs you · ✓ 1 landed"
    assert counts([one, two], PLAIN) == "▲ 2 need you"


def test_a_permission() -> None:
    """With every word of what is permitted, and the command that answers."""
    found = ask_lines(ask("permission", "Allow once", "Reject", detail="rm -r build\n" * 9), PLAIN)
    assert found == snapshot(
        [
            "▲ a3 dark-mode permission, 3h ago",
            "  Fetch the docs?",
            "  | rm -r build",
            "  | rm -r build",
            "  | rm -r build",
            "  | rm -r build",
            "  | rm -r build",
            "  | rm -r build",
            "  | rm -r build",
            "  | rm -r build",
            "  | rm -r build",
            "  1  Allow once                   band answer a3 1",
            "  2  Reject                       band answer a3 2",
        ]
    )


def test_a_question_in_words() -> None:
    """Without choices."""
    assert ask_lines(ask("question", title="Which time zone?"), PLAIN) == snapshot(
        ["▲ a3 dark-mode question, 3h ago", "  Which time zone?", "  answer in words: band answer a3 -m …"]
    )


def test_a_task_that_is_blocked() -> None:
    """Of the evidence its end."""
    detail = "\n".join(f"line {n}" for n in range(1, 10))
    assert ask_lines(ask("blocked", "Try again", "Cancel the task", detail=detail), PLAIN) == snapshot(
        [
            "▲ a3 dark-mode blocked, 3h ago",
            "  Fetch the docs?",
            "  | line 4",
            "  | line 5",
            "  | line 6",
            "  | line 7",
            "  | line 8",
            "  | line 9",
            "  1  Try again                    band answer a3 1 [-m …]",
            "  2  Cancel the task              band answer a3 2",
        ]
    )


def test_a_review() -> None:
    """Where to look, and that changes need words."""
    assert ask_lines(ask("review", "Approve", "Request changes"), PLAIN) == snapshot(
        [
            "▲ a3 dark-mode review, 3h ago",
            "  Fetch the docs?",
            "  look: band review dark-mode",
            "  1  Approve                      band answer a3 1",
            "  2  Request changes              band answer a3 2 -m …",
        ]
    )


def test_a_task_whole() -> None:
    """Everything that is known of it, and where to look further."""
    assert task_lines(task(asks=[ask("permission", "Allow", "Reject")]), PLAIN) == snapshot(
        [
            "dark-mode: Add dark mode",
            "● working on the goal",
            "",
            "  Add dark mode.",
            "  It follows the system.",
            "",
            "  - `--dark` exists",
            "agent         codex, 1 turn, runs: dark-mode.1",
            "needs         themes",
            "branch        band/dark-mode",
            "since         5m ago",
            "change        2 files, +12 -3, 1 commit, at 0123456789ab",
            "              M src/ui.py +10 -3",
            "              A docs/ui.md +2 -0",
            "check         timed out (61.0 s): make test",
            "review        changes requested by critic, of an earlier commit: Not yet.",
            "gate          It changes Makefile, by which checks are run.",
            "not committed debug.log",
            "              src/ui.py:3: Why?",
            "",
            "▲ a3 dark-mode permission, 3h ago",
            "  Fetch the docs?",
            "  1  Allow                        band answer a3 1",
            "  2  Reject                       band answer a3 2",
            "",
            "more: band log dark-mode · band diff dark-mode",
        ]
    )


def test_a_task_that_has_only_begun() -> None:
    """Nothing is said of what there is not."""
    bare = task(
        row=row(turns=0),
        goal="Add dark mode",
        acceptance=[],
        depends_on=[],
        runs=[],
        change=None,
        checks=[],
        reviews=[],
        gates=[],
        leftovers=[],
        policy_review="none",
    )
    assert task_lines(bare, PLAIN) == snapshot(
        [
            "dark-mode: Add dark mode",
            "● working on the goal",
            "",
            "agent         codex, 0 turns, runs: none",
            "branch        band/dark-mode",
            "since         5m ago",
            "checks        make test",
            "review        none: the policy asks for no review",
            "",
            "more: band log dark-mode · band diff dark-mode",
        ]
    )


def test_a_verdict_is_offered_on_what_is_shown() -> None:
    """The orders name the commit, so that they say nothing of a later one; of an ended task there is nothing to say."""
    seen = {"task": task(), "patch": "diff --git a/a b/a\n+new\n"}
    approve = "band review dark-mode --approve --commit 0123456789ab"
    request = 'band review dark-mode --request-changes --commit 0123456789ab -m "…"'
    assert review_text(seen, PLAIN).endswith(f"\n\n{approve}\n{request}\n\ndiff --git a/a b/a\n+new\n")
    seen = {"task": task(row=row(owner="nobody")), "patch": "+new\n"}
    assert "--approve" not in review_text(seen, PLAIN)


def test_new_rules_are_shown_whole() -> None:
    """Whoever confirms them has seen each one that is another."""
    detail = "\n".join(f"+ agents.a{n}.command: curl" for n in range(9))
    found = ask_lines(ask("policy", "Confirm the new rules", "Cancel the task", detail=detail), PLAIN)
    assert [line.strip() for line in found if "curl" in line] == [f"| {line}" for line in detail.splitlines()]


def test_a_task_that_has_ended_says_where_its_work_is() -> None:
    """Landed, or kept."""
    ended = task(landed="0123456789abcdef", rescue="refs/bandstand/rescue/dark-mode/1", trouble="a\nlast words\n")
    found = "\n".join(task_lines(ended, PLAIN))
    assert "landed        0123456789ab\n" in found
    assert "kept at       refs/bandstand/rescue/dark-mode/1\n" in found
    assert "trouble       last words\n" in found


def entry(kind: str, text: str) -> Json:
    """An entry of a transcript."""
    return {"run": "dark-mode.1", "at_ms": 0, "offset": 0, "kind": kind, "text": text}


def test_an_entry_of_a_transcript() -> None:
    """A long one is cut, unless it is wanted whole; one line more is no reason to cut."""
    text = "\n".join(f"line {n}" for n in range(1, 10))
    found = [line[9:] for line in entry_lines(entry("prompt", text), PLAIN, full=False)]
    assert found == snapshot(
        [
            "prompt     line 1",
            "           line 2",
            "           line 3",
            "           line 4",
            "           line 5",
            "           line 6",
            "           and 3 more lines: --full",
        ]
    )
    assert len(entry_lines(entry("prompt", text), PLAIN, full=True)) == 9
    assert len(entry_lines(entry("prompt", "\n".join(text.splitlines()[:7])), PLAIN, full=False)) == 7
    assert len(entry_lines(entry("done", ""), PLAIN, full=False)) == 1


def test_a_patch_keeps_its_text() -> None:
    """Colours aside."""
    patch = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-old\n+new\n same\n"
    assert paint_patch(patch, PLAIN) == patch


def planned(**more: Json) -> Json:
    """What an order would do."""
    plain = {
        "tasks": [],
        "checks": ["make lint", "make test"],
        "checks_from": "bandstand.toml",
        "target": "main",
        "review": "agent",
        "push": "never",
        "agents": [{"name": "mine", "command": ["./agent", "--acp"], "reads": ["~/.mine"]}],
        "sandbox": "none",
        "rules": [],
        "suggested": [],
    }
    return {**plain, **more}


def test_the_rules_as_they_are_confirmed() -> None:
    """Every command that will run on this machine."""
    assert rule_lines(planned(), PLAIN) == snapshot(
        [
            "lands on  main",
            "checks    make lint  (bandstand.toml)",
            "          make test  (bandstand.toml)",
            "review    agent",
            "agent     mine: ./agent --acp (may read ~/.mine)",
            "sandbox   none: laws 2 and 4 not enforced",
        ]
    )
    assert "checks    none: changes land untested" in rule_lines(planned(checks=[]), PLAIN)


EVIL_LINES = {
    "row": lambda: fleet_lines(fleet(row(words=EVIL), trouble=EVIL), PLAIN, every=True),
    "ask": lambda: ask_lines(ask("permission", EVIL, EVIL, title=EVIL, detail=EVIL), PLAIN),
    "task": lambda: task_lines(
        task(
            row=row(words=EVIL, title=EVIL),
            goal=EVIL,
            acceptance=[EVIL],
            gates=[EVIL],
            leftovers=[EVIL],
            trouble=EVIL,
            reviews=[
                {
                    "name": EVIL,
                    "by": "agent",
                    "verdict": "approved",
                    "summary": EVIL,
                    "comments": [{"path": EVIL, "line": 1, "body": EVIL}],
                    "current": True,
                }
            ],
        ),
        PLAIN,
    ),
    "entry": lambda: entry_lines(entry("agent", EVIL), PLAIN, full=True),
    "patch": lambda: paint_patch(f"+{EVIL}\n {EVIL}\ndiff --git a/{EVIL}", PLAIN).split("\n"),
}


@pytest.mark.parametrize("kind", EVIL_LINES)
def test_what_others_wrote_commands_no_terminal(kind: str) -> None:
    """Agents, repositories, tasks: whatever they say, it is only text."""
    for line in EVIL_LINES[kind]():
        assert not [char for char in line if unicodedata.category(char)[0] == "C" and char != "\t"], repr(line)
