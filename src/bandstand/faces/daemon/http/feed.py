"""The stream of events, for one reader: facts, digests of rows and of what agents do, and runs in full.

What stays true: facts come in the order of their sequence, each once, behind the one that the reader names; they are
not queued here but asked for, so a slow reader gets them later and costs nothing. Of everything else only the last
state is kept, and of runs in focus a bounded number of updates: what goes beyond is lost, counted, and told.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bandstand.domain import events as e
from bandstand.domain.ask import Ask
from bandstand.domain.errors import BandstandError, Unknown
from bandstand.domain.events import Event
from bandstand.domain.ids import RepositoryId, RunId, TaskId
from bandstand.domain.past import subject
from bandstand.domain.redaction import Redaction
from bandstand.domain.state import State
from bandstand.faces.daemon.redacting import shown
from bandstand.faces.daemon.rows import row
from bandstand.faces.text import GLYPHS, doing, told, worth_saying
from bandstand.faces.wire import Json, encode, error_message
from bandstand.faces.wire.plain import plain
from bandstand.ports.log import Recorded
from bandstand.services.broadcast import Broadcast
from bandstand.services.desk import Desk
from bandstand.services.fleet import Told
from bandstand.services.repositories import Repositories

DIGEST_SECONDS = 0.05
"""Rows and doings of a task come at most this often, unless a fact of the task comes."""

UPDATES_SECONDS = 0.005
"""Updates of a run in focus are gathered for so long."""

HEARTBEAT_SECONDS = 15.0
ROWS = 200
"""How many rows are made at once; the next ones come right behind."""

MOST_UPDATES, MOST_CHARACTERS = 32_768, 8 * 2**20
"""What may wait of runs in focus for one reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader wants to know of; an empty filter lets everything through. `focus` are runs to be told in full."""

    repositories: frozenset[RepositoryId] = frozenset()
    tasks: frozenset[TaskId] = frozenset()
    focus: frozenset[RunId] = frozenset()

    def has(self, repository: RepositoryId, *tasks: TaskId | None) -> bool:
        """Whether something is wanted that is about one of these tasks, or about the repository as a whole."""
        if self.repositories and repository not in self.repositories:
            return False
        return not self.tasks or any(task in self.tasks for task in tasks)


class Feed:
    """A `Listener` that makes a stream of what it hears. `after` is the last fact that the reader knows of."""

    def __init__(
        self,
        repositories: Repositories,
        broadcast: Broadcast,
        wanted: Wanted,
        *,
        redaction: Redaction,
        after: int | None = None,
    ) -> None:
        self._repositories = repositories
        self._broadcast = broadcast
        self._wanted = wanted
        self._redaction = redaction
        self._cursor = after
        self._head = 0
        self._shown = self._ready = False
        self._changed: dict[RepositoryId, dict[TaskId | None, None]] = {}
        self._asks: dict[RepositoryId, tuple[Ask, ...]] = {}
        self._doing: dict[tuple[RepositoryId, RunId], Told] = {}
        self._updates: deque[tuple[RepositoryId, Told, int]] = deque()
        self._characters = 0
        self._lost: dict[tuple[RepositoryId, RunId], int] = {}
        self._wake = asyncio.Event()
        self._end: bytes | None = None
        self._clock = asyncio.get_running_loop().time
        self._digest_at = self._updates_at = 0.0
        self._beat_at = self._clock() + HEARTBEAT_SECONDS

    # --- what is heard ----------------------------------------------------------------------------------------------

    def happened(self) -> None:
        """There are new facts."""
        self._wake.set()

    def stirred(self, repository: RepositoryId, task: TaskId | None) -> None:
        """A task, or the repository, is not as it was."""
        if self._wanted.has(repository, task):
            self._wake.set()
            self._changed.setdefault(repository, {})[task] = None

    def told(self, repository: RepositoryId, told: Told) -> None:
        """An agent does something."""
        if not self._wanted.has(repository, told.task):
            return
        if told.run in self._wanted.focus:
            self._keep(repository, told)
        if worth_saying(told.update):
            if not self._doing:
                self._wake.set()
            self._doing[repository, told.run] = told

    def ended(self, error: BandstandError | None) -> None:
        """The stream is over."""
        self._end = self._event("error", error_message(error)) if error is not None else b""
        self._wake.set()

    def _keep(self, repository: RepositoryId, told: Told) -> None:
        if not self._updates:
            self._wake.set()
        size = len(getattr(told.update, "text", "")) + len(getattr(told.update, "output", ""))
        self._updates.append((repository, told, size))
        self._characters += size
        while len(self._updates) > MOST_UPDATES or self._characters > MOST_CHARACTERS:
            gone, lost, freed = self._updates.popleft()
            self._characters -= freed
            self._lost[gone, lost.run] = self._lost.get((gone, lost.run), 0) + 1

    # --- what is told -----------------------------------------------------------------------------------------------

    async def begin(self, head: int) -> None:
        """Begin, with every row that is wanted and then what was missed; `head` is the last fact that there is now."""
        self._head = head
        if self._cursor is None:
            self._cursor = head
        for view in await self._repositories.all():
            desk = self._repositories.seated(view.id)
            if desk is None or not self._wanted.has(view.id, *self._wanted.tasks):
                continue
            live = (task.spec.id for task in desk.fleet.state.tasks.values() if not task.ended)
            first: Collection[TaskId] = self._wanted.tasks or tuple(live)
            self._changed.setdefault(view.id, {}).update(dict.fromkeys((None, *first)))

    async def next(self) -> bytes | None:
        """What is to be sent next; nothing at the end. Raises what the log raises."""
        while True:
            await self._until_due()
            if self._end is not None:
                last, self._end = self._end, b""
                return last or None
            if said := await self._take():
                self._beat_at = self._clock() + HEARTBEAT_SECONDS
                return said

    async def _until_due(self) -> None:
        while (delay := self._due() - self._clock()) > 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), delay)

    def _due(self) -> float:
        if self._end is not None or not self._shown or self._position < self._broadcast.last:
            return 0.0
        due = self._beat_at
        if self._updates or self._lost:
            due = min(due, self._updates_at)
        if self._changed or self._doing or not self._ready:
            due = min(due, self._digest_at)
        return due

    @property
    def _position(self) -> int:
        return self._cursor if self._cursor is not None else self._head

    async def _take(self) -> bytes:
        """Everything that is due: what agents did first, since facts follow from it."""
        if not self._shown:
            rows = await self._rows()
            self._shown = not self._changed
            return b"".join(rows)
        facts = await self._broadcast.facts(after=self._position)
        now = self._clock()
        parts: list[bytes] = []
        if facts or now >= self._updates_at:
            parts += self._told_in_full()
            self._updates_at = now + UPDATES_SECONDS
        if facts:
            self._cursor = facts[-1].sequence
            tasks = {(fact.repository, _task_of(fact.event)) for fact in facts}
            parts += self._doings([key for key, told in self._doing.items() if (key[0], told.task) in tasks])
            parts += [said for fact in facts if (said := self._fact(fact))]
        if now >= self._digest_at and self._position >= self._head:
            parts += self._doings(list(self._doing))
            parts += await self._rows()
            if not self._changed:
                self._digest_at = now + DIGEST_SECONDS
                if not self._ready:
                    self._ready = True
                    parts.append(self._event("ready", {"sequence": self._position}, id=self._position))
        if not parts and now >= self._beat_at:
            parts.append(f"id: {self._position}\n: heartbeat\n\n".encode())
        return b"".join(parts)

    def _fact(self, fact: Recorded) -> bytes:
        desk = self._repositories.seated(fact.repository)
        line = told(fact.event, desk.fleet.state if desk is not None else State())
        task = _task_of(fact.event) or (line.task if line is not None else None)
        if not self._wanted.has(fact.repository, task):
            return b""
        if self._position <= self._head and not self._ready:
            # What was missed: the row as it stands now comes behind it.
            self._changed.setdefault(fact.repository, {})[task] = None
        item = {
            "sequence": fact.sequence,
            "repository": fact.repository,
            "version": fact.version,
            "at": plain(fact.at),
            "type": type(fact.event).__name__,
            "task": task,
            "event": plain(fact.event),
            "line": {**plain(line), "glyph": GLYPHS[line.mark]} if line is not None else None,
        }
        return self._event("fact", item, id=fact.sequence)

    def _doings(self, keys: Sequence[tuple[RepositoryId, RunId]]) -> list[bytes]:
        said = []
        for key in keys:
            last = self._doing.pop(key)
            said.append({"repository": key[0], "task": last.task, "run": key[1], "text": doing(last.update)})
        return [self._event("doing", {"doing": said})] if said else []

    def _told_in_full(self) -> list[bytes]:
        runs: dict[tuple[RepositoryId, RunId], Json] = {}
        for repository, run in self._lost:
            runs[repository, run] = {"repository": repository, "run": run, "updates": []}
        for repository, one, _ in self._updates:
            key = repository, one.run
            if key not in runs:
                runs[key] = {"repository": repository, "task": one.task, "run": one.run, "updates": []}
            runs[key]["updates"].append({"type": type(one.update).__name__, **plain(one.update)})
        said = [self._event("updates", {**run, "lost": self._lost.get(key, 0)}) for key, run in runs.items()]
        self._updates.clear()
        self._lost.clear()
        self._characters = 0
        return said

    async def _rows(self) -> list[bytes]:
        """The rows of tasks that changed, some of them if there are many, and asks that changed."""
        said: list[bytes] = []
        room = ROWS
        for name in tuple(self._changed):
            desk = self._repositories.seated(name)
            if desk is None:
                del self._changed[name]
                continue
            changed = self._changed[name]
            tasks = list(changed)[:room]
            for task in tasks:
                del changed[task]
            if not changed:
                del self._changed[name]
            said.append(await self._digest(desk, [task for task in tasks if task is not None]))
            room -= len(tasks)
            if room <= 0:
                break
        return said

    def _event(self, kind: str, data: Json, *, id: int | None = None) -> bytes:
        place = f"id: {id}\n" if id is not None else ""
        return f"event: {kind}\n{place}data: ".encode() + encode(shown(data, self._redaction)) + b"\n"

    async def _digest(self, desk: Desk, tasks: Collection[TaskId]) -> bytes:
        name = desk.repository.id
        asks = tuple(ask for ask in desk.views.list_asks() if self._wanted.has(name, ask.task))
        sandbox = desk.fleet.state.sandbox
        item: Json = {"repository": name, "sandbox": sandbox, "walled": sandbox != "none"}
        item["rows"] = [row(plain(one)) for one in await desk.views.rows(tasks)]
        if asks != self._asks.get(name):
            self._asks[name] = asks
            item["asks"] = plain(asks)
        return self._event("tasks", item)


async def look_up(repositories: Repositories, wanted: Wanted) -> None:
    """Open the repositories that a reader names. Raises `Unknown` for one, or a task in it, that there never was."""
    for name in wanted.repositories:
        desk = await repositories.desk(name)
        if len(wanted.repositories) == 1:
            there = {one.id for one in await desk.views.rows(wanted.tasks)}
            for task in sorted(wanted.tasks - there):
                raise Unknown(f"There is no task {task!r} in this repository.", hint="`band ps` shows the tasks.")


def _task_of(event: Event) -> TaskId | None:
    return None if isinstance(event, e.OrderTaken) else subject(event)
