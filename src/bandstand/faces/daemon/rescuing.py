"""Rescues: what was kept of work that did not land, as operations."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

from bandstand.domain.errors import Refused
from bandstand.domain.ids import TaskId
from bandstand.faces.wire import Json
from bandstand.faces.wire.plain import plain
from bandstand.services.desk import Desk

Args = Mapping[str, Json]


async def all_rescues(desk: Desk, _args: Args) -> Json:
    """Every rescue, the newest first."""
    return {"rescues": plain(await desk.rescuing.all())}


async def show(desk: Desk, args: Args) -> Json:
    """One rescue with its content."""
    content = plain(await desk.rescuing.show(_task(args), _number(args)))
    listings = [{"archive": name, "names": names} for name, names in content["listings"]]
    return {**content, "listings": listings}


async def restoring(desk: Desk, args: Args) -> AsyncIterator[Json]:
    """The same as `restore`, for callers that wait as long as it takes."""
    yield await restore(desk, args)


async def restore(desk: Desk, args: Args) -> Json:
    """What was kept in a new branch, or with all that git ignored in a new folder."""
    task, folder, branch = _task(args), str(args.get("folder") or ""), str(args.get("branch") or "")
    if folder and branch:
        raise Refused("A rescue goes to a branch or to a folder.", hint="Give the order twice for both.")
    told: dict[str, Json] = {"task": task, "branch": "", "folder": "", "files": 0, "notes": [], "archives": 0}
    if folder:
        if not Path(folder).is_absolute() or "\0" in folder:
            raise Refused("The path of a folder begins with /.")
        restored = await desk.rescuing.to_folder(task, _number(args), Path(folder))
        return {**told, "folder": folder, **plain(restored)}
    name = await desk.rescuing.to_branch(task, _number(args), branch)
    archives = (await desk.rescuing.show(task)).view.rescue.archives
    return {**told, "branch": name, "archives": len(archives)}


async def prune(desk: Desk, args: Args) -> Json:
    """Give up rescues: those of which everything is kept elsewhere, and the others only with `yes`."""
    tasks = args.get("tasks") or []
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        raise Refused("The tasks of an operation are a list of ids.")
    days = args.get("older_than_days")
    if days is not None and (not isinstance(days, int) or days < 0):
        raise Refused("The age of rescues is a number of days.")
    older = None if days is None else timedelta(days=days)
    chosen = await desk.rescuing.chosen([TaskId(task) for task in tasks], older)
    if not args.get("dry_run"):
        lossy = frozenset(one.view.task for one in chosen) if args.get("yes") else frozenset()
        chosen = await desk.rescuing.give_up(chosen, by=str(args.get("by") or "you"), lossy=lossy)
    return {"rescues": plain(chosen), "dry_run": bool(args.get("dry_run"))}


def _task(args: Args) -> TaskId:
    task = args.get("task")
    if not isinstance(task, str) or not task:
        raise Refused("The operation does not say which task.")
    return TaskId(task)


def _number(args: Args) -> int | None:
    number = args.get("number")
    if number is not None and not isinstance(number, int):
        raise Refused("A rescue of a task is named by a number.")
    return number
