"""What every repository keeps, the fake one and the real one."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bandstand.domain.change import FileChange
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import CommitId
from bandstand.ports.git import CheckoutInTheWay, Conflicted, Merged, MergeOrder, Signature, TargetMoved
from bandstand.testing.git import MemoryRepository
from tests.contracts.git_worlds import AGENT, BAND, World, make_world

NOWHERE = CommitId("0123456789" * 4)
AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture(params=["memory", "git"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Each world in turn."""
    return make_world(request.param, tmp_path)


def order(onto: CommitId, change: CommitId, *, squash: bool = True, at: datetime = AT) -> MergeOrder:
    """An order as the merge queue gives it."""
    message = "Land it\n\nBody."
    return MergeOrder(onto=onto, change=change, message=message, author=AGENT, committer=BAND, at=at, squash=squash)


def test_it_knows_its_user(world: World) -> None:
    """The user is who git says."""
    assert asyncio.run(world.repository.user()) == Signature(name="Ada Example", email="ada@example.org")


def test_changes_land_on_main_when_nobody_says_otherwise(world: World) -> None:
    """Other branches do not matter."""
    world.commit({"a.txt": "A\n"}, branch="feature")
    assert asyncio.run(world.repository.default_branch()) == "main"


def test_a_branch_has_a_tip(world: World) -> None:
    """The commit that the branch points to now."""
    new = world.commit({"a.txt": "A\n"})
    assert asyncio.run(world.repository.tip("main")) == new


@pytest.mark.parametrize("name", ["nothing", "main~0", "main^{commit}", "--all", ""])
def test_what_is_no_branch_is_unknown(name: str, world: World) -> None:
    """An expression that git would understand is no branch."""
    with pytest.raises(Unknown):
        asyncio.run(world.repository.tip(name))


def test_branches_are_listed_by_a_name_and_what_lies_below_it(world: World) -> None:
    """Not those whose names only begin alike."""
    for branch in ("band/two", "band/one/more", "bandage", "other/band"):
        world.commit({"a.txt": "A\n"}, branch=branch)
    assert asyncio.run(world.repository.branches("band")) == ("band/one/more", "band/two")
    assert asyncio.run(world.repository.branches("main")) == ("main",)
    assert asyncio.run(world.repository.branches("nothing")) == ()


def test_a_commit_can_be_read(world: World) -> None:
    """Its files by path; what is not there, and what is a folder, is nothing."""

    async def main() -> None:
        first = await world.repository.tip("main")
        new = world.commit({"dir/c.txt": None, "new.txt": "new\n"})
        assert await world.repository.files(first) == (".gitignore", "a.txt", "b.txt", "dir/c.txt")
        assert await world.repository.files(new) == (".gitignore", "a.txt", "b.txt", "new.txt")
        assert await world.repository.read(first, "dir/c.txt") == b"c\n"
        for path in ("dir", "dir/", "new.txt", "../a.txt", "", "*.txt", ":/a.txt"):
            assert await world.repository.read(first, path) is None
        assert await world.repository.tree(first) != await world.repository.tree(new)

    asyncio.run(main())


def test_an_unknown_commit_is_said_to_be_unknown(world: World) -> None:
    """Every verb that is given one says so."""

    async def main() -> None:
        tip = await world.repository.tip("main")
        for attempt in (
            world.repository.read(NOWHERE, "a.txt"),
            world.repository.files(NOWHERE),
            world.repository.tree(NOWHERE),
            world.repository.change(base=tip, head=NOWHERE),
            world.repository.diff(base=NOWHERE, head=tip),
            world.repository.merge(order(tip, NOWHERE)),
            world.repository.land("main", old=tip, new=NOWHERE),
        ):
            with pytest.raises(Unknown):
                await attempt
        assert not await world.repository.contains("main", NOWHERE)

    asyncio.run(main())


def test_a_change_is_what_a_branch_adds(world: World) -> None:
    """Counted from where the branch left the target, whatever the target did since."""

    async def main() -> None:
        start = await world.repository.tip("main")
        world.commit({"a.txt": "A\nB\n", "new.txt": "1\n2\n3\n"}, branch="feature")
        head = world.commit({"dir/c.txt": None}, branch="feature")
        base = world.commit({"b.txt": "elsewhere\n"})
        change = await world.repository.change(base=base, head=head)
        assert (change.base, change.head, change.commits) == (start, head, 2)
        assert change.tree == await world.repository.tree(head)
        assert change.files == (
            FileChange(path="a.txt", status="M", added=2, deleted=1),
            FileChange(path="dir/c.txt", status="D", added=0, deleted=1),
            FileChange(path="new.txt", status="A", added=3, deleted=0),
        )
        patch = await world.repository.diff(base=base, head=head)
        assert "--- a/a.txt\n+++ b/a.txt\n" in patch
        assert "\n+A\n" in patch
        assert "elsewhere" not in patch
        nothing = await world.repository.change(base=base, head=base)
        assert (nothing.files, nothing.commits) == ((), 0)

    asyncio.run(main())


def test_a_merge_has_both_sides(world: World) -> None:
    """Nothing moves by it: no branch, no file of the checkout."""

    async def main() -> None:
        change = world.commit({"a.txt": "A\n", "new.txt": "new\n"}, branch="feature")
        onto = world.commit({"b.txt": "B\n", "dir/c.txt": None})
        before = world.checkout()
        merged = await world.repository.merge(order(onto, change))
        assert isinstance(merged, Merged)
        assert await world.repository.tree(merged.commit) == merged.tree
        assert await world.repository.files(merged.commit) == (".gitignore", "a.txt", "b.txt", "new.txt")
        assert await world.repository.read(merged.commit, "a.txt") == b"A\n"
        assert await world.repository.read(merged.commit, "b.txt") == b"B\n"
        assert (await world.repository.tip("main"), world.checkout()) == (onto, before)

    asyncio.run(main())


