"""JSON-RPC 2.0 with an agent, over the journal of its run.

Who has said what is never kept apart from the journal: it is read from there, from the beginning, in order. So a
connection made after a restart of ours knows what the one before it knew, and nothing is sent twice:

    our request       its key is its id, made from a fact (`init`, `turn-7`)   sent unless the journal has the key
    our answer        its key is `re:` and the agent's id as JSON              an agent's request without one is open
    our notification  its key is a fact too (`cancel-7`)                       sent unless the journal has the key

Requests for methods that nobody serves are refused once. Answers to nothing are passed over.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Final, Protocol

from bandstand.adapters.agents.messages import (
    REPLY,
    Answered,
    Asked,
    Decoder,
    Event,
    Failure,
    Noted,
    Replied,
    Reply,
    Sent,
    Told,
    encoded,
)
from bandstand.domain.errors import BandstandError, Broken, Unavailable
from bandstand.ports.hosts import Channel

METHOD_NOT_FOUND: Final = -32601
_BREATH: Final = 256  # records read in one go while catching up, before other tasks get their turn


class CallFailed(Exception):
    """The agent answered a request of ours with an error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Listener(Protocol):
    """Who is told what the journal says. Told in the journal's order, and at once."""

    def hear(self, event: Event) -> Iterable[Reply]:
        """Take note of an event; give the replies that are due without anybody being asked."""
        ...

    def caught_up(self) -> Iterable[Reply]:
        """All that was in the journal when we attached has been heard: from here on events are new."""
        ...

    def over(self, trouble: BandstandError | None) -> None:
        """Nothing more will come: the run has ended or we let go of it, or there was `trouble`."""
        ...


