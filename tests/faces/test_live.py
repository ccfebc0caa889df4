"""The live view without a terminal: lines that can be read later, each with the time of day."""

from datetime import datetime

import pytest
from inline_snapshot import snapshot

from bandstand.domain.standing import Mark
from bandstand.faces.cli.live import LiveView, fitting
from bandstand.faces.text import GLYPHS
from bandstand.faces.wire import Json
from tests.faces.rows import EVIL, ask, row

AT = "2026-01-05T09:00:07+00:00"


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As wide as a terminal mostly is."""
    monkeypatch.setenv("COLUMNS", "80")


def state(*rows: Json, asks: tuple[Json, ...] = (), walled: bool = True) -> Json:
    """Where the tasks stand."""
    return {"kind": "state", "rows": list(rows), "asks": list(asks), "sandbox": "bubblewrap", "walled": walled}


def line(text: str, mark: Mark = Mark.WORKING, *, quiet: bool = False) -> Json:
    """A sentence."""
    told = {"task": "dark-mode", "mark": mark.value, "glyph": GLYPHS[mark], "text": text, "quiet": quiet}
    return {"kind": "line", "at": AT, **told}


def doing(text: str) -> Json:
    """What the agent does now."""
    return {"kind": "doing", "task": "dark-mode", "run": "dark-mode.1", "text": text}


def shown(capsys: pytest.CaptureFixture[str], *items: Json, verbose: bool = False) -> list[str]:
    """The lines that are written for these items, with a fixed time of day."""
    with LiveView(verbose=verbose) as view:
        for item in items:
            view.take(item)
    clock = datetime.fromisoformat(AT).astimezone().strftime("%H:%M:%S")
    return [text.replace(clock, "hh:mm:ss") for text in capsys.readouterr().out.splitlines()]


def test_what_happens_is_written_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Sentences with their time, and what agents do."""
    found = shown(
        capsys,
        state(row()),
        line("starts on the goal"),
        line("the agent is ready (dark-mode.1)", quiet=True),
        doing("$ make test"),
        {"kind": "fact", "type": "TurnEnded"},
        line("proposes a change: 1 file, +3 -0"),
        {"kind": "something new"},
        line("landed as 0123456789", Mark.LANDED),
    )
    assert found == snapshot(
        [
            "hh:mm:ss ● dark-mode  starts on the goal",
            "         · dark-mode  $ make test",
            "hh:mm:ss ● dark-mode  proposes a change: 1 file, +3 -0",
            "hh:mm:ss ✓ dark-mode  landed as 0123456789",
        ]
    )


def test_more_is_written_for_who_wants_all(capsys: pytest.CaptureFixture[str]) -> None:
    """The quiet lines, too."""
    assert len(shown(capsys, state(row()), line("is next to land", quiet=True), verbose=True)) == 1
    assert shown(capsys, state(row()), line("is next to land", quiet=True)) == []


def test_a_new_ask_says_how_it_is_answered_once(capsys: pytest.CaptureFixture[str]) -> None:
    """With its choices, or in words."""
    first, second = ask("permission", "Allow once", "Reject"), ask("question", id="a4")
    items = [state(row(), asks=(first,)), state(row(), asks=(first, second)), state(row(), asks=(second,))]
    assert shown(capsys, *items) == snapshot(
        [
            "                      1 Allow once · 2 Reject (band answer a3 CHOICE)",
            "                      (band answer a4 -m …)",
        ]
    )


def test_that_no_walls_are_there_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything happens."""
    found = shown(capsys, state(row(), walled=False), line("starts on the goal"), state(row(), walled=False))
    assert found[0] == "unsandboxed: laws 2 and 4 not enforced"
    assert len(found) == 2


def test_what_others_wrote_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """In no kind of line."""
    found = shown(
        capsys,
        state(row(words=EVIL), asks=(ask("permission", EVIL, title=EVIL),)),
        line(EVIL),
        doing(EVIL),
    )
    assert not any("\x1b" in text or "\r" in text or "\x07" in text for text in found)


def test_at_the_end_stands_what_came_of_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    """And where to look."""
    view = LiveView()
    view.take(state(row(files=1, added=3), row("docs", Mark.STOPPED, "cancelled: Enough.")))
    assert view.summary() == snapshot(
        [
            "",
            "● dark-mode  working on the goal  1 file, +3 -0",
            "■ docs       cancelled: Enough.",
            "look: band show dark-mode · band log dark-mode · band diff dark-mode",
        ]
    )
    assert LiveView().summary() == [""]


def test_a_large_fleet_leaves_room_for_what_happens() -> None:
    """The loudest rows stay on the board, in the order in which they came."""
    marks = [Mark.LANDED, *[Mark.WAITING] * 20, Mark.NEEDS_YOU, Mark.WORKING]
    rows = [row(f"task-{number}", mark) for number, mark in enumerate(marks)]
    shown, hidden = fitting(rows, 6)
    assert [one["id"] for one in shown] == ["task-1", "task-2", "task-3", "task-21", "task-22"]
    assert len(hidden) == 18
    assert fitting(rows[:6], 6) == (rows[:6], [])
