"""The end of a workspace: first everything in it that has not landed is kept and read back, then it is removed.

    refs/bandstand/rescue/<name>/<n>   in the user's repository: a commit of all files; its parents are the agent's last
                                       commit, and every checkpoint and stray commit that nothing else would keep
    <root>/archive.d/<name>-<c>.tar.gz what git left out of checkpoint <c>: ignored files, repositories inside, names
                                       that git refuses; the git dir itself if it is broken

Folders that tools fill anew from what is in git are left out of the archive.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from bandstand.adapters.git.capture import Capture
from bandstand.adapters.git.command import execute, stream
from bandstand.adapters.git.layout import ARCHIVE
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.store import BANDSTAND, NewCommit
from bandstand.adapters.git.vault import Checkpoint, Vault
from bandstand.domain.errors import Broken
from bandstand.domain.ids import CommitId
from bandstand.ports.hosts import Launch

REBUILT = ("node_modules", "__pycache__", ".venv", ".tox", ".mypy_cache", ".pytest_cache", ".ruff_cache")
MOST_ARCHIVED = 4 * 1024 * 1024 * 1024
DEADLINE_SECONDS = 1800.0
_DONE, _FILE_CHANGED = 0, 1


async def rescue(
    repository: GitRepository,
    vault: Vault,
    name: str,
    last: Checkpoint,
    *,
    strays: Sequence[CommitId],
    known: Sequence[CommitId],
) -> str:
    """Keep the last checkpoint of a workspace, and all that led to it, at a rescue ref; the one it is at, if it is.

    Raises `Broken` when it cannot be read back.
    """
    others = {*strays, *await vault.kept(name)} - {last.commit}
    parents = (last.head, *await tips(vault, others, last, known=known))
    message = f"Rescued from workspace {name}\n\nIts files as they were; the first parent is the last commit there."
    new = NewCommit(tree=last.tree, parents=parents, message=message, author=BANDSTAND, committer=BANDSTAND, at=last.at)
    commit = await vault.store.write_commit(new)
    await vault.send(commit)
    place = f"refs/bandstand/rescue/{name}/"
    there = await repository.store.refs(place)
    for ref, kept in there.items():
        if kept == commit:
            return ref
    numbers = [int(ref.removeprefix(place)) for ref in there if ref.removeprefix(place).isdigit()]
    ref = f"{place}{max(numbers, default=0) + 1}"
    await repository.store.create(ref, commit, why="rescue")
    if await repository.store.resolve(ref) != commit or await repository.tree(commit) != last.tree:
        raise Broken(f"The rescue of workspace {name} could not be read back from {ref}; nothing was removed.")
    return ref


async def tips(
    vault: Vault, commits: set[CommitId], last: Checkpoint, *, known: Sequence[CommitId]
) -> tuple[CommitId, ...]:
    """Those commits that hold files of their own, and that none of them, nor `last`, nor what is `known` reaches."""
    stdin = "".join([*(f"{one}\n" for one in commits), *(f"^{one}\n" for one in (last.head, *known))]).encode()
    said = await vault.store.run("rev-list", "--parents", "--stdin", stdin=stdin)
    behind = {line.split(" ")[0]: line.split(" ")[1:] for line in said.text.splitlines()}
    inner = {parent for parents in behind.values() for parent in parents}
    trees = {last.tree, *[await vault.store.tree(one) for one in (last.head, *known)]}
    chosen = []
    for commit in sorted(commit for commit in commits if commit in behind and commit not in inner):
        tree = await vault.store.tree(commit)
        # A checkpoint is only its files; one with files that are kept already says nothing new. A stash may have the
        # files of its base and hold what it is about in its parents.
        if tree not in trees or any(parent in behind for parent in behind[commit]):
            chosen.append(commit)
        trees.add(tree)
    return tuple(chosen)


async def archive(capture: Capture, root: Path, name: str, *, links: Sequence[str], also: Sequence[str]) -> Path | None:
    """Put the files that git left out into an archive that only the user can read; `None` if there are none.

    `links` are paths of the last tree where it has the commit of another repository, `also` are files to add. An
    archive that was made under this name before is replaced.
    """
    others = [*(one for one in await capture.others(links) if Path(one).name not in REBUILT), *also]
    if not others:
        return None
    launch = capture.archiving(without=REBUILT, gnu=await capture.has_gnu_tar())
    names = b"".join(os.fsencode(f"./{one}") + b"\0" for one in others)
    making = root / ARCHIVE / f".{name}.making"
    descriptor = _opened(making)
    try:
        code = await _fill(launch, descriptor, names)
    finally:
        os.close(descriptor)
    if code not in (_DONE, _FILE_CHANGED):
        raise Broken(f"The ignored files of workspace {name} could not be archived; nothing was removed.")
    return making.rename(root / ARCHIVE / f"{name}.tar.gz")


async def destroy(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep and however locked, following no link.

    The one place where anything is destroyed: call it behind the rescue, or for a folder nobody was ever let into.
    """
    remove = Launch(argv=("rm", "-rf", "--", str(folder)), cwd=folder.parent, environment={"PATH": os.defpath})
    unlock = Launch(argv=("chmod", "-R", "u+rwX", "--", str(folder)), cwd=folder.parent, environment=remove.environment)
    complaint = ""
    for step in (remove, unlock, remove):
        if _is_there(folder):
            complaint = (await execute(step, deadline_seconds=DEADLINE_SECONDS)).complaint
    if _is_there(folder):
        raise Broken(f"The folder {folder} could not be removed: {complaint}")


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


async def _fill(launch: Launch, descriptor: int, names: bytes) -> int:
    async def write(piece: bytes) -> None:
        await asyncio.to_thread(os.write, descriptor, piece)

    said = await stream(launch, write, stdin=names, deadline_seconds=DEADLINE_SECONDS, limit=MOST_ARCHIVED)
    await asyncio.to_thread(os.fsync, descriptor)
    return said.code


def _opened(file: Path) -> int:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
