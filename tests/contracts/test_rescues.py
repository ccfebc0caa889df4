"""What every kind of rescues keeps: the fake ones, and those in a real repository."""

import asyncio
from pathlib import Path

import pytest

from bandstand.adapters.git.rescues import GitRescues
from bandstand.domain.errors import Refused
from bandstand.domain.ids import TaskId
from bandstand.ports.rescues import Rescue, Rescues
from bandstand.testing.rescues import MemoryRescues
from tests.contracts.git_worlds import AGENT, BAND, GitWorld, MemoryWorld, World, make_world


@pytest.fixture(params=["memory", "git"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Each world in turn."""
    return make_world(request.param, tmp_path)


def rescues(world: World) -> Rescues:
    """The rescues of a world."""
    if isinstance(world, MemoryWorld):
        found = MemoryRescues(world.repository)
        found.archives = {f"{name}-0": files for name, files in world.workspaces.archived.items() if files}
        return found
    assert isinstance(world, GitWorld)
    return GitRescues(world.repository, world.root)


def files(folder: Path) -> list[str]:
    """All files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


async def kept(world: World, name: str = "t1", *, ignored: bool = True) -> tuple[Rescues, Rescue]:
    """The rescue of a task that wrote two files, one of them ignored, and was given up."""
    base = await world.repository.tip("main")
    await world.workspaces.prepare(name, base=base, target="main", author=AGENT, committer=BAND)
    world.write(name, {"new.txt": "new\n", **({"debug.log": "noise\n"} if ignored else {})})
    await world.workspaces.retire(name, landed=False)
    found = rescues(world)
    (rescue,) = [one for one in await found.all() if one.task == name]
    return found, rescue


def test_a_rescue_is_listed_with_all_of_its_parts(world: World) -> None:
    """The commit, and the archive with its names."""

    async def main() -> None:
        found, rescue = await kept(world)
        (ref,) = rescue.refs
        assert (rescue.task, ref.number, ref.ref) == (TaskId("t1"), 1, "refs/bandstand/rescue/t1/1")
        assert world.ref(ref.ref) == ref.commit
        (archive,) = rescue.archives
        assert await found.listing(archive, most=5) == ("debug.log",)
        assert rescue.at == max(ref.at, archive.at)
        assert rescue.bytes == ref.bytes + archive.bytes

    asyncio.run(main())


def test_it_comes_back_as_a_new_branch(world: World) -> None:
    """Never in place of one that there is."""

    async def main() -> None:
        found, rescue = await kept(world)
        await found.to_branch(rescue.refs[0], "saved/t1")
        assert world.ref("refs/heads/saved/t1") == rescue.refs[0].commit
        for name in ("saved/t1", "main", "no name"):
            before = world.ref("refs/heads/main")
            with pytest.raises(Refused):
                await found.to_branch(rescue.refs[0], name)
            assert world.ref("refs/heads/main") == before

    asyncio.run(main())


def test_it_comes_back_as_a_new_folder(world: World, tmp_path: Path) -> None:
    """With what git ignored; and never in place of something."""

    async def main() -> None:
        found, rescue = await kept(world)
        folder = tmp_path / "saved"
        said = await found.to_folder(rescue, rescue.refs[0], folder)
        assert (said.files, said.notes) == (6, ())
        if isinstance(found, MemoryRescues):
            assert found.folders[folder]["debug.log"] == b"noise\n"
        else:
            assert files(folder) == [".gitignore", "a.txt", "b.txt", "debug.log", "dir/c.txt", "new.txt"]
            assert not any(name.startswith(".saved") for name in files(tmp_path))
        with pytest.raises(Refused, match="already"):
            await found.to_folder(rescue, rescue.refs[0], folder)

    asyncio.run(main())


def test_what_is_nowhere_else_is_named_until_it_is_somewhere(world: World) -> None:
    """A branch, or another rescue, with the same files is enough; an archive is always the only one."""

    async def main() -> None:
        found, rescue = await kept(world)
        assert await found.only_there(rescue) == ("new.txt", rescue.archives[0].name)
        world.commit({"copy.txt": "new\n"})
        assert await found.only_there(rescue) == (rescue.archives[0].name,)
        found, plain = await kept(world, "t2", ignored=False)
        assert await found.only_there(plain) == ()
        world.commit({"copy.txt": None})
        assert await found.only_there(plain) == ()

    asyncio.run(main())


def test_it_is_given_up_whole_and_nothing_else_is(world: World) -> None:
    """May be repeated."""

    async def main() -> None:
        _, other = await kept(world, "t2")
        found, rescue = await kept(world)
        for _ in range(2):
            await found.drop(rescue)
            assert await found.all() == (other,)
        assert world.ref("refs/bandstand/rescue/t1/1") is None

    asyncio.run(main())
