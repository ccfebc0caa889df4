"""A session with an ACP agent: its turns, its open requests, its updates.

    journal -> Decoder -> Connection -> Feed (remembers the Dialogue, queues what is new) -> AcpSession

A `Dialogue` is a fold of the journal: the same records give the same turns, requests and updates, in whichever
process they are read. What was said before our channel attached is remembered and not repeated; what waits for an
answer is. Updates keep the journal's order.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Final

from bandstand.adapters.agents import questions
from bandstand.adapters.agents.jsonrpc import Connection
from bandstand.adapters.agents.messages import Answered, Asked, Event, Failure, Noted, Replied, Reply, Sent, Told
from bandstand.adapters.agents.notes import host_refused
from bandstand.adapters.agents.questions import Question
from bandstand.adapters.agents.shapes import content_text, table
from bandstand.adapters.agents.translate import Passage, Permission, Translator, stop_reason, usage, words
from bandstand.domain.agent import (
    AgentUpdate,
    HostRefused,
    PermissionRequested,
    Prompted,
    QuestionAsked,
    Said,
    StopReason,
    TurnResult,
)
from bandstand.domain.errors import BandstandError, Broken, Unknown
from bandstand.domain.ids import SessionId
from bandstand.faults import fault
from bandstand.ports.agents import PromptFailed
from bandstand.ports.hosts import Channel

PERMISSION: Final = "session/request_permission"
QUESTION: Final = "elicitation/create"
SERVES: Final = frozenset({PERMISSION, QUESTION})
INVALID_PARAMS: Final = -32602
REQUEST_CANCELLED: Final = -32800
MESSAGE_LIMIT: Final = 1 << 17
"""How many characters of what an agent says in a turn are kept for sure, from the end."""


def turn_key(turn: int) -> str:
    """The key of the prompt of turn `turn`."""
    return f"turn-{turn}"


def cancel_key(turn: int) -> str:
    """The key of the cancellation of turn `turn`."""
    return f"cancel-{turn}"


@dataclass(slots=True)
class Turn:
    """A turn as far as it has come. Once it has an `end`, nothing of it changes."""

    key: str
    said: deque[str] = field(default_factory=deque)
    length: int = 0
    cancelled: bool = False
    end: TurnResult | PromptFailed | None = None

    def hear(self, passage: Passage) -> None:
        """Take in a piece of the agent's message; a blank line parts one message from the next.

        Of a message that goes on and on the end is kept.
        """
        if isinstance(passage.update, Said):
            piece = f"\n\n{passage.update.text}" if passage.begins and self.said else passage.update.text
            self.said.append(piece)
            self.length += len(piece)
            while self.length - len(self.said[0]) >= MESSAGE_LIMIT:
                self.length -= len(self.said.popleft())

    def finish(self, answer: Answered, *, cost_usd: float) -> None:
        """End it. An error in answer to a cancelled prompt is an agent's clumsy way to say that it stopped."""
        message = "".join(self.said)
        self.said.clear()
        if answer.failure is not None and not self.cancelled:
            self.end = PromptFailed(words(answer.failure), code=answer.failure.code)
            return
        stop = stop_reason(answer.result) if answer.failure is None else StopReason.CANCELLED
        self.end = TurnResult(stop=stop, message=message, usage=usage(answer.result, cost_usd=cost_usd))


@dataclass(slots=True, kw_only=True)
class Open:
    """A request of the agent that has no answer yet. A `moot` one is not worth anybody's answer any more."""

    id: str | int | float
    asked: Permission | Question
    turn: Turn | None
    withdrawn: bool = False

    @property
    def moot(self) -> bool:
        """Whether the agent took it back, or the turn that it belongs to was cancelled."""
        return self.withdrawn or (self.turn is not None and self.turn.cancelled)

    def settlement(self, request: str) -> Reply:
        """How a moot request is answered."""
        if self.withdrawn:
            return Reply(request=request, failure=Failure(code=REQUEST_CANCELLED, message="The request was withdrawn."))
        return Reply(request=request, result=self.asked.withdrawal())


