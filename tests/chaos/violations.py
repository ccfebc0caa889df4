"""Violations, planted into what is left of a job that went well: for each rule of the auditor at least one.

A rule that none of these turns red would never have told of anything.
"""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bandstand.adapters.hosts.journal import scan
from bandstand.ports.hosts import Record, RecordKind
from tests.chaos import auditor
from tests.chaos.auditor import Evidence, Problems

Plant = Callable[[Evidence], object]


def copied(found: Evidence, place: Path) -> Evidence:
    """The same, in a folder of its own."""
    for folder in (found.state, found.repository):
        shutil.copytree(folder, place / folder.name, symlinks=True, ignore=shutil.ignore_patterns("*.sock", "sock"))
    return Evidence(
        place / found.state.name,
        place / found.repository.name,
        submitted=found.submitted,
        checks=found.checks,
        shown=found.shown,
    )


def _sql(found: Evidence, *statements: str) -> None:
    connection = sqlite3.connect(found.state / "bandstand.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def _forgotten(kind: str, task: str) -> Plant:
    where = f"type = '{kind}' AND task = '{task}'"
    return lambda found: _sql(found, f"DELETE FROM events WHERE {where}")


def _said_again(kind: str, task: str) -> str:
    """A fact of a task once more, at the end of the log."""
    return (
        "INSERT INTO events (repository, version, at, type, type_version, payload, task) SELECT repository,"
        " (SELECT max(version) + 1 FROM events), at, type, type_version, payload, task FROM events"
        f" WHERE type = '{kind}' AND task = '{task}' LIMIT 1"
    )


def _unanswered(found: Evidence) -> None:
    """What is asked last of a task that has ended: what was in the way of its removal, say."""
    retired = "DELETE FROM events WHERE type = 'WorkspaceRetired' AND task = 'three'"
    _sql(found, retired, "DELETE FROM events WHERE type = 'AskAnswered' AND task = 'three'")


def _two_agents(found: Evidence) -> None:
    shutil.copytree(found.root / "runs" / "one.1", found.root / "runs" / "one.2")


def _written_again(found: Evidence, *, holding: bytes, key: str = "") -> None:
    """A line to an agent once more, under the same key or another one."""
    journal = found.root / "runs" / "one.1" / "journal"
    sent: Record = next(one for one in scan(journal) if one.kind is RecordKind.TO_AGENT and holding in one.payload)
    with journal.open("ab") as file:
        head = b"> %d %d %s " % (sent.at_ms, len(sent.payload), (key or sent.key).encode())
        file.write(head + sent.payload + b"\n")


def _commit(message: str, files: Mapping[str, str]) -> Plant:
    def plant(found: Evidence) -> None:
        for name, text in files.items():
            (found.repository / name).write_text(text)
        found.git("commit", "-q", "--all", "--allow-empty", "-m", message)

    return plant


def _shown_otherwise(found: Evidence) -> None:
    rows: list[Any] = found.shown["tasks"]
    found.shown = {**found.shown, "tasks": [{**row, "mark": "working"} for row in rows]}


def _left(*parts: str) -> Plant:
    return lambda found: (found.workspaces.joinpath(*parts)).mkdir(parents=True)


def _without_archives(found: Evidence) -> None:
    shutil.rmtree(found.workspaces / "archive.d")


VIOLATIONS: tuple[tuple[str, Callable[[Evidence], Problems], Plant], ...] = (
    ("a task is not in the log", auditor.tasks_are_there, _forgotten("TaskSubmitted", "one")),
    ("a task is there twice", auditor.tasks_are_there, lambda found: _sql(found, _said_again("TaskSubmitted", "one"))),
    ("a fact is missing", auditor.facts_follow_each_other, _forgotten("TurnStarted", "two")),
    ("two agents, by the journals", auditor.one_agent_in_a_workspace, _two_agents),
    (
        "two agents, by the log",
        auditor.one_agent_in_a_workspace,
        lambda found: _sql(
            found, "DELETE FROM events WHERE type = 'RunEnded' AND task = 'one'", _said_again("RunStarted", "one")
        ),
    ),
    (
        "a prompt twice, by its key",
        auditor.nothing_is_prompted_twice,
        lambda found: _written_again(found, holding=b'"session/prompt"'),
    ),
    (
        "a prompt twice, by its text",
        auditor.nothing_is_prompted_twice,
        lambda found: _written_again(found, holding=b'"session/prompt"', key="turn-9"),
    ),
    (
        "a permission twice",
        auditor.permissions_are_answered_once,
        lambda found: _written_again(found, holding=b'"optionId"'),
    ),
    ("a landing twice, on main", auditor.nothing_lands_twice, _commit("Again\n\nBandstand-Task: one", {})),
    (
        "a landing twice, in the log",
        auditor.nothing_lands_twice,
        lambda found: _sql(found, _said_again("ChangeLanded", "one")),
    ),
    (
        "a landing that main lost",
        auditor.what_landed_is_on_main,
        lambda found: found.git("reset", "-q", "--hard", "main~1"),
    ),
    ("a red main", auditor.main_is_green, _commit("Break it", {"calc.py": "def add(a, b):\n    return a - b\n"})),
    ("no archive", auditor.no_byte_is_lost, _without_archives),
    (
        "no rescue",
        auditor.no_byte_is_lost,
        lambda found: found.git("update-ref", "-d", "refs/bandstand/rescue/four/1"),
    ),
    ("shown is another state", auditor.the_log_explains_what_is_shown, _shown_otherwise),
    ("the log has another state", auditor.the_log_explains_what_is_shown, _forgotten("ChangeLanded", "one")),
    ("a task has no end", auditor.every_task_has_ended, _forgotten("WorkspaceRetired", "one")),
    ("an ask is unanswered", auditor.no_ask_is_left_open, _unanswered),
    ("a workspace is left", auditor.nothing_is_left_over, _left("one", "tree")),
    ("a draft is left", auditor.nothing_is_left_over, _left(".one.new")),
    (
        "a pin is left",
        auditor.nothing_is_left_over,
        lambda found: found.git("update-ref", "refs/bandstand/pins/one", "main"),
    ),
    (
        "the user's git is locked out",
        auditor.nothing_is_left_over,
        lambda found: (found.repository / ".git" / "index.lock").touch(),
    ),
    (
        "the checkout is half way",
        auditor.the_checkout_is_as_main,
        lambda found: (found.repository / "one.txt").unlink(),
    ),
)
"""What it is called, the rule that must tell of it, and how it is brought about."""
