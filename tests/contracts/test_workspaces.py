"""What every kind of workspaces keeps: the fake one, the real one, and the real one behind a real sandbox."""

import asyncio
from pathlib import Path

import pytest

from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import CommitId, TaskId
from bandstand.ports.workspaces import Workspace
from tests.contracts.git_worlds import AGENT, BAND, World, make_world

NOWHERE = CommitId("0123456789" * 4)


@pytest.fixture(params=["memory", "git", "walls"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Each world in turn."""
    return make_world(request.param, tmp_path)


async def prepare(world: World, name: str = "t1") -> Workspace:
    """A workspace at the tip of `main`."""
    base = await world.repository.tip("main")
    return await world.workspaces.prepare(name, base=base, target="main", author=AGENT, committer=BAND)


def test_a_workspace_begins_at_its_base(world: World) -> None:
    """On a branch of its own; the user's repository and checkout stay as they were."""

    async def main() -> None:
        before = world.checkout()
        workspace = await prepare(world)
        assert await world.workspaces.find("t1") == workspace
        base = await world.repository.tip("main")
        assert world.inside("t1", "refs/heads/band/t1") == base
        assert world.inside("t1", "refs/remotes/origin/main") == base
        snapshot = await world.workspaces.snapshot("t1")
        assert (snapshot.head, snapshot.uncommitted) == (base, ())
        assert snapshot.tree == snapshot.head_tree == await world.repository.tree(base)
        assert (world.checkout(), world.ref("refs/heads/band/t1")) == (before, None)

    asyncio.run(main())


def test_preparing_twice_is_preparing_once(world: World) -> None:
    """The workspace that is there is given, with what the agent did in it."""

    async def main() -> None:
        first = await prepare(world)
        world.write("t1", {"new.txt": "new\n"})
        world.commit({"a.txt": "later\n"})
        assert await prepare(world) == first
        assert (await world.workspaces.snapshot("t1")).uncommitted == ("new.txt",)

    asyncio.run(main())


def test_an_unknown_base_is_refused(world: World) -> None:
    """And leaves no workspace."""

    async def main() -> None:
        with pytest.raises(Unknown):
            await world.workspaces.prepare("t1", base=NOWHERE, target="main", author=AGENT, committer=BAND)
        assert await world.workspaces.find("t1") is None

    asyncio.run(main())


def test_what_does_not_exist_is_unknown(world: World) -> None:
    """No verb makes a workspace by the way."""

    async def main() -> None:
        tip = await world.repository.tip("main")
        for attempt in (
            world.workspaces.snapshot("none"),
            world.workspaces.show_commit("none", ref="refs/heads/x", commit=tip),
        ):
            with pytest.raises(Unknown):
                await attempt
        assert await world.workspaces.find("none") is None
        assert await world.workspaces.retire("none", landed=False) is None
        await world.workspaces.discard("none.check")

    asyncio.run(main())


def test_a_snapshot_holds_commits_and_files(world: World) -> None:
    """What the agent committed, what it did not, and nothing of what is ignored."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "committed\n", "dir/c.txt": None})
        head = world.agent_commits("t1")
        world.write("t1", {"a.txt": "loose\n", "b.txt": None, "new/deep.txt": "new\n", "debug.log": "ignored\n"})
        snapshot = await world.workspaces.snapshot("t1")
        assert (snapshot.head, snapshot.uncommitted) == (head, ("a.txt", "b.txt", "new/deep.txt"))
        await world.workspaces.publish(TaskId("t1"), snapshot.commit)
        assert await world.repository.files(snapshot.commit) == (".gitignore", "a.txt", "new/deep.txt")
        assert await world.repository.read(snapshot.commit, "a.txt") == b"loose\n"
        assert await world.repository.read(head, "a.txt") == b"committed\n"
        assert await world.repository.tree(snapshot.commit) == snapshot.tree
        assert await world.repository.tree(head) == snapshot.head_tree

    asyncio.run(main())


def test_snapshots_are_numbered_and_not_made_twice(world: World) -> None:
    """One more only when something has changed."""

    async def main() -> None:
        await prepare(world)
        first = await world.workspaces.snapshot("t1")
        assert await world.workspaces.snapshot("t1") == first
        world.write("t1", {"a.txt": "1\n"})
        second = await world.workspaces.snapshot("t1")
        world.agent_commits("t1")
        third = await world.workspaces.snapshot("t1")
        assert [one.number for one in (first, second, third)] == [1, 2, 3]
        assert (second.tree, second.uncommitted, third.uncommitted) == (third.tree, ("a.txt",), ())

    asyncio.run(main())


def test_the_workspace_does_not_notice_a_snapshot(world: World) -> None:
    """The agent's HEAD stays; what was not committed is still not."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "1\n"})
        first = await world.workspaces.snapshot("t1")
        base = await world.repository.tip("main")
        assert world.inside("t1", "refs/heads/band/t1") == base == first.head

    asyncio.run(main())


def test_publishing_points_the_tasks_branch(world: World) -> None:
    """Again and elsewhere too: the branch is the task's."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "1\n"})
        first = world.agent_commits("t1")
        await world.workspaces.snapshot("t1")
        await world.workspaces.publish(TaskId("t1"), first)
        assert world.ref("refs/heads/band/t1") == first
        world.write("t1", {"a.txt": "2\n"})
        second = await world.workspaces.snapshot("t1")
        for commit in (second.commit, second.commit, first):
            await world.workspaces.publish(TaskId("t1"), commit)
            assert world.ref("refs/heads/band/t1") == commit
        with pytest.raises(Unknown):
            await world.workspaces.publish(TaskId("t1"), NOWHERE)

    asyncio.run(main())


def test_leftovers_become_a_commit_beside_the_workspace(world: World) -> None:
    """The same one when asked again; none when nothing is left over."""

    async def main() -> None:
        await prepare(world)
        base = await world.repository.tip("main")
        clean = await world.workspaces.snapshot("t1")
        assert await world.workspaces.commit_leftovers("t1", clean, message="left", author=AGENT) == clean
        world.write("t1", {"a.txt": "1\n"})
        snapshot = await world.workspaces.snapshot("t1")
        left = await world.workspaces.commit_leftovers("t1", snapshot, message="left", author=AGENT)
        assert await world.workspaces.commit_leftovers("t1", snapshot, message="left", author=AGENT) == left
        assert (left.head_tree, left.uncommitted, left.number) == (snapshot.tree, (), snapshot.number)
        await world.workspaces.publish(TaskId("t1"), left.head)
        assert (await world.repository.change(base=base, head=left.head)).commits == 1
        assert (await world.workspaces.snapshot("t1")).head == base

    asyncio.run(main())


def test_a_commit_can_be_shown_inside(world: World) -> None:
    """A commit of the user's repository, though it came after the workspace was made."""

    async def main() -> None:
        await prepare(world)
        new = world.commit({"b.txt": "later\n"})
        for _ in range(2):
            await world.workspaces.show_commit("t1", ref="refs/remotes/origin/main", commit=new)
            assert world.inside("t1", "refs/remotes/origin/main") == new
        with pytest.raises(Unknown):
            await world.workspaces.show_commit("t1", ref="refs/remotes/origin/main", commit=NOWHERE)
        with pytest.raises(Refused):
            await world.workspaces.show_commit("t1", ref="HEAD", commit=new)

    asyncio.run(main())


def test_what_has_not_landed_is_rescued(world: World) -> None:
    """The files are at the rescue ref, the agent's commits behind it. Asked again, it is the same ref."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "committed\n"})
        head = world.agent_commits("t1")
        world.write("t1", {"new.txt": "loose\n", "debug.log": "ignored\n"})
        ref = await world.workspaces.retire("t1", landed=False)
        assert ref == "refs/bandstand/rescue/t1/1"
        commit = world.ref(ref)
        assert commit is not None
        assert await world.repository.read(commit, "new.txt") == b"loose\n"
        assert await world.repository.read(commit, "debug.log") is None
        assert await world.repository.read(head, "a.txt") == b"committed\n"
        assert (await world.repository.change(base=head, head=commit)).base == head
        assert await world.workspaces.find("t1") is None
        assert await world.workspaces.retire("t1", landed=False) == ref
        await prepare(world)
        world.write("t1", {"other.txt": "other\n"})
        assert await world.workspaces.retire("t1", landed=False) == "refs/bandstand/rescue/t1/2"

    asyncio.run(main())


def test_what_has_landed_needs_no_rescue(world: World) -> None:
    """When all of it is in a commit that the user's repository has."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "1\n"})
        head = world.agent_commits("t1")
        await world.workspaces.snapshot("t1")
        await world.workspaces.publish(TaskId("t1"), head)
        assert await world.workspaces.retire("t1", landed=True) is None
        assert await world.workspaces.find("t1") is None
        assert await world.workspaces.retire("t1", landed=True) is None

    asyncio.run(main())


def test_what_landed_but_for_a_rest_is_rescued(world: World) -> None:
    """A file that the agent added after the last commit is no part of what landed."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "1\n"})
        head = world.agent_commits("t1")
        await world.workspaces.snapshot("t1")
        await world.workspaces.publish(TaskId("t1"), head)
        world.write("t1", {"rest.txt": "rest\n"})
        ref = await world.workspaces.retire("t1", landed=True)
        assert ref is not None
        commit = world.ref(ref)
        assert commit is not None
        assert await world.repository.read(commit, "rest.txt") == b"rest\n"

    asyncio.run(main())


def test_a_workspace_that_was_not_used_leaves_nothing(world: World) -> None:
    """Nothing happened, nothing is kept."""

    async def main() -> None:
        await prepare(world)
        assert await world.workspaces.retire("t1", landed=False) is None
        assert world.ref("refs/bandstand/") is None

    asyncio.run(main())


def test_files_survive_a_broken_repository(world: World) -> None:
    """A snapshot is refused, for there is no HEAD; retiring still rescues the files."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "1\n", "new.txt": "new\n"})
        world.break_repository("t1")
        with pytest.raises(Refused):
            await world.workspaces.snapshot("t1")
        tip = await world.repository.tip("main")
        with pytest.raises(Refused):
            await world.workspaces.show_commit("t1", ref="refs/heads/x", commit=tip)
        ref = await world.workspaces.retire("t1", landed=False)
        assert ref is not None
        commit = world.ref(ref)
        assert commit is not None
        assert await world.repository.read(commit, "new.txt") == b"new\n"

    asyncio.run(main())


def test_only_throw_away_checkouts_can_be_discarded(world: World) -> None:
    """A task's own workspace, whose name has no dot, is not one."""

    async def main() -> None:
        await prepare(world)
        await prepare(world, "t1.check")
        world.write("t1.check", {"new.txt": "new\n"})
        await world.workspaces.discard("t1.check")
        await world.workspaces.discard("t1.check")
        assert await world.workspaces.find("t1.check") is None
        with pytest.raises(Refused):
            await world.workspaces.discard("t1")
        assert await world.workspaces.find("t1") is not None
        assert world.ref("refs/bandstand/rescue/") is None

    asyncio.run(main())


def test_a_snapshot_tells_apart_what_stands_in_what_was_not_committed(world: World) -> None:
    """The same content has the same name, another one another, and a file that is gone has none."""

    async def main() -> None:
        world.commit({"a.txt": "a\n", "gone.txt": "gone\n"})
        await prepare(world)
        world.write("t1", {"a.txt": "1\n", "gone.txt": None, "new.txt": "new\n"})
        first = await world.workspaces.snapshot("t1")
        world.write("t1", {"a.txt": "2\n"})
        second = await world.workspaces.snapshot("t1")
        world.write("t1", {"a.txt": "1\n", "c.txt": "c\n"})
        third = await world.workspaces.snapshot("t1")
        assert first.uncommitted == second.uncommitted == ("a.txt", "gone.txt", "new.txt")
        (one, *others), (two, *same) = first.contents, second.contents
        assert one != two and others == same
        assert others[0] == "" and "" not in (one, two, others[1])
        assert (third.uncommitted[0], third.contents[0]) == ("a.txt", one)
        left = await world.workspaces.commit_leftovers("t1", third, message="left", author=AGENT)
        assert (left.uncommitted, left.contents) == ((), ())

    asyncio.run(main())
