"""The life of real workspaces: made in parallel, pinned, shown, published, left half-made, taken away."""

import asyncio
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.workspaces import GitWorkspaces
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import TaskId
from bandstand.ports.hosts import Launch
from bandstand.ports.sandbox import Confinement
from bandstand.ports.workspaces import Workspace
from bandstand.testing.sandbox import OpenSandbox
from tests.contracts.git_worlds import AGENT, BAND, GitWorld
from tests.faulty import armed
from tests.real_git import Folder, ids


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    """A repository and its workspaces, without walls."""
    return GitWorld(tmp_path, walls=False)


async def prepare(world: GitWorld, name: str = "t1") -> Workspace:
    """A workspace at the tip of `main`."""
    base = await world.repository.tip("main")
    return await world.workspaces.prepare(name, base=base, target="main", author=AGENT, committer=BAND)


def refs(folder: Folder) -> list[str]:
    """All refs of a repository."""
    return folder.git("for-each-ref", "--format=%(refname)").splitlines()


def test_eight_are_made_at_once(world: GitWorld) -> None:
    """Each is whole, and nothing of worktrees is in the user's repository."""

    async def main() -> None:
        names = [f"t{number}" for number in range(8)]
        made = await asyncio.gather(*(prepare(world, name) for name in names))
        assert {one.name for one in made} == set(names)
        for name in names:
            assert world.agent(name).status() == []
            assert world.agent(name).git("symbolic-ref", "HEAD") == f"refs/heads/band/{name}"
        taken = await asyncio.gather(*(world.workspaces.snapshot(name) for name in names))
        assert {one.uncommitted for one in taken} == {()}
        await asyncio.gather(*(world.workspaces.retire(name, landed=False) for name in names))

    asyncio.run(main())
    assert not (world.user.path / ".git" / "worktrees").exists()
    assert refs(world.user) == ["refs/heads/main"]


def test_one_name_asked_for_at_once_is_one_workspace(world: GitWorld) -> None:
    """Also when two processes ask."""
    other = GitWorkspaces(world.repository, world.root, OpenSandbox())

    async def main() -> None:
        base = await world.repository.tip("main")
        asked = [prepare(world) for _ in range(4)]
        made = await asyncio.gather(*asked)
        again = await other.prepare("t1", base=base, target="main", author=AGENT, committer=BAND)
        assert {*made, again} == {made[0]}

    asyncio.run(main())


def test_commits_in_a_workspace_are_the_agents(world: GitWorld) -> None:
    """Author and committer are the ones that the workspace was made for, signed by nobody."""

    async def main() -> None:
        await prepare(world)
        world.user.git("config", "commit.gpgsign", "true")
        world.write("t1", {"a.txt": "A\n"})
        world.agent_commits("t1")

    asyncio.run(main())
    said = world.agent("t1").git("log", "-1", "--format=%an %ae %cn %ce")
    assert said == "Agent agent@example.org Band band@example.org"


def forget_all_history(user: Folder) -> None:
    """The user rewrites `main` from nothing and cleans up."""
    user.git("checkout", "-q", "--orphan", "fresh")
    user.commit("fresh", {"fresh.txt": "fresh\n"})
    user.git("branch", "-q", "-M", "fresh", "main")
    user.git("reflog", "expire", "--expire=now", "--all")
    user.git("gc", "-q", "--prune=now")


def test_the_base_of_a_workspace_is_not_pruned(world: GitWorld) -> None:
    """It stays as long as it is needed, and a rescue carries it on."""

    async def main() -> None:
        await prepare(world)
        forget_all_history(world.user)
        assert world.agent("t1").status() == []
        world.write("t1", {"a.txt": "A\n"})
        ref = await world.workspaces.retire("t1", landed=False)
        assert ref is not None
        world.user.git("gc", "-q", "--prune=now")
        assert world.user.git("show", f"{ref}:a.txt") == "A"
        assert refs(world.user) == [ref, "refs/heads/main"]
        assert world.user.git("fsck", "--connectivity-only") == ""

    asyncio.run(main())


def test_a_commit_that_was_shown_is_not_pruned(world: GitWorld) -> None:
    """The agent may have built on it."""

    async def main() -> None:
        await prepare(world)
        shown = world.user.commit("shown", {"b.txt": "shown\n"})
        await world.workspaces.show_commit("t1", ref="refs/remotes/origin/main", commit=shown)
        forget_all_history(world.user)
        agent = world.agent("t1")
        agent.git("merge", "-q", "--no-ff", "-m", "merge", shown)
        assert agent.text("b.txt") == "shown\n"
        assert (await world.workspaces.snapshot("t1")).head == agent.head()

    asyncio.run(main())


