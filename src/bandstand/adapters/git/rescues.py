"""Rescues as they lie in the user's repository and in the archives: listed, restored, given up.

refs/bandstand/rescue/<task>/<n>          a commit of all files, see `retiring`
<root>/archive.d/<task>-<c>.tar.gz        what git does not take
"""

import asyncio
import itertools
import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bandstand import drafts
from bandstand.adapters.git.layout import ARCHIVE
from bandstand.adapters.git.neutral import neutral_git_dir
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.retiring import PLACE, destroy
from bandstand.adapters.git.unpacking import Unpacking, names
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.remains import archived_task
from bandstand.faults import fault
from bandstand.ports.rescues import Rescue, RescueArchive, RescueRef, Restored

_ENDING = ".tar.gz"
_FORMAT = "%(objectname) %(committerdate:iso-strict) %(refname)"
_OTHERS = ("refs/heads/", "refs/tags/", "refs/remotes/", "refs/stash", PLACE)


class GitRescues:
    """What was kept of the tasks of one repository; its workspaces are below `root`."""

    def __init__(self, repository: GitRepository, root: Path) -> None:
        self._repository = repository
        self._store = repository.store
        self._archives = root / ARCHIVE

    async def all(self) -> tuple[Rescue, ...]:
        """Every rescue, by task."""
        refs: dict[TaskId, list[RescueRef]] = defaultdict(list)
        said = await self._store.run("for-each-ref", f"--format={_FORMAT}", PLACE)
        for line in said.text.splitlines():
            commit, at, ref = line.split(" ", 2)
            task, _, number = ref.removeprefix(PLACE).partition("/")
            if number.isdigit():
                size = await self._size(ref)
                refs[TaskId(task)].append(
                    RescueRef(
                        number=int(number),
                        ref=ref,
                        commit=CommitId(commit),
                        at=datetime.fromisoformat(at).astimezone(UTC),
                        bytes=size,
                    )
                )
        archives = await asyncio.to_thread(self._kept)
        return tuple(
            Rescue(
                task=task,
                refs=tuple(sorted(refs[task], key=lambda one: one.number)),
                archives=tuple(archives.get(task, ())),
            )
            for task in sorted({*refs, *archives})
        )

    async def listing(self, archive: RescueArchive, *, most: int) -> tuple[str, ...]:
        """The names in an archive, the first `most` of them."""
        path = self._archives / Path(archive.name).name
        return await asyncio.to_thread(lambda: tuple(itertools.islice(names(path), most)))

    async def to_branch(self, ref: RescueRef, branch: str) -> None:
        """Have a new branch begin at what was kept."""
        full = f"refs/heads/{branch}"
        valid = await self._store.run("check-ref-format", full, ok=(0, 1))
        if valid.code != 0 or branch.startswith("-") or branch == "HEAD":
            raise Refused(f"{branch!r} cannot be the name of a branch.")
        if await self._store.resolve(full) is not None:
            raise Refused(f"There is a branch {branch} already.", hint="Name another one: --branch NAME")
        fault("rescue.branch.before")
        await self._store.create(full, ref.commit, why="restore")
        fault("rescue.branch.after")

    async def to_folder(self, rescue: Rescue, ref: RescueRef | None, folder: Path) -> Restored:
        """Write everything to a new folder: first beside its place, so that it is there whole or not at all."""
        for broken_off in drafts.left(folder):
            await destroy(broken_off)
        await asyncio.to_thread(_require_new, folder)
        with ExitStack() as ends:
            try:
                making = await asyncio.to_thread(ends.enter_context, drafts.draft(folder))
            except OSError as error:
                raise Refused(f"{folder} cannot be made: {error.strerror}.") from error
            try:
                return await self._restored(rescue, ref, making, folder)
            except OSError as error:
                what = f"{folder} could not be written: {error.strerror}."
                raise Unavailable(what, hint="Make room there.") from error
            finally:
                await destroy(making)

    async def _restored(self, rescue: Rescue, ref: RescueRef | None, making: Path, folder: Path) -> Restored:
        """Everything that was kept, written to a draft that takes its place."""
        unpacking = Unpacking(making)
        fault("rescue.unpack.before")
        if ref is not None:
            unpacking.files = await self._check_out(ref.commit, making)
        for archive in rescue.archives:
            await asyncio.to_thread(unpacking.unpack, self._archives / Path(archive.name).name)
        fault("rescue.unpack.after")
        await asyncio.to_thread(_take_place, making, folder)
        return Restored(files=unpacking.files, notes=tuple(unpacking.notes))

    async def only_there(self, rescue: Rescue) -> tuple[str, ...]:
        """The files and archives that are nowhere else."""
        found: list[str] = []
        own = {one.ref: one.commit for one in rescue.refs}
        if own:
            others = {**await self._store.refs(*_OTHERS)}
            kept = sorted({commit for ref, commit in others.items() if ref not in own})
            mine = await self._blobs([*own.values()], without=kept)
            if mine:
                theirs = await self._blobs(kept, without=[*own.values()])
                found += sorted({name for blob, name in mine.items() if blob not in theirs})
        return (*found, *(one.name for one in rescue.archives))

    async def drop(self, rescue: Rescue) -> None:
        """Give up a rescue for good."""
        for one in rescue.refs:
            if await self._store.resolve(one.ref) is not None:
                fault("rescue.drop.before")
                await self._store.drop_at(one.ref, one.commit)
                fault("rescue.drop.after")
        for archive in rescue.archives:
            fault("rescue.discard.before")
            await destroy(self._archives / Path(archive.name).name)
            fault("rescue.discard.after")

    async def _size(self, ref: str) -> int:
        """What the objects take that only this ref, or another rescue, reaches."""
        others = ("--not", "--branches", "--tags", "--remotes")
        said = await self._store.run("rev-list", "--disk-usage", "--objects", ref, *others)
        return int(said.text or 0)

    def _kept(self) -> Mapping[TaskId, list[RescueArchive]]:
        found: dict[TaskId, list[RescueArchive]] = defaultdict(list)
        for path in sorted(self._archives.iterdir()) if self._archives.is_dir() else ():
            if path.name.endswith(_ENDING) and not path.name.startswith("."):
                seen = path.stat()
                at = datetime.fromtimestamp(seen.st_mtime, UTC)
                archive = RescueArchive(name=path.name, path=str(path), at=at, bytes=seen.st_size)
                found[archived_task(path.name.removesuffix(_ENDING))].append(archive)
        return found

    async def _check_out(self, commit: CommitId, folder: Path) -> int:
        """Write the files of a commit, as they were kept; how many."""
        objects, settings = self._repository.git_dir / "objects", await self._repository.settings()
        with neutral_git_dir(objects, settings=settings, shallow=self._store.shallow(), attributes=b"") as neutral:
            git = self._repository.git
            extra = {**neutral, "GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": f"{neutral['GIT_DIR']}/index"}
            await git.run_plain("read-tree", commit, at=folder, extra=extra)
            await git.run_plain("checkout-index", "--all", at=folder, extra=extra)
            listed = await git.run_plain("ls-files", "-z", at=folder, extra=extra)
        return len(listed.names)

    async def _blobs(self, tips: list[CommitId], *, without: list[CommitId]) -> dict[str, str]:
        """The blobs that some commits reach and others do not, by id, with a name each; a few more, perhaps."""
        stdin = "".join([*(f"{one}\n" for one in tips), *(f"^{one}\n" for one in without)]).encode()
        listed = await self._store.run("rev-list", "--objects", "--stdin", stdin=stdin)
        named = dict(os.fsdecode(line).partition(" ")[::2] for line in listed.out.splitlines())
        asked = "".join(f"{one}\n" for one in named).encode()
        kinds = await self._store.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked)
        blobs = (line.partition(" ")[2] for line in kinds.text.splitlines() if line.startswith("blob "))
        return {blob: named[blob] for blob in blobs}


def _require_new(folder: Path) -> None:
    if os.path.lexists(folder):
        raise Refused(f"There is something at {folder} already.", hint="Name a folder that is to be made: --to FOLDER")
    if not folder.parent.is_dir():
        raise Refused(f"There is no folder {folder.parent}.", hint="Make it first.")


def _take_place(making: Path, folder: Path) -> None:
    _require_new(folder)
    fault("rescue.restore.before")
    making.rename(folder)
    fault("rescue.restore.after")
