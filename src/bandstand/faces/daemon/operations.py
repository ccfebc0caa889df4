"""What the daemon can be asked: each operation takes JSON, gives an order or asks a question, and answers with JSON.

`path` is the caller's folder; the repository that it is in is the one that is meant.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from bandstand.bootstrap import Bandstand
from bandstand.domain.ask import Ask
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import AskId, RunId, TaskId
from bandstand.faces.daemon import exporting, going_back, keeping, networking, rescuing
from bandstand.faces.daemon.rows import row
from bandstand.faces.text import transcribed
from bandstand.faces.wire import Json
from bandstand.faces.wire.plain import plain
from bandstand.ports.agents import TranscriptEntry
from bandstand.services.desk import Desk
from bandstand.services.fleet import Notices, Told
from bandstand.services.views import RECENT

Args = Mapping[str, Json]
Answering = Callable[[Bandstand, Args], Awaitable[Json]]
Streaming = Callable[[Bandstand, Args], AsyncIterator[Json]]


_ALL = 1_000_000_000
"""More tasks than there can be."""


async def desk_of(band: Bandstand, args: Args) -> Desk:
    """The desk of the caller's repository. Raises `Refused` outside of one."""
    path = args.get("path")
    if not isinstance(path, str):
        raise Refused("The operation does not say from where it was called.")
    return await band.desk(Path(path))


async def list_tasks(band: Bandstand, args: Args) -> Json:
    """The fleet at a glance."""
    desk = await desk_of(band, args)
    found = await desk.views.list_tasks(_tasks(args), past=_ALL if args.get("all") else RECENT)
    view = {**plain(found), "trouble": desk.brain.trouble, "gaps": [*desk.sandbox.gaps]}
    return {**view, "tasks": [row(one) for one in view["tasks"]]}


async def show_task(band: Bandstand, args: Args) -> Json:
    """One task, whole."""
    desk = await desk_of(band, args)
    view = plain(await desk.views.show_task(_task(args)))
    return {**view, "row": row(view["row"])}


async def list_asks(band: Bandstand, args: Args) -> Json:
    """What needs a human."""
    return plain((await desk_of(band, args)).views.list_asks())


async def diff(band: Bandstand, args: Args) -> Json:
    """A task's change as a patch."""
    return {"patch": await (await desk_of(band, args)).views.diff(_task(args))}


async def look(band: Bandstand, args: Args) -> Json:
    """A task, whole, with its change as a patch: what a reviewer looks at, all of it of one commit."""
    view, patch = await (await desk_of(band, args)).views.look(_task(args))
    task = plain(view)
    return {"task": {**task, "row": row(task["row"])}, "patch": patch}


async def answer(band: Bandstand, args: Args) -> Json:
    """Answer an ask; with `alike`, every open one of the same task-independent question in the same way."""
    desk = await desk_of(band, args)
    ask = AskId(_text(args, "ask"))
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
    """A human's verdict on a change, that at `commit` if it says which was seen."""
    desk = await desk_of(band, args)
    task = _task(args)
    await desk.commands.review(
        task,
        approve=bool(args.get("approve")),
        text=str(args.get("text", "")),
        by=_by(args),
        commit=str(args.get("commit") or ""),
    )
    return {"task": task}


async def send(band: Bandstand, args: Args) -> Json:
    """Say something to a task's agent; `asks` are those that are to be answered before it gets there."""
    task = _task(args)
    desk = await desk_of(band, args)
    await desk.commands.send(task, str(args.get("text", "")), by=_by(args))
    return {"task": task, "asks": [ask.id for ask in desk.views.list_asks() if ask.task == task]}


async def cancel(band: Bandstand, args: Args) -> Json:
    """Stop a task for good."""
    task = _task(args)
    await (await desk_of(band, args)).commands.cancel(task, reason=str(args.get("reason", "")), by=_by(args))
    return {"task": task}


async def pause(band: Bandstand, args: Args) -> Json:
    """Hold a task where it stands."""
    task = _task(args)
    await (await desk_of(band, args)).commands.pause(task, reason=str(args.get("reason") or ""), by=_by(args))
    return {"task": task}


async def resume(band: Bandstand, args: Args) -> Json:
    """Let a paused task go on."""
    task = _task(args)
    await (await desk_of(band, args)).commands.resume(task, by=_by(args))
    return {"task": task}


async def retry(band: Bandstand, args: Args) -> Json:
    """Try anew what goes on for a task, or keeps it from going on; `facts` are the types of what followed."""
    task = _task(args)
    facts = await (await desk_of(band, args)).commands.retry(task, by=_by(args))
    return {"task": task, "facts": list(facts)}


async def queue(band: Bandstand, args: Args) -> Json:
    """What lands next."""
    view = plain((await desk_of(band, args)).views.queue())
    return {**view, "entries": [row(one) for one in view["entries"]]}


async def ports(band: Bandstand, args: Args) -> Json:
    """What the agent of a task listens on."""
    return plain(await (await desk_of(band, args)).listening.of(_task(args)))


async def stop_all(band: Bandstand, args: Args) -> Json:
    """Stop the whole fleet: every task of every repository is held. `agents` did not end in time."""
    held, left = await band.fleets.stop_all(by=_by(args))
    return {"repositories": plain(held), "agents": left}


