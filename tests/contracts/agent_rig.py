"""The two kinds of agents that the contract is held against, and how a test drives them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from bandstand.adapters.agents.acp import AcpProtocol
from bandstand.domain.agent import (
    AgentProfile,
    AgentUpdate,
    Choice,
    PermissionRequested,
    QuestionAsked,
    Said,
    StopReason,
    Thought,
    ToolCalled,
    ToolEnded,
    ToolKind,
    TurnResult,
)
from bandstand.domain.ids import AgentName, SessionId
from bandstand.ports.agents import AgentProtocol, PromptFailed, Session
from bandstand.testing.agents import ScriptedAgents, ScriptedTurn
from tests.adapters.memory_run import AgentEnd, MemoryRun
from tests.adapters.scripted_acp import ScriptedAcp

T = TypeVar("T", bound=AgentUpdate)
PROFILE = AgentProfile(name=AgentName("little"), command=("little",))
ALLOW = Choice(id="allow", label="Allow", grants=True)
REJECT = Choice(id="reject", label="Reject", grants=False)


class Rig:
    """A protocol, a run with an agent that plays the prompts, and what that agent was told."""

    def __init__(self, protocol: AgentProtocol, agent: Callable[[AgentEnd], Awaitable[None]]) -> None:
        self.protocol = protocol
        self.agent = agent
        self.stack = AsyncExitStack()

    def told(self) -> list[str]:
        """The prompts that reached the agent."""
        if isinstance(self.protocol, ScriptedAgents):
            return [turn.text for turn in self.protocol.prompts]
        assert isinstance(self.agent, ScriptedAcp)
        return self.agent.told

    async def run(self) -> MemoryRun:
        """A new run of the agent."""
        return await self.stack.enter_async_context(MemoryRun(self.agent))

    async def open(self, run: MemoryRun, *, resume: SessionId | None = None) -> Session:
        """A session on a new channel, as a program opens it that has just started."""
        session = await self.protocol.open(run.attach(), profile=PROFILE, cwd="/w", resume=resume, deadline_seconds=5)
        self.stack.push_async_callback(session.close)
        return session


async def silent(end: AgentEnd) -> None:
    """An agent that only listens, for the fake plays its part elsewhere."""
    while await end.read() is not None:
        pass


async def play(turn: ScriptedTurn) -> AsyncGenerator[AgentUpdate, None]:
    """The steps of `ScriptedAcp` as a scripted turn."""
    for number, step in enumerate(turn.text.splitlines()):
        verb, _, rest = step.partition(" ")
        request = f"{turn.number}.{number}"
        for update in said(verb, rest, request):
            yield update
        if verb in ("ask", "question", "choose"):
            given = await turn.answered(request)
            refusal = "reject" if verb == "ask" else "decline"
            yield Said(text=given.choice or given.text or refusal)
        elif verb == "stop":
            turn.stop = StopReason(rest)
        elif verb == "fail":
            raise PromptFailed(rest, code=-32603)
        elif verb == "wait":
            await asyncio.Event().wait()


def said(verb: str, rest: str, request: str) -> list[AgentUpdate]:
    """What the agent says in a step."""
    choices = tuple(Choice(id=colour, label=colour, grants=True) for colour in ("red", "blue"))
    says: dict[str, list[AgentUpdate]] = {
        "say": [Said(text=rest)],
        "think": [Thought(text=rest)],
        "tool": [
            ToolCalled(call=rest, title=f"Write {rest}", kind=ToolKind.EDIT, paths=(rest,)),
            ToolEnded(call=rest, failed=False),
        ],
        "ask": [asking(request, rest)],
        "question": [QuestionAsked(request=request, question=rest)],
        "choose": [QuestionAsked(request=request, question=rest, choices=choices)],
    }
    return says.get(verb, [])


def asking(request: str, path: str) -> PermissionRequested:
    """The request of `ask PATH`."""
    return PermissionRequested(
        request=request, title=f"Write {path}", kind=ToolKind.EDIT, choices=(ALLOW, REJECT), paths=(path,)
    )


def in_loop(rig: Rig, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine to its end, and put away what it opened."""

    async def main() -> None:
        async with rig.stack, asyncio.timeout(20):
            await test()

    asyncio.run(main())


@asynccontextmanager
async def prompting(session: Session, turn: int, text: str) -> AsyncIterator[asyncio.Task[TurnResult]]:
    """A prompt that is waited for elsewhere, and given up at the end."""
    task = asyncio.create_task(session.prompt(turn, text))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(updates: AsyncIterator[AgentUpdate], kind: type[T]) -> T:
    """Read updates up to the first of a kind."""
    async for update in updates:
        if isinstance(update, kind):
            return update
    raise AssertionError(f"no {kind.__name__} came")


async def rest(updates: AsyncIterator[AgentUpdate], count: int) -> list[AgentUpdate]:
    """The next `count` updates."""
    return [await anext(updates) for _ in range(count)]


def rigs() -> dict[str, Rig]:
    """The fake, and ACP with an agent that speaks it."""
    return {"scripted": Rig(ScriptedAgents(play), silent), "acp": Rig(AcpProtocol(), ScriptedAcp())}
