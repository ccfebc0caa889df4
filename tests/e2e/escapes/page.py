"""The page on escapes, made of the table. `python -m tests.e2e.escapes.page` writes it; a test holds it equal."""

from collections.abc import Iterable
from pathlib import Path

from tests.e2e.escapes.attempt import Attempt
from tests.e2e.escapes.table import INSIDE_BY_TITLE, TRAPS_BY_TITLE
from tests.e2e.escapes.trap import Trap

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "escapes.md"
MARK = " A test holds it equal. -->\n"


def page() -> str:
    """What was written by hand, down to the mark, and the tables below it."""
    by_hand, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    parts = [by_hand, mark]
    parts += [f"\n## {title}\n\n{_table(rows)}" for title, rows in INSIDE_BY_TITLE.items()]
    parts += [f"\n## {title}\n\n{_traps(rows)}" for title, rows in TRAPS_BY_TITLE.items()]
    return "".join(parts)


def _table(rows: Iterable[Attempt]) -> str:
    lines = [
        "| attempt | law | what holds it | as root | as an ordinary user | control |",
        "|---|---|---|---|---|---|",
    ]
    for one in rows:
        user = "blocked" if one.needs is None else "blocked, not by itself"
        control = f"{one.control.value}{', may be absent' if one.may_be_absent else ''}"
        lines.append(f"| {one.name} | {one.law} | {one.holds} | blocked | {user} | {control} |")
    return "\n".join(lines) + "\n"


def _traps(rows: Iterable[Trap]) -> str:
    lines = [
        "| trap | law | what holds it | as root | as an ordinary user | control, in a clone |",
        "|---|---|---|---|---|---|",
    ]
    for one in rows:
        springs = one.springs.replace("|", "\\|")
        lines.append(f"| {one.name} | {one.law} | {one.holds} | blocked | blocked | `{springs}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
