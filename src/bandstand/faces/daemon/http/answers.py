"""From a request that was read to the daemon's own orders and questions, and back. There is no logic here but words.

A question is answered as on the wire. An order is answered with a receipt of the facts that followed from it.
"""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from bandstand import __version__
from bandstand.bootstrap import Bandstand
from bandstand.domain import events as e
from bandstand.domain.errors import Refused
from bandstand.domain.ids import RepositoryId, RunId, TaskId
from bandstand.domain.past import subject
from bandstand.faces.daemon.operations import ANSWERING, entry
from bandstand.faces.wire import Json
from bandstand.faces.wire.plain import plain
from bandstand.services.desk import Desk
from bandstand.services.fleet import Recording
from bandstand.services.orders import Receipt
from bandstand.services.repositories import view

_PAGE, _LONGEST_PAGE = 200, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked: `where` are the parts of the path, `given` the query or the body."""

    where: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Json] = field(default_factory=dict)
    key: str = ""
    digest: str = ""


Answer = Callable[[Bandstand, Asked], Awaitable[Json]]
Ordered = tuple[str, Callable[[Desk, Asked], Awaitable[Mapping[str, Json]]]]


async def _given(desk: Desk, asked: Asked) -> Mapping[str, Json]:
    return asked.given


async def _verdict(desk: Desk, asked: Asked) -> Mapping[str, Json]:
    return {**asked.given, "approve": asked.given["verdict"] == "approve"}


async def work(desk: Desk, asked: Asked) -> Mapping[str, Json]:
    """Tasks as the daemon takes them: in a document, and with an environment to find programs by."""
    args = dict(asked.given)
    if "tasks" in args:
        args["tasks"] = {"name": "tasks", "text": json.dumps({"tasks": args["tasks"]}, ensure_ascii=False)}
    if "score" in args:
        _texts("score", args["score"], ("name", "text"))
    if "variables" in args:
        _texts("variables", args["variables"], ())
    else:
        args["variables"] = await desk.commands.environment.load() or dict(os.environ)
    return args


def _texts(name: str, given: Mapping[str, Json], keys: tuple[str, ...]) -> None:
    if not all(isinstance(value, str) for value in given.values()) or not all(key in given for key in keys):
        wanted = f"its members are {' and '.join(keys)}" if keys else "its members are names of variables"
        raise Refused(f"{name!r} is an object of texts: {wanted}.")


ORDERS: Mapping[str, Ordered] = {
    "submitTasks": ("submit", work),
    "review": ("review", _verdict),
    "sendMessage": ("send", _given),
    "cancelTask": ("cancel", _given),
    "pauseTask": ("pause", _given),
    "resumeTask": ("resume", _given),
    "retryTask": ("retry", _given),
    "takeCheckpoint": ("checkpoint", _given),
    "rewindTask": ("rewind", _given),
    "forkTask": ("fork", _given),
    "answerAsk": ("answer", _given),
    "allowHost": ("allow-host", _given),
    "revokeHost": ("revoke-host", _given),
}
"""Each order by its id in the table: the daemon's operation, and what makes its arguments."""


async def order(band: Bandstand, name: str, asked: Asked) -> Receipt:
    """Carry out an order, once for its key."""
    op, arguments = ORDERS[name]
    desk = await band.repositories.desk(RepositoryId(asked.where["repository"]))

    async def perform(recording: Recording) -> None:
        args = {**await arguments(desk, asked), **asked.where, "path": str(desk.repository.path)}
        await ANSWERING[op](cast(Bandstand, _AtDesk(band, desk, recording)), args)

    return await band.orders.take(desk.fleet, perform, key=asked.key, digest=asked.digest)


class _AtDesk:
    """Bandstand as an order sees it that is recorded by other means than usual. All else is as it is."""

    def __init__(self, band: Bandstand, desk: Desk, recording: Recording) -> None:
        self._band = band
        commands = replace(desk.commands, fleet=recording)
        about_checkpoints = replace(desk.checkpoint_orders, commands=commands)
        self._desk = replace(desk, commands=commands, checkpoint_orders=about_checkpoints)

    async def desk(self, _path: Path) -> Desk:
        """The one desk."""
        return self._desk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._band, name)


def receipt(taken: Receipt) -> Json:
    """What followed from an order, from its facts alone: so it is the same whenever it is asked for."""
    events = [fact.event for fact in taken.facts]
    return {
        "repository": taken.repository,
        "sequence": taken.facts[-1].sequence if taken.facts else None,
        "at": plain(taken.facts[-1].at) if taken.facts else None,
        "tasks": list(dict.fromkeys(task for event in events if (task := subject(event)) is not None)),
        "asks": [event.ask for event in events if isinstance(event, e.AskAnswered)],
        "facts": [{"sequence": fact.sequence, "type": type(fact.event).__name__} for fact in taken.facts],
    }


def _asking(op: str) -> Answer:
    """A question of the daemon's own, about one repository."""

    async def answer(band: Bandstand, asked: Asked) -> Json:
        desk = await _desk(band, asked)
        args: dict[str, Json] = {**asked.given, **asked.where, "path": str(desk.repository.path)}
        args["tasks"] = args.pop("task", []) if op == "ps" else args.get("tasks", [])
        return await ANSWERING[op](band, args)

    return answer


