"""Drafts: what a process that was killed had begun is told from what somebody makes just now."""

import subprocess
import sys
from pathlib import Path

from bandstand.drafts import PREFIX, draft, left

BEGINS = """
import sys
from pathlib import Path
from bandstand.drafts import draft
with draft(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_draft_is_left_once_its_maker_is_dead(tmp_path: Path) -> None:
    """While they live nobody else may take it away."""
    place = tmp_path / "made"
    with subprocess.Popen(
        [sys.executable, "-c", BEGINS, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        try:
            assert maker.stdout is not None
            folder = Path(maker.stdout.readline().strip())
            assert (folder.parent, folder.stat().st_mode & 0o777) == (tmp_path, 0o700)
            assert list(left(place)) == []
        finally:
            maker.kill()
    assert list(left(place)) == [folder]


def test_a_draft_of_ones_own_is_not_left(tmp_path: Path) -> None:
    """Nor is one beside another place, and nothing that only bears such a name."""
    place = tmp_path / "made"
    (tmp_path / f"{PREFIX}file").write_text("mine")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
    (tmp_path / "deep").mkdir()
    with draft(tmp_path / "deep" / "made"), draft(place) as first, draft(place) as second:
        assert first != second
        assert list(left(place)) == []


def test_where_there_is_no_folder_nothing_is_left(tmp_path: Path) -> None:
    """Whoever wants to make something there is told so by other means."""
    assert list(left(tmp_path / "nowhere" / "made")) == []
    assert list(tmp_path.iterdir()) == []