@dataclass(slots=True)
class Dialogue:
    """What a journal's events say, folded. Between a `session/load` and its answer the agent tells old news."""

    translator: Translator = field(default_factory=Translator)
    turns: dict[str, Turn] = field(default_factory=dict)
    open: dict[str, Open] = field(default_factory=dict)
    turn: Turn | None = None
    refused: list[HostRefused] = field(default_factory=list)
    _loading: str = ""

    def hear(self, event: Event) -> list[Passage]:  # noqa: C901 - one match over every event
        """Take in an event; what it says in our words."""
        match event:
            case Told(method="session/update"):
                return self._updated(event)
            case Sent():
                return self._sent(event)
            case Answered():
                self._answered(event)
            case Asked():
                return self._asked(event)
            case Replied():
                self.open.pop(event.request, None)
            case Told(method="$/cancel_request"):
                self._withdrawn(table(event.params).get("requestId"))
            case Noted():
                return self._noted(event)
            case Told():
                pass
        return []

    def _noted(self, event: Noted) -> list[Passage]:
        refused = host_refused(event)
        if refused is None:
            return []
        self.refused.append(refused)
        return [Passage(update=refused)]

    def _sent(self, event: Sent) -> list[Passage]:
        if event.method == "session/load":
            self._loading = event.key
        elif event.method == "session/cancel":
            turn = self.turns.get(event.key.replace("cancel-", "turn-", 1))
            if turn is not None and turn.end is None:
                turn.cancelled = True
        elif event.method == "session/prompt":
            self.translator.interrupt()
            self.turn = self.turns.setdefault(event.key, Turn(key=event.key))
            return [Passage(update=Prompted(text=content_text(table(event.params).get("prompt"))))]
        return []

    def _answered(self, event: Answered) -> None:
        if event.key == self._loading:
            self._loading = ""
        turn = self.turns.get(event.key)
        if turn is not None and turn.end is None:
            turn.finish(event, cost_usd=self.translator.cost_usd)
            self.turn = None if self.turn is turn else self.turn

    def _updated(self, event: Told) -> list[Passage]:
        passages = self.translator.update(event.params)
        if self._loading:
            return []
        if self.turn is not None:
            for passage in passages:
                self.turn.hear(passage)
        return passages

    def _asked(self, event: Asked) -> list[Passage]:
        asked: Permission | Question | None = None
        if event.request in self.open:
            return []
        if event.method == PERMISSION:
            asked = self.translator.permission(event.request, event.params)
        elif event.method == QUESTION:
            asked = questions.question(event.request, event.params)
        if asked is None:
            return []
        self.open[event.request] = Open(id=event.id, asked=asked, turn=self.turn)
        return [Passage(update=asked.update)]

    def _withdrawn(self, identity: object) -> None:
        for request in self.open.values():
            request.withdrawn = request.withdrawn or request.id == identity


class Feed:
    """The updates that are new to this process, for one reader: open requests first, then all that comes."""

    def __init__(self) -> None:
        self.dialogue = Dialogue()
        self._new: deque[AgentUpdate] = deque()
        self._news = asyncio.Event()
        self._over = False
        self._caught_up = False
        self._settled: set[str] = set()
        self._trouble: Broken | None = None

    def hear(self, event: Event) -> Sequence[Reply]:
        """Fold the event; queue what it says if it is new; settle what needs no person."""
        passages = self.dialogue.hear(event)
        if self._caught_up:
            for passage in passages:
                self._queue(passage.update)
        if isinstance(event, Asked) and event.method in SERVES and event.request not in self.dialogue.open:
            failure = Failure(code=INVALID_PARAMS, message="Only forms can be answered here.")
            return (Reply(request=event.request, failure=failure), *self._settlements())
        return self._settlements()

    def caught_up(self) -> Sequence[Reply]:
        """Queue the requests that are open, and what was refused: somebody may have to be asked about it.

        From now on everything is new.
        """
        self._caught_up = True
        for refused in self.dialogue.refused:
            self._queue(refused)
        for request in self.dialogue.open.values():
            self._queue(request.asked.update)
        return self._settlements()

    def over(self, trouble: BandstandError | None) -> None:
        """Let the reader come to its end, or to our own trouble: that the run ended is no news worth an error."""
        self._trouble = trouble if isinstance(trouble, Broken) else None
        self._over = True
        self._news.set()

    async def updates(self) -> AsyncIterator[AgentUpdate]:
        """The queue, to its end; asked again, it ends again. Raises `Broken` if the journal could not be read."""
        while self._new or not self._over:
            while self._new:
                yield self._new.popleft()
            if not self._over:
                self._news.clear()
                await self._news.wait()
        if self._trouble is not None:
            raise self._trouble

    def _settlements(self) -> Sequence[Reply]:
        """The replies to requests that became moot and were not settled yet."""
        if not self._caught_up or not self.dialogue.open:
            return ()
        moot = [name for name, waiting in self.dialogue.open.items() if waiting.moot and name not in self._settled]
        self._settled.update(moot)
        return [self.dialogue.open[name].settlement(name) for name in moot]

    def _queue(self, update: AgentUpdate) -> None:
        if isinstance(update, Prompted):
            return
        if isinstance(update, PermissionRequested | QuestionAsked) and self.dialogue.open[update.request].moot:
            return
        self._new.append(update)
        self._news.set()


