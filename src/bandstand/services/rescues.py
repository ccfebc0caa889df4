"""Rescues: what was kept of work that did not land, looked at, restored, and given up when somebody says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bandstand.domain import events as e
from bandstand.domain.change import Change
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import TaskId
from bandstand.ports.git import Repository
from bandstand.ports.rescues import Rescue, RescueRef, Rescues, Restored
from bandstand.services.fleet import Fleet

MOST_NAMES = 200
"""How many names of an archive are listed."""

BRANCH_PLACE = "rescued/"
"""Where a branch is made that nobody has named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueView:
    """A rescue in a list: `why` it came to be, in words, and where each part of it is."""

    task: TaskId
    title: str
    why: str
    at: datetime
    bytes: int
    rescue: Rescue


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueContent:
    """One rescue, whole: what one of its refs adds to the target, and what the archives list."""

    view: RescueView
    ref: RescueRef | None
    change: Change | None
    patch: str
    listings: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """What became, or would become, of a rescue that is to be given up.

    `nowhere_else` are the files and archives that nothing else keeps: with them it goes only for a yes.
    """

    view: RescueView
    gone: bool
    nowhere_else: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescuing:
    """The rescues of one repository."""

    fleet: Fleet
    repository: Repository
    rescues: Rescues

    async def all(self) -> tuple[RescueView, ...]:
        """Every rescue, the newest first."""
        views = [await self._view(one) for one in await self.rescues.all()]
        return tuple(sorted(views, key=lambda one: one.at, reverse=True))

    async def show(self, task: TaskId, number: int | None = None) -> RescueContent:
        """One rescue with its content: of the ref with that number, else of the newest. Raises `Unknown`."""
        rescue = await self._find(task)
        ref = _ref(rescue, number)
        change, patch = None, ""
        if ref is not None:
            base = await self.repository.tip(await self._target())
            change = await self.repository.change(base=base, head=ref.commit)
            patch = await self.repository.diff(base=base, head=ref.commit)
        listings = [(one.name, await self.rescues.listing(one, most=MOST_NAMES + 1)) for one in rescue.archives]
        return RescueContent(
            view=await self._view(rescue), ref=ref, change=change, patch=patch, listings=tuple(listings)
        )

    async def to_branch(self, task: TaskId, number: int | None, branch: str) -> str:
        """A new branch at what was kept; its name. Raises `Unknown`, and `Refused` if there is nothing for a branch."""
        ref = _ref(await self._find(task), number)
        if ref is None:
            raise Refused(
                f"Of {task} there are only archives.", hint=f"Unpack them: band rescue restore {task} --to FOLDER"
            )
        name = branch or f"{BRANCH_PLACE}{task}"
        await self.rescues.to_branch(ref, name)
        return name

    async def to_folder(self, task: TaskId, number: int | None, folder: Path) -> Restored:
        """A new folder with everything that was kept. Raises `Unknown`, and what the port does."""
        rescue = await self._find(task)
        return await self.rescues.to_folder(rescue, _ref(rescue, number), folder)

    async def chosen(self, tasks: Sequence[TaskId], older_than: timedelta | None) -> tuple[GivenUp, ...]:
        """What would be given up: those that are named, and those that are older. Raises `Unknown`, and `Refused` for
        a task that has not ended.
        """
        if not tasks and older_than is None:
            raise Refused("Say which rescues to give up.", hint="Name tasks, or say how old: --older-than DAYS")
        named = [await self._find(task) for task in tasks]
        now = self.fleet.clock.now()
        old = [one for one in await self.rescues.all() if older_than is not None and now - one.at >= older_than]
        found: dict[TaskId, Rescue] = {one.task: one for one in (*named, *old)}
        for task in [*found]:
            if task in self.fleet.state.tasks:
                if task in tasks:
                    raise Refused(f"{task} has not ended yet.", hint="A workspace is still being cleared away.")
                del found[task]
        chosen = []
        for one in found.values():
            left = await self.rescues.only_there(one)
            chosen.append(GivenUp(view=await self._view(one), gone=False, nowhere_else=left))
        return tuple(chosen)

    async def of(self, task: TaskId) -> tuple[GivenUp, ...]:
        """The rescue of an ended task, if there is one, with what of it is nowhere else."""
        kept = any(one.task == task for one in await self.rescues.all())
        return await self.chosen([task], None) if kept else ()

    async def give_up(self, chosen: Sequence[GivenUp], *, by: str, lossy: frozenset[TaskId]) -> tuple[GivenUp, ...]:
        """Give up what was chosen: all of which everything is kept elsewhere, and of the others those in `lossy`.

        That it is given up is recorded before anything goes.
        """
        done = []
        for one in chosen:
            rescue = one.view.rescue
            # What was elsewhere a moment ago may have gone since, with another rescue that was given up just now.
            left = await self.rescues.only_there(rescue)
            gone = not left or one.view.task in lossy
            if gone:
                await self._record(rescue, nowhere_else=len(left), by=by)
                await self.rescues.drop(rescue)
            done.append(replace(one, gone=gone, nowhere_else=left))
        return tuple(done)

    async def _record(self, rescue: Rescue, *, nowhere_else: int, by: str) -> None:
        """Record it, unless that was done already and only what follows broke off."""
        if await self._is_recorded(rescue):
            return
        given_up = e.RescueGivenUp(
            task=rescue.task,
            refs=tuple(ref.ref for ref in rescue.refs),
            archives=tuple(archive.name for archive in rescue.archives),
            nowhere_else=nowhere_else,
            by=by,
        )
        await self.fleet.record(lambda _: [given_up])

    async def _is_recorded(self, rescue: Rescue) -> bool:
        refs, archives = {one.ref for one in rescue.refs}, {one.name for one in rescue.archives}
        async for fact in self.fleet.facts(rescue.task):
            match fact.event:
                case e.RescueGivenUp(refs=given, archives=packed) if refs <= {*given} and archives <= {*packed}:
                    return True
                case _:
                    continue
        return False

    async def _find(self, task: TaskId) -> Rescue:
        for one in await self.rescues.all():
            if one.task == task:
                return one
        raise Unknown(f"Nothing is kept of {task!r}.", hint="`band rescue list` shows what is.")

    async def _target(self) -> str:
        policy = self.fleet.state.policy
        return policy.target if policy is not None else await self.repository.default_branch()

    async def _view(self, rescue: Rescue) -> RescueView:
        title, why = await self._why(rescue.task)
        return RescueView(task=rescue.task, title=title, why=why, at=rescue.at, bytes=rescue.bytes, rescue=rescue)

    async def _why(self, task: TaskId) -> tuple[str, str]:
        if task in self.fleet.state.tasks:
            return self.fleet.state.tasks[task].spec.title, "its workspace is being cleared away"
        if task not in self.fleet.state.past:
            return "", "no task of this name is known"
        (past,) = await self.fleet.past(limit=1, only=[task])
        if past.landed is not None:
            return past.title, "it landed; this was left beside it"
        return past.title, f"it was cancelled{': ' if past.reason else ''}{past.reason}"


def _ref(rescue: Rescue, number: int | None) -> RescueRef | None:
    """The ref of that number, or the newest. Raises `Unknown` for a number that is none."""
    if number is None:
        return rescue.refs[-1] if rescue.refs else None
    for one in rescue.refs:
        if one.number == number:
            return one
    there = ", ".join(str(one.number) for one in rescue.refs) or "none"
    raise Unknown(f"There is no rescue {number} of {rescue.task}.", hint=f"There are: {there}.")
