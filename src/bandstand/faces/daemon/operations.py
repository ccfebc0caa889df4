"""What the daemon can be asked: each operation takes JSON, gives an order or asks a question, and answers with JSON.

`path` is the caller's folder; the repository that it is in is the one that is meant.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from bandstand.bootstrap import Bandstand
from bandstand.domain.ask import Ask
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import AskId, TaskId
from bandstand.faces.daemon import submitting
from bandstand.faces.daemon.watching import row, watch
from bandstand.faces.text import transcribed
from bandstand.faces.wire import Json, plain
from bandstand.services.commands import known
from bandstand.services.desk import Desk

Args = Mapping[str, Json]
Answering = Callable[[Bandstand, Args], Awaitable[Json]]
Streaming = Callable[[Bandstand, Args], AsyncIterator[Json]]


async def desk_of(band: Bandstand, args: Args) -> Desk:
    """The desk of the caller's repository. Raises `Refused` outside of one."""
    path = args.get("path")
    if not isinstance(path, str):
        raise Refused("The operation does not say from where it was called.")
    return await band.desk(Path(path))


async def list_tasks(band: Bandstand, args: Args) -> Json:
    """The fleet at a glance."""
    desk = await desk_of(band, args)
    named = [known(desk.fleet.state, TaskId(task)).spec.id for task in args.get("tasks") or ()]
    view = {**plain(desk.views.list_tasks(named)), "trouble": desk.brain.trouble}
    return {**view, "tasks": [row(one) for one in view["tasks"]]}


async def show_task(band: Bandstand, args: Args) -> Json:
    """One task, whole."""
    desk = await desk_of(band, args)
    view = plain(desk.views.show_task(TaskId(args["task"])))
    return {**view, "row": row(view["row"])}


async def list_asks(band: Bandstand, args: Args) -> Json:
    """What needs a human."""
    return plain((await desk_of(band, args)).views.list_asks())


async def diff(band: Bandstand, args: Args) -> Json:
    """A task's change as a patch."""
    return await (await desk_of(band, args)).views.diff(TaskId(args["task"]))


async def answer(band: Bandstand, args: Args) -> Json:
    """Answer an ask; with `alike`, every open one of the same task-independent question in the same way."""
    desk = await desk_of(band, args)
    ask = AskId(args["ask"])
    alike: list[AskId] = []
    if args.get("alike"):
        asks = {one.id: one for one in desk.views.list_asks()}
        asked = asks.get(ask)
        if asked is None:
            raise Unknown(f"There is no open ask {ask!r}.", hint="`band asks` shows what is open.")
        alike = [one.id for one in asks.values() if one.id != ask and _matter(one) == _matter(asked)]
    answered = await desk.commands.answer(
        ask, str(args.get("choice", "")), text=str(args.get("text", "")), by=_by(args), alike=alike
    )
    return {"answered": list(answered)}


def _matter(ask: Ask) -> tuple[str, str, str]:
    """What an ask is about, whichever task it is of."""
    return ask.kind.value, ask.title.replace(ask.task, ""), ask.detail.replace(ask.task, "")


async def review(band: Bandstand, args: Args) -> Json:
    """A human's verdict on a change."""
    desk = await desk_of(band, args)
    task = TaskId(args["task"])
    await desk.commands.review(task, approve=bool(args.get("approve")), text=str(args.get("text", "")), by=_by(args))
    return {"task": task}


async def send(band: Bandstand, args: Args) -> Json:
    """Say something to a task's agent; `asks` are those that are to be answered before it gets there."""
    task = TaskId(args["task"])
    desk = await desk_of(band, args)
    await desk.commands.send(task, str(args.get("text", "")), by=_by(args))
    return {"task": task, "asks": [ask.id for ask in desk.views.list_asks() if ask.task == task]}


async def cancel(band: Bandstand, args: Args) -> Json:
    """Stop a task for good."""
    task = TaskId(args["task"])
    await (await desk_of(band, args)).commands.cancel(task, reason=str(args.get("reason", "")), by=_by(args))
    return {"task": task}


async def forget(band: Bandstand, args: Args) -> Json:
    """Let go of a repository, and remove what is kept of it outside of it. Refused while anything goes on in it."""
    desk = await desk_of(band, args)
    await band.forget(desk)
    return {"path": str(desk.repository.path)}


async def transcript(band: Bandstand, args: Args) -> AsyncIterator[Json]:
    """What was said and done in a task; with `follow`, also what is going to be."""
    desk = await desk_of(band, args)
    task = TaskId(args["task"])
    known(desk.fleet.state, task)
    seen: set[tuple[str, int]] = set()
    async for item in _entries(desk, task, seen):
        yield item
    if not args.get("follow"):
        return
    async with desk.fleet.watch() as notices:
        async for item in _entries(desk, task, seen):
            yield item
        if desk.fleet.state.tasks[task].ended:
            return
        async for _ in notices:
            async for item in _entries(desk, task, seen):
                yield item
            if desk.fleet.state.tasks[task].ended:
                return


async def _entries(desk: Desk, task: TaskId, seen: set[tuple[str, int]]) -> AsyncIterator[Json]:
    async for run, entry in desk.views.transcript(task):
        if (run, entry.offset) in seen:
            continue
        seen.add((run, entry.offset))
        kind, text = transcribed(entry.update)
        yield {"run": run, "at_ms": entry.at_ms, "offset": entry.offset, "kind": kind, "text": text}


async def watch_tasks(band: Bandstand, args: Args) -> AsyncIterator[Json]:
    """Watch tasks to their end; all live ones if none is named. With `after`, all since that version comes again."""
    desk = await desk_of(band, args)
    named = [TaskId(task) for task in args.get("tasks") or ()]
    for task in named:
        known(desk.fleet.state, task)
    live = [task.spec.id for task in desk.fleet.state.tasks.values() if not task.ended]
    async for item in watch(desk, frozenset(named or live), after=args.get("after")):
        yield item


def _by(args: Args) -> str:
    return str(args.get("by") or "you")


ANSWERING: Mapping[str, Answering] = {
    "plan": submitting.plan,
    "submit": submitting.submit,
    "agents": submitting.agents,
    "ps": list_tasks,
    "show": show_task,
    "asks": list_asks,
    "diff": diff,
    "answer": answer,
    "review": review,
    "send": send,
    "cancel": cancel,
    "forget": forget,
}
STREAMING: Mapping[str, Streaming] = {"log": transcript, "watch": watch_tasks}
