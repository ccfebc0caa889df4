"""What a git dir has in files of one ref or one object, read without a git: a process costs more than the answer.

Only what is certain is answered: a ref that names an object in a file of its own, an object in a file of its own whose
bytes are what its id says. `None` stands for everything else, be it packed, symbolic, broken, in another format or not
there: then git is asked. Refs and objects take their place by a rename, so there are no halves to be read.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from bandstand.domain.ids import CommitId, TreeId

MANY_REFS = 200
"""So many files are read at most for one answer; git reads more of them faster."""

_SHA1 = 40
_LARGEST = 64 * 1024  # bytes of an object, as it is kept
_PLAIN_NAME = re.compile(r"refs(?:/[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?)+")
_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_COMMIT = re.compile(
    rb"tree ([0-9a-f]+)\n((?:parent [0-9a-f]+\n)*)author [^\n]*\ncommitter [^\n]* (\d+) ([+-])(\d\d)(\d\d)\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LooseCommit:
    """What a commit says of itself. `at` is when it was committed, in its own time zone."""

    tree: TreeId
    parents: tuple[CommitId, ...]
    at: datetime


def ref(git_dir: Path, name: str) -> CommitId | None:
    """What a full ref name stands for."""
    if not _PLAIN_NAME.fullmatch(name) or ".." in name or ".lock" in name:
        return None
    said = _content(git_dir / name).removesuffix(b"\n")
    return CommitId(said.decode()) if _ID.fullmatch(said) and said.strip(b"0") else None


def is_absent(git_dir: Path, name: str) -> bool:
    """Whether there is certainly no ref of that full name."""
    if not _PLAIN_NAME.fullmatch(name) or not _in_files(git_dir) or os.path.lexists(git_dir / name):
        return False
    # Last, so that a ref is seen that was packed meanwhile.
    return b" " + name.encode() not in _content(git_dir / "packed-refs", largest=None)


def refs(git_dir: Path, prefixes: Iterable[str]) -> dict[str, CommitId] | None:
    """All refs below prefixes, sorted. A prefix that does not end with a slash may be that of one ref."""
    found: dict[str, CommitId] = {}
    prefixes = tuple(prefixes)
    if not _in_files(git_dir) or not all(prefix.endswith("/") for prefix in prefixes):
        return None
    for prefix in prefixes:
        for folder, folders, files in os.walk(git_dir / prefix):
            if any((Path(folder) / one).is_symlink() for one in folders):
                return None
            for file in files:
                name = (Path(folder) / file).relative_to(git_dir).as_posix()
                commit = ref(git_dir, name)
                if commit is None or len(found) >= MANY_REFS:
                    return None
                found[name] = commit
    # Last, so that a ref is seen that was packed meanwhile.
    packed = _content(git_dir / "packed-refs", largest=None)
    if any(b" " + os.fsencode(prefix) in packed for prefix in prefixes):
        return None
    return dict(sorted(found.items()))


def _in_files(git_dir: Path) -> bool:
    """Whether refs are kept in files; other formats leave some there that are none."""
    return (git_dir / "refs").is_dir() and not (git_dir / "reftable").exists()


def commit(stores: Sequence[Path], id: str) -> LooseCommit | None:
    """A commit as it stands in one of these object stores."""
    content = _object(stores, id, kind=b"commit")
    told = None if content is None else _COMMIT.match(content)
    if told is None:
        return None
    east = timedelta(hours=int(told[5]), minutes=int(told[6])) * (1 if told[4] == b"+" else -1)
    try:
        at = datetime.fromtimestamp(int(told[3]), timezone(east))
    except (ValueError, OverflowError, OSError):
        return None
    parents = tuple(CommitId(line.decode()) for line in told[2].split()[1::2])
    return LooseCommit(tree=TreeId(told[1].decode()), parents=parents, at=at)


def has_tree(stores: Sequence[Path], id: str) -> bool:
    """Whether a tree stands in one of these object stores."""
    return _object(stores, id, kind=b"tree") is not None


def _object(stores: Sequence[Path], id: str, *, kind: bytes) -> bytes | None:
    for store in stores:
        packed = _content(store / id[:2] / id[2:])
        if not packed:
            continue
        try:
            reading = zlib.decompressobj()
            whole = reading.decompress(packed, _LARGEST)
        except zlib.error:
            return None
        # As a check sum, by which git knows a damaged object.
        digest = hashlib.new("sha1" if len(id) == _SHA1 else "sha256", whole, usedforsecurity=False)
        head, _, content = whole.partition(b"\0")
        return content if digest.hexdigest() == id and head.split(b" ")[0] == kind else None
    return None


def _content(file: Path, *, largest: int | None = _LARGEST) -> bytes:
    """The bytes of a regular file; none of one that is too large or cannot be read. A link is not followed."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as opened:
        try:
            said = opened.read() if largest is None else opened.read(largest + 1)
        except OSError:
            return b""
    return said if largest is None or len(said) <= largest else b""
