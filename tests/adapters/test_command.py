"""How processes are named to a person when they fail."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from bandstand.adapters.git.capture import Capture
from bandstand.adapters.git.command import OutOfTime, Output, TooMuch, execute, failure
from bandstand.adapters.git.confined import ConfinedGit
from bandstand.adapters.git.layout import Layout
from bandstand.adapters.sandbox.bubblewrap import BubblewrapSandbox
from bandstand.adapters.sandbox.ordinary import ordinary_user
from bandstand.domain.errors import Refused
from bandstand.ports.hosts import Launch
from tests.real_git import Folder


def confined(tmp_path: Path) -> ConfinedGit:
    """git behind real walls, in a workspace with no repository in it."""
    layout = Layout(folder=tmp_path / "t1")
    layout.tree.mkdir(parents=True, exist_ok=True)
    walls = BubblewrapSandbox("bwrap", tmp_path / "home", (), uid=ordinary_user())
    return ConfinedGit(walls, layout, objects=(), search_path="/usr/bin:/bin")


def test_what_takes_too_long_is_named_and_not_its_walls(tmp_path: Path) -> None:
    """A person knows what `sleep` is, and cares little for how it was started."""
    with pytest.raises(OutOfTime, match=r"^sleep did not end within 2 seconds\.$"):
        asyncio.run(execute(confined(tmp_path).reading("sleep", "600"), deadline_seconds=2.0))
    with pytest.raises(TooMuch, match=r"^yes gave more than 1 MB\.$"):
        asyncio.run(execute(confined(tmp_path).reading("yes"), limit=1024 * 1024))


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("git", "-c", "a.b=c", "--no-pager", "merge-tree", "x"), "git merge-tree"),
        (("git", "-C", "/x", "log", "--", "a"), "git log"),
        (("/usr/bin/rm", "-rf", "--", "/x"), "rm"),
        (("sh", "-c", 'ulimit -d 1; exec "$@"', "sh", "git", "check-ignore", "-z"), "git check-ignore"),
        (("sh", "-c", "\n# git add, and more\ngit x\n", "sh", "--more"), "git add"),
        (("sh", "-c", "true"), "sh"),
    ],
)
def test_a_command_is_named_by_its_verb(argv: tuple[str, ...], name: str, tmp_path: Path) -> None:
    """On the host and behind walls, with the folder that it saw."""
    said = Output(code=3, out=b"", err=b"no")
    outside = Launch(argv=argv, cwd=tmp_path, environment={})
    assert failure(outside, said).message == f"{name} failed in {tmp_path}: no."
    inside = confined(tmp_path).reading(*argv)
    assert failure(inside, said).message == f"{name} failed in /workspace: no."


def test_the_agents_git_is_named_when_it_does_not_answer(tmp_path: Path) -> None:
    """Through both shells that are around it."""
    git = confined(tmp_path)
    tree = tmp_path / "t1" / "tree"
    Folder.init(tree)
    (tree / ".git").rename(tree / "moved")
    (tree / ".git").write_text("gitdir: moved\n")
    (tree / "moved" / "HEAD").unlink()
    os.mkfifo(tree / "moved" / "HEAD")
    capture = Capture(git, Layout(folder=tmp_path / "t1"), patience_seconds=2.0)
    with pytest.raises(Refused, match="git rev-parse did not end"):
        asyncio.run(capture.claims.agents())


def test_a_process_has_ended_also_where_its_output_goes_on(tmp_path: Path) -> None:
    """Whoever left its process group still writes, and nobody reads that any more."""
    script = "setsid yes 2>/dev/null & exec sleep 600 2>/dev/null"
    launch = Launch(argv=("sh", "-c", script), cwd=tmp_path, environment={"PATH": os.environ["PATH"]})
    with pytest.raises(TooMuch, match=r"gave more than 1 MB\.$"):
        asyncio.run(execute(launch, deadline_seconds=15.0, limit=1024 * 1024))


def test_the_deadline_holds_also_where_somebody_keeps_a_pipe(tmp_path: Path) -> None:
    """A process that left the process group is not ended with it, and is not waited for."""
    script = "setsid sh -c 'echo $$ >pid; exec sleep 600' & exec sleep 600"
    launch = Launch(argv=("sh", "-c", script), cwd=tmp_path, environment={"PATH": os.environ["PATH"]})

    async def story() -> None:
        async with asyncio.timeout(20):
            await execute(launch, deadline_seconds=2.0)

    try:
        with pytest.raises(OutOfTime, match=r"did not end within 2 seconds\.$"):
            asyncio.run(story())
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
