"""Writes the pages of docs/reference that are made of the code. With `--check` nothing is written; it fails instead."""

import sys
from pathlib import Path

from bandstand.config.reference import settings_reference, task_reference
from bandstand.config.score_reference import describe
from bandstand.faces.daemon.http import metrics
from bandstand.faces.daemon.http.document import reference
from bandstand.faults import DEEDS

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MARK = " A test holds it equal. -->\n\n"


def score_page() -> str:
    """The page on scores: what was written by hand, down to the mark, and the table below it."""
    by_hand, mark, _ = (FOLDER / "scores.md").read_text(encoding="utf-8").partition(MARK)
    return f"{by_hand}{mark}{describe()}"


def api_page() -> str:
    """The page on the HTTP API: what was written by hand, down to the mark, and the table below it."""
    by_hand, mark, _ = (FOLDER / "api.md").read_text(encoding="utf-8").partition(MARK)
    return f"{by_hand}{mark}{reference()}"


def fault_page() -> str:
    """The page on fault points: what was written by hand, down to the mark, and the table below it."""
    by_hand, mark, _ = (FOLDER / "faults.md").read_text(encoding="utf-8").partition(MARK)
    rows = "".join(f"| `{deed}` | {words} |\n" for deed, words in DEEDS.items())
    return f"{by_hand}{mark}| deed | what is done between its two points |\n|---|---|\n{rows}"


def metrics_page() -> str:
    """The page on metrics: what was written by hand, down to the mark, and the table below it."""
    by_hand, mark, _ = (FOLDER / "metrics.md").read_text(encoding="utf-8").partition(MARK)
    return f"{by_hand}{mark}{metrics.reference()}"


def main() -> int:
    pages = {
        "tasks.md": task_reference(),
        "settings.md": settings_reference(),
        "scores.md": score_page(),
        "api.md": api_page(),
        "faults.md": fault_page(),
        "metrics.md": metrics_page(),
    }
    paths = {FOLDER / name: text for name, text in pages.items()}
    stale = [path for path, text in paths.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if stale and "--check" in sys.argv[1:]:
        print(f"Not as the code says: {', '.join(path.name for path in stale)}. Run `python scripts/reference.py`.")
        return 1
    for path in stale:
        path.write_text(paths[path], encoding="utf-8")
        print(f"docs/reference/{path.name} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
