"""Moving a branch of the user's repository, and the files of every checkout of it, as one recoverable step.

    hold     every checkout of the branch is locked against the user's own git (`index.lock`, with our mark in it)
    look     in all of them: does anything of the user's stand in the way? Nothing is changed yet
    move     in each: `git read-tree -m -u OLD NEW` on a copy of the index, which then takes the index's place
    swing    the branch by compare-and-swap
    let go

Until the swing, every failure puts the checkouts back; one that cannot be put back, since the disk is full, say, stays
locked. After that, as after a crash, the mark tells the next one who comes what to put back, or, if the branch had
already moved, that all is done. One at a time may be here, which a lock on the shared git dir sees to; git processes
that outlive us hold it as long as they run.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bandstand.adapters.git import loose
from bandstand.adapters.git.checkout import Checkout, CheckoutMove, Entry, Mark, PathChange
from bandstand.adapters.git.store import Store
from bandstand.domain.errors import BandstandError, Refused, Unavailable
from bandstand.domain.ids import CommitId
from bandstand.faults import fault
from bandstand.ports.git import CheckoutInTheWay, TargetMoved

PATIENCE = 400  # times
_PAUSE_SECONDS = 0.05
_UNDER_WAY = {
    "MERGE_HEAD": "A merge is under way",
    "CHERRY_PICK_HEAD": "A cherry-pick is under way",
    "REVERT_HEAD": "A revert is under way",
    "rebase-apply": "Patches are being applied",
}


class Landing:
    """Moves branches of one repository."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[int]:
        """While it lasts nobody else moves branches here, and nothing is left of one who crashed doing so.

        Gives the lock's descriptor, for processes that must hold it if we die. Raises `Unavailable` if it is not free
        in time.
        """
        async with self._lock:
            descriptor = os.open(self._store.git_dir, os.O_RDONLY | os.O_DIRECTORY)
            try:
                await _locked(descriptor, self._store.git_dir)
                await self._clear_up(descriptor)
                yield descriptor
            finally:
                os.close(descriptor)

    async def move(self, branch: str, *, old: CommitId | None, new: CommitId, alone: int) -> None:
        """Move a branch that is at `old`, or is not there, to `new`. A cancelled caller waits for the end of it.

        Raises `CheckoutInTheWay` or `TargetMoved`; in both cases nothing was changed.
        """
        work = asyncio.ensure_future(self._move(branch, old, new, alone))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            work.exception()
            raise

    async def _move(self, branch: str, old: CommitId | None, new: CommitId, alone: int) -> None:
        await self._require_a_real_branch(branch)
        moves = [] if old is None else await self._moves(branch, old, new, alone)
        try:
            for move in moves:
                await move.hold()
            for move in moves:
                await move.look()
            for move in moves:
                await move.apply()
            await self._swing(branch, old, new, alone)
        except (BandstandError, CheckoutInTheWay, TargetMoved, OSError):
            for move in reversed(moves):
                await _put_back(move)
            raise
        finally:
            for move in moves:
                move.let_go()

    async def _require_a_real_branch(self, branch: str) -> None:
        ref, git_dir = f"refs/heads/{branch}", self._store.git_dir
        if loose.ref(git_dir, ref) is not None or loose.is_absent(git_dir, ref):
            return
        alias = await self._store.run("symbolic-ref", "--quiet", f"refs/heads/{branch}", ok=(0, 1, 128))
        if alias.code == 0:
            raise Refused(f"Branch {branch} is another name of {alias.text}.", hint="Name that branch.")

    async def _swing(self, branch: str, old: CommitId | None, new: CommitId, alone: int) -> None:
        ref = f"refs/heads/{branch}"
        try:
            if old is None:
                await self._store.create(ref, new, why="publish", pass_fds=(alone,))
            else:
                fault("landing.move.before")
                await self._store.point(ref, new, old=old, why="land", pass_fds=(alone,))
                fault("landing.move.after")
        except (BandstandError, OSError):
            there = await self._store.resolve(ref)
            if there == old:
                raise
            if there != new:
                raise TargetMoved from None
            # Git failed behind the deed, and the deed is done.

    async def _moves(self, branch: str, old: CommitId, new: CommitId, alone: int) -> list[CheckoutMove]:
        """One for each checkout that has files to move."""
        changes = await self._changes(old, new)
        mark = Mark(branch=branch, old=old, new=new)
        checkouts = await self._checkouts(branch)
        for checkout in checkouts:
            _require_quiet(checkout, branch)
        shown = [one for one in checkouts if one.branch == f"refs/heads/{branch}" and one.index.exists()]
        return [CheckoutMove(self._store.git, one, mark, changes, alone) for one in shown] if changes else []

    async def _changes(self, old: CommitId, new: CommitId) -> dict[str, PathChange]:
        said = await self._store.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new)
        fields = said.out.split(b"\0")
        found = {}
        for record, path in zip(fields[0:-1:2], fields[1::2], strict=True):
            was, now, was_blob, now_blob, _ = record[1:].decode().split(" ")
            name = os.fsdecode(path)
            found[name] = PathChange(old=Entry.of(was, was_blob), new=Entry.of(now, now_blob))
        return found

    async def _checkouts(self, branch: str | None = None) -> list[Checkout]:
        """The checkouts that are there, those of other branches aside if one is named. Bare ones have no files."""
        said = await self._store.run("worktree", "list", "--porcelain", "-z")
        found = []
        for record in said.text.split("\0\0"):
            facts = dict(line.partition(" ")[::2] for line in record.split("\0") if line)
            folder = Path(facts.get("worktree", ""))
            wanted = branch is None or "detached" in facts or facts.get("branch") == f"refs/heads/{branch}"
            if wanted and facts and "bare" not in facts and _is_folder(folder):
                where = await self._store.git.run("rev-parse", "--absolute-git-dir", at=folder)
                found.append(Checkout(folder=folder, git_dir=Path(where.text), branch=facts.get("branch", "")))
        return found

    async def _clear_up(self, alone: int) -> None:
        """Put back what one left who crashed before the branch moved; take away his marks."""
        git_dir = self._store.git_dir
        marked = [file for file in (git_dir / "index.lock", *git_dir.glob("worktrees/*/index.lock")) if Mark.read(file)]
        if not marked:
            return
        for checkout in await self._checkouts():
            mark = Mark.read(checkout.lock)
            if mark is not None:
                changes = await self._changes(mark.old, mark.new)
                move = CheckoutMove(self._store.git, checkout, mark, changes, alone)
                await self._recover(move, mark)

    async def _recover(self, move: CheckoutMove, mark: Mark) -> None:
        await move.hold()
        try:
            if await self._store.resolve(f"refs/heads/{mark.branch}") == mark.old:
                await move.undo()
        except CheckoutInTheWay:
            pass  # The user went on from there; what is staged is seen by whoever lands next.
        finally:
            move.let_go()


async def _put_back(move: CheckoutMove) -> None:
    try:
        await move.undo()
    except CheckoutInTheWay as edits:
        raise move.stuck(edits) from edits


async def _locked(descriptor: int, folder: Path) -> None:
    for _ in range(PATIENCE):
        if _try_lock(descriptor):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Unavailable(f"Somebody else is landing in {folder}.")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _require_quiet(checkout: Checkout, branch: str) -> None:
    """Raise `CheckoutInTheWay` while the user is in the middle of something that ends by moving the branch."""
    for name in ("rebase-merge", "rebase-apply"):
        head = checkout.git_dir / name / "head-name"
        if head.exists() and head.read_text().strip() == f"refs/heads/{branch}":
            raise CheckoutInTheWay((), checkout.folder, reason=f"A rebase of {branch} is under way")
    for name, reason in _UNDER_WAY.items():
        if checkout.branch and (checkout.git_dir / name).exists():
            raise CheckoutInTheWay((), checkout.folder, reason=reason)


def _is_folder(path: Path) -> bool:
    return path.is_dir()
