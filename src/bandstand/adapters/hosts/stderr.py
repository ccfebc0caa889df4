"""What a process wrote to its standard error, made fit to be read."""

import os
import re
from pathlib import Path

_ERRORS_SIZE = 8192  # bytes
_UNREADABLE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|[^\n\t\x20-\x7e\xa0-\U0010ffff]"
)


def readable_end(path: Path) -> str:
    """The end of a text file, without what a terminal would take for commands; empty if there is no file."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _ERRORS_SIZE)
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return ""
    if start:
        data = data.partition(b"\n")[2] or data
    return _UNREADABLE.sub("", data.decode(errors="replace").replace("\r\n", "\n")).strip()
