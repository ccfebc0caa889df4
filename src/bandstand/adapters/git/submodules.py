"""Submodules of a workspace, made of what the user's own repository already has of them.

Nothing is fetched: a submodule that the user has not checked out, or not at the commit that is recorded, stays an empty
folder, as git leaves it. In a workspace each is a repository inside it with a git dir in its own folder, which borrows
the objects of the user's; so what an agent leaves there goes into the archive with the folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bandstand.adapters.git import alternates
from bandstand.adapters.git.command import Git
from bandstand.adapters.git.store import Store
from bandstand.domain.ids import CommitId

DEEPEST = 5
_FILE = ".gitmodules"
_PATHS = r"^submodule\..*\.path$"
_LINK = "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """A place in a commit where the commit of another repository stands.

    `git_dir` is where the user has that repository, with that commit in it: nowhere on this machine, if it is `None`.
    """

    name: str
    path: str
    commit: CommitId
    git_dir: Path | None


async def submodules(store: Store, commit: CommitId, *, checkout: Path | None) -> tuple[Submodule, ...]:
    """The submodules of a commit of a repository, in their order. `checkout` is where the user has its files."""
    asked = ("config", "-z", "--blob", f"{commit}:{_FILE}", "--get-regexp", _PATHS)
    said = await store.run(*asked, ok=(0, 1, 128))  # 128: there is no such file, or it is none that git can read
    if said.code != 0:
        return ()
    records = (record.partition("\n") for record in said.names)
    names = {path: key.removeprefix("submodule.").removesuffix(".path") for key, _, path in records}
    listed = await store.run("ls-tree", "-z", "--full-tree", commit, "--", *names)
    found = []
    for record in listed.names:
        facts, _, path = record.partition("\t")
        mode, _, id = facts.split(" ")
        if mode == _LINK and path in names:
            git_dir = await _home(store, names[path], path, CommitId(id), checkout)
            found.append(Submodule(name=names[path], path=path, commit=CommitId(id), git_dir=git_dir))
    return tuple(found)


async def furnish_submodules(git: Git, store: Store, commit: CommitId, *, checkout: Path, tree: Path) -> list[Path]:
    """Check out the submodules of a commit below `tree`, as far as they are on this machine, and theirs in turn.

    Returns the object stores that they borrow.
    """
    lent: list[Path] = []
    ahead = [(store, commit, checkout, tree, 0)]
    while ahead:
        above, at, users, here, depth = ahead.pop()
        if depth > DEEPEST or not (here / _FILE).is_file():
            continue
        for one in await submodules(above, at, checkout=users):
            if one.git_dir is None:
                continue
            lender = Store(git, one.git_dir)
            folder = here / one.path
            await _furnish(one, lender, folder)
            await _mark(git, one, here)
            lent += lender.objects()
            ahead.append((lender, one.commit, users / one.path, folder, depth + 1))
    return lent


async def _furnish(one: Submodule, lender: Store, folder: Path) -> None:
    git, own = lender.git, folder / ".git"
    form = "sha1" if len(one.commit) == len("0" * 40) else "sha256"
    await git.run_plain("init", "-q", "--template=", f"--object-format={form}", str(folder), at=folder.parent)
    (own / "objects" / "info" / "alternates").write_bytes(alternates.lines(lender.objects()))
    if shallow := lender.shallow():
        (own / "shallow").write_bytes(shallow)
    await git.run_plain("update-ref", "--no-deref", "HEAD", one.commit, at=folder)
    await git.run_plain("read-tree", "-m", "-u", one.commit, at=folder)


async def _mark(git: Git, one: Submodule, above: Path) -> None:
    """Have git know in a workspace that this submodule is in use."""
    await git.run_plain("config", f"submodule.{one.name}.active", "true", at=above)


async def _home(store: Store, name: str, path: str, commit: CommitId, checkout: Path | None) -> Path | None:
    """The git dir of the user's that has a submodule's commit."""
    places = [] if ".." in PurePosixPath(name).parts else [store.git_dir / "modules" / name.lstrip("/")]
    if checkout is not None:
        places += _linked(checkout / path)
    for place in places:
        if (place / "objects").is_dir() and await Store(store.git, place).holds(commit):
            return place
    return None


def _linked(folder: Path) -> list[Path]:
    """The git dir of a checkout: in it, or where its file `.git` says."""
    place = folder / ".git"
    if place.is_dir():
        return [place]
    if not place.is_file():
        return []
    told = os.fsdecode(place.read_bytes()).removeprefix("gitdir: ").removesuffix("\n")
    return [(folder / told).resolve()]
