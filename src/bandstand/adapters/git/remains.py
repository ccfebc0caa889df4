"""What is left of workspaces that are gone: folders, refs, archives, packs, and branches of what has landed.

    .<name>.new  .<name>.gone       half made: nobody was ever let in; half removed: what it held was kept before
    check.…  review-….              throw-away checkouts that no check and no review uses
    <name>                          a workspace whose task is over; it is retired, so what has not landed is kept first
    archive.d/.….making             an archive that was not finished
    refs of the vault, pins         of names that have no workspace
    refs/heads/band/<task>          whose every file is in the target, in all the versions that the branch ever had

A name is locked while something of it is removed, and looked at once more behind the lock.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bandstand.adapters.git.abandoned import disk_usage
from bandstand.adapters.git.layout import ARCHIVE, VAULT, Layout
from bandstand.adapters.git.proofs import Proof, Proofs
from bandstand.adapters.git.repository import GitRepository
from bandstand.adapters.git.retiring import destroy
from bandstand.adapters.git.snapshots import shown_place
from bandstand.adapters.git.store import Store
from bandstand.adapters.git.vault import SORTS
from bandstand.adapters.git.workspaces import GitWorkspaces, pin
from bandstand.domain.ids import TaskId
from bandstand.domain.remains import RemainsKind, Remnant, archived_task, checkout_task, ended, is_wanted
from bandstand.faults import fault
from bandstand.ports.remains import Known

PINS = "refs/bandstand/pins/"
BRANCHES = "refs/heads/band/"
SHOWN = "refs/bandstand/shown/"
_HALF = re.compile(r"\.(.+)\.(new|gone)")
_MAKING_VAULT = re.compile(re.escape(f".{VAULT}.new-") + ".+")
_MAKING = re.compile(r"\.(.+)\.making")
_HALVES = {
    re.compile(r"\..+\.new"): "half made: nobody was ever let in",
    re.compile(r"\..+\.gone"): "half removed: what it held was kept",
    _MAKING_VAULT: "half made: nothing was ever kept there",
}
_FEW_PACKS = 8


class GitRemains:
    """The remains of the workspaces of one repository."""

    def __init__(self, repository: GitRepository, workspaces: GitWorkspaces) -> None:
        self._repository = repository
        self._workspaces = workspaces
        self._vault = workspaces.vault
        self._root = workspaces.root
        self._proofs = Proofs(repository, workspaces.vault)

    async def find(self, known: Known) -> tuple[Remnant, ...]:
        """What may go. A workspace that is being made or removed this moment is none."""
        folders = await asyncio.to_thread(lambda: [*self._folders(known)])
        found = [
            replace(one, proof=await self._about(one, known))
            for one in folders
            if not self._workspaces.lock(_owner(one.name)).locked()
        ]
        found += [one async for one in self._checkpoints(known)]
        found += [one async for one in self._pins(known)]
        found += [one async for one in self._branches(known)]
        return (*found, *await self._packs())

    async def _about(self, remnant: Remnant, known: Known) -> Proof:
        """The proof for a folder or a file."""
        name, owner = remnant.name, _owner(remnant.name)
        if remnant.kind is RemainsKind.CHECKOUT:
            task = checkout_task(name)
            last = known.state.tasks[task].checks if task in known.state.tasks else None
            return (
                f"the last check of {task} is {task}.{last}, another one" if last else f"{task} is over",
                "nobody's work is in it",
            )
        if name.endswith(".gone"):
            return (
                *await self._proofs.rescued(TaskId(owner)),
                "its name was taken from it behind all that was to be kept",
            )
        if name.startswith("."):
            return ("it never got the name by which it would be used",)
        return (
            ended(known.state, TaskId(name)),
            "it goes only behind a rescue that was read back, or if none is needed",
        )

    async def clear(self, remnant: Remnant, known: Known) -> bool:
        """Remove one thing, if it still may go."""
        name = remnant.name
        match remnant.kind:
            case RemainsKind.PACKS:
                return await self._vault.tidy()
            case RemainsKind.BRANCH:
                return await self._drop_branch(name, known)
            case RemainsKind.WORKSPACE | RemainsKind.CHECKOUT if not name.startswith("."):
                return await self._clear_whole(remnant, known)
            case _:
                async with self._workspaces.lock(_owner(name)):
                    return await self._clear_locked(remnant, known)

    async def _clear_whole(self, remnant: Remnant, known: Known) -> bool:
        """Retire a workspace whose task is over, or discard a checkout that nobody uses."""
        name = remnant.name
        if not await self._still(self._root / name, remnant, known):
            return False
        if "." in name:
            await self._workspaces.discard(name)
        else:
            await self._workspaces.retire(name, landed=known.state.past[TaskId(name)])
        return True

    async def _clear_locked(self, remnant: Remnant, known: Known) -> bool:
        name = remnant.name
        match remnant.kind:
            case RemainsKind.WORKSPACE:
                folder = self._root / (f"{ARCHIVE}/{name}" if _MAKING.fullmatch(name) else name)
                if there := await self._still(folder, remnant, known):
                    fault("remains.destroy.before")
                    await destroy(folder)
                    fault("remains.destroy.after")
                return there
            case RemainsKind.CHECKPOINTS:
                if there := self._is_free(name, known) and await self._proved(name, known) is not None:
                    await self._vault.forget(name)
                    await self._unpin(name)
                return there
            case RemainsKind.PIN:
                if not self._is_free(name, known) or await self._kept_names(name):
                    return False
                return await self._unpin(name)
            case _:
                return False

    async def _unpin(self, name: str) -> bool:
        store = self._repository.store
        refs = [pin(name), *await store.refs(shown_place(name))]
        there = [ref for ref in refs if await store.resolve(ref) is not None]
        await store.drop(*there)
        return bool(there)

    def _folders(self, known: Known) -> Iterator[Remnant]:
        for path in (*_entries(self._root), *_entries(self._root / ARCHIVE)):
            if (found := self._standing(path, known)) is not None:
                kind, why = found
                yield Remnant(kind=kind, name=path.name, why=why, bytes=disk_usage(path))

    def _standing(self, path: Path, known: Known) -> tuple[RemainsKind, str] | None:
        """What one folder or file is a remnant of, and why it may go; `None` if it may not."""
        if path.parent == self._root and not path.name.startswith("."):
            return self._whole(path, known)
        broken_off = _HALVES if path.parent == self._root else {_MAKING: "an archive that broke off"}
        for pattern, why in broken_off.items():
            if pattern.fullmatch(path.name):
                return RemainsKind.WORKSPACE, why
        return None

    def _whole(self, path: Path, known: Known) -> tuple[RemainsKind, str] | None:
        if path.name in (VAULT, ARCHIVE):
            return None
        if "." in path.name:
            unused = "no check and no review uses it"
            return None if is_wanted(known.state, path.name) else (RemainsKind.CHECKOUT, unused)
        if (why := ended(known.state, TaskId(path.name))) and Layout(folder=path).facts.exists():
            return RemainsKind.WORKSPACE, f"{why}; what is nowhere else is rescued first"
        return None

    async def _still(self, path: Path, remnant: Remnant, known: Known) -> bool:
        """Whether one folder or file is still there, and what it was found to be: no other one is looked at."""
        if not await asyncio.to_thread(os.path.lexists, path):
            return False
        found = await asyncio.to_thread(self._standing, path, known)
        return found is not None and found[0] is remnant.kind

    def _is_free(self, name: str, known: Known) -> bool:
        """Whether nothing stands under a name, and nothing will."""
        layout = Layout(folder=self._root / name)
        there = (layout.folder, *(layout.folder.with_name(f".{name}.{half}") for half in ("new", "gone")))
        over = ended(known.state, TaskId(name)) if "." not in name else not is_wanted(known.state, name)
        return bool(over) and not any(path.exists() for path in there)

    async def _kept_names(self, name: str = "") -> set[str]:
        """The names of which the vault has something, all or one."""
        return {ref.split("/")[2] for ref in await self._kept_refs(name)}

    async def _kept_refs(self, name: str = "") -> list[str]:
        """The refs of the vault, all or those of one name."""
        if not (self._root / VAULT).exists():
            return []
        refs = await self._vault.store.refs(*(f"refs/{sort}/{name}{'/' if name else ''}" for sort in SORTS))
        return sorted(refs)

    async def _proved(self, name: str, known: Known) -> Proof | None:
        """That what the vault has of a name may go; `None` if it has nothing, or that is nowhere else."""
        refs = await self._kept_refs(name)
        if not refs:
            return None
        if "." in name:
            return (f"it is of a throw-away checkout, which no check and no review of {_task(name)} uses",)
        return await self._proofs.checkpoints(name, refs, known.state)

    async def _checkpoints(self, known: Known) -> AsyncIterator[Remnant]:
        for name in sorted(await self._kept_names()):
            if self._is_free(name, known) and (proof := await self._proved(name, known)) is not None:
                why = f"{ended(known.state, _task(name))}, and what was nowhere else was rescued with its workspace"
                yield Remnant(kind=RemainsKind.CHECKPOINTS, name=name, why=why, proof=proof)

    async def _pins(self, known: Known) -> AsyncIterator[Remnant]:
        refs = await self._repository.store.refs(PINS, SHOWN)
        names = {ref.removeprefix(PINS).removeprefix(SHOWN).partition("/")[0] for ref in refs}
        for name in sorted(names - await self._kept_names()):
            if self._is_free(name, known):
                why = "no workspace borrows these commits any more"
                proof = (
                    f"no folder is called {name}, none is half made or half removed",
                    "the vault has nothing of it",
                )
                yield Remnant(kind=RemainsKind.PIN, name=name, why=why, proof=proof)

    async def _branches(self, known: Known, only: str = "") -> AsyncIterator[Remnant]:
        """The branches that may go; with `only`, none but that one is looked at."""
        state = known.state
        refs = await self._repository.store.refs(only or BRANCHES)
        landed = {ref for ref in refs if state.past.get(TaskId(ref.removeprefix(BRANCHES)))}
        if not landed or state.policy is None:
            return
        shown = await _checked_out(self._repository.store)
        target = f"refs/heads/{state.policy.target}"
        for ref in sorted(landed - shown):
            if (proof := await self._proofs.all_in(ref, target)) is not None:
                why = f"all that it ever held is in {state.policy.target}"
                yield Remnant(kind=RemainsKind.BRANCH, name=ref.removeprefix("refs/heads/"), why=why, proof=proof)

    async def _drop_branch(self, name: str, known: Known) -> bool:
        store, ref = self._repository.store, f"refs/heads/{name}"
        tip = await store.resolve(ref)
        if tip is None or name not in {one.name async for one in self._branches(known, only=ref)}:
            return False
        fault("remains.drop.before")
        await store.drop_at(ref, tip)
        fault("remains.drop.after")
        return True

    async def _packs(self) -> tuple[Remnant, ...]:
        if not (self._root / VAULT).exists():
            return ()
        if not await self._kept_names():
            size = await asyncio.to_thread(disk_usage, self._root / VAULT / "objects")
            why = "no checkpoint is kept that needs them"
            empty = not await asyncio.to_thread(self._vault.has_objects)
            proof = ("there is no ref in the vault, and what is a day old is named by nobody",)
            return () if empty else (Remnant(kind=RemainsKind.PACKS, name=VAULT, why=why, bytes=size, proof=proof),)
        packs = await asyncio.to_thread(self._vault.packs)
        why = f"{len(packs)} packs are put into one"
        proof = ("git keeps all that a ref of the vault reaches",)
        return (Remnant(kind=RemainsKind.PACKS, name=VAULT, why=why, proof=proof),) if len(packs) > _FEW_PACKS else ()


async def _checked_out(store: Store) -> set[str]:
    said = await store.run("worktree", "list", "--porcelain", "-z")
    return {line.removeprefix("branch ") for line in said.text.split("\0") if line.startswith("branch ")}


def _task(name: str) -> TaskId:
    """The task that a workspace is of, a throw-away one too."""
    return checkout_task(name) if "." in name else TaskId(name)


def _owner(name: str) -> str:
    """Under whose lock a thing is removed."""
    if half := _HALF.fullmatch(name):
        return half[1]
    if making := _MAKING.fullmatch(name):
        return archived_task(making[1])
    return name


def _entries(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder.iterdir())
    return []
