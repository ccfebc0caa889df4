"""What is kept, and what goes: operations on what is left of work that is over."""

from collections.abc import AsyncIterator, Mapping

from bandstand.bootstrap import Bandstand
from bandstand.domain.errors import Refused
from bandstand.domain.ids import RepositoryId, TaskId
from bandstand.faces.daemon import going_back
from bandstand.faces.wire import Json
from bandstand.faces.wire.plain import plain
from bandstand.services.desk import Desk
from bandstand.services.housekeeping import Cleared


async def find(desk: Desk, _args: Mapping[str, Json]) -> Json:
    """What would be cleared away, and why."""
    return _told([Cleared(remnant=one) for one in await desk.housekeeping.find()], cleared=False)


async def collect(desk: Desk, args: Mapping[str, Json]) -> Json:
    """Clear away what nobody needs; what went, and why."""
    by = str(args.get("by") or "you")
    return _told([one async for one in desk.housekeeping.collect(by=by)], cleared=True)


async def collecting(desk: Desk, args: Mapping[str, Json]) -> AsyncIterator[Json]:
    """The same, each thing as it goes. Whoever hangs up stops it."""
    async for one in desk.housekeeping.collect(by=str(args.get("by") or "you")):
        yield _row(one)


async def checkpoints(desk: Desk, args: Mapping[str, Json]) -> Json:
    """Every checkpoint of a task."""
    return plain(await desk.checkpointing.all(_task(args)))


async def checkpoint_patch(desk: Desk, args: Mapping[str, Json]) -> Json:
    """What one checkpoint changed since the one before."""
    return {"patch": await desk.checkpointing.patch(_task(args), going_back.number(args))}


async def purge(desk: Desk, args: Mapping[str, Json]) -> Json:
    """What is kept of one ended task goes; with `dry_run` it is only said."""
    task = _task(args)
    by = str(args.get("by") or "you")
    found = await (desk.purging.find(task) if args.get("dry_run") else desk.purging.purge(task, by=by))
    things = [f"{one.kind.value} {one.name}" for one in found.things]
    rescues = [f"rescue {one.view.task}" for one in found.rescues]
    return {"things": [*things, *rescues], "bytes": found.bytes}


def _task(args: Mapping[str, Json]) -> TaskId:
    task = args.get("task")
    if not isinstance(task, str) or not task:
        raise Refused("The operation does not say which task.")
    return TaskId(task)


async def abandoned(band: Bandstand, _args: Mapping[str, Json]) -> Json:
    """Repositories that are no longer where they were, and what is kept of them."""
    return {"things": [_row(Cleared(remnant=one)) for one in await band.abandoned.find()]}


async def abandon(band: Bandstand, args: Mapping[str, Json]) -> Json:
    """Remove what is kept of one of them."""
    return _row(Cleared(remnant=await band.abandoned.clear(RepositoryId(str(args.get("repository", ""))))))


def _told(things: list[Cleared], *, cleared: bool) -> Json:
    gone = [one.remnant.bytes for one in things if not one.trouble]
    return {"cleared": cleared, "things": [_row(one) for one in things], "bytes": sum(gone)}


def _row(one: Cleared) -> Json:
    return {**plain(one.remnant), "trouble": one.trouble}
