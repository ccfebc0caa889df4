"""Repositories whose object ids are longer: everything that writes an id writes one of that length."""

import asyncio
from pathlib import Path

import pytest

from bandstand.domain.ids import CommitId
from bandstand.ports.git import CheckoutInTheWay
from tests.real_git import Folder


@pytest.fixture
def main(tmp_path: Path) -> Folder:
    """A sha256 repository with `main` checked out."""
    place = tmp_path / "repository"
    Folder(tmp_path).git("init", "-q", "-b", "main", "--object-format=sha256", str(place))
    folder = Folder(place)
    folder.commit("first", {"a.txt": "a\n", "b.txt": "b\n", "gone.txt": "gone\n"})
    return folder


def land(folder: Folder, new: CommitId) -> None:
    """Land a commit on the branch that is checked out."""

    async def work() -> None:
        repository = await folder.open()
        await repository.land("main", old=folder.head(), new=new)

    asyncio.run(work())


def test_a_file_that_the_user_has_removed_already_is_no_obstacle(main: Folder) -> None:
    """The landing removes it, and the checkout is clean behind it."""
    main.write({"gone.txt": None, "b.txt": "mine\n"})
    new = main.commit_aside("change", {"a.txt": "A\n", "gone.txt": None})
    land(main, new)
    assert main.head() == new
    assert main.status() == [" M b.txt"]
    assert main.text("a.txt") == "A\n"


def test_a_landing_that_cannot_be_done_is_undone(main: Folder) -> None:
    """Also where a file was added and another was removed; nothing moves."""
    old = main.head()
    main.write({"gone.txt": None, "a.txt": "mine\n", "new.txt": "new\n"})
    new = main.commit_aside("change", {"a.txt": "A\n", "gone.txt": None, "new.txt": "new\n"})
    with pytest.raises(CheckoutInTheWay):
        land(main, new)
    assert main.head() == old
    assert main.status() == [" M a.txt", " D gone.txt", "?? new.txt"]
