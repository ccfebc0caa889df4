"""What an agent left in an archive comes out in one folder and nowhere else, whatever its names and links say."""

import io
import tarfile
from pathlib import Path

import pytest

from bandstand.adapters.git.unpacking import Unpacking, names
from bandstand.domain.errors import Broken


def archive(path: Path, *members: tuple[str, bytes | str | None]) -> Path:
    """An archive: a file's bytes, a link's target as text, `None` for a folder."""
    with tarfile.open(path, "w:gz") as made:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                member.type = tarfile.LNKTYPE if content.startswith("hard:") else tarfile.SYMTYPE
                member.linkname = content.removeprefix("hard:")
            else:
                member.size, member.mode = len(content), 0o4777
            made.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def unpacked(tmp_path: Path, *members: tuple[str, bytes | str | None]) -> Unpacking:
    """An archive, unpacked into `out` where `outside` is beside it."""
    (tmp_path / "outside").mkdir()
    folder = tmp_path / "out"
    folder.mkdir()
    unpacking = Unpacking(folder)
    unpacking.unpack(archive(tmp_path / "a.tar.gz", *members))
    return unpacking


def test_files_links_and_folders_come_out(tmp_path: Path) -> None:
    """Readable by their owner, executable if they were, and with no other right."""
    said = unpacked(
        tmp_path,
        ("./debug.log", b"log"),
        ("./build", None),
        ("./build/deep/a.o", b"o"),
        ("./build/link", "deep/a.o"),
        ("./build/twin", "hard:./build/deep/a.o"),
    )
    out = tmp_path / "out"
    assert (said.files, said.notes) == (4, [])
    assert (out / "debug.log").read_bytes() == b"log"
    assert (out / "build" / "link").read_bytes() == (out / "build" / "twin").read_bytes() == b"o"
    assert (out / "debug.log").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("/outside/x", b"x")], "its name leads out of the folder"),
        ([("./../outside/x", b"x")], "its name leads out of the folder"),
        ([("a/../../outside/x", b"x")], "its name leads out of the folder"),
        ([("link", "../outside")], "it is a link that leads out: ../outside"),
        ([("link", "/etc/passwd")], "it is a link that leads out: /etc/passwd"),
        ([("link", "hard:/etc/passwd")], "it is a link to what is not in the archive"),
        ([("link", "hard:../outside/x")], "it is a link to what is not in the archive"),
        ([("here", None), ("link", "here"), ("link/x", b"x")], "it lies behind a link"),
        ([("a", b"first"), ("a", b"second")], "there is a file of that name already"),
        ([("a", b"first"), ("a", None)], "there is a file of that name already"),
    ],
)
def test_what_would_get_out_or_take_a_place_is_left_out_and_told(
    tmp_path: Path, members: list[tuple[str, bytes | str | None]], why: str
) -> None:
    """And nothing is outside, or overwritten."""
    said = unpacked(tmp_path, *members)
    assert [note.partition(": ")[2] for note in said.notes] == [why]
    assert list((tmp_path / "outside").iterdir()) == []
    if (tmp_path / "out" / "a").exists():
        assert (tmp_path / "out" / "a").read_bytes() == b"first"


def test_a_git_dir_of_an_agents_gets_a_name_that_git_does_not_know(tmp_path: Path) -> None:
    """Its settings name programs; whoever goes there and types `git status` would run them."""
    said = unpacked(
        tmp_path, ("./.git/config", b"[core]"), ("./vendor/.GIT/config", b"[core]"), ("./.git", b"gitdir: /x")
    )
    assert not list((tmp_path / "out").rglob(".git"))
    assert (tmp_path / "out" / "git.rescued" / "config").read_bytes() == b"[core]"
    assert (tmp_path / "out" / "vendor" / "git.rescued" / "config").exists()
    assert any("git.rescued" in note for note in said.notes)


def test_devices_and_pipes_hold_nothing(tmp_path: Path) -> None:
    """They are told, and not made."""
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as made:
        for name, kind in (("pipe", tarfile.FIFOTYPE), ("null", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            made.addfile(member)
    unpacking = Unpacking(tmp_path)
    unpacking.unpack(tmp_path / "b.tar.gz")
    assert unpacking.notes == ["pipe: it is no file", "null: it is no file"]


def test_a_damaged_archive_is_said_to_be_so(tmp_path: Path) -> None:
    """Its list too."""
    path = archive(tmp_path / "a.tar.gz", ("a", b"x" * 100_000))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(Broken, match="damaged"):
        Unpacking(tmp_path).unpack(path)
    with pytest.raises(Broken, match="damaged"):
        list(names(path))