async def resume_all(band: Bandstand, args: Args) -> Json:
    """Let go on what was stopped with the whole fleet."""
    return {"repositories": plain(await band.fleets.resume_all(by=_by(args)))}


async def troubles(band: Bandstand, _args: Args) -> Json:
    """The repositories in which nothing goes on, and why."""
    views = await band.repositories.all()
    return [{"repository": one.path or one.id, "words": one.trouble} for one in views if one.trouble]


async def forget(band: Bandstand, args: Args) -> Json:
    """Let go of a repository, and remove what is kept of it outside of it. Refused while anything goes on in it.

    It has to be named itself: what is removed must not be that of a repository which merely encloses the folder.
    A `dry_run` only weighs it.
    """
    desk = await desk_of(band, args)
    if not _same(_text(args, "path"), desk.repository.path):
        raise Refused(f"{args['path']} is no repository of its own; it lies in {desk.repository.path}.")
    weight = await band.folders.size(desk.repository.id) or 0
    if not args.get("dry_run"):
        await band.forget(desk)
    return {"path": str(desk.repository.path), "bytes": weight}


def _same(named: str, path: Path) -> bool:
    return Path(named).resolve() == path.resolve()


async def transcript(band: Bandstand, args: Args) -> AsyncIterator[Json]:
    """What was said and done in a task; with `follow`, also what is going to be."""
    desk = await desk_of(band, args)
    task = _task(args)
    said = await desk.views.transcript(task)
    async with desk.fleet.watch() as notices:
        while args.get("follow") and not desk.fleet.state.has_ended(task):
            for run, one in await said.news():
                yield entry(run, one)
            await _stirred(task, notices)
    for run, one in await said.whole():
        yield entry(run, one)


async def _stirred(task: TaskId, notices: Notices) -> None:
    """Return when a task may have gone on. However much was told meanwhile, it is one look."""
    while isinstance(notice := await anext(notices), Told) and notice.task != task:
        pass
    notices.skip()


def entry(run: RunId, one: TranscriptEntry) -> Json:
    """One thing said or done in a run."""
    kind, text = transcribed(one.update)
    return {"run": run, "at_ms": one.at_ms, "offset": one.offset, "kind": kind, "text": text}


def _text(args: Args, name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(f"The operation does not say which {name}.")
    return value


def _task(args: Args) -> TaskId:
    return TaskId(_text(args, "task"))


def _tasks(args: Args) -> list[TaskId]:
    tasks = args.get("tasks") or []
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        raise Refused("The tasks of an operation are a list of ids.")
    return [TaskId(task) for task in tasks]


def _by(args: Args) -> str:
    return str(args.get("by") or "you")


def _at_desk(operation: Callable[[Desk, Args], Awaitable[Json]]) -> Answering:
    """An operation that needs the caller's repository and nothing else."""

    async def answer(band: Bandstand, args: Args) -> Json:
        return await operation(await desk_of(band, args), args)

    return answer


def _submitting(name: str) -> Answering:
    """An operation of `submitting`, which is imported once it is wanted: whoever only looks does not wait for it."""

    async def answer(band: Bandstand, args: Args) -> Json:
        from bandstand.faces.daemon import submitting

        operation: Answering = getattr(submitting, name)
        return await operation(band, args)

    return answer


def _streaming_at_desk(operation: Callable[[Desk, Args], AsyncIterator[Json]]) -> Streaming:
    """The same, for one that streams."""

    async def items(band: Bandstand, args: Args) -> AsyncIterator[Json]:
        async for item in operation(await desk_of(band, args), args):
            yield item

    return items


ANSWERING: Mapping[str, Answering] = {
    "plan": _submitting("plan"),
    "submit": _submitting("submit"),
    "agents": _submitting("agents"),
    "ps": list_tasks,
    "show": show_task,
    "asks": list_asks,
    "diff": diff,
    "look": look,
    "answer": answer,
    "review": review,
    "send": send,
    "cancel": cancel,
    "pause": pause,
    "resume": resume,
    "retry": retry,
    "queue": queue,
    "ports": ports,
    "stop_all": stop_all,
    "resume_all": resume_all,
    "troubles": troubles,
    "forget": forget,
    "purge": _at_desk(keeping.purge),
    "remains": _at_desk(keeping.find),
    "collect": _at_desk(keeping.collect),
    "network": _at_desk(networking.network),
    "allow-host": _at_desk(networking.allow),
    "revoke-host": _at_desk(networking.revoke),
    "checkpoints": _at_desk(keeping.checkpoints),
    "checkpoint": _at_desk(going_back.checkpoint),
    "rewind": _at_desk(going_back.rewind),
    "fork": _at_desk(going_back.fork),
    "checkpoint-diff": _at_desk(keeping.checkpoint_patch),
    "rescues": _at_desk(rescuing.all_rescues),
    "rescue": _at_desk(rescuing.show),
    "restore-rescue": _at_desk(rescuing.restore),
    "prune-rescues": _at_desk(rescuing.prune),
    "abandoned": keeping.abandoned,
    "abandon": keeping.abandon,
}
STREAMING: Mapping[str, Streaming] = {
    "log": transcript,
    "facts": _streaming_at_desk(exporting.facts),
    "gc": _streaming_at_desk(keeping.collecting),
    "restore": _streaming_at_desk(rescuing.restoring),
}
