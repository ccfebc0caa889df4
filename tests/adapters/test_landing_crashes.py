"""Landing survives being killed: whoever comes next finishes the move or puts everything back."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bandstand.domain.ids import CommitId
from bandstand.ports.git import TargetMoved
from tests.faulty import armed
from tests.real_git import Folder

CHANGE: dict[str, str | None] = {"a.txt": "A\n", "dir/c.txt": None, "new/file.txt": "new\n"}


@pytest.fixture
def main(tmp_path: Path) -> Folder:
    """A repository with `main` checked out."""
    return Folder.init(tmp_path / "repository", {"a.txt": "a\n", "b.txt": "b\n", "dir/c.txt": "c\n"})


def land(folder: Folder, new: CommitId, *, old: CommitId) -> None:
    """Land a commit as the merge queue does."""

    async def work() -> None:
        repository = await folder.open()
        await repository.land("main", old=old, new=new)

    asyncio.run(work())


LAND = """
import asyncio, os, sys
from pathlib import Path
from bandstand.adapters.git.repository import GitRepository

async def main(path, old, new):
    repository = await GitRepository.find(Path(path), environment=os.environ, new_id=lambda: "0" * 16)
    await repository.land("main", old=old, new=new)

asyncio.run(main(*sys.argv[1:]))
"""


def land_and_die(folder: Folder, new: CommitId, *, environment: Mapping[str, str]) -> None:
    """Land in a process that is killed on the way, as the environment brings about."""
    argv = [sys.executable, "-c", LAND, str(folder.path), folder.head(), new]
    ended = subprocess.run(argv, env=os.environ | dict(environment), capture_output=True, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


# How git is hit: it never runs, it has done its work, or it goes on alone for a while after its parent is dead.
HITS = {
    "before": "kill -9 $PPID; exit 1",
    "after": '{git} "$@"; kill -9 $PPID; exit 1',
    "orphaned": 'kill -9 $PPID; sleep 0.3; {git} "$@"; touch {done}; exit',
}
MOMENTS = [(verb, hit) for verb in ("read-tree -m -n", "read-tree -m -u", "update-ref") for hit in HITS]


def deadly_git(folder: Path, *, verb: str, hit: str) -> dict[str, str]:
    """A PATH whose git kills its parent when it is to do `verb`."""
    git = shutil.which("git")
    folder.mkdir()
    deed = HITS[hit].replace("{git}", str(git)).replace("{done}", str(folder / "done"))
    (folder / "git").write_text(f'#!/bin/sh\ncase "$*" in *"{verb}"*) {deed};; esac\nexec {git} "$@"\n')
    (folder / "git").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def see_the_orphan_end(folder: Path, hit: str) -> None:
    """Wait until the git that went on alone has done its work."""

    async def wait() -> bool:
        for _ in range(1000):
            if (folder / "done").exists():
                return True
            await asyncio.sleep(0.02)
        return False

    assert hit != "orphaned" or asyncio.run(wait())


@pytest.mark.parametrize(("verb", "hit"), MOMENTS)
def test_a_crash_at_any_moment_is_a_pause(verb: str, hit: str, main: Folder, tmp_path: Path) -> None:
    """Landing again finishes what the dead one began, and the user's edits are there."""
    new = main.commit_aside("change", CHANGE)
    old = main.head()
    main.write({"b.txt": "mine\n", "loose.txt": "mine\n"})
    land_and_die(main, new, environment=deadly_git(tmp_path / "bin", verb=verb, hit=hit))
    land(main, new, old=old)
    see_the_orphan_end(tmp_path / "bin", hit)
    assert main.head() == new
    assert main.status() == [" M b.txt", "?? loose.txt"]
    assert (main.text("a.txt"), main.text("b.txt"), main.text("new/file.txt")) == ("A\n", "mine\n", "new\n")
    assert sorted(path.name for path in (main.path / ".git").glob("index*")) == ["index"]