async def _desk(band: Bandstand, asked: Asked) -> Desk:
    return await band.repositories.desk(RepositoryId(asked.where["repository"]))


async def health(band: Bandstand, asked: Asked) -> Json:
    """Whether all is well. What keeps a repository from going on is no illness of the daemon."""
    views = await band.repositories.all()
    return {
        "version": __version__,
        "pid": os.getpid(),
        "sequence": await band.broadcast.latest(),
        "readers": band.broadcast.listeners,
        "repositories": sum(one.open for one in views),
        "live": sum(one.live for one in views),
        "asks": sum(one.asks for one in views),
        "trouble": [{"repository": one.id, "words": one.trouble} for one in views if one.trouble],
    }


async def repositories(band: Bandstand, asked: Asked) -> Json:
    """All of them."""
    return {"repositories": plain(await band.repositories.all())}


async def open_repository(band: Bandstand, asked: Asked) -> Json:
    """The one that a folder is in."""
    path = Path(asked.given["path"])
    if not path.is_absolute() or "\0" in str(path):
        raise Refused("The path of a folder begins with /.")
    return plain(view(await band.repositories.at(path)))


async def repository(band: Bandstand, asked: Asked) -> Json:
    """One of them."""
    return plain(view(await _desk(band, asked)))


async def plan(band: Bandstand, asked: Asked) -> Json:
    """What submitting would do."""
    desk = await _desk(band, asked)
    return await ANSWERING["plan"](band, {**await work(desk, asked), "path": str(desk.repository.path)})


async def asks(band: Bandstand, asked: Asked) -> Json:
    """What needs a human in one repository."""
    return {"asks": await _asking("asks")(band, asked)}


def _everywhere(op: str) -> Answer:
    """An order to the whole fleet, which can be given any number of times."""

    async def answer(band: Bandstand, asked: Asked) -> Json:
        return await ANSWERING[op](band, asked.given)

    return answer


async def inbox(band: Bandstand, asked: Asked) -> Json:
    """What needs a human anywhere."""
    found = []
    for desk in band.desks():
        found += [{**plain(ask), "repository": desk.repository.id} for ask in desk.views.list_asks()]
    return {"asks": found}


async def transcript(band: Bandstand, asked: Asked) -> Json:
    """One page of a transcript. The cursor counts what was given of each run, since each only grows."""
    task = TaskId(asked.where["task"])
    desk = await _desk(band, asked)
    limit = asked.given.get("limit", _PAGE)
    if not 1 <= limit <= _LONGEST_PAGE:
        raise Refused(f"A page has 1 to {_LONGEST_PAGE} entries.")
    given = _counts(asked.given.get("after", ""))
    said = await desk.views.transcript(task)
    ended = (await desk.views.rows([task]))[0].mark in ("landed", "stopped")
    entries = await (said.whole() if ended else said.news())
    seen: Counter[RunId] = Counter()
    new = []
    for run, one in entries:
        seen[run] += 1
        if seen[run] > given[run]:
            new.append((run, one))
    for run, _ in new[:limit]:
        given[run] += 1
    return {"entries": [entry(run, one) for run, one in new[:limit]], "next": _cursor(given), "more": len(new) > limit}


def _cursor(counts: Mapping[RunId, int]) -> str:
    return urlsafe_b64encode(json.dumps(dict(counts), separators=(",", ":")).encode()).decode().rstrip("=")


def _counts(cursor: str) -> Counter[RunId]:
    if not cursor:
        return Counter()
    try:
        counts = json.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        counts = None
    if not isinstance(counts, dict) or not all(type(count) is int and count >= 0 for count in counts.values()):
        raise Refused("`after` is not the `next` of a page.", hint="Leave it out to begin at the beginning.")
    return Counter({RunId(run): count for run, count in counts.items()})


QUESTIONS: Mapping[str, Answer] = {
    "health": health,
    "listRepositories": repositories,
    "openRepository": open_repository,
    "showRepository": repository,
    "listRemains": _asking("remains"),
    "collectRemains": _asking("collect"),
    "listCheckpoints": _asking("checkpoints"),
    "showCheckpoint": _asking("checkpoint-diff"),
    "showNetwork": _asking("network"),
    "listRescues": _asking("rescues"),
    "showRescue": _asking("rescue"),
    "restoreRescue": _asking("restore-rescue"),
    "pruneRescues": _asking("prune-rescues"),
    "listAgents": _asking("agents"),
    "stopFleet": _everywhere("stop_all"),
    "resumeFleet": _everywhere("resume_all"),
    "listTasks": _asking("ps"),
    "showQueue": _asking("queue"),
    "plan": plan,
    "showTask": _asking("show"),
    "showTranscript": transcript,
    "showDiff": _asking("diff"),
    "listPorts": _asking("ports"),
    "showReview": _asking("look"),
    "listAllAsks": inbox,
    "listAsks": asks,
}
"""Each question by its id in the table."""
