"""Watching tasks to their end: the stream of events as items for a live view.

Kinds of items: `state` (rows and open asks), `line` (a sentence), `doing` (what an agent does now), `fact`. When the
daemon is lost another one is started, and the stream goes on where it was: no fact is missed, and none comes twice.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from bandstand.faces.cli.following import api_socket, going_on
from bandstand.faces.cli.reaching import folder
from bandstand.faces.stream import Api, Said
from bandstand.faces.wire import Json

_MOST_NAMED = 400
"""With more tasks than that everything in the repository is read, and what is of others is left out here."""


def watch(
    tasks: Collection[str] = (),
    *,
    at: Path | None = None,
    repository: str = "",
    after: int | None = None,
    lost: Callable[[], None] = lambda: None,
) -> Iterator[Json]:
    """Items until every one of the tasks has ended and its workspace is gone; all live ones if none is named.

    With `after` all that happened behind that sequence comes again. `lost` is called when the daemon is lost.
    """
    watching = Watching(folder(at), tasks, repository=repository, after=after)
    yield from going_on(lambda: watching.items(Api(api_socket())), at=at, lost=lost)


class Watching:
    """What is known of the tasks that are watched in the repository at `path`. It outlives the daemon that told it."""

    def __init__(self, path: str, tasks: Collection[str], *, repository: str, after: int | None) -> None:
        self._path = path
        self._tasks = frozenset(tasks)
        self._repository = repository
        self._after = after
        self._rows: dict[str, Json] = {}
        self._asks: list[Json] = []
        self._walls: Json = {"sandbox": "", "walled": True}
        self._settled = False
        self._ready = False

    def items(self, api: Api) -> Iterator[Json]:
        """What one daemon tells, until everything is over. Raises what the API does."""
        if not self._repository:
            self._repository = api.ask("POST", "/repositories", {"path": self._path})["id"]
        query = {"repository": [self._repository]}
        if len(self._tasks) <= _MOST_NAMED:
            query["task"] = sorted(self._tasks)
        self._ready = False
        for said in api.events(query, after=self._after):
            yield from self._items(said)
            if said.id is not None:
                self._after = said.id
            if self._ready and all(row["over"] for row in self._rows.values()) and self._complete():
                return

    def _complete(self) -> bool:
        return self._tasks <= self._rows.keys()

    def _items(self, said: Said) -> Iterator[Json]:
        match said.kind:
            case "tasks":
                self._take(said.data)
                yield self._state()
            case "ready":
                self._ready = self._settled = True
                # Without names those are watched that are there at the beginning.
                self._tasks = self._tasks or frozenset(self._rows)
                yield self._state()
            case "doing":
                yield from ({"kind": "doing", **one} for one in said.data["doing"] if self._is_ours(one["task"]))
            case "fact" if self._is_ours(said.data["task"]):
                yield from _of_fact(said.data)
            case _:
                pass

    def _is_ours(self, task: str | None) -> bool:
        return task in (self._tasks or self._rows)

    def _take(self, digest: Json) -> None:
        others = bool(self._tasks) or self._settled
        for row in digest["rows"]:
            if not others or row["id"] in self._tasks:
                self._rows[row["id"]] = row
        self._asks = digest.get("asks", self._asks)
        self._walls = {"sandbox": digest["sandbox"], "walled": digest["walled"]}

    def _state(self) -> Json:
        """Where the tasks stand. What they ask is told once everything that happened before it has been told."""
        rows = sorted(self._rows.values(), key=lambda row: row["submitted"])
        asks = [ask for ask in self._asks if self._settled and self._is_ours(ask["task"])]
        return {"kind": "state", "rows": rows, "asks": asks, **self._walls}


def _of_fact(fact: Json) -> Iterator[Json]:
    yield {"kind": "fact", **{name: fact[name] for name in ("sequence", "at", "type", "event")}}
    if fact["line"] is not None:
        yield {"kind": "line", "at": fact["at"], **fact["line"]}
