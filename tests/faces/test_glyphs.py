"""The glyphs of tasks, and the size of a change in words."""

from dataclasses import replace

from bandstand.domain.change import Change, FileChange
from bandstand.domain.ids import CommitId, TreeId
from bandstand.domain.standing import Mark
from bandstand.faces.text import GLYPHS, size

C = CommitId("0123456789abcdef")
CHANGE = Change(base=C, head=C, tree=TreeId("t"), files=(FileChange(path="a", status="A", added=3),), commits=1)


def test_every_mark_has_a_glyph_of_its_own() -> None:
    """They are told apart without colours."""
    assert set(GLYPHS) == set(Mark)
    assert len(set(GLYPHS.values())) == len(Mark)


def test_the_size_of_a_change() -> None:
    """In files and lines."""
    assert size(CHANGE) == "1 file, +3 -0"
    assert size(replace(CHANGE, files=CHANGE.files * 2)) == "2 files, +6 -0"