class AcpSession:
    """A session on an open channel. Made by `AcpProtocol.open`; keeps the promises of the port."""

    def __init__(
        self, channel: Channel, *, connection: Connection, feed: Feed, session: SessionId, resumed: bool
    ) -> None:
        self._channel = channel
        self._connection = connection
        self._feed = feed
        self._id = session
        self._resumed = resumed
        self._prompting = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._never_sent: set[int] = set()
        self._latest = ""

    @property
    def id(self) -> SessionId:
        """The agent's own name for the session."""
        return self._id

    @property
    def resumed(self) -> bool:
        """Whether the session was loaded, or had turns in this run before it was opened here."""
        return self._resumed

    def updates(self) -> AsyncIterator[AgentUpdate]:
        """What the agent does from now on, open requests of before first. Ends with the run. One reader."""
        return self._feed.updates()

    async def prompt(self, turn: int, text: str) -> TurnResult:
        """Send the prompt of turn `turn` unless it was sent, and wait for the turn's end.

        Another turn that still runs is waited for first: no agent can be trusted with two. A turn that was cancelled
        before it was sent is never sent. Raises `PromptFailed`, or `Unavailable` when the run ends before the turn.
        """
        key = turn_key(turn)
        if not self._connection.answered(key):
            async with self._prompting:
                while (running := await self._whole(self._send(turn, text))) != key:
                    if not running:
                        return TurnResult(stop=StopReason.CANCELLED, message="")
                    await self._connection.arrival(running)
                await self._connection.arrival(key)
        end = self._feed.dialogue.turns[key].end
        if isinstance(end, TurnResult):
            return end
        assert end is not None, "a turn has its end before its answer is passed on"
        raise PromptFailed(end.message, code=end.code)

    async def answer(self, request: str, choice: str | None, text: str = "") -> None:
        """Answer an open request; one that was answered is left alone.

        Raises `Refused` when the request does not take this answer, `Unknown` when the agent never made it, and
        `Unavailable` when the run has ended or another channel has taken over.
        """
        waiting = self._feed.dialogue.open.get(request)
        if waiting is not None:
            result = waiting.asked.reply(choice, said=text)
            fault("agent.answer.before")
            await self._connection.reply(Reply(request=request, result=result))
            fault("agent.answer.after")
        elif not self._connection.known(request):
            raise Unknown(f"The agent has made no request {request!r} in this run.")

    async def cancel(self, turn: int) -> None:
        """Ask the agent to end turn `turn`, and take its open requests off everybody's hands.

        A turn that has ended is left alone, since the agent would take the word for the turn that runs now.
        """
        async with self._sending:
            known = self._feed.dialogue.turns.get(turn_key(turn))
            if known is None and not self._connection.wrote(turn_key(turn)):
                self._never_sent.add(turn)
                return
            if known is not None and known.end is not None:
                return
            fault("agent.cancel.before")
            await self._connection.notify(cancel_key(turn), "session/cancel", {"sessionId": self._id})
            fault("agent.cancel.after")
        for request, waiting in list(self._feed.dialogue.open.items()):
            if waiting.turn is not None and waiting.turn.key == turn_key(turn):
                await self._connection.reply(Reply(request=request, result=waiting.asked.withdrawal()))

    async def close(self) -> None:
        """Let go of the session and its channel; the agent goes on. May be repeated."""
        await self._connection.stop()
        await self._channel.close()

    async def _send(self, turn: int, text: str) -> str:
        """Send the prompt unless it was sent: its key. The key of the turn that still runs, or nothing if cancelled."""
        key = turn_key(turn)
        async with self._sending:
            if turn in self._never_sent:
                return ""
            running = self._feed.dialogue.turn
            if running is not None and running.key != key:
                return running.key
            if self._latest not in ("", key) and not self._connection.answered(self._latest):
                return self._latest
            blocks = [{"type": "text", "text": text}]
            fault("agent.prompt.before")
            await self._connection.request(key, "session/prompt", {"sessionId": self._id, "prompt": blocks})
            fault("agent.prompt.after")
            self._latest = key
            return key

    async def _whole(self, sending: Coroutine[None, None, str]) -> str:
        """Let a prompt be sent or not, but never half: whoever gives up waiting leaves no doubt behind."""
        task = asyncio.create_task(sending)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([task])
        return task.result()
