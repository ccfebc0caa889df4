"""What is left of work that is over, on real disks with real git: what goes, and what stays."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bandstand.adapters.git.layout import ARCHIVE
from bandstand.adapters.git.remains import GitRemains
from bandstand.adapters.git.retiring import destroy
from bandstand.adapters.hosts.channel import locked
from bandstand.adapters.remains import AgedRemains, always_free, archives, journals, outputs
from bandstand.domain.errors import Broken
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.remains import Keep, RemainsKind, Remnant, Retention
from bandstand.domain.stage import Queued
from bandstand.domain.state import State, Task
from bandstand.ports.git import Merged, MergeOrder
from bandstand.ports.remains import Known, Remains
from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.domain.states import NOW, spec


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A repository and its workspaces, without walls."""
    return GitWorld(tmp_path, walls=False)


def known(*live: str, landed: bool = True, over: tuple[str, ...] = ("t1",), **more: object) -> Known:
    """What is known where some tasks live and some are over."""
    tasks = {TaskId(name): Task(spec=spec(name), number=1, stage=Queued(), since=NOW, checks=2) for name in live}
    past = {TaskId(name): landed for name in over}
    state = State(tasks=tasks, past=past, policy=Policy(target="main"))
    base = Known(state=state, retention=Retention(), now=datetime.now(UTC))
    return replace(base, **more)  # type: ignore[arg-type]


def remains(world: GitWorld) -> GitRemains:
    """Of the workspaces of the world."""
    return GitRemains(world.repository, world.workspaces)


async def swept(part: Remains, what: Known) -> list[tuple[str, str]]:
    """Clear everything that is found, and say what it was. What was found goes, and is found no more."""
    found = await part.find(what)
    for one in found:
        assert await part.clear(one, what), one
        assert not await part.clear(one, what), one
    return [(one.kind.value, one.name) for one in found]


async def prepare(world: GitWorld, name: str) -> None:
    """A workspace at the tip of `main`."""
    base = await world.repository.tip("main")
    await world.workspaces.prepare(name, base=base, target="main", author=AGENT, committer=BAND)


async def propose(world: GitWorld, name: str, *texts: Mapping[str, str | None]) -> CommitId:
    """A task's branch with a commit for each of these."""
    await prepare(world, name)
    for files in texts:
        world.write(name, files)
        world.agent_commits(name)
    head = (await world.workspaces.snapshot(name)).head
    await world.workspaces.publish(TaskId(name), head)
    return head


async def land(world: GitWorld, head: CommitId, *, squash: bool = False) -> None:
    """Land a commit on `main`."""
    onto = await world.repository.tip("main")
    order = MergeOrder(onto=onto, change=head, message="land\n", author=AGENT, committer=BAND, at=NOW, squash=squash)
    merged = await world.repository.merge(order)
    assert isinstance(merged, Merged)
    await world.repository.land("main", old=onto, new=merged.commit)


def test_halves_and_unused_checkouts_go(world: GitWorld) -> None:
    """Of the living too; a checkout that may be in use stays, and so does every workspace of a live task."""

    async def main() -> None:
        for name in ("live", "check.live.1", "check.live.2", "check.t1.1", "review-t1.review.1"):
            await prepare(world, name)
        for half in (".live.new", ".t1.gone", ".t1.new", ".vault.git.new-abc"):
            (world.root / half / "tree").mkdir(parents=True)
        (world.root / "archive.d").mkdir()
        (world.root / "archive.d" / ".t1-0123456789ab.making").write_text("half")
        went = await swept(remains(world), known("live"))
        halves = (".live.new", ".t1.gone", ".t1.new", ".vault.git.new-abc", ".t1-0123456789ab.making")
        checkouts = ("check.live.1", "check.t1.1", "review-t1.review.1")
        whole = [("workspace", name) for name in halves] + [("checkout", name) for name in checkouts]
        assert sorted(went) == sorted(whole)
        assert sorted(path.name for path in world.root.iterdir()) == ["archive.d", "check.live.2", "live", "vault.git"]
        # What was pinned for them goes at the next look, and what the living borrow stays.
        await swept(remains(world), known("live"))
        pins = world.user.git("for-each-ref", "--format=%(refname)", "refs/bandstand").splitlines()
        assert pins == ["refs/bandstand/pins/check.live.2", "refs/bandstand/pins/live"]

    asyncio.run(main())


def test_one_that_is_being_made_is_not_half_made(world: GitWorld) -> None:
    """Whoever makes it holds its name."""

    async def main() -> None:
        (world.root / ".t1.new").mkdir(parents=True)
        async with world.workspaces.lock("t1"):
            assert await remains(world).find(known()) == ()
        assert len(await remains(world).find(known())) == 1

    asyncio.run(main())


def test_a_workspace_that_came_back_is_rescued_and_goes(world: GitWorld) -> None:
    """Its task is over, so nobody works there; one of a task that nobody knows stays."""

    async def main() -> None:
        for name in ("t1", "stranger"):
            await prepare(world, name)
            world.write(name, {"new.txt": f"{name}\n"})
        assert await swept(remains(world), known(landed=False)) == [("workspace", "t1")]
        assert world.user.git("show", "refs/bandstand/rescue/t1/1:new.txt") == "t1"
        assert world.agent("stranger").text("new.txt") == "stranger\n"

    asyncio.run(main())


