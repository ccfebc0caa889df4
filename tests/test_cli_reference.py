"""The reference of the command line is what its parser says."""

from pathlib import Path

from bandstand.faces.cli.verbs import every
from scripts.cli_reference import PAGE, page


def test_the_page_is_what_the_parser_says() -> None:
    """Who changes a verb writes the page anew."""
    assert Path(PAGE).read_text(encoding="utf-8") == page(), "Run `python scripts/cli_reference.py`."


def test_every_verb_has_its_section() -> None:
    """No verb of the program is missing, and the page shows none that is not there."""
    shown = {line.removeprefix("## `band ").rstrip("`") for line in page().splitlines() if line.startswith("## `band ")}
    assert shown == {verb.name for verb in every()}


def test_every_option_is_described() -> None:
    """A line that only names an option teaches nobody."""
    bare = [line for line in page().splitlines() if line.startswith("|") and line.rstrip().endswith("|  |")]
    assert not bare
