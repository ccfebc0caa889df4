"""The daemon's log: lines that a person and a program can read, in files that stay small and tell no secrets."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandstand.domain.redaction import Redaction
from bandstand.faces.daemon import logfile
from bandstand.faces.daemon.logfile import Lines, log_to

TOKEN = "ghp_" + "Ab3" * 12
"""In two pieces, so that no scanner takes this file for a leak."""


@pytest.fixture(autouse=True)
def the_root_logger_as_it_was() -> Iterator[None]:
    """The log of a process is one thing; these tests give it back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def record(text: str, **more: object) -> logging.LogRecord:
    """What a module has to say."""
    return logging.makeLogRecord({"msg": text, "levelname": "INFO", "levelno": 20, "created": 1.5, **more})


def test_a_line_says_when_how_bad_what_and_about_what(tmp_path: Path) -> None:
    """In this order, with the context that was given and no other."""
    log_to(tmp_path / "log", {})
    logging.getLogger("x").warning("checks of %s failed", "docs", extra={"repository": "4f1c", "task": "docs", "y": 1})
    (line,) = (tmp_path / "log").read_text().splitlines()
    at, _, rest = line.partition(" ")
    assert at.startswith("at=2") and at[-6] in "+-"
    assert rest == 'level=warning event="checks of docs failed" repository=4f1c task=docs'


@pytest.mark.parametrize("form", ["text", "json"])
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(text=st.text(), task=st.none() | st.text())
def test_the_first_lines_look_like_all_others(form: str, text: str, task: str | None) -> None:
    """Those that are written before the library is there that writes the rest."""
    early, settled = Lines(Redaction(), form=form), Lines(Redaction(), form=form)
    settled.settle()
    given = record(text.replace("%", ""), task=task)
    assert early.format(given) == settled.format(given)


@pytest.mark.parametrize("form", ["text", "json"])
def test_words_that_are_about_something_say_it_in_every_line(form: str) -> None:
    """In the first lines, and in those of the library."""
    early, settled = Lines(Redaction(), form=form), Lines(Redaction(), form=form)
    settled.settle()
    given = record("%s of %s failed", args=("Checking", "docs"))
    assert "Checking of docs failed" in early.format(given)
    assert settled.format(given) == early.format(given)


def test_lines_may_be_json(tmp_path: Path) -> None:
    """For who collects them."""
    log_to(tmp_path / "log", {"BAND_LOG": "json"}).settle()
    logging.getLogger("x").info('a "word"', extra={"run": "docs.1"})
    line = json.loads((tmp_path / "log").read_text())
    assert line == {"at": line["at"], "level": "info", "event": 'a "word"', "run": "docs.1"}


@pytest.mark.parametrize(("form", "level"), [("", 20), ("debug", 10), ("json,warning", 30), (" Error ,text", 40)])
def test_how_much_is_said(form: str, level: int, tmp_path: Path) -> None:
    """By a word, beside the form or alone."""
    log_to(tmp_path / "log", {"BAND_LOG": form})
    assert logging.getLogger().level == level


def test_a_word_that_means_nothing_is_told(tmp_path: Path) -> None:
    """And does no harm."""
    log_to(tmp_path / "log", {"BAND_LOG": "loud,debug"})
    assert 'event="BAND_LOG says loud, which means nothing here"' in (tmp_path / "log").read_text()


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_has_its_whole_story(form: str, tmp_path: Path) -> None:
    """In text the traceback stands below the line, indented; in JSON it is a key."""
    log_to(tmp_path / "log", {"BAND_LOG": form})
    try:
        int(TOKEN)
    except ValueError:
        logging.getLogger("x").exception("it failed")
    said = (tmp_path / "log").read_text()
    assert TOKEN not in said
    first, *rest = said.splitlines()
    if form == "json":
        line = json.loads(first)
        assert rest == []
        assert line["error"].startswith("ValueError: ") and "[redacted]" in line["error"]
        assert line["exception"].startswith("Traceback (most recent call last):\n")
    else:
        assert 'level=error event="it failed" error="ValueError: ' in first and "[redacted]" in first
        assert rest[0] == "    Traceback (most recent call last):"
        assert all(line.startswith("    ") for line in rest)


def test_no_secret_gets_in(tmp_path: Path) -> None:
    """Neither what looks like one, nor the value of a variable that is called one."""
    log_to(tmp_path / "log", {"MY_TOKEN": "correct horse", "PATH": "/bin"}, also=sys.stderr)
    logging.getLogger("x").info("pushed to https://me:hunter2@example.org with %s and correct horse", TOKEN)
    said = (tmp_path / "log").read_text()
    assert "https://me:[redacted]@example.org with [redacted] and [redacted]" in said


def test_the_files_stay_small_few_and_private(tmp_path: Path) -> None:
    """However much there is to say."""
    (tmp_path / "log").touch(mode=0o600)
    log_to(tmp_path / "log", {})
    line = "word " * 20_000
    for _ in range(int(logfile.LARGEST / len(line) * (logfile.KEPT + 2))):
        logging.getLogger("x").info(line)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", *(f"log.{number}" for number in range(1, logfile.KEPT + 1))]
    assert all(file.stat().st_size <= logfile.LARGEST for file in files)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
