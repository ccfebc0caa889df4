"""A conversation with the agent of one run: its updates passed on, its requests answered or brought to a human."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bandstand.domain.agent import (
    AgentProfile,
    AgentUpdate,
    Choice,
    HostRefused,
    PermissionRequested,
    QuestionAsked,
    TurnResult,
    least,
)
from bandstand.domain.ask import Ask, AskKind
from bandstand.domain.asking import ask_for_agent
from bandstand.domain.errors import BandstandError
from bandstand.domain.events import Event
from bandstand.domain.policy import Permission
from bandstand.domain.run import Run
from bandstand.domain.state import State
from bandstand.ports.agents import Session
from bandstand.services.egress import Egress
from bandstand.services.fleet import Fleet, Told

_CANCEL_SECONDS = 5.0


def live_run(state: State, run: Run) -> Run | None:
    """The run as it stands now; nothing once it has ended."""
    task = state.tasks[run.task]
    return next((live for live in (task.run, task.review_run) if live is not None and live.id == run.id), None)


def wanted(state: State, run: Run) -> bool:
    """Whether the run is to go on."""
    live = live_run(state, run)
    return live is not None and live.stopping is None


class Conversation:
    """One session of a run. While it is open, requests of the agent are answered by policy or become asks, and what it
    may reach is kept up with the answers.

    `over` turns true when the agent has gone.
    """

    def __init__(
        self, fleet: Fleet, run: Run, session: Session, *, walled: bool, egress: Egress, profile: AgentProfile
    ) -> None:
        self.session = session
        self._egress, self._profile = egress, profile
        self._fleet = fleet
        self._run = run
        self._walled = walled
        self._answered: set[str] = set()
        self.over = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Conversation"]:
        """Listen and answer in the background, until the block is left. Its faults are raised in the block."""
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen())
                answering = group.create_task(self._answer())
                following = group.create_task(self._egress.follow(self._run, self._profile))
                try:
                    yield self
                finally:
                    listening.cancel()
                    answering.cancel()
                    following.cancel()
                    await self.session.close()
        except BaseExceptionGroup as faults:
            raise _first(faults) from None

    async def prompt(self, turn: int, text: str) -> TurnResult | None:
        """The result of a turn; nothing if the run is to end before the turn does, which the agent is told."""
        prompting = asyncio.create_task(self.session.prompt(turn, text))
        stopping = asyncio.create_task(self._fleet.until(lambda state: not wanted(state, self._run)))
        try:
            await asyncio.wait({prompting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if prompting.done():
                return prompting.result()
            await self.session.cancel(turn)
            await asyncio.wait({prompting}, timeout=_CANCEL_SECONDS)
            return None
        finally:
            for waiting in (prompting, stopping):
                waiting.cancel()
            await asyncio.gather(prompting, stopping, return_exceptions=True)

    async def _listen(self) -> None:
        async for update in self.session.updates():
            self._fleet.tell(Told(task=self._run.task, run=self._run.id, update=update))
            if isinstance(update, PermissionRequested | QuestionAsked):
                await self._requested(update)
            elif isinstance(update, HostRefused):
                await self._egress.refused(self._run, update)
        self.over = True
        await self._fleet.ring()

    async def _requested(self, update: PermissionRequested | QuestionAsked) -> None:
        permission, choice = self._by_policy(update)
        if choice is not None or permission is Permission.DENY:
            await self.session.answer(update.request, choice.id if choice is not None else None)
            return

        def ask(state: State) -> list[Event]:
            if self._ask(state, update.request) is not None or not wanted(state, self._run):
                return []
            task = state.tasks[self._run.task]
            return [ask_for_agent(state, task, self._run.id, update, now=self._fleet.clock.now())]

        await self._fleet.record(ask)

    def _by_policy(self, update: AgentUpdate) -> tuple[Permission, Choice | None]:
        """What the rules say, and the choice that says so and no more, if the agent offers one."""
        policy = self._fleet.state.policy
        if not isinstance(update, PermissionRequested) or policy is None:
            return Permission.ASK, None
        permission = policy.permission(update.kind, walled=self._walled)
        if permission is Permission.ASK:
            return permission, None
        return permission, least(update.choices, granting=permission is Permission.ALLOW)

    def _ask(self, state: State, request: str) -> Ask | None:
        asks = (ask for ask in state.asks.values() if ask.run == self._run.id)
        return next((ask for ask in asks if ask.request == request), None)

    async def _answer(self) -> None:
        """Bring each answer that is released to the agent, also those given while nobody listened."""
        while True:
            state = await self._fleet.until(lambda state: bool(self._unsent(state)))
            for ask in self._unsent(state):
                self._answered.add(ask.request)
                if ask.answer is not None:
                    await self.session.answer(ask.request, ask.answer.choice or None, ask.answer.text)

    def _unsent(self, state: State) -> list[Ask]:
        asks = (ask for ask in state.asks.values() if ask.kind is not AskKind.LIMIT)
        own = (ask for ask in asks if ask.run == self._run.id and ask.released)
        return [ask for ask in own if ask.request not in self._answered]


def _first(faults: BaseExceptionGroup[BaseException]) -> BaseException:
    """What really went wrong: an error of ours before anything else."""
    flat: list[BaseException] = []
    for fault in faults.exceptions:
        flat.append(_first(fault) if isinstance(fault, BaseExceptionGroup) else fault)
    return next((fault for fault in flat if isinstance(fault, BandstandError)), flat[0])
