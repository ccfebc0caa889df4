"""One checkout of a branch that is being moved: what the user has there, and how its files go from OLD to NEW.

All work is done on a copy of the index, which takes the index's place in the end. The user's own git is kept out by
`index.lock`, whose content is our mark: it says what is being moved, and which of the paths already looked like NEW
before we came, for these are the user's and stay when everything is put back.

Every file of the user counts, ignored ones too: `git read-tree` alone would overwrite those.
"""

import asyncio
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from bandstand.adapters.git.command import Git, Output, failure
from bandstand.adapters.git.filters import try_filters
from bandstand.domain.errors import Broken, Unavailable
from bandstand.domain.ids import CommitId
from bandstand.faults import fault
from bandstand.ports.git import CheckoutInTheWay

PATIENCE = 100  # times
_PAUSE_SECONDS = 0.05
_GITLINK = "160000"
_SIGNATURE = "bandstand"
_REFUSED = re.compile(r"(?:Entry|Updating|Untracked working tree file) '(.*?)'\.?(?: not | would | overlaps )")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an index or a tree holds at a path."""

    mode: str
    blob: str

    @classmethod
    def of(cls, mode: str, blob: str) -> Self | None:
        """The entry, or `None` for the mode that git writes where there is nothing."""
        return None if mode == "000000" else cls(mode=mode, blob=blob)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    """What a landing does to one path."""

    old: Entry | None
    new: Entry | None

    def is_left(self, place: Path) -> bool:
        """Whether a file that the landing removes is still there."""
        return self.new is None and (place.is_symlink() or place.is_file())


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A folder with the files of a commit, and the git dir with its index. `branch` is empty when HEAD is detached."""

    folder: Path
    git_dir: Path
    branch: str

    @property
    def index(self) -> Path:
        """Its index."""
        return self.git_dir / "index"

    @property
    def lock(self) -> Path:
        """The file that keeps other gits off its index."""
        return self.git_dir / "index.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What stands in `index.lock` while we hold it. The lists are set just before the first file is touched."""

    branch: str
    old: CommitId
    new: CommitId
    files_alike: tuple[str, ...] | None = None  # the user's files were NEW's, the index still had OLD's
    index_alike: tuple[str, ...] | None = None  # the user's index had NEW's

    @classmethod
    def read(cls, lock: Path) -> Self | None:
        """The mark in a lock file; `None` if there is none, or if it is somebody else's."""
        try:
            facts = json.loads(lock.read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(facts, dict) or facts.pop("by", None) != _SIGNATURE:
            return None
        lists = {name: None if facts[name] is None else tuple(facts[name]) for name in ("files_alike", "index_alike")}
        return cls(**facts | lists)

    def write(self, path: Path) -> None:
        """Write the mark as a new file."""
        path.unlink(missing_ok=True)
        path.write_text(json.dumps({"by": _SIGNATURE} | asdict(self)))


class CheckoutMove:
    """The move of one checkout from OLD to NEW: `hold`, `look`, `apply`, and `undo` as long as it is held."""

    def __init__(
        self, git: Git, checkout: Checkout, mark: Mark, changes: dict[str, PathChange], lock_descriptor: int
    ) -> None:
        self._git = git
        self._checkout = checkout
        self._mark = mark
        self._changes = changes
        self._descriptor = lock_descriptor
        self._held = False
        self._half_way = False
        self._touched = mark.files_alike is not None
        self._scratch = checkout.git_dir / "index.bandstand"

    async def hold(self) -> None:
        """Keep the user's git off this checkout. A mark of one who crashed is taken over.

        Raises `Unavailable` if another git is at work there for too long.
        """
        fault("checkout.lock.before")
        for _ in range(PATIENCE):
            if self._try_hold():
                fault("checkout.lock.after")
                self._held = True
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise Unavailable(
            f"Another git is at work in {self._checkout.folder}.",
            hint=f"If there is none, remove {self._checkout.lock}.",
        )

    def let_go(self) -> None:
        """Let the user's git in again; not where that would find a checkout half way. May be repeated."""
        if self._held and not self._half_way:
            self._clean()
            fault("checkout.release.before")
            self._checkout.lock.unlink(missing_ok=True)
            fault("checkout.release.after")
            self._held = False

    async def look(self) -> None:
        """Return if nothing of the user's is in the way. Changes nothing but our copy of the index.

        Raises `CheckoutInTheWay`, and what `try_filters` does.
        """
        files_alike, index_alike = await self._prepare_scratch()
        self._mark = replace(self._mark, files_alike=files_alike, index_alike=index_alike)
        said = await self._run("read-tree", "-m", "-n", "-u", self._mark.old, self._mark.new, ok=(0, 128))
        if said.code != 0:
            raise self._in_the_way(said)
        written = [path for path, change in self._changes.items() if change.new and change.new.mode != _GITLINK]
        await try_filters(self._git, at=self._checkout.folder, commit=self._mark.new, paths=written)

    async def apply(self) -> None:
        """Move the files and the index. Raises `CheckoutInTheWay` if the user was quicker; then nothing was changed."""
        self._touched = True
        self._write_mark()
        await self._swap_index(self._mark.old, self._mark.new)

    async def undo(self) -> None:
        """Put files and index back to what they were before `apply`, wherever that ended. May be repeated.

        Raises `CheckoutInTheWay` if the user has edited what would have to be put back.
        """
        if not self._held or not self._touched:
            return
        self._half_way = True
        try:
            await self._put_back()
        except CheckoutInTheWay:
            self._half_way = False
            raise
        self._half_way = False

    async def _put_back(self) -> None:
        await self._prepare_scratch()
        files_alike, index_alike = self._mark.files_alike or (), self._mark.index_alike or ()
        kept = {*files_alike, *index_alike}
        await self._set_entries({path: self._changes[path].old for path in files_alike})
        await self._swap_index(await self._tree_with_old(kept), self._mark.old)

    def stuck(self, edits: CheckoutInTheWay) -> Broken:
        """The error for a checkout that could not be put back."""
        return Broken(
            f"The checkout {self._checkout.folder} is half way to {self._mark.new}, and cannot be put back because "
            f"these files were edited meanwhile: {edits}.",
            hint="Look at `git status` there.",
        )

    def _try_hold(self) -> bool:
        ours = self._checkout.git_dir / "index.bandstand-mark"
        self._mark.write(ours)
        try:
            self._checkout.lock.hardlink_to(ours)
        except FileExistsError:
            # Only one of us can be here, so a mark that is already there belongs to one who is dead.
            if Mark.read(self._checkout.lock) is None:
                ours.unlink()
                return False
            ours.replace(self._checkout.lock)
        return True

    def _clean(self) -> None:
        for file in self._checkout.git_dir.glob("index.bandstand*"):
            file.unlink(missing_ok=True)

    def _write_mark(self) -> None:
        ours = self._checkout.git_dir / "index.bandstand-mark"
        self._mark.write(ours)
        ours.replace(self._checkout.lock)

    async def _prepare_scratch(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Copy the index, give it NEW's entry wherever the file already is NEW's, and tell where.

        The second list are the paths whose entry was NEW's before. Raises `CheckoutInTheWay`.
        """
        self._clean()
        # With its times: by these git knows which entries it cannot trust without reading the file.
        await asyncio.to_thread(shutil.copy2, self._checkout.index, self._scratch)
        await self._run("update-index", "-q", "--refresh", ok=(0, 1))
        view = await self._view()
        if view.candidates:
            await self._set_entries({path: self._changes[path].new for path in view.candidates})
            await self._run("update-index", "-q", "--refresh", ok=(0, 1))
            folder, edited = self._checkout.folder, await self._edited()
            left = {path for path in view.candidates if self._changes[path].is_left(folder / path)}
            view.blocked.update(left, view.candidates & edited)
        if view.blocked:
            raise CheckoutInTheWay(tuple(sorted(view.blocked)), self._checkout.folder)
        return tuple(sorted(view.candidates)), tuple(sorted(view.alike))

    async def _view(self) -> "View":
        entries, unmerged = await self._entries()
        if unmerged:
            raise CheckoutInTheWay(
                tuple(sorted(unmerged)), self._checkout.folder, reason="A merge there has conflicts to be settled"
            )
        view = View(self._checkout.folder, entries, self._changes)
        view.compare(await self._edited())
        return view

    async def _entries(self) -> tuple[dict[str, Entry], set[str]]:
        said = await self._run("ls-files", "-z", "--stage")
        entries, unmerged = {}, set()
        for record in said.names:
            facts, _, path = record.partition("\t")
            mode, blob, stage = facts.split(" ")
            if stage == "0":
                entries[path] = Entry(mode=mode, blob=blob)
            else:
                unmerged.add(path)
        return entries, unmerged

    async def _edited(self) -> set[str]:
        """The paths where the files differ from our copy of the index."""
        said = await self._run("diff-files", "-z", "--name-only", "--ignore-submodules=all")
        return set(said.names)

    async def _set_entries(self, entries: dict[str, Entry | None]) -> None:
        if entries:
            await self._run("update-index", "-z", "--index-info", stdin=_index_info(entries, like=self._mark.new))

    async def _tree_with_old(self, kept: set[str]) -> str:
        """NEW's tree, but with OLD's entries at the paths that must not be touched."""
        if not kept:
            return self._mark.new
        index = self._checkout.git_dir / "index.bandstand-tree"
        entries = _index_info({path: self._changes[path].old for path in kept}, like=self._mark.new)
        await self._run("read-tree", self._mark.new, index=index)
        await self._run("update-index", "-z", "--index-info", stdin=entries, index=index)
        return (await self._run("write-tree", index=index)).text

    async def _swap_index(self, old: str, new: str) -> None:
        fault("checkout.files.before")
        said = await self._run("read-tree", "-m", "-u", old, new, ok=(0, 128))
        if said.code != 0:
            raise self._in_the_way(said)
        fault("checkout.files.after")
        fault("checkout.index.before")
        self._scratch.replace(self._checkout.index)
        fault("checkout.index.after")

    def _in_the_way(self, said: Output) -> Exception:
        """What `read-tree` refused: files that it names, or a fault of another kind."""
        paths = tuple(sorted({found[1] for found in _REFUSED.finditer(said.complaint)}))
        if paths:
            return CheckoutInTheWay(paths, self._checkout.folder)
        return failure(self._git.command("read-tree", at=self._checkout.folder), said)

    async def _run(
        self, *argv: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,), index: Path | None = None
    ) -> Output:
        extra = {"GIT_INDEX_FILE": str(index or self._scratch)}
        # A git that outlives us keeps the lock of all landings, so that nobody clears up under its hands.
        fds = (self._descriptor,)
        return await self._git.run(*argv, at=self._checkout.folder, stdin=stdin, extra=extra, ok=ok, pass_fds=fds)


class View:
    """How a checkout's index and files stand to a change: paths in the way, paths to look at closely, paths done."""

    def __init__(self, folder: Path, entries: dict[str, Entry], changes: dict[str, PathChange]) -> None:
        self._folder = folder
        self._entries = entries
        self._changes = changes
        self.blocked: set[str] = set()
        self.candidates: set[str] = set()
        self.alike: set[str] = set()

    def compare(self, edited: set[str]) -> None:
        """Sort every changed path. `edited` are those whose file is not as the index says."""
        for path, change in self._changes.items():
            entry = self._entries.get(path)
            if entry == change.new:
                self.alike.add(path)
            elif entry != change.old:
                self.blocked.add(path)
            elif entry is None:
                self._look_at_occupants(path)
            elif path in edited and _GITLINK not in (entry.mode, change.new and change.new.mode):
                self.candidates.add(path)

    def _look_at_occupants(self, path: str) -> None:
        """A path that NEW adds: is something there that git does not know?"""
        parts = path.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            place = self._folder / parent
            if place.is_symlink() or place.is_file():
                if not self._goes(parent):
                    self.blocked.add(parent)
                return
        place = self._folder / path
        if place.is_dir() and not place.is_symlink():
            self.blocked.update(one for one in self._files_below(place) if not self._goes(one))
        elif os.path.lexists(place):
            self.candidates.add(path)

    def _goes(self, path: str) -> bool:
        """Whether NEW removes a path that the index has."""
        return path in self._entries and path in self._changes and self._changes[path].new is None

    def _files_below(self, folder: Path) -> list[str]:
        found = []
        for where, folders, files in os.walk(folder):
            links = [name for name in folders if (Path(where) / name).is_symlink()]
            found += [(Path(where) / name).relative_to(self._folder).as_posix() for name in (*files, *links)]
        return found


def _index_info(entries: dict[str, Entry | None], *, like: str) -> bytes:
    """Entries as git takes them; ids of nothing are as long as `like`."""
    lines = []
    for path, entry in entries.items():
        mode, blob = (entry.mode, entry.blob) if entry else ("0", "0" * len(like))
        lines.append(f"{mode} {blob} 0\t{path}")
    return b"".join(os.fsencode(line) + b"\0" for line in lines)
