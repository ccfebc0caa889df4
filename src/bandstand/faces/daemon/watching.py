"""Watching tasks to their end: facts and agent updates as items for a live view."""

from collections.abc import AsyncIterator, Collection

from bandstand.domain import events as e
from bandstand.domain.ids import TaskId
from bandstand.faces.text import GLYPHS, doing, told
from bandstand.faces.wire import Json, plain
from bandstand.ports.log import Recorded
from bandstand.services.desk import Desk
from bandstand.services.fleet import Told


async def watch(desk: Desk, tasks: Collection[TaskId], *, after: int | None = None) -> AsyncIterator[Json]:
    """Items until every one of `tasks` has ended and its workspace is gone: the state first, then what happens.

    Kinds of items: `state` (rows and open asks), `line` (a sentence), `doing` (what an agent does now), `fact`. With
    `after` all that happened since that version comes again; `again` in an item says how to ask for what follows it.
    """
    async with desk.fleet.watch() as notices:
        seen = desk.fleet.state.version
        for item in await _past(desk, tasks, after) if after is not None else ():
            yield item
        yield {**_state(desk, tasks), "again": {"tasks": sorted(tasks), "after": seen}}
        if _over(desk, tasks):
            return
        async for notice in notices:
            for item in _told(tasks, notice) if isinstance(notice, Told) else _new(desk, tasks, notice, seen):
                yield item
            if _over(desk, tasks):
                return


async def _past(desk: Desk, tasks: Collection[TaskId], after: int) -> list[Json]:
    """What happened behind a version and before the watch began; its asks may have been answered since."""
    until = desk.fleet.state.version
    facts = [fact for fact in await desk.fleet.since(after) if fact.version <= until]
    return [{**_state(desk, tasks), "asks": []}, *(item for fact in facts for item in _fact(desk, tasks, fact))]


def _told(tasks: Collection[TaskId], told: Told) -> list[Json]:
    if told.task not in tasks or (words := doing(told.update)) is None:
        return []
    return [{"kind": "doing", "task": told.task, "run": told.run, "text": words}]


def _new(desk: Desk, tasks: Collection[TaskId], fact: Recorded, seen: int) -> list[Json]:
    items = _fact(desk, tasks, fact) if fact.version > seen else []
    return [*items, _state(desk, tasks)] if items else []


def _fact(desk: Desk, tasks: Collection[TaskId], fact: Recorded) -> list[Json]:
    line = told(fact.event, desk.fleet.state)
    # An ask that is gone is known no more: that it is may concern anybody.
    gone = isinstance(fact.event, e.AskWithdrawn | e.AskReminded)
    if not gone and _task_of(fact.event) not in tasks and (line is None or line.task not in tasks):
        return []
    items: list[Json] = [
        {
            "kind": "fact",
            "again": {"after": fact.version},
            "sequence": fact.sequence,
            "at": plain(fact.at),
            "type": type(fact.event).__name__,
            "event": plain(fact.event),
        }
    ]
    if line is not None:
        items.append(
            {
                "kind": "line",
                "at": plain(fact.at),
                "task": line.task,
                "mark": line.mark.value,
                "glyph": GLYPHS[line.mark],
                "text": line.text,
                "quiet": line.quiet,
            }
        )
    return items


def _task_of(event: e.Event) -> TaskId | None:
    match event:
        case e.TaskSubmitted(spec=spec):
            return spec.id
        case e.AskRaised(ask=ask):
            return ask.task
        case e.RunStarted(run=run):
            return run.task
        case _:
            return getattr(event, "task", None)


def _state(desk: Desk, tasks: Collection[TaskId]) -> Json:
    view = desk.views.list_tasks()
    rows = [row(plain(one)) for one in view.tasks if one.id in tasks]
    asks = [plain(ask) for ask in desk.views.list_asks() if ask.task in tasks]
    return {"kind": "state", "rows": rows, "asks": asks, "sandbox": view.sandbox, "walled": view.walled}


def row(one: Json) -> Json:
    """A task's row with its glyph."""
    return {**one, "glyph": GLYPHS[one["mark"]]}


def _over(desk: Desk, tasks: Collection[TaskId]) -> bool:
    known = desk.fleet.state.tasks
    return all(
        known[task].ended and known[task].run is None and known[task].review_run is None and known[task].retired
        for task in tasks
    )
