"""The table of escapes is whole, and the page that is made of it current."""

from collections import Counter

from tests.e2e.escapes.ground import PROGRAMS
from tests.e2e.escapes.page import PAGE, page
from tests.e2e.escapes.rows_of_traps import TRAPS
from tests.e2e.escapes.table import INSIDE


def test_the_page_is_as_the_table_says() -> None:
    """`python -m tests.e2e.escapes.page` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_row_has_a_name_and_a_program_of_its_own() -> None:
    """Rows that share a name in files would leave the same things outside."""
    assert [key for key, times in Counter(one.key for one in INSIDE).items() if times > 1] == []
    for one in INSIDE:
        module, _, name = one.program.partition(".")
        assert f"def {name}(" in (PROGRAMS / f"{module}.py").read_text(encoding="utf-8")


def test_there_are_enough() -> None:
    """The outcome names forty at the least."""
    assert len(INSIDE) >= 40


def test_every_trap_is_laid_by_a_function_of_its_own() -> None:
    """Two with one name would leave one witness."""
    source = (PROGRAMS / "plant.py").read_text(encoding="utf-8")
    assert [key for key, times in Counter(one.key for one in TRAPS).items() if times > 1] == []
    assert [one.plant for one in TRAPS if f"def {one.plant}(" not in source] == []
