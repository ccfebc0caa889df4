"""Object stores that borrow from others: git's `alternates`, read and written for paths of every kind.

A path stands there as it is, unless a line break, a colon in a list, or a quote in front of it would be taken for
something else: then it stands in quotes, as git quotes names.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

DEEPEST = 5
_FILE = Path("info") / "alternates"
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def stores(objects: Path) -> tuple[Path, ...]:
    """An object store and those that it borrows from, as far as they are there."""
    found: list[Path] = []
    ahead = [(objects, 0)]
    while ahead:
        folder, depth = ahead.pop()
        if folder not in found and depth <= DEEPEST and folder.is_dir():
            found.append(folder)
            ahead.extend((other, depth + 1) for other in _borrowed(folder))
    return tuple(found)


def lines(paths: Sequence[Path]) -> bytes:
    """Paths as the file `alternates` lists them."""
    return b"".join(_written(os.fsencode(path), odd=b"\n") + b"\n" for path in paths)


def listed(paths: Sequence[Path | str]) -> str:
    """Paths as git's variable takes them, with colons between."""
    return os.fsdecode(b":".join(_written(os.fsencode(path), odd=b":") for path in paths))


def _written(path: bytes, *, odd: bytes) -> bytes:
    if odd not in path and not path.startswith((b'"', b"#")):
        return path
    return b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'


def _borrowed(objects: Path) -> list[Path]:
    try:
        text = (objects / _FILE).read_bytes()
    except FileNotFoundError:
        return []
    found = [_read(line) for line in text.split(b"\n") if line and not line.startswith(b"#")]
    return [(objects / os.fsdecode(path)).resolve() for path in found]


def _read(line: bytes) -> bytes:
    if len(line) < 2 or not (line.startswith(b'"') and line.endswith(b'"')):
        return line
    return _ESCAPED.sub(lambda found: _letter(found[1]), line[1:-1])


def _letter(code: bytes) -> bytes:
    return bytes([int(code, 8) & 255]) if code[:1].isdigit() else _LETTERS.get(code, code)
