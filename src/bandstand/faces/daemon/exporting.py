"""What is known, as it is handed out: every fact of a repository, or of one task."""

from collections.abc import AsyncIterator, Mapping

from bandstand.domain.errors import Unknown
from bandstand.domain.ids import TaskId
from bandstand.domain.past import subject
from bandstand.faces.wire import Json
from bandstand.faces.wire.plain import plain
from bandstand.ports.log import Recorded
from bandstand.services.desk import Desk


async def facts(desk: Desk, args: Mapping[str, Json]) -> AsyncIterator[Json]:
    """Each fact, as the stream of events has them. Raises `Unknown` if there never was such a task."""
    task = args.get("task")
    state = desk.fleet.state
    if task is not None and task not in state.tasks and task not in state.past:
        raise Unknown(f"There is no task {task!r} here.", hint="`band ps --all` lists them.")
    async for fact in desk.fleet.facts(TaskId(str(task)) if task is not None else None):
        yield row(fact)


def row(fact: Recorded) -> Json:
    """One fact."""
    return {
        "sequence": fact.sequence,
        "repository": fact.repository,
        "version": fact.version,
        "at": plain(fact.at),
        "type": type(fact.event).__name__,
        "task": subject(fact.event),
        "event": plain(fact.event),
    }
