"""Agents whose turns are Python functions: a fake of the port in `bandstand.ports.agents`.

    async def play(turn: ScriptedTurn) -> AsyncGenerator[AgentUpdate, None]:
        yield Said(text="I will write it.")
        yield PermissionRequested(request="1", title="Write hello.txt", kind=ToolKind.EDIT, choices=...)
        if (await turn.answered("1")).choice == "allow":
            await turn.edit("hello.txt", "hello\\n")

    agents = ScriptedAgents(play, edit=write_into_the_workspace)

The agents live in the `ScriptedAgents` object and in its event loop; a session comes and goes as a restarted program
does. Which run a channel leads to is told by what the channel's journal holds under the first key, so this works on
every channel that keeps its promises. Nothing but keys and texts is written to it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from bandstand.domain.agent import (
    AgentProfile,
    AgentUpdate,
    PermissionRequested,
    Prompted,
    QuestionAsked,
    Said,
    StopReason,
    ToolCalled,
    TurnResult,
    Usage,
)
from bandstand.domain.errors import Refused, Unavailable, Unknown
from bandstand.domain.ids import SessionId
from bandstand.ports.agents import PromptFailed
from bandstand.ports.hosts import Channel, Record, RecordKind
from bandstand.testing.transcripts import FIRST_KEY, ScriptedTranscript

Play = Callable[["ScriptedTurn"], AsyncGenerator[AgentUpdate, None]]
Edit = Callable[[str, str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer as the agent gets it: `choice` is `None` for a refusal, unless there is a `text`."""

    choice: str | None
    text: str = ""


@dataclass(slots=True, kw_only=True)
class ScriptedTurn:
    """A turn as its script sees it. `stop` and `usage` are what its end will say; the script may set them.

    `finished` tells that it came to an end of its own.
    """

    number: int
    text: str
    cwd: str
    stop: StopReason = StopReason.END_TURN
    usage: Usage = field(default_factory=Usage)
    finished: bool = False
    _edit: Edit | None = None
    _answers: dict[str, asyncio.Future[Given]] = field(default_factory=dict)

    async def answered(self, request: str) -> Given:
        """Wait for the answer to a request that this turn has made."""
        return await self._answers[request]

    async def edit(self, path: str, content: str) -> None:
        """Write `content` to `path`, which is relative to the agent's folder, by the callback of the fake."""
        if self._edit is None:
            raise LookupError("These scripted agents were given no way to edit files.")
        await self._edit(self.cwd, path, content)


@dataclass(slots=True, kw_only=True)
class _Played:
    """A turn that was prompted, and what came of it."""

    seen: ScriptedTurn
    updates: list[AgentUpdate] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    end: TurnResult | BaseException | None = None
    task: asyncio.Task[None] | None = None

    def message(self) -> str:
        """All that was said, a blank line between what stands before and after a tool call or a request."""
        said: list[str] = []
        parted = False
        for update in self.updates:
            if isinstance(update, Said):
                said += ["\n\n", update.text] if parted and said else [update.text]
                parted = False
            parted = parted or isinstance(update, ToolCalled | PermissionRequested | QuestionAsked)
        return "".join(said)


@dataclass(slots=True, kw_only=True)
class _Agent:
    """A scripted agent in its run."""

    session: SessionId
    cwd: str
    loaded: bool
    turns: dict[int, _Played] = field(default_factory=dict)
    open: dict[str, PermissionRequested | QuestionAsked] = field(default_factory=dict)
    answers: dict[str, asyncio.Future[Given]] = field(default_factory=dict)
    readers: list[asyncio.Queue[AgentUpdate | None]] = field(default_factory=list)

    def running(self) -> _Played | None:
        """The turn that has no end yet."""
        return next((turn for turn in self.turns.values() if not turn.done.is_set()), None)

    def tell(self, turn: _Played, update: AgentUpdate) -> None:
        """Say something in a turn to whoever listens."""
        if isinstance(update, PermissionRequested | QuestionAsked):
            if update.request in self.answers:
                raise ValueError(f"The script has made the request {update.request!r} before.")
            self.open[update.request] = update
            self.answers[update.request] = asyncio.get_running_loop().create_future()
            turn.seen._answers[update.request] = self.answers[update.request]
        turn.updates.append(update)
        for reader in self.readers:
            reader.put_nowait(update)

    def give(self, request: str, given: Given) -> None:
        """Answer a request, unless it was answered."""
        if self.open.pop(request, None) is not None and not self.answers[request].done():
            self.answers[request].set_result(given)

    def die(self) -> None:
        """The run has ended: no turn comes to an end of its own any more."""
        for turn in self.turns.values():
            if not turn.done.is_set():
                turn.end = Unavailable("The run has ended before the turn did.")
                turn.done.set()
                if turn.task is not None:
                    turn.task.cancel()