@pytest.mark.parametrize(("verb", "hit"), MOMENTS[3:])
def test_what_a_crash_left_is_put_back_when_another_change_lands(
    verb: str, hit: str, main: Folder, tmp_path: Path
) -> None:
    """If the first change is not landed again, nothing of it stays in the checkout."""
    main.write({"same.txt": "same\n"})
    first = main.commit_aside("first", {**CHANGE, "same.txt": "same\n"})
    second = main.commit_aside("second", {"b.txt": "B\n"})
    old = main.head()
    land_and_die(main, first, environment=deadly_git(tmp_path / "bin", verb=verb, hit=hit))
    if (verb, hit) in {("update-ref", "after"), ("update-ref", "orphaned")}:
        with pytest.raises(TargetMoved):
            land(main, second, old=old)
        assert (main.head(), main.status()) == (first, [])
    else:
        land(main, second, old=old)
        see_the_orphan_end(tmp_path / "bin", hit)
        assert (main.head(), main.status()) == (second, ["?? same.txt"])
        assert (main.text("a.txt"), main.text("b.txt"), main.text("same.txt")) == ("a\n", "B\n", "same\n")


def test_a_power_cut_among_the_files_is_a_pause(main: Folder, tmp_path: Path) -> None:
    """Some files are written, the index is not, locks are left: landing again finishes it."""
    new = main.commit_aside("change", {**CHANGE, "z.txt": "z\n", "b.txt": "B\n"})
    old = main.head()
    # The filter is tried first. Then the files are written in order; git and the one who started it die at this one.
    cut = f"if [ -e {tmp_path}/tried ]; then kill -9 $(cat {tmp_path}/pid) $PPID; fi; touch {tmp_path}/tried; cat"
    main.git("config", "filter.cut.smudge", cut)
    (main.path / ".git" / "info").mkdir(exist_ok=True)
    attributes = main.path / ".git" / "info" / "attributes"
    attributes.write_text("z.txt filter=cut\n")
    program = LAND.replace("asyncio.run", f"Path('{tmp_path}/pid').write_text(str(os.getpid()))\nasyncio.run")
    ended = subprocess.run([sys.executable, "-c", program, str(main.path), old, new], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    attributes.unlink()
    assert (main.text("a.txt"), (main.path / "z.txt").exists()) == ("A\n", False)
    land(main, new, old=old)
    assert (main.head(), main.status(), main.text("z.txt")) == (new, [], "z\n")


STUMBLES = ("checkout.lock.before", "checkout.files.before", "checkout.files.after", "checkout.index.before",
            "checkout.index.after", "landing.move.before")  # fmt: skip


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("point", STUMBLES)
def test_a_disk_that_fails_on_the_way_leaves_everything_as_it_was(point: str, error: str, main: Folder) -> None:
    """Neither files nor branch have moved, and the user's git is let in; once there is room, it lands."""
    old, new = main.head(), main.commit_aside("the change", CHANGE)
    with armed(f"{point}={error}"), pytest.raises(OSError, match="a fault"):
        land(main, new, old=old)
    assert main.head() == old
    assert main.status() == []
    assert list((main.path / ".git").glob("index.*")) == []
    land(main, new, old=old)
    assert (main.head("main"), main.status()) == (new, [])


def test_a_branch_that_moved_although_something_failed_has_moved(main: Folder) -> None:
    """What was done is done: the files are not put back under a branch that has gone on."""
    old, new = main.head(), main.commit_aside("the change", CHANGE)
    with armed("landing.move.after=EIO"):
        land(main, new, old=old)
    assert (main.head("main"), main.status()) == (new, [])


def test_a_checkout_that_cannot_be_put_back_stays_locked_until_it_can(main: Folder) -> None:
    """The disk fills up on the way and on the way back: nobody's git is let in half way, and the next one mends it."""
    old, new = main.head(), main.commit_aside("the change", CHANGE)
    with armed("checkout.files.after=ENOSPC,checkout.files.before@2=ENOSPC"), pytest.raises(OSError, match="a fault"):
        land(main, new, old=old)
    assert main.head() == old
    assert (main.path / ".git" / "index.lock").exists()
    land(main, new, old=old)
    assert (main.head("main"), main.status()) == (new, [])
    assert list((main.path / ".git").glob("index.*")) == []
