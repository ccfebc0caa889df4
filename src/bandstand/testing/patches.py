"""Changes of files in memory, in the words of git."""

import difflib
from collections.abc import Iterable

from bandstand.domain.change import FileChange


def file_change(path: str, old: bytes | None, new: bytes | None) -> FileChange:
    """What became of one file."""
    status = "A" if old is None else "D" if new is None else "M"
    lines = list(difflib.ndiff(_lines(old), _lines(new)))
    added, deleted = (sum(line.startswith(sign) for line in lines) for sign in ("+ ", "- "))
    return FileChange(path=path, status=status, added=added, deleted=deleted)


def patch(path: str, old: bytes | None, new: bytes | None) -> Iterable[str]:
    """The lines of a unified patch of one file."""
    before, after = ("/dev/null" if data is None else f"{side}/{path}" for side, data in (("a", old), ("b", new)))
    return difflib.unified_diff(_lines(old), _lines(new), before, after)


def _lines(data: bytes | None) -> list[str]:
    return (data or b"").decode(errors="replace").splitlines(keepends=True)
