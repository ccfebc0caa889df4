"""Opening a sandbox costs more than what git does in it, so a workspace is looked into with as few as it takes."""

import asyncio
import os
from pathlib import Path

from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.ids import TaskId
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement
from bandstand.testing.sandbox import OpenSandbox
from tests.contracts.git_worlds import AGENT, BAND, GitWorld


class CountingSandbox(OpenSandbox):
    """No walls, and what was to run behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Confinement] = []

    def confine(self, confinement: Confinement) -> Launch:
        """The command itself, noted."""
        self.opened.append(confinement)
        return super().confine(confinement)


def at_work(folder: Path) -> tuple[GitWorld, CountingSandbox]:
    """A workspace `t1` in which an agent has committed."""
    world, sandbox = GitWorld(folder, walls=False), CountingSandbox()
    world.workspaces = GitWorkspaces(world.repository, world.root, sandbox)
    base = asyncio.run(world.repository.tip("main"))
    asyncio.run(world.workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND))
    world.write("t1", {"new.txt": "new"})
    world.agent_commits("t1")
    return world, sandbox


def test_a_snapshot_takes_three_sandboxes(tmp_path: Path) -> None:
    """The agent's git is asked in one, ours adds the files in one, and what is new is packed in one."""
    world, sandbox = at_work(tmp_path)
    kept = asyncio.run(world.workspaces.snapshot("t1"))
    assert len(sandbox.opened) == 3
    assert asyncio.run(world.workspaces.snapshot("t1")) == kept
    assert len(sandbox.opened) == 5, "nothing was new"


def test_a_workspace_whose_work_has_landed_is_retired_with_three_sandboxes(tmp_path: Path) -> None:
    """All is looked at once more, and what git leaves out too; nothing has to be made readable first."""
    world, sandbox = at_work(tmp_path)
    kept = asyncio.run(world.workspaces.snapshot("t1"))
    asyncio.run(world.workspaces.publish(TaskId("t1"), kept.head))
    sandbox.opened.clear()
    assert asyncio.run(world.workspaces.retire("t1", landed=True)) is None
    assert len(sandbox.opened) == 3


def test_what_is_locked_and_what_holds_git_up_is_mended_before_it_is_kept(tmp_path: Path) -> None:
    """Also where both are in the way, and one hides the other."""
    world, _ = at_work(tmp_path)
    tree = world.agent("t1").path
    (tree / "closed").mkdir()
    (tree / "closed" / "late.txt").write_text("late")
    os.mkfifo(tree / "closed" / ".gitignore")
    (tree / "closed").chmod(0)
    rescue = asyncio.run(world.workspaces.retire("t1", landed=False))
    assert rescue is not None
    assert world.user.git("show", f"{rescue}:closed/late.txt") == "late"
