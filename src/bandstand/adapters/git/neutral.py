"""A git dir without any settings, drivers, hooks or refs over the objects of a real one.

What is made here comes out the same whatever the user's configuration says, and runs no program of anybody. The
attributes are those that the caller gives. It lasts as long as the `with` and holds nothing worth keeping: new objects
go to the real object store.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bandstand.domain.errors import Unavailable


@contextmanager
def neutral_git_dir(objects: Path, *, settings: str, shallow: bytes, attributes: bytes) -> Iterator[Mapping[str, str]]:
    """The environment that lets git work on `objects` like that. `settings` is a git configuration file."""
    folder = Path(tempfile.mkdtemp(prefix="bandstand-git-", dir=_temporary()))
    try:
        fill(folder, settings=settings, shallow=shallow)
        (folder / "info" / "attributes").write_bytes(attributes)
        yield {"GIT_DIR": str(folder), "GIT_OBJECT_DIRECTORY": str(objects)}
    finally:
        _drop(folder)


def fill(folder: Path, *, settings: str, shallow: bytes) -> None:
    """Make an existing folder a git dir that has no refs."""
    for name in ("refs", "objects", "info"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "config").write_text(settings)
    if shallow:
        (folder / "shallow").write_bytes(shallow)


def _drop(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def _temporary() -> str:
    """The folder for temporary files. Raises `Unavailable` if none takes any."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        raise Unavailable(
            "There is no room for temporary files, neither in TMPDIR nor in /tmp.",
            hint="Make room there, and it goes on: df -h /tmp",
        ) from None
