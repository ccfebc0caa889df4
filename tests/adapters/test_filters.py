"""Filters of the user's git: one that hangs or fails is found before a landing touches any file."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from bandstand.adapters.git.command import Git
from bandstand.adapters.git.repository import GitRepository
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.ids import CommitId
from tests.real_git import Folder


@pytest.fixture
def main(tmp_path: Path) -> Folder:
    """A repository with `main` checked out, in which a filter is named for one file."""
    return Folder.init(tmp_path / "repository", {".gitattributes": "a.txt filter=odd\n", "a.txt": "a\n"})


def land(main: Folder, new: CommitId) -> None:
    """Land a commit with a git that has two seconds."""

    async def work() -> None:
        found = await main.open()
        repository = GitRepository(
            git=Git(os.environ, deadline_seconds=2),
            id=found.id,
            path=found.path,
            git_dir=found.git_dir,
            object_format=found.object_format,
        )
        await repository.land("main", old=main.head(), new=new)

    asyncio.run(work())


def test_a_filter_that_hangs_is_named_and_can_be_switched_off(main: Folder) -> None:
    """Git would have removed the old file by then, and could not bring it back either."""
    for name, value in {"smudge": "sleep 600", "clean": "cat", "required": "true"}.items():
        main.git("config", f"filter.odd.{name}", value)
    old, new = main.head(), main.commit_aside("change", {"a.txt": "A\n", "b.txt": "b\n"})
    with pytest.raises(Unavailable, match=r"The filter odd of your git hangs with a\.txt") as told:
        land(main, new)
    assert (main.head(), main.text("a.txt"), main.status()) == (old, "a\n", [])
    _, _, order = told.value.hint.partition("switch it off there: ")
    subprocess.run(["sh", "-c", order], check=True)
    land(main, new)
    assert (main.head(), main.text("a.txt"), main.status()) == (new, "A\n", [])


def test_a_filter_that_fails_moves_nothing(main: Folder) -> None:
    """Where the user has said that its files are of no use without it."""
    for name, value in {"smudge": "false", "clean": "cat", "required": "true"}.items():
        main.git("config", f"filter.odd.{name}", value)
    old, new = main.head(), main.commit_aside("change", {"a.txt": "A\n"})
    with pytest.raises(Broken, match="odd"):
        land(main, new)
    assert (main.head(), main.text("a.txt"), main.status()) == (old, "a\n", [])
