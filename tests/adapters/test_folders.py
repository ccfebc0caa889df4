"""What folders take on the disk: as `du` counts it, whatever an agent has made of them."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from bandstand.adapters.folders import DiskFolders


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A workspace with folders, a file with two names, a link that leads out, a pipe, and odd names."""
    top = tmp_path / "work" / "one"
    (top / "a" / "b\n").mkdir(parents=True)
    (top / "a" / "large").write_bytes(bytes(300_000))
    os.link(top / "a" / "large", top / "a" / "b\n" / "again")
    (top / "sparse").touch()
    os.truncate(top / "sparse", 1 << 30)
    os.mkfifo(top / "pipe")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "huge").write_bytes(bytes(2_000_000))
    (top / "out").symlink_to(outside)
    (top / "a" / "huge").symlink_to(outside / "huge")
    return top


def counted(top: Path) -> int:
    """What `du` says of all that is below a folder."""
    told = subprocess.run(["du", "--block-size=1", "--summarize", str(top)], capture_output=True, check=True).stdout
    return int(told.split()[0]) - top.stat().st_blocks * 512


def test_a_workspace_is_as_large_as_du_says(tree: Path) -> None:
    """A file with two names counts once, a hole not at all, and nothing that a link leads to."""
    folders = DiskFolders(tree.parent)
    assert asyncio.run(folders.size("one")) == counted(tree)
    assert 300_000 <= counted(tree) < 600_000
    assert asyncio.run(folders.size("none")) == 0


def test_of_very_many_files_some_are_counted(tree: Path) -> None:
    """A walk has an end, however many there are: what was counted is there at least."""
    for number in range(200):
        (tree / "a" / str(number)).write_bytes(bytes(4096))
    whole, part = (asyncio.run(DiskFolders(tree.parent, most_files=most).size("one")) for most in (10_000, 50))
    assert 0 < part < whole


def test_a_deep_tree_is_walked_to_its_end(tmp_path: Path) -> None:
    """Deeper than any path may be long; but not deeper than anybody's files lie."""
    descriptors = [os.open(tmp_path, os.O_RDONLY)]
    try:
        for name in ("one", *["d" * 100] * 60):
            os.mkdir(name, dir_fd=descriptors[-1])
            descriptors.append(os.open(name, os.O_RDONLY, dir_fd=descriptors[-1]))
        file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=descriptors[-1])
        os.write(file, bytes(100_000))
        os.close(file)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    assert asyncio.run(DiskFolders(tmp_path).size("one")) >= 100_000


def test_the_disk_tells_how_full_it_is(tmp_path: Path) -> None:
    """Of whatever takes it; a folder that is not there yet is on none."""
    assert (DiskFolders(tmp_path).filled() or 0) > 0
    assert DiskFolders(tmp_path / "none").filled() is None
