"""One run of one agent, and sessions on it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from bandstand.adapters.agents.acp import AcpProtocol
from bandstand.domain.agent import AgentProfile
from bandstand.domain.ids import AgentName, SessionId
from bandstand.ports.agents import Session
from tests.adapters.memory_run import AgentEnd, MemoryChannel, MemoryRun

PROFILE = AgentProfile(name=AgentName("little"), command=("little",))


class World:
    """One run of one agent, and what a test opens on it."""

    def __init__(self, agent: Callable[[AgentEnd], Coroutine[Any, Any, None]]) -> None:
        self.run = MemoryRun(agent)
        self.stack = AsyncExitStack()

    async def open(
        self,
        profile: AgentProfile = PROFILE,
        *,
        resume: SessionId | None = None,
        deadline: float = 5,
        channel: MemoryChannel | None = None,
    ) -> Session:
        """A session, closed at the end."""
        session = await AcpProtocol().open(
            channel or self.run.attach(), profile=profile, cwd="/w", resume=resume, deadline_seconds=deadline
        )
        self.stack.push_async_callback(session.close)
        return session


def in_world(
    agent: Callable[[AgentEnd], Coroutine[Any, Any, None]], test: Callable[[World], Coroutine[Any, Any, None]]
) -> None:
    """Run a test with an agent."""

    async def main() -> None:
        world = World(agent)
        async with asyncio.timeout(20), world.run, world.stack:
            await test(world)

    asyncio.run(main())
