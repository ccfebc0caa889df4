"""Identifiers: plain strings with a name each, so that one cannot stand in for another.

They are made by the caller or derived from one another, never drawn here.
"""

import re
from typing import NewType

from bandstand.domain.errors import Refused

RepositoryId = NewType("RepositoryId", str)
TaskId = NewType("TaskId", str)
RunId = NewType("RunId", str)
AskId = NewType("AskId", str)
SessionId = NewType("SessionId", str)
AgentName = NewType("AgentName", str)
CommitId = NewType("CommitId", str)
TreeId = NewType("TreeId", str)

LONGEST_TASK_ID = 40
_TASK_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def task_id(text: str) -> TaskId:
    """The task id that `text` spells: lower-case letters, digits and inner hyphens, at most 40 characters.

    It names a branch, a folder and a line in a table, so nothing else is allowed.
    Raises `Refused` for any other text.
    """
    if len(text) <= LONGEST_TASK_ID and _TASK_ID.fullmatch(text):
        return TaskId(text)
    raise Refused(
        f"{text!r} is not a task id.",
        hint="Use lower-case letters, digits and inner hyphens, at most 40 characters.",
    )


def slug(goal: str) -> str:
    """The first words of a goal as a task id; `task` when it has no letters or digits that an id may hold."""
    words = _NOT_WORD.sub("-", goal.lower()).strip("-").split("-")
    text = ""
    for word in words:
        longer = f"{text}-{word}" if text else word[:24]
        if len(longer) > 24:
            break
        text = longer
    return text or "task"


def unused(wanted: str, taken: frozenset[TaskId]) -> TaskId:
    """`wanted` as a task id, with the lowest number behind it that makes it new among `taken`."""
    candidate = wanted
    number = 1
    while candidate in taken:
        number += 1
        candidate = f"{wanted[: LONGEST_TASK_ID - 5]}-{number}"
    return task_id(candidate)