class Connection:
    """A conversation over a channel, from `start` to `stop`. The channel stays its maker's.

    `serves` are the methods that the listener answers; every other request of the agent is refused, once.
    Nothing is sent before the journal has been read up to where it was when the channel attached.
    """

    def __init__(self, channel: Channel, *, listener: Listener, serves: frozenset[str]) -> None:
        self._channel = channel
        self._listener = listener
        self._serves = serves
        self._decoder = Decoder()
        self._sent: dict[str, Sent] = {}
        self._written: set[str] = set()
        self._asked: dict[str, str | int | float] = {}
        self._replied: set[str] = set()
        self._answers: dict[str, Answered] = {}
        self._arrivals: dict[str, asyncio.Event] = {}
        self._due: deque[Reply] = deque()
        self._ready = asyncio.Event()
        self._writing = asyncio.Lock()
        self._over = False
        self._stopped = False
        self._trouble: BaseException | None = None
        self._reader: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read. To be called once."""
        self._reader = asyncio.create_task(self._read())
        self._reader.add_done_callback(self._ended)

    def sent(self, key: str) -> Sent | None:
        """What the journal has under `key` of ours. Complete once a call has been answered."""
        return self._sent.get(key)

    def answered(self, key: str) -> bool:
        """Whether the answer to our request `key` has been read."""
        return key in self._answers

    def wrote(self, key: str) -> bool:
        """Whether `key` was sent, by the journal or by this connection just now."""
        return key in self._sent or key in self._written

    def known(self, request: str) -> bool:
        """Whether the agent ever made this request."""
        return request in self._asked

    async def call(self, key: str, method: str, params: object, *, deadline: float | None = None) -> object:
        """Send a request unless it was sent, and wait for its answer, which may be there already.

        Raises `CallFailed` when the answer is an error, `Unavailable` when the run ends or `deadline` seconds pass
        before an answer comes.
        """
        try:
            async with asyncio.timeout(deadline):
                await self.request(key, method, params)
                answered = await self.arrival(key)
        except TimeoutError:
            raise Unavailable(
                f"The agent did not answer {method} within {deadline:g} seconds.", hint=self._hint()
            ) from None
        if answered.failure is not None:
            raise CallFailed(answered.failure)
        return answered.result

    async def request(self, key: str, method: str, params: object) -> None:
        """Send a request whose id is `key`, unless the journal has it. Raises `Unavailable` when it cannot be sent."""
        await self._write(key, {"id": key, "method": method, "params": params})

    async def notify(self, key: str, method: str, params: object) -> None:
        """Send a notification, unless the journal has `key`. Raises `Unavailable` when it cannot be sent."""
        await self._write(key, {"method": method, "params": params})

    async def arrival(self, key: str) -> Answered:
        """Wait for the answer to our request `key`, be it an error. Raises `Unavailable` when the run ends before."""
        while key not in self._answers:
            if self._over:
                raise self._gone(f"The agent has not answered {key!r}.")
            await self._arrivals.setdefault(key, asyncio.Event()).wait()
        self._arrivals.pop(key, None)
        return self._answers[key]

    async def reply(self, reply: Reply) -> None:
        """Answer a request of the agent, unless it was answered. Raises `Unavailable` when it cannot be sent."""
        if reply.request in self._replied:
            return
        body: dict[str, object] = {"id": self._asked[reply.request]}
        if reply.failure is None:
            body["result"] = reply.result
        else:
            body["error"] = {"code": reply.failure.code, "message": reply.failure.message}
        await self._write(f"{REPLY}{reply.request}", body)

    async def stop(self) -> None:
        """Stop reading. Whoever waits for an answer gets `Unavailable`. May be repeated."""
        self._stopped = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])

    async def _write(self, key: str, message: dict[str, object]) -> None:
        await self._ready.wait()
        async with self._writing:
            if self.wrote(key):
                return
            if self._over:
                raise self._gone(f"{key!r} was not sent.")
            await self._channel.write(key, encoded(message))
            self._written.add(key)

    async def _read(self) -> None:
        size = await self._channel.caught_up()
        if size <= 0:
            await self._catch_up()
        stream = self._channel.recall()
        try:
            number = 0
            async for record in stream:
                if record.offset >= size and not self._ready.is_set():
                    await self._catch_up()
                for event in self._decoder.read(record):
                    self._take(event)
                if record.end >= size and (self._due or not self._ready.is_set()):
                    await self._catch_up()
                    await self._send_due()
                number += 1
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
            await self._catch_up()
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    def _take(self, event: Event) -> None:  # noqa: C901 - one match over every event, and what follows from it
        match event:
            case Told() | Noted():
                pass
            case Sent():
                self._sent[event.key] = event
            case Replied():
                self._replied.add(event.request)
            case Asked():
                self._asked[event.request] = event.id
            case Answered() if event.key not in self._sent or event.key in self._answers:
                return
            case Answered():
                pass
        self._due.extend(self._listener.hear(event))
        match event:
            case Asked(method=method) if method not in self._serves:
                refusal = Failure(code=METHOD_NOT_FOUND, message=f"There is no method {method[:200]!r} here.")
                self._due.append(Reply(request=event.request, failure=refusal))
            case Answered():
                self._answers[event.key] = event
                if event.key in self._arrivals:
                    self._arrivals[event.key].set()
            case _:
                pass

    async def _catch_up(self) -> None:
        if self._ready.is_set():
            return
        self._due.extend(self._listener.caught_up())
        self._ready.set()
        await self._send_due()

    async def _send_due(self) -> None:
        while self._due:
            reply = self._due.popleft()
            try:
                await self.reply(reply)
            except Unavailable:
                # The run has ended, or a newer channel speaks for it now and finds this request open itself.
                self._due.clear()

    def _ended(self, reader: asyncio.Task[None]) -> None:
        self._over = True
        self._trouble = None if reader.cancelled() else reader.exception()
        self._ready.set()
        for arrival in self._arrivals.values():
            arrival.set()
        self._listener.over(None if self._trouble is None else self._gone("Nothing more can be read."))

    def _hint(self) -> str:
        return f"It last wrote: {self._decoder.last_words}" if self._decoder.last_words else ""

    def _gone(self, message: str) -> BandstandError:
        """Why nothing more comes. Trouble of our own making is no reason to wait and try again."""
        error: BandstandError = Unavailable(f"The run has ended. {message}", hint=self._hint())
        if self._stopped:
            error = Unavailable(f"The session was closed. {message}")
        elif isinstance(self._trouble, Broken):
            error = Broken(self._trouble.message, hint=self._trouble.hint)
        elif self._trouble is not None and not isinstance(self._trouble, Unavailable):
            error = Broken(f"The journal of the run could not be read on: {self._trouble!r}.")
        error.__cause__ = self._trouble
        return error
