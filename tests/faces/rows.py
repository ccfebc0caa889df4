"""What the daemon answers, as JSON: rows, asks and tasks to be shown."""

from datetime import UTC, datetime, timedelta

from bandstand.domain.standing import Mark
from bandstand.faces.text import GLYPHS
from bandstand.faces.wire import Json

EVIL = "\x1b[2J\x1b]0;owned\x07\rhidden"
"""What somebody might write who wants a terminal to do something."""


def back(**delta: float) -> str:
    """A time so long ago, as the wire has it. Half a unit is safely within what is shown."""
    return (datetime.now(UTC) - timedelta(**delta)).isoformat()


def row(name: str = "dark-mode", mark: Mark = Mark.WORKING, words: str = "working on the goal", **more: Json) -> Json:
    """A task in a list."""
    plain = {
        "id": name,
        "title": "Add dark mode",
        "agent": "codex",
        "mark": mark.value,
        "glyph": GLYPHS[mark],
        "words": words,
        "owner": "agent",
        "until": None,
        "since": back(minutes=5.5),
        "submitted": 1,
        "files": 0,
        "added": 0,
        "deleted": 0,
        "turns": 1,
    }
    return {**plain, **more}


def fleet(*rows: Json, **more: Json) -> Json:
    """The answer to `ps`."""
    plain = {
        "repository": "/r",
        "target": "main",
        "sandbox": "bubblewrap",
        "walled": True,
        "tasks": list(rows),
        "asks": 0,
        "trouble": "",
        "gaps": [],
    }
    return {**plain, **more}


def ask(kind: str = "permission", *labels: str, **more: Json) -> Json:
    """An open ask with choices of these labels; the first one grants."""
    choices = [{"id": f"c{n}", "label": label, "grants": n == 1} for n, label in enumerate(labels, start=1)]
    plain = {
        "id": "a3",
        "kind": kind,
        "task": "dark-mode",
        "title": "Fetch the docs?",
        "detail": "",
        "choices": choices,
        "raised": back(hours=3.5),
        "deadline": back(),
        "otherwise": "",
        "run": None,
        "request": "",
        "answer": None,
    }
    return {**plain, **more}


def task(**more: Json) -> Json:
    """The answer to `show`."""
    plain = {
        "row": row(files=2, added=12, deleted=3),
        "walled": True,
        "goal": "Add dark mode.\nIt follows the system.",
        "acceptance": ["`--dark` exists"],
        "depends_on": ["themes"],
        "stacked_on": None,
        "branch": "band/dark-mode",
        "runs": ["dark-mode.1"],
        "review_runs": [],
        "change": {
            "base": "b",
            "head": "0123456789abcdef",
            "tree": "t",
            "commits": 1,
            "files": [
                {"path": "src/ui.py", "status": "M", "added": 10, "deleted": 3},
                {"path": "docs/ui.md", "status": "A", "added": 2, "deleted": 0},
            ],
        },
        "checks": [{"command": "make test", "conclusion": "timed_out", "seconds": 61.04}],
        "checked": "timed_out",
        "policy_checks": "make test",
        "policy_review": "agent+human",
        "reviews": [
            {
                "name": "critic",
                "by": "agent",
                "verdict": "changes_requested",
                "summary": "Not yet.",
                "comments": [{"path": "src/ui.py", "line": 3, "body": "Why?"}],
                "commit": "c",
                "current": False,
            }
        ],
        "gates": ["It changes Makefile, by which checks are run."],
        "leftovers": ["debug.log"],
        "asks": [],
        "landed": None,
        "rescue": None,
        "trouble": "",
        **{"forked_from": "", "forks": [], "included": [], "left_out": [], "setup": [], "traffic": []},
    }
    return {**plain, **more}
