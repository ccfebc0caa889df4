"""The references of the command line and of its JSON are what the code says."""

from pathlib import Path

from bandstand.faces.cli.verbs import every
from scripts import json_reference, json_words
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


def test_the_page_of_json_is_what_the_code_says() -> None:
    """Who changes a read model, or what a verb prints, writes the page anew."""
    said = json_reference.page()
    assert json_reference.PAGE.read_text(encoding="utf-8") == said, "Run `python -m scripts.json_reference`."


def test_the_page_of_json_speaks_of_every_verb() -> None:
    """Who adds a verb says there what it prints."""
    verbs = {verb.name for verb in every()}
    assert json_reference.PRINTS.keys() == verbs, "Mend PRINTS in scripts/json_reference.py, and write the page anew."


def test_no_word_is_left_that_explains_nothing() -> None:
    """What describes keys and records is about those that there are."""
    said = json_reference.page()
    keys = {line.split("`")[1].rpartition(".")[2] for line in said.splitlines() if line.startswith("| `")}
    assert sorted(json_words.WORDS.keys() - keys) == []
    records = {line.removeprefix("### ") for line in said.splitlines() if line.startswith("### ")}
    assert json_words.RECORDS.keys() == records


def test_what_each_verb_prints_is_held_to_the_page() -> None:
    """Some test runs the verb and looks whether what it printed `fits` the record that the page shows."""
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    named = {word for cases in json_reference.PRINTS.values() for said in cases.values() for word in said.split()}
    records = {word.strip(",") for word in named if word[0].isupper()}
    assert [record for record in sorted(records) if f'fits("{record}"' not in tests] == []
