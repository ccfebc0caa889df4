"""The note that the whole fleet was stopped, and by whom. It is written first of all, so that no daemon can miss it.

It lies in a file and not in the log, for it must be possible to stop everything while no daemon answers.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNote:
    """The note in a file. It lasts until a daemon has held every task."""

    file: Path

    def write(self, by: str) -> None:
        """Say that everything is to stop. May be repeated. Raises `OSError` where that cannot be written."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.file.with_suffix(f".{os.getpid()}")
        with draft.open("w", encoding="utf-8") as opened:
            opened.write(by)
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(self.file)

    def there(self) -> bool:
        """Whether everything is to stop."""
        return self.file.exists()

    def by(self) -> str | None:
        """Who stopped everything; nothing if nobody did, or if it is in the log already."""
        try:
            return self.file.read_text(encoding="utf-8", errors="replace").strip() or "you"
        except FileNotFoundError:
            return None

    def clear(self) -> None:
        """Every task is held: the note has done its work."""
        self.file.unlink(missing_ok=True)