def test_one_that_was_left_half_made_is_made_anew(world: GitWorld) -> None:
    """A crash while preparing or removing leaves nothing that is taken for a workspace, and nothing for ever."""

    async def main() -> None:
        await prepare(world)
        shutil.copytree(world.root / "t1" / "tree", world.root / ".t2.new" / "tree")
        shutil.copytree(world.root / "t1", world.root / ".t1.gone")
        assert await world.workspaces.find("t2") is None
        await prepare(world, "t2")
        world.write("t1", {"new.txt": "new\n"})
        ref = await world.workspaces.retire("t1", landed=False)
        assert ref == "refs/bandstand/rescue/t1/1"
        # As if the crash came after the folder was moved aside, before it was gone.
        (world.root / "t2").rename(world.root / ".t2.gone")
        assert await world.workspaces.retire("t2", landed=False) is None
        assert sorted(path.name for path in world.root.iterdir()) == ["vault.git"]
        assert refs(world.user) == [ref, "refs/heads/main"]

    asyncio.run(main())


def test_what_a_dead_one_left_in_the_vault_goes(world: GitWorld) -> None:
    """Halves of packs, drafts of the vault, and marks that would keep packs from being put together for ever."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"new.txt": "new\n"})
        await world.workspaces.snapshot("t1")
        packs = world.root / "vault.git" / "objects" / "pack"
        (pack,) = packs.glob("*.pack")
        for left in (pack.with_suffix(".keep"), packs / "tmp_pack_x"):
            left.touch()
        (world.root / ".vault.git.new-x" / "objects").mkdir(parents=True)
        another = GitWorkspaces(world.repository, world.root, OpenSandbox())
        await another.snapshot("t1")
        assert [*packs.glob("*.keep"), *packs.glob("tmp_*"), *world.root.glob(".vault*")] == []
        assert pack.exists()

    asyncio.run(main())


@pytest.mark.parametrize("point", ["snapshot.vault.before", "snapshot.receive.after", "snapshot.keep.before"])
def test_a_disk_that_fails_leaves_nothing_in_the_vault(point: str, world: GitWorld) -> None:
    """No draft, and no mark on a pack that no ref names; the next try is as good as the first."""

    async def main() -> None:
        with armed(f"{point}=ENOSPC"):
            with pytest.raises(OSError, match="a fault"):
                await prepare(world)
                world.write("t1", {"new.txt": "new\n"})
                await world.workspaces.snapshot("t1")
            assert [*world.root.glob("vault.git/objects/pack/*.keep"), *world.root.glob(".vault*")] == []
        await prepare(world)
        await world.workspaces.snapshot("t1")

    asyncio.run(main())


def test_retiring_that_was_cut_short_is_taken_up(world: GitWorld) -> None:
    """What was rescued already is not rescued twice."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"new.txt": "new\n", "x.log": "log\n"})
        ref = "refs/bandstand/rescue/t1/1"
        cut = asyncio.ensure_future(world.workspaces.retire("t1", landed=False))
        while world.ref(ref) is None:
            assert not cut.done()
            await asyncio.sleep(0)
        cut.cancel()
        await asyncio.wait([cut])
        assert await world.workspaces.retire("t1", landed=False) == ref
        assert refs(world.user) == [ref, "refs/heads/main"]
        assert [path.name for path in sorted(world.root.iterdir())] == ["archive.d", "vault.git"]
        assert len(list((world.root / "archive.d").iterdir())) == 1

    asyncio.run(main())