class ScriptedAgents:
    """A fake `AgentProtocol`. `play` is every turn of every agent; it can tell them apart by `cwd` and `text`.

    `prompts` is what the agents were told, in order, each prompt once. While `refusal` is set, `open` raises it.
    With `loads`, a session to resume is remembered; without, the agent begins a new one.
    """

    def __init__(self, play: Play, *, edit: Edit | None = None, loads: bool = True) -> None:
        self.prompts: list[ScriptedTurn] = []
        self.refusal: Refused | None = None
        self._play = play
        self._edit = edit
        self._loads = loads
        self._agents: dict[str, _Agent] = {}
        self._offers = 0

    async def open(
        self, channel: Channel, *, profile: AgentProfile, cwd: str, resume: SessionId | None, deadline_seconds: float
    ) -> "ScriptedSession":
        """Open a session, or take up the one that the channel's run has. See the port."""
        if self.refusal is not None:
            raise self.refusal
        self._offers += 1
        session = ScriptedSession(channel, agents=self)
        session.start()
        try:
            async with asyncio.timeout(deadline_seconds):
                await channel.write(FIRST_KEY, f"agent-{self._offers}".encode())
                name = await session.name()
        except TimeoutError:
            await session.let_go()
            raise Unavailable(f"The agent {profile.name!r} did not answer in time.") from None
        except BaseException:
            await session.let_go()
            raise
        loaded = resume is not None and self._loads
        named = resume if resume is not None and loaded else SessionId(f"session-{name}")
        session.attach(self._agents.setdefault(name, _Agent(session=named, cwd=cwd, loaded=loaded)))
        return session

    def transcript(self) -> ScriptedTranscript:
        """The transcript of a run, before its first record."""
        return ScriptedTranscript(self._said)

    def _said(self, name: str, number: int) -> list[AgentUpdate]:
        turn = self._agents[name].turns.get(number) if name in self._agents else None
        return [Prompted(text=turn.seen.text), *turn.updates] if turn is not None else []

    async def turn_result(self, records: AsyncIterator[Record], *, turn: int) -> TurnResult | None:
        """How a turn of the run whose journal this is ended; see the port."""
        played: _Played | None = None
        agent: _Agent | None = None
        async for record in records:
            if record.kind is RecordKind.TO_AGENT and record.key == FIRST_KEY:
                agent = self._agents.get(record.payload.decode())
            elif record.kind is RecordKind.TO_AGENT and record.key == f"turn-{turn}" and agent is not None:
                played = agent.turns.get(turn)
        match played.end if played is not None else None:
            case TurnResult() as result:
                return result
            case PromptFailed() as failure:
                raise PromptFailed(failure.message, code=failure.code)
            case _:
                return None

    def begin(self, agent: _Agent, number: int, text: str) -> _Played:
        """Have an agent play a turn; a turn is played once."""
        if number not in agent.turns:
            seen = ScriptedTurn(number=number, text=text, cwd=agent.cwd, _edit=self._edit)
            played = agent.turns[number] = _Played(seen=seen)
            self.prompts.append(seen)
            played.task = asyncio.create_task(self._perform(agent, played))
            played.task.add_done_callback(lambda task: _finish(played, task))
        return agent.turns[number]

    async def _perform(self, agent: _Agent, played: _Played) -> None:
        async with aclosing(self._play(played.seen)) as updates:
            async for update in updates:
                agent.tell(played, update)
                await asyncio.sleep(0)


def _finish(played: _Played, task: asyncio.Task[None]) -> None:
    """Give a turn the end that its script came to: a result, a failure, or the script's own mistake."""
    trouble = None if task.cancelled() else task.exception()
    if played.end is None:
        stop = StopReason.CANCELLED if task.cancelled() else played.seen.stop
        played.end = trouble or TurnResult(stop=stop, message=played.message(), usage=played.seen.usage)
    played.seen.finished = isinstance(played.end, TurnResult) and played.end.stop is not StopReason.CANCELLED
    played.done.set()