def test_refs_that_nothing_needs_go(world: GitWorld) -> None:
    """A daemon that died between removing a workspace and forgetting it leaves them."""

    async def main() -> None:
        for name in ("t1", "live"):
            await prepare(world, name)
            world.write(name, {"new.txt": f"{name}\n"})
            await world.workspaces.snapshot(name)
        shutil.rmtree(world.root / "t1")
        assert await swept(remains(world), known("live")) == [("checkpoints", "t1")]
        assert [one.number for one in await world.workspaces.vault.checkpoints("live")] == [1]
        assert await world.workspaces.vault.checkpoints("t1") == []
        assert world.ref("refs/bandstand/pins/t1") is None
        assert world.ref("refs/bandstand/pins/live") is not None

    asyncio.run(main())


@pytest.mark.parametrize("squash", [False, True])
def test_a_branch_goes_when_all_of_it_is_in_the_target(world: GitWorld, *, squash: bool) -> None:
    """Every version of every file that it ever had: of one that was squashed, a draft may be nowhere else."""

    async def main() -> None:
        for name, texts in (("t1", [{"x.txt": "x\n"}]), ("t2", [{"y.txt": "draft\n"}, {"y.txt": "y\n"}])):
            head = await propose(world, name, *texts)
            await land(world, head, squash=squash)
        await propose(world, "t3", {"z.txt": "z\n"})
        found = [one for one in await remains(world).find(known("t3", over=("t1", "t2"))) if one.kind == "branch"]
        assert [one.name for one in found] == (["band/t1"] if squash else ["band/t1", "band/t2"])
        for one in found:
            assert await remains(world).clear(one, known("t3", over=("t1", "t2")))
        left = world.user.git("for-each-ref", "--format=%(refname:short)", "refs/heads/band").splitlines()
        assert left == (["band/t2", "band/t3"] if squash else ["band/t3"])

    asyncio.run(main())


def test_a_branch_stays_that_is_looked_at_or_has_gone_on(world: GitWorld) -> None:
    """In a checkout of the user's, or with a commit of theirs, or of a task that did not land."""

    async def main() -> None:
        for name in ("t1", "t2", "t3"):
            await land(world, await propose(world, name, {f"{name}.txt": "x\n"}))
        world.user.git("worktree", "add", "-q", str(world.user.path.parent / "other"), "band/t1")
        more = world.user.commit_aside("more", {"mine.txt": "mine\n"}, onto="band/t2")
        world.user.git("update-ref", "refs/heads/band/t2", more)
        found = await remains(world).find(known(over=("t1", "t2", "t3")))
        assert [one.name for one in found if one.kind == "branch"] == ["band/t3"]
        (branch,) = (one for one in found if one.kind == "branch")
        world.user.git("update-ref", "refs/heads/band/t3", more)
        assert not await remains(world).clear(branch, known(over=("t1", "t2", "t3")))
        assert world.ref("refs/heads/band/t3") == more

    asyncio.run(main())


def test_packs_go_when_no_checkpoint_is_left(world: GitWorld) -> None:
    """And not while something is taken in."""

    async def main() -> None:
        await prepare(world, "t1")
        world.write("t1", {"big.txt": "\n".join(map(str, range(5000)))})
        await world.workspaces.snapshot("t1")
        world.write("t1", {"big.txt": None})
        await world.workspaces.retire("t1", landed=True)
        (packs,) = await remains(world).find(known())
        assert (packs.kind, packs.bytes > 0) == ("packs", True)
        async with world.workspaces.vault.taking():
            assert not await remains(world).clear(packs, known())
        assert await remains(world).clear(packs, known())
        assert list((world.root / "vault.git" / "objects").glob("pack/*.pack")) == []
        assert await remains(world).find(known()) == ()

    asyncio.run(main())