def test_the_same_order_gives_the_same_commit(world: World) -> None:
    """Everything that makes the commit is in the order."""

    async def main() -> None:
        change = world.commit({"a.txt": "A\n"}, branch="feature")
        onto = world.commit({"b.txt": "B\n"})
        first = await world.repository.merge(order(onto, change))
        assert await world.repository.merge(order(onto, change)) == first
        zone = timezone(timedelta(hours=2))
        for other in (
            order(onto, change, at=AT + timedelta(seconds=1)),
            order(onto, change, at=AT.astimezone(zone)),
            order(onto, change, squash=False),
        ):
            merged = await world.repository.merge(other)
            assert isinstance(merged, Merged) and isinstance(first, Merged)
            assert merged.tree == first.tree
            assert merged.commit != first.commit or other.at == AT

    asyncio.run(main())


def test_a_squash_is_one_commit_and_a_merge_keeps_them_all(world: World) -> None:
    """The change's own commits are behind a merge, not behind a squash."""

    async def main() -> None:
        world.commit({"a.txt": "A\n"}, branch="feature")
        change = world.commit({"new.txt": "new\n"}, branch="feature")
        onto = world.commit({"b.txt": "B\n"})
        for squash, commits in ((True, 1), (False, 3)):
            merged = await world.repository.merge(order(onto, change, squash=squash))
            assert isinstance(merged, Merged)
            assert (await world.repository.change(base=onto, head=merged.commit)).commits == commits

    asyncio.run(main())


def test_a_conflict_names_the_files(world: World) -> None:
    """And says what collides, in a few lines."""

    async def main() -> None:
        change = world.commit({"a.txt": "theirs\n", "dir/c.txt": None, "b.txt": "B\n"}, branch="feature")
        onto = world.commit({"a.txt": "ours\n", "dir/c.txt": "ours\n"})
        conflict = await world.repository.merge(order(onto, change))
        assert isinstance(conflict, Conflicted)
        assert conflict.paths == ("a.txt", "dir/c.txt")
        assert "a.txt" in conflict.detail and "dir/c.txt" in conflict.detail
        assert len(conflict.detail) < 9000

    asyncio.run(main())


def test_landing_moves_the_branch_and_its_checkout(world: World) -> None:
    """May be repeated, also when others have landed since."""

    async def main() -> None:
        change = world.commit({"a.txt": "A\n", "dir/c.txt": None, "new.txt": "new\n"}, branch="feature")
        old = world.commit({"b.txt": "B\n"})
        world.edit("mine.txt", "mine\n")
        merged = await world.repository.merge(order(old, change))
        assert isinstance(merged, Merged)
        await world.repository.land("main", old=old, new=merged.commit)
        assert await world.repository.tip("main") == merged.commit
        assert world.checkout() == {
            ".gitignore": "*.log\n",
            "a.txt": "A\n",
            "b.txt": "B\n",
            "mine.txt": "mine\n",
            "new.txt": "new\n",
        }
        assert await world.repository.contains("main", old)
        assert not await world.repository.contains("main", change)
        await world.repository.land("main", old=old, new=merged.commit)
        later = world.commit({"b.txt": "later\n"})
        await world.repository.land("main", old=old, new=merged.commit)
        assert await world.repository.tip("main") == later

    asyncio.run(main())


def test_landing_where_the_target_moved_changes_nothing(world: World) -> None:
    """The asker has to build on the new target."""

    async def main() -> None:
        old = await world.repository.tip("main")
        change = world.commit({"a.txt": "A\n"}, branch="feature")
        theirs = world.commit({"b.txt": "B\n"})
        before = world.checkout()
        with pytest.raises(TargetMoved):
            await world.repository.land("main", old=old, new=change)
        assert (await world.repository.tip("main"), world.checkout()) == (theirs, before)

    asyncio.run(main())


def test_landing_over_the_users_edits_changes_nothing(world: World) -> None:
    """The files are named; when the edit is gone it lands."""

    async def main() -> None:
        old = await world.repository.tip("main")
        change = world.commit({"a.txt": "A\n", "b.txt": "B\n", "new.txt": "new\n"}, branch="feature")
        world.edit("a.txt", "mine\n")
        world.edit("new.txt", "mine\n")
        before = world.checkout()
        with pytest.raises(CheckoutInTheWay) as told:
            await world.repository.land("main", old=old, new=change)
        assert told.value.paths == ("a.txt", "new.txt")
        assert told.value.checkout == world.repository.path
        assert (await world.repository.tip("main"), world.checkout()) == (old, before)
        world.edit("a.txt", "a\n")
        world.edit("new.txt", None)
        await world.repository.land("main", old=old, new=change)
        assert world.checkout()["a.txt"] == "A\n"

    asyncio.run(main())


def test_landing_takes_no_commits_off_a_branch(world: World) -> None:
    """What does not hold the old tip is refused."""

    async def main() -> None:
        aside = world.commit({"a.txt": "A\n"}, branch="feature")
        old = world.commit({"b.txt": "B\n"})
        with pytest.raises(Refused):
            await world.repository.land("main", old=old, new=aside)
        assert await world.repository.tip("main") == old

    asyncio.run(main())


def test_a_user_that_git_does_not_know_is_refused() -> None:
    """Nobody lands anything under a guessed name."""
    with pytest.raises(Refused):
        asyncio.run(MemoryRepository(user=None).user())