class ScriptedSession:
    """A session of a scripted agent. Made by `ScriptedAgents.open`; keeps the promises of the port."""

    def __init__(self, channel: Channel, *, agents: ScriptedAgents) -> None:
        self._channel = channel
        self._agents = agents
        self._agent = _Agent(session=SessionId(""), cwd="", loaded=False)
        self._resumed = False
        self._new: asyncio.Queue[AgentUpdate | None] = asyncio.Queue()
        self._name: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        self._prompting = asyncio.Lock()
        self._never_sent: set[int] = set()
        self._watch: asyncio.Task[None] | None = None

    @property
    def id(self) -> SessionId:
        """The agent's own name for the session."""
        return self._agent.session

    @property
    def resumed(self) -> bool:
        """Whether the agent remembers what was said in this session before."""
        return self._resumed

    def start(self) -> None:
        """Begin to read the channel."""
        self._watch = asyncio.create_task(self._read())

    async def name(self) -> str:
        """The name under which the run's agent is known. Raises `Unavailable` when the run has ended."""
        return await self._name

    def attach(self, agent: _Agent) -> None:
        """Listen to `agent`, beginning with the requests that wait."""
        self._agent = agent
        self._resumed = agent.loaded or bool(agent.turns)
        for update in agent.open.values():
            self._new.put_nowait(update)
        agent.readers.append(self._new)

    async def updates(self) -> AsyncIterator[AgentUpdate]:
        """What the agent does from now on, open requests of before first. Ends with the run. One reader."""
        while (update := await self._new.get()) is not None:
            yield update
        self._new.put_nowait(None)

    async def prompt(self, turn: int, text: str) -> TurnResult:
        """Have turn `turn` played once and wait for its end. See the port."""
        if turn not in self._agent.turns:
            async with self._prompting:
                while (running := self._agent.running()) is not None and running.seen.number != turn:
                    await self._end_of(running)
                if turn in self._never_sent:
                    return TurnResult(stop=StopReason.CANCELLED, message="")
                await self._channel.write(f"turn-{turn}", json.dumps(text).encode())
                self._agents.begin(self._agent, turn, text)
        match await self._end_of(self._agent.turns[turn]):
            case TurnResult() as result:
                return result
            case PromptFailed() as failure:
                raise PromptFailed(failure.message, code=failure.code)
            case trouble:
                raise trouble

    async def answer(self, request: str, choice: str | None, text: str = "") -> None:
        """Answer an open request. Raises `Refused` for a choice it does not have, `Unknown` for one never made."""
        asked = self._agent.open.get(request)
        if asked is None:
            if request not in self._agent.answers:
                raise Unknown(f"The agent has made no request {request!r} in this run.")
            return
        offered = [each.id for each in asked.choices]
        if choice is not None and choice not in offered:
            raise Refused(f"{choice!r} is no answer to this request.", hint=f"It offers: {', '.join(offered)}.")
        await self._channel.write(f"re:{request}", json.dumps([choice, text]).encode())
        self._agent.give(request, Given(choice=choice, text=text))

    async def cancel(self, turn: int) -> None:
        """Ask the agent to end turn `turn`. One that has ended is left alone, one never sent stays unsent."""
        played = self._agent.turns.get(turn)
        if played is None:
            self._never_sent.add(turn)
        elif not played.done.is_set() and played.task is not None:
            await self._channel.write(f"cancel-{turn}", b"cancel")
            for request in played.seen._answers:
                self._agent.give(request, Given(choice=None))
            played.task.cancel()

    async def close(self) -> None:
        """Let go of the session and its channel; the agent goes on. May be repeated."""
        await self.let_go()
        await self._channel.close()

    async def let_go(self) -> None:
        """Let go of the session and leave the channel."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._new in self._agent.readers:
            self._agent.readers.remove(self._new)
        self._leave("The session was closed.")

    async def _end_of(self, turn: _Played) -> TurnResult | BaseException:
        waits = [asyncio.create_task(event.wait()) for event in (turn.done, self._gone)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return turn.end if turn.end is not None else Unavailable("The session was closed before the turn ended.")

    async def _read(self) -> None:
        """Learn the run's name, then wait for its end."""
        async for record in self._channel.records():
            if record.kind is RecordKind.TO_AGENT and record.key == FIRST_KEY and not self._name.done():
                self._name.set_result(record.payload.decode())
        self._agent.die()
        self._leave("The run has ended.")

    def _leave(self, why: str) -> None:
        self._gone.set()
        self._new.put_nowait(None)
        if not self._name.done():
            self._name.set_exception(Unavailable(why))
            self._name.exception()