def aged(file: Path, *, days: int, text: str = "x") -> None:
    """A file that was last written to so long ago."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    at = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for path in (file, file.parent):
        os.utime(path, (at, at))


def test_archives_of_what_landed_go_with_age_and_those_of_a_rescue_never(world: GitWorld) -> None:
    """What was ignored in a workspace that did not land is nowhere else."""
    for name in ("t1-0123456789ab", "t2-0123456789ab", "stranger-0123456789ab"):
        aged(world.root / "archive.d" / f"{name}.tar.gz", days=100)
    aged(world.root / "archive.d" / "t1-aaaaaaaaaaaa.tar.gz", days=10)
    what = known()
    past = {TaskId("t1"): True, TaskId("t2"): False}
    part = archives(world.root / ARCHIVE, destroy=destroy)
    went = asyncio.run(swept(part, replace(what, state=replace(what.state, past=past))))
    assert went == [("archive", "t1-0123456789ab.tar.gz")]
    for_ever = Retention(archives=Keep())
    assert asyncio.run(part.find(replace(what, retention=for_ever))) == ()


def held_journals(root: Path) -> AgedRemains:
    """The journals below a folder, but for those whose holder lives."""
    return journals(root, destroy=destroy, free=lambda folder: not locked(folder))


def test_journals_and_outputs_go_with_age(tmp_path: Path) -> None:
    """Those of the living stay however old, and so does one whose holder lives; room is made from the oldest end."""
    runs, checks = tmp_path / "runs", tmp_path / "checks"
    for run, days in (("t1.1", 100), ("t1.review.1", 91), ("t1.2", 5), ("live.1", 400), ("stranger.1", 400)):
        aged(runs / run / "journal", days=days)
        aged(checks / f"{run}.log", days=days, text="x" * 5000)
    held = os.open(runs / "t1.review.1" / "lock", os.O_CREAT | os.O_RDWR)
    os.utime(runs / "t1.review.1" / "lock", (0, 0))
    os.utime(runs / "t1.review.1", (0, 0))

    async def main() -> None:
        of_runs, of_checks = held_journals(runs), outputs(checks, destroy=destroy)
        fcntl.flock(held, fcntl.LOCK_EX)
        assert locked(runs / "t1.review.1")
        assert await swept(of_runs, known("live")) == [("run", "t1.1")]
        fcntl.flock(held, fcntl.LOCK_UN)
        assert await swept(of_runs, known("live")) == [("run", "t1.review.1")]
        assert await swept(of_checks, known("live")) == [
            ("check output", name) for name in ("t1.1.log", "t1.review.1.log")
        ]
        cramped = replace(known("live"), retention=Retention(checks=Keep(bytes=1)))
        assert await swept(of_checks, cramped) == [("check output", "t1.2.log")]

    asyncio.run(main())
    os.close(held)
    assert sorted(path.name for path in runs.iterdir()) == ["live.1", "stranger.1", "t1.2"]
    assert sorted(path.name for path in checks.iterdir()) == ["live.1.log", "stranger.1.log"]


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    """Before the first task; nor where a file has taken the folder's place."""
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "no", tmp_path / "file"):
        for part in (held_journals(root), outputs(root, destroy=destroy), archives(root, destroy=destroy)):
            assert asyncio.run(part.find(known())) == ()
            assert not asyncio.run(part.clear(Remnant(kind=RemainsKind.RUN, name="x", why=""), known()))


def test_what_vanishes_while_it_is_looked_at_is_no_remnant(tmp_path: Path) -> None:
    """Somebody else removes it between one look and the next: the others are found all the same."""
    for run in ("t1.1", "t1.2", "t1.3"):
        aged(tmp_path / run / "journal", days=100)
    (tmp_path / "t1.4").symlink_to("nowhere")
    os.utime(tmp_path / "t1.4", (0, 0), follow_symlinks=False)

    def free(path: Path) -> bool:
        if path.name == "t1.2":
            shutil.rmtree(path)
        return True

    async def main() -> None:
        part = journals(tmp_path, destroy=destroy, free=free)
        assert await swept(part, known()) == [("run", "t1.4"), ("run", "t1.1"), ("run", "t1.3")]

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


def test_what_was_found_is_looked_at_again_when_its_turn_comes(tmp_path: Path) -> None:
    """It stays if it was written to, if a process holds it, if its user keeps such things for longer by then."""
    for run in ("t1.1", "t1.2", "t1.3"):
        aged(tmp_path / run / "journal", days=100)

    async def main() -> None:
        busy: set[str] = set()
        part = journals(tmp_path, destroy=destroy, free=lambda path: path.name not in busy)
        first, second, third = await part.find(known())
        aged(tmp_path / "t1.1" / "journal", days=99)
        assert not await part.clear(first, known())
        busy.add("t1.2")
        assert not await part.clear(second, known())
        assert not await part.clear(third, known(over=()))
        assert not await part.clear(third, known(retention=Retention(journals=Keep())))
        assert not await part.clear(replace(third, kind=RemainsKind.CHECK), known())
        assert await part.clear(third, known())

    asyncio.run(main())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t1.1", "t1.2"]


def test_each_thing_is_looked_at_as_often_with_many_as_with_few(tmp_path: Path) -> None:
    """Once in the list, once when its turn comes; never all of them again for each."""
    looks: list[str] = []

    def free(path: Path) -> bool:
        looks.append(path.name)
        return True

    for number in range(40):
        aged(tmp_path / f"t1.{number}" / "journal", days=100)

    async def main() -> None:
        part, what = journals(tmp_path, destroy=destroy, free=free), known()
        for one in await part.find(what):
            assert await part.clear(one, what)

    asyncio.run(main())
    assert sorted(looks) == sorted(f"t1.{number}" for number in range(40) for _ in range(2))


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """In words, since nobody but its user can help; it is no mistake of ours."""
    (tmp_path / "loop").symlink_to("loop")
    part = AgedRemains(
        tmp_path / "loop",
        kind=RemainsKind.RUN,
        proof=lambda _, name: name,
        keep=lambda kept: kept.journals,
        destroy=destroy,
        free=always_free,
    )
    with pytest.raises(Broken, match="cannot be looked at"):
        asyncio.run(part.find(known()))
