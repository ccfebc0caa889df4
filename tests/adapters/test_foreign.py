"""What a change holds otherwise than it shows: links to other repositories, and files past their filters.

Agents have no filters: no settings of anybody are in their git. So a file that the user keeps encrypted or as a pointer
is committed as it is, which somebody has to see before it lands; and landing never fetches what a pointer points to.
"""

import asyncio
import os
from pathlib import Path

import pytest

from bandstand.domain.change import Foreign, Unfiltered
from bandstand.domain.ids import CommitId
from tests.real_git import Folder

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "1" * 64 + "\nsize 12345\n"
LARGE = "*.bin filter=lfs diff=lfs merge=lfs -text\n"


@pytest.fixture
def main(tmp_path: Path) -> Folder:
    """A repository that keeps some files large, some secret, and in one folder none."""
    files = {
        ".gitattributes": f"{LARGE}*.secret filter=crypt\n*.ipynb filter\n",
        "plain/.gitattributes": "*.bin !filter\n",
        "old.bin": POINTER,
        "a.txt": "a\n",
    }
    return Folder.init(tmp_path / "repository", files)


def foreign(main: Folder, new: CommitId) -> Foreign:
    """What is said of the change from the tip to a commit."""

    async def look() -> Foreign:
        repository = await main.open()
        return await repository.foreign(await repository.change(base=main.head(), head=new))

    return asyncio.run(look())


def test_files_past_their_filters_are_told(main: Folder) -> None:
    """Content where a pointer belongs, and whatever another filter should have seen. Pointers, and others, are not."""
    new = {"old.bin": "content\n", "new.bin": "content\n", "moved.bin": POINTER, "plain/x.bin": "content\n"}
    others = {"my.secret": "plain\n", "x.ipynb": "{}\n", "new\nline.secret": "plain\n", "a.txt": "A\n"}
    found = foreign(main, main.commit_aside("new", {**new, **others}))
    assert {(one.path, one.filter) for one in found.unfiltered} == {
        ("old.bin", "lfs"),
        ("new.bin", "lfs"),
        ("my.secret", "crypt"),
        ("new\nline.secret", "crypt"),
    }
    assert found.links == ()


def test_a_change_cannot_hide_from_the_attributes(main: Folder) -> None:
    """Neither by removing them with the file it writes; nor are those that it brings overlooked."""
    hiding = main.commit_aside("hide", {".gitattributes": "*.txt filter=new\n", "my.secret": "x\n", "b.txt": "b\n"})
    assert set(foreign(main, hiding).unfiltered) == {
        Unfiltered(path="my.secret", filter="crypt"),
        Unfiltered(path="b.txt", filter="new"),
    }


def test_what_goes_is_not_told(main: Folder) -> None:
    """There is nothing left of it that could be otherwise."""
    assert foreign(main, main.commit_aside("gone", {"old.bin": None})) == Foreign()


def test_links_are_told(main: Folder) -> None:
    """New ones and moved ones: a repository that somebody left inside is no file of this one."""
    inner = Folder.init(main.path / "inner", {"x.txt": "x\n"})
    main.git("-c", "advice.addEmbeddedRepo=false", "add", "inner")
    new = CommitId(main.git("commit-tree", "-p", "HEAD", "-m", "link", main.git("write-tree")))
    assert foreign(main, new) == Foreign(links=("inner",))
    main.git("commit", "-q", "-m", "with inner")
    inner.commit("more", {"x.txt": "y\n"})
    main.git("-c", "advice.addEmbeddedRepo=false", "add", "inner")
    moved = CommitId(main.git("commit-tree", "-p", "HEAD", "-m", "moved", main.git("write-tree")))
    assert foreign(main, moved) == Foreign(links=("inner",))


def test_landing_turns_no_pointer_into_content_and_fetches_nothing(main: Folder, tmp_path: Path) -> None:
    """The user's filter is told to leave a pointer alone whose content is not here; without one it is a file."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git-lfs"
    asked = tmp_path / "asked"
    program.write_text(f'#!/bin/sh\necho "$1 $GIT_LFS_SKIP_SMUDGE" >> {asked}\ncat\n')
    program.chmod(0o755)
    settings = tmp_path / "settings"
    settings.write_text('[filter "lfs"]\nclean = git-lfs clean %f\nsmudge = git-lfs smudge %f\nrequired = true\n')
    new = main.commit_aside("pointer", {"new.bin": POINTER})
    old = main.head()
    environment = {"GIT_CONFIG_GLOBAL": str(settings), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}

    async def land(**given: str) -> None:
        repository = await main.open(**given)
        await repository.land("main", old=old, new=new)

    asyncio.run(land(**environment))
    assert main.text("new.bin") == POINTER
    assert "smudge 1" in asked.read_text().splitlines()
    main.git("reset", "-q", "--hard", old)
    asyncio.run(land())
    assert (main.text("new.bin"), main.status()) == (POINTER, [])
