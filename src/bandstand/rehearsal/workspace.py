"""Editing files of the workspace. Nothing outside of it is touched, whatever a path says and wherever a link leads."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see `wire`
if TYPE_CHECKING:
    from bandstand.rehearsal.score import Step


class EditError(Exception):
    """An edit that cannot be made. Nothing was changed."""


class Edit:
    """An edit of one file: its real path, its text before and after, and the first line that differs.

    No text before: the file is new. No text after: it goes away.
    """

    __slots__ = ("after", "before", "line", "path")

    def __init__(self, *, path: str, before: str | None, after: str | None) -> None:
        self.path = path
        self.before = before
        self.after = after
        self.line = _first_difference(before or "", after or "")


def locate(cwd: str, path: str) -> str:
    """The absolute path of a file of the workspace. Raises `EditError` for one outside, or in the git folder."""
    if "\0" in path:
        raise EditError("The path holds a NUL.")
    root = os.path.realpath(cwd)
    target = os.path.realpath(os.path.join(root, path))  # noqa: PTH118 - pathlib is slow to import
    if not target.startswith(root.rstrip("/") + "/"):
        raise EditError(f"{path} is outside of the workspace.")
    if target.startswith(f"{root}/.git/") or target == f"{root}/.git":
        raise EditError(f"{path} belongs to git.")
    return target


def plan(cwd: str, step: Step) -> Edit:
    """The edit that a step describes, not made yet. Raises `EditError`, or `ScoreError` for a step that says none."""
    path = step.text("path")
    target = locate(cwd, path)
    before = _read(target, path)
    if before is None and ("replace" in step.fields or step.flag("delete") or step.flag("union")):
        raise EditError(f"{path} does not exist.")
    text = before or ""
    after: str | None
    if "replace" in step.fields:
        after = _replaced(
            text, old=step.record("replace").text("old"), new=step.record("replace").text("new"), path=path
        )
    elif "append" in step.fields:
        after = text + step.text("append")
    elif step.flag("delete"):
        after = None
    elif step.flag("union"):
        after = union(text, path=path)
    else:
        after = step.text("content")
    return Edit(path=target, before=before, after=after)


def make(edit: Edit) -> None:
    """Make the edit; folders on the way are made too. Raises `EditError`."""
    try:
        if edit.after is None:
            os.unlink(edit.path)  # noqa: PTH108 - pathlib is slow to import
            return
        os.makedirs(edit.path.rpartition("/")[0], exist_ok=True)  # noqa: PTH103
        with open(edit.path, "wb") as file:  # noqa: PTH123
            file.write(edit.after.encode("utf-8", "replace"))
    except OSError as error:
        raise EditError(f"{edit.path} cannot be written: {error.strerror}.") from None


def holds(cwd: str, condition: Step) -> bool:
    """Whether a file is there and holds a text, or, with `absent`, is not there. Raises `EditError`."""
    path = condition.text("path")
    target = locate(cwd, path)
    if condition.flag("absent"):
        return not os.path.lexists(target)
    if "contains" not in condition.fields:
        return os.path.lexists(target)
    return condition.text("contains") in (_read(target, path) or "")


def union(text: str, *, path: str) -> str:
    """The text with both sides of every conflict kept, ours first. Raises `EditError` if there is no conflict."""
    kept: list[str] = []
    side = ""  # the marker that was passed last
    conflicts = 0
    for line in text.splitlines(keepends=True):
        marker = line[:7]
        if marker == "<<<<<<<" and not side:
            side = marker
            conflicts += 1
        elif marker in ("|||||||", "=======") and side in ("<<<<<<<", "|||||||"):
            side = marker
        elif marker == ">>>>>>>" and side == "=======":
            side = ""
        elif side != "|||||||":
            kept.append(line)
    if side or not conflicts:
        raise EditError(f"{path} has no whole conflict in it.")
    return "".join(kept)


def _read(target: str, path: str) -> str | None:
    try:
        with open(target, "rb") as file:  # noqa: PTH123
            return file.read().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EditError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise EditError(f"{path} is not a text in UTF-8.") from None


def _replaced(text: str, *, old: str, new: str, path: str) -> str:
    times = text.count(old) if old else 0
    if times != 1:
        raise EditError(f"The text to replace occurs {times} times in {path}, not once.")
    return text.replace(old, new)


def _first_difference(before: str, after: str) -> int:
    number = 1
    for old, new in zip(before.splitlines(keepends=True), after.splitlines(keepends=True), strict=False):
        if old != new:
            return number
        number += 1
    return number
