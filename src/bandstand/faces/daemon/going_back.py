"""Orders about checkpoints: one more is taken, a task goes back to one, a new task begins with one."""

from collections.abc import Mapping

from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName, TaskId, slug, task_id, unused
from bandstand.domain.steering import Live
from bandstand.domain.task import in_the_way
from bandstand.faces.wire import Json
from bandstand.services.desk import Desk
from bandstand.services.launching import find_profile

_EXAMPLE = "For example: docs@1"


def number(args: Mapping[str, Json]) -> int:
    """Which checkpoint is meant. Raises `Refused`."""
    given = args.get("number")
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 10:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise Refused("A checkpoint is named by its number.", hint=_EXAMPLE)
    return given


async def checkpoint(desk: Desk, args: Mapping[str, Json]) -> Json:
    """Keep the files of a task as they are now."""
    task = _task(args)
    return {"task": task, "number": await desk.checkpoint_orders.take(task, by=_by(args))}


async def rewind(desk: Desk, args: Mapping[str, Json]) -> Json:
    """Have a task go back to a checkpoint. `live` says what becomes of a turn that its agent is in."""
    task, to = _task(args), number(args)
    given = str(args.get("live") or Live.ASK.value)
    if given not in {one.value for one in Live}:
        raise Refused(f"{given!r} does not say what becomes of a turn.", hint="Say `wait` or `end`.")
    text = str(args.get("text") or "")
    await desk.checkpoint_orders.rewind(task, to, text=text, live=Live(given), by=_by(args))
    return {"task": task, "checkpoint": to}


async def fork(desk: Desk, args: Mapping[str, Json]) -> Json:
    """Have a new task begin with a checkpoint of another one; `text` is what more is wanted of it."""
    task, at = _task(args), number(args)
    new = await _new_id(desk, task, str(args.get("id") or ""))
    agent = str(args.get("agent") or "")
    if agent:
        policy = await desk.policies.current(await desk.policies.target())
        find_profile(await desk.policies.profiles(policy), AgentName(agent))
    words = str(args.get("text") or "")
    await desk.checkpoint_orders.fork(
        task, at, new, words=words, agent=AgentName(agent) if agent else None, by=_by(args)
    )
    return {"task": new, "from": task, "checkpoint": at}


async def _new_id(desk: Desk, task: TaskId, given: str) -> TaskId:
    """The id of the new task: one whose branch is free, if it is for us to choose."""
    branches = await desk.repository.branches("band")
    state = desk.fleet.state
    taken = {*state.tasks, *state.past, *(TaskId(one.split("/")[1]) for one in branches if "/" in one)}
    new = task_id(given) if given else unused(slug(f"{task}-fork"), frozenset(taken))
    if (branch := in_the_way(new, branches)) is not None:
        raise Refused(
            f"Your branch {branch} is in the way of band/{new}, the branch of task {new}.",
            hint=f"Rename it: git branch -m {branch} OTHER-NAME",
        )
    return new


def _task(args: Mapping[str, Json]) -> TaskId:
    task = args.get("task")
    if not isinstance(task, str) or not task:
        raise Refused("The operation does not say which task.", hint=_EXAMPLE)
    return TaskId(task)


def _by(args: Mapping[str, Json]) -> str:
    return str(args.get("by") or "you")