def test_a_rescue_that_cannot_be_written_removes_nothing(world: GitWorld) -> None:
    """Work is destroyed only behind its rescue."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"new.txt": "new\n"})
        # A ref where a folder of refs would have to be.
        world.user.git("update-ref", "refs/bandstand/rescue", "main")
        with pytest.raises(Refused):
            await world.workspaces.retire("t1", landed=False)
        assert world.agent("t1").text("new.txt") == "new\n"
        world.user.git("update-ref", "-d", "refs/bandstand/rescue")
        assert await world.workspaces.retire("t1", landed=False) == "refs/bandstand/rescue/t1/1"

    asyncio.run(main())


def test_publishing_moves_a_checkout_of_the_branch(world: GitWorld) -> None:
    """A user who looks at the branch sees the new files, and edits of theirs are not overwritten."""

    async def main() -> None:
        await prepare(world)
        world.write("t1", {"a.txt": "1\n"})
        first = await world.workspaces.snapshot("t1")
        await world.workspaces.publish(TaskId("t1"), first.commit)
        world.user.git("switch", "-q", "band/t1")
        world.write("t1", {"a.txt": "2\n"})
        second = await world.workspaces.snapshot("t1")
        await world.workspaces.publish(TaskId("t1"), second.commit)
        assert (world.user.status(), world.user.text("a.txt")) == ([], "2\n")
        world.user.write({"a.txt": "mine\n"})
        with pytest.raises(Unavailable):
            await world.workspaces.publish(TaskId("t1"), first.commit)
        assert (world.user.head(), world.user.text("a.txt")) == (second.commit, "mine\n")

    asyncio.run(main())


def test_a_branch_called_band_is_named(world: GitWorld) -> None:
    """Git cannot have a branch whose name is a folder of others."""

    async def main() -> None:
        await prepare(world)
        world.user.git("branch", "band")
        taken = await world.workspaces.snapshot("t1")
        with pytest.raises(Refused):
            await world.workspaces.publish(TaskId("t1"), taken.commit)

    asyncio.run(main())


class ClosedSandbox(OpenSandbox):
    """A sandbox that does not open."""

    def confine(self, confinement: Confinement) -> Launch:
        """A command that fails, whatever was asked for."""
        return replace(super().confine(confinement), argv=("false",))


def test_a_sandbox_that_does_not_open_is_not_the_agents_fault(world: GitWorld) -> None:
    """It may open later; until then nothing is removed and the repository is not called broken."""
    closed = GitWorkspaces(world.repository, world.root, ClosedSandbox())

    async def main() -> None:
        await prepare(world)
        with pytest.raises(Unavailable):
            await closed.snapshot("t1")
        with pytest.raises(Unavailable):
            await closed.retire("t1", landed=True)
        assert await world.workspaces.find("t1") is not None

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", ".hidden", "a..b", "a.lock", "vault.git", "ü", "x" * 101])
def test_a_name_is_a_folder_and_a_branch(name: str, world: GitWorld) -> None:
    """What cannot be both is refused."""
    with pytest.raises(Refused):
        asyncio.run(prepare(world, name))


def test_what_the_user_ignores_everywhere_is_ignored(tmp_path: Path) -> None:
    """The ignore files of the user's own settings and of the repository's git dir count in workspaces."""
    user = Folder.init(tmp_path / "repository")
    (user.path / ".git" / "info").mkdir(exist_ok=True)
    (user.path / ".git" / "info" / "exclude").write_text("private.txt\n")
    (tmp_path / "ignored").write_text("*.swp\n")
    (tmp_path / "settings").write_text(f"[core]\n\texcludesFile = {tmp_path}/ignored\n")

    async def main() -> None:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(tmp_path / "settings")}
        repository = await GitRepository.find(user.path, environment=environment, new_id=ids())
        workspaces = GitWorkspaces(repository, tmp_path / "state", OpenSandbox())
        workspace = await workspaces.prepare("t1", base=user.head(), target="main", author=AGENT, committer=BAND)
        agent = Folder(workspace.folder)
        agent.write({"x.swp": "x\n", "private.txt": "x\n", "new.txt": "x\n"})
        assert agent.status() == ["?? new.txt"]
        assert (await workspaces.snapshot("t1")).uncommitted == ("new.txt",)

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["sha256", "shallow", "borrowing", "linked", "bare", "packed"])
def test_repositories_of_every_kind_have_workspaces(kind: str, tmp_path: Path) -> None:
    """Another hash, a cut history, borrowed objects, a linked worktree, no checkout at all, everything in packs."""
    place = tmp_path / "made of all kinds"
    main = Folder.init(place) if kind != "sha256" else _sha256(place)
    main.commit("second", {"a.txt": "2\n"})
    clone = ["clone", "-q", f"file://{place}", str(tmp_path / "other")]
    match kind:
        case "shallow":
            main.git(*clone, "--depth=1")
        case "borrowing":
            main.git("clone", "-q", "--shared", str(place), str(tmp_path / "other"))
        case "linked":
            main.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "other"))
        case "bare":
            main.git(*clone, "--bare")
        case "packed":
            main.git("gc", "-q")
        case _:
            pass
    user = Folder(tmp_path / "other" if (tmp_path / "other").exists() else place)

    async def work() -> None:
        repository = await user.open()
        workspaces = GitWorkspaces(repository, tmp_path / "state", OpenSandbox())
        base = await repository.tip("main")
        workspace = await workspaces.prepare("t1", base=base, target="main", author=AGENT, committer=BAND)
        assert workspace.objects[0] == repository.git_dir / "objects"
        agent = Folder(workspace.folder)
        assert agent.status() == []
        head = agent.commit("agent", {"a.txt": "3\n"})
        agent.write({"b.txt": "loose\n"})
        taken = await workspaces.snapshot("t1")
        assert (taken.head, taken.uncommitted) == (head, ("b.txt",))
        await workspaces.publish(TaskId("t1"), taken.commit)
        assert await repository.read(taken.commit, "b.txt") == b"loose\n"
        ref = await workspaces.retire("t1", landed=False)
        assert user.git("show", f"{ref}:b.txt") == "loose"

    asyncio.run(work())


def _sha256(place: Path) -> Folder:
    Folder(place.parent).git("init", "-q", "-b", "main", "--object-format=sha256", str(place))
    folder = Folder(place)
    folder.commit("first", {"a.txt": "a\n"})
    return folder
