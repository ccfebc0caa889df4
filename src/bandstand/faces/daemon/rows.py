"""A task's row as JSON, the same wherever it is answered."""

from bandstand.faces.text import GLYPHS
from bandstand.faces.wire import Json


def row(one: Json) -> Json:
    """A task's row with its glyph."""
    return {**one, "glyph": GLYPHS[one["mark"]]}
