"""A whole fleet in memory, and words to play the user's part in it: submit, answer, wait, look, kill the daemon.

Everything is the real thing but the ports, which are the shipped fakes. A story is a coroutine that gets a `World`;
`play` runs it and holds it to the laws that every story must keep.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from bandstand.config.models import UserSettings
from bandstand.domain import events as e
from bandstand.domain.admission import Capacity
from bandstand.domain.ask import Ask
from bandstand.domain.check import CheckCommand, CommandResult, Conclusion
from bandstand.domain.errors import Refused
from bandstand.domain.history import at_its_end
from bandstand.domain.ids import AgentName, CommitId, RepositoryId, TaskId
from bandstand.domain.limits import Limits
from bandstand.domain.past import subject
from bandstand.domain.policy import Policy
from bandstand.domain.remains import Retention
from bandstand.domain.stage import Cancelled, Landed, Stage
from bandstand.domain.standing import standing
from bandstand.domain.state import State, Task, fold
from bandstand.domain.task import TaskSpec
from bandstand.services.admission import Account, Admission
from bandstand.services.commands import Commands, Submission
from bandstand.services.fleet import Fleet, Hearing
from bandstand.services.housekeeping import Housekeeping
from bandstand.services.launching import Launching
from bandstand.services.measures import Measures
from bandstand.services.performing import Performers
from bandstand.services.policies import Policies
from bandstand.services.reconcile import Brain, Perform
from bandstand.services.upstreams import Upstreams
from bandstand.services.views import Views
from bandstand.services.watching import Watch
from bandstand.testing.agents import ScriptedAgents
from bandstand.testing.clock import FakeClock
from bandstand.testing.credentials import MemoryLogins
from bandstand.testing.environment import MemoryEnvironment
from bandstand.testing.folders import FakeFolders
from bandstand.testing.git import MemoryRepository
from bandstand.testing.leases import MemoryLeases
from bandstand.testing.listening import MemoryNetworks
from bandstand.testing.machine import FakeMachine
from bandstand.testing.remains import MemoryRemains
from bandstand.testing.remote import MemoryRemote
from bandstand.testing.sandbox import OpenSandbox
from tests.services.acting import Act, Cast, idle
from tests.services.laws import nothing_is_prompted_twice, nothing_lands_unseen
from tests.services.watching import CrowdedHost, GuardedWorkspaces, MortalLog, PatientChecks
from tests.services.watching import is_live as is_live

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PATIENCE_SECONDS = 10.0
E = TypeVar("E", bound=e.Event)
Condition = Callable[[State], bool]
Files = Mapping[str, bytes]


def red_if_told(files: Files) -> Conclusion:
    """Red where a file says so, and where two files that do not go together meet."""
    return Conclusion.FAILURE if "red.txt" in files or {"left.txt", "right.txt"} <= files.keys() else Conclusion.SUCCESS


def rules(*, review: str = "none", checks: Sequence[str] = ("make test",), more: str = "") -> bytes:
    """A `bandstand.toml` with two agents: `coder`, and `critic` that reviews."""
    commands = ", ".join(f'"{check}"' for check in checks)
    return (
        f'review = "{review}"\nreviewer = "critic"\nagent = "coder"\n{more}\n'
        f"[checks]\ncommands = [{commands}]\n"
        '[agents.coder]\ncommand = ["agent"]\n[agents.critic]\ncommand = ["agent"]\n'
    ).encode()


class Walls(OpenSandbox):
    """A sandbox that says that its walls are real."""

    @property
    def enforced(self) -> bool:
        """So that permissions are those of a walled run."""
        return True


@dataclass(slots=True, kw_only=True)
class Daemon:
    """What one daemon has of the repository. It dies with it; the world does not."""

    fleet: Fleet
    commands: Commands
    policies: Policies
    account: Account
    brain: Brain
    views: Views
    performers: Performers
    watch: Watch
    beating: asyncio.Task[None] | None = None


class World:
    """A repository, its user, its agents, and a daemon that may die. It has slots of its own, or shares a `ledger`."""

    def __init__(
        self,
        toml: bytes | None = None,
        *,
        files: dict[str, bytes] | None = None,
        slots: int = 2,
        log: MortalLog | None = None,
        clock: FakeClock | None = None,
        name: str = "0123456789abcdef",
        ledger: Admission | None = None,
    ) -> None:
        self.log = log or MortalLog()
        self.clock = clock or FakeClock(START)
        settings = {"bandstand.toml": toml if toml is not None else rules()}
        self.repository = MemoryRepository({"README.md": b"Hello.\n", **settings, **(files or {})})
        self.repository.id = RepositoryId(name)
        self.workspaces = GuardedWorkspaces(self.repository)
        self.host = CrowdedHost({"agent": idle}, clock=lambda: int(self.clock.now().timestamp() * 1000))
        self.cast = Cast(workspaces=self.workspaces)
        self.agents = ScriptedAgents(self.cast.play)
        self.judge: Callable[[Files], Conclusion] = red_if_told
        self.checks, self.measures = PatientChecks(self._check), Measures()
        self.environment, self.logins = MemoryEnvironment(), MemoryLogins()
        self.walls, self.networks, self.leases = OpenSandbox(), MemoryNetworks(), MemoryLeases()
        self.remains, self.folders, self.limits = MemoryRemains(), FakeFolders(), Limits()
        self.remote, self.slots = MemoryRemote(self.repository), slots
        self.ledger = ledger or Admission(capacity=self._capacity, machine=FakeMachine(), clock=self.clock)
        self.heard: Hearing = lambda repository, notice: None
        self.around: Callable[[Perform], Perform] = lambda perform: perform
        self.complaints: list[str] = []
        self.daemon = self._compose()

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().set_exception_handler(self._complain)
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    def _capacity(self) -> Capacity:
        return Capacity(slots=self.slots)

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _check(self, commit: CommitId, check: CheckCommand) -> CommandResult:
        said = self.judge(self.repository.at(commit).files)
        code = {Conclusion.SUCCESS: 0, Conclusion.FAILURE: 1}.get(said)
        tail = "" if said is Conclusion.SUCCESS else f"It is {said.value}.\n"
        return CommandResult(name=check.name, command=check.command, conclusion=said, code=code, seconds=1.0, tail=tail)

    # --- the daemon ------------------------------------------------------------------------------------------------

    def _compose(self) -> Daemon:
        host, heard = self.host, lambda name, said: self.heard(name, said)
        fleet = Fleet(self.repository.id, log=self.log, clock=self.clock, heard=heard, measures=self.measures)
        policies = Policies(fleet=fleet, repository=self.repository, user=UserSettings, which=lambda name: None)
        performers = Performers.of(
            fleet,
            host=self.host,
            protocol=self.agents,
            workspaces=self.workspaces,
            launching=Launching(
                sandbox=self.walls,
                environment=self.environment,
                repository=self.repository,
                logins=self.logins,
                home=Path("/home/ada"),
                leases=self.leases,
                limits=lambda: self.limits,
            ),
            policies=policies,
            runner=self.checks,
            housekeeping=Housekeeping(fleet=fleet, host=self.host, remains=(self.remains,), retention=Retention),
            upstreams=Upstreams(fleet=fleet, repository=self.repository, remote=self.remote, fetches=lambda: True),
        )
        account = self.ledger.open(self.repository.id, state=lambda: fleet.state, host=self.host)
        return Daemon(
            fleet=fleet,
            policies=policies,
            commands=Commands(fleet=fleet, environment=self.environment, landed=performers.landing.landed_before),
            account=account,
            brain=Brain(fleet, perform=self.around(performers.perform), account=account, measures=self.measures),
            views=Views(fleet=fleet, repository=self.repository, host=host, protocol=self.agents, waits=account.wait),
            performers=performers,
            watch=Watch(fleet=fleet, host=self.host, folders=self.folders, limits=performers.authors.launching.allowed),
        )

    async def start(self) -> None:
        """A daemon comes up and takes up what the log says."""
        self.log.revive()
        self.daemon = self._compose()
        await self.daemon.fleet.open()
        self.daemon.beating = asyncio.create_task(self.daemon.brain.run(), name="brain")

    async def kill(self) -> None:
        """The daemon is gone; agents and their hosts are not."""
        if self.daemon.beating is not None:
            self.daemon.beating.cancel()
            await asyncio.gather(self.daemon.beating, return_exceptions=True)

    async def restart(self) -> None:
        """The daemon is killed, and another one comes."""
        await self.kill()
        await self.start()

    # --- what the user does ----------------------------------------------------------------------------------------

    async def _order(self, order: Callable[[Commands], Coroutine[Any, Any, object]]) -> None:
        """Give an order; again, if the daemon died over it. Then it may have been taken."""
        died = False
        while True:
            ordering = asyncio.create_task(order(self.daemon.commands))
            dying = asyncio.create_task(self.log.dead.wait())
            await asyncio.wait({ordering, dying}, return_when=asyncio.FIRST_COMPLETED)
            dying.cancel()
            if ordering.done():
                break
            ordering.cancel()
            await asyncio.gather(ordering, return_exceptions=True)
            died = True
            await self.restart()
        if not (died and isinstance(ordering.exception(), Refused)):
            ordering.result()

    async def policy(self) -> Policy:
        """The rules as they stand on the target branch."""
        return await self.daemon.policies.current(await self.daemon.policies.target())

    async def submit(self, *tasks: str | TaskSpec) -> None:
        """Submit tasks under the rules that hold now; of a name, a plain task is made."""
        specs = tuple(task if isinstance(task, TaskSpec) else spec(task) for task in tasks)
        submission = Submission(
            specs=specs,
            policy=await self.policy(),
            path="/memory/repository",
            sandbox="none",
            by="ada",
            variables={"PATH": "/bin"},
        )
        await self._order(lambda commands: commands.submit(submission))

    async def answer(self, ask: Ask, choice: str = "", text: str = "") -> None:
        """Answer an ask."""
        await self._order(lambda commands: commands.answer(ask.id, choice, text=text, by="ada"))

    async def review(self, task: str, *, approve: bool, text: str = "", commit: str = "") -> None:
        """Give a verdict."""
        name = TaskId(task)
        await self._order(lambda commands: commands.review(name, approve=approve, text=text, by="ada", commit=commit))

    async def send(self, task: str, text: str) -> None:
        """Say something to the task's agent."""
        await self._order(lambda commands: commands.send(TaskId(task), text, by="ada"))

    async def cancel(self, task: str) -> None:
        """Cancel a task."""
        await self._order(lambda commands: commands.cancel(TaskId(task), reason="", by="ada"))

    async def passes(self, **time: float) -> None:
        """Time passes."""
        await self.clock.advance(timedelta(**time))

    # --- what the agents do ----------------------------------------------------------------------------------------

    def agent_does(self, task: str, *acts: Act) -> None:
        """What the agent of a task plays, turn by turn."""
        self.cast.acts.setdefault(task, []).extend(acts)

    def reviewer_does(self, task: str, *acts: Act) -> None:
        """What the reviewers of a task play, turn by turn."""
        self.cast.acts.setdefault(f"review of {task}", []).extend(acts)

    # --- looking ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """What the daemon knows."""
        return self.daemon.fleet.state

    def task(self, name: str) -> Task:
        """A task as it stands, or stood at its end."""
        own = [fact for fact in self.log.facts if fact.repository == self.repository.id]
        past = at_its_end((fact.at, fact.event) for fact in own if subject(fact.event) == name)
        return past or self.state.tasks[TaskId(name)]

    def facts(self, kind: type[E]) -> list[E]:
        """The facts of a kind, in order."""
        own = (fact.event for fact in self.log.facts if fact.repository == self.repository.id)
        return [event for event in own if isinstance(event, kind)]

    def prompts(self, task: str) -> list[str]:
        """What the author of a task was told, in order."""
        return [turn.text for turn in self.agents.prompts if turn.cwd == f"/memory/workspaces/{task}/tree"]

    def file(self, path: str, *, ref: str = "refs/heads/main") -> str | None:
        """A file as it stands on a branch, or under another ref."""
        content = self.repository.at(self.repository.refs[ref]).files.get(path)
        return content.decode() if content is not None else None

    async def until(self, condition: Condition, *, why: str = "") -> State:
        """Wait until the state is such. A daemon that dies meanwhile is followed by another one."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition(self.state):
                    await self._news(condition)
        except TimeoutError:
            raise AssertionError(f"It did not come to this{': ' if why else ''}{why}.\n{self.story()}") from None
        return self.state

    async def _news(self, condition: Condition) -> None:
        coming = asyncio.create_task(self.daemon.fleet.until(condition))
        dying = asyncio.create_task(self.log.dead.wait())
        await asyncio.wait({coming, dying}, return_when=asyncio.FIRST_COMPLETED)
        if self.log.dead.is_set():
            await self.restart()
        for waiting in (coming, dying):
            waiting.cancel()
        await asyncio.gather(coming, dying, return_exceptions=True)

    async def ask(self, task: str) -> Ask:
        """The open ask of a task, once there is one."""
        state = await self.until(lambda state: bool(_asks(state, task)), why=f"{task} asks")
        return _asks(state, task)[0]

    async def settled(self) -> None:
        """Until everything that needs no waiting has been done."""
        await self.clock.advance(timedelta(0))

    def story(self) -> str:
        """What has happened so far, and where everybody stands."""
        facts = [f"  {fact.version:3} {fact.event}" for fact in self.log.facts]
        tasks = [f"  {task.spec.id}: {standing(self.state, task)} {task.stage}" for task in self.state.tasks.values()]
        return "\n".join([*facts, "Now:", *tasks, *self.complaints])

    # --- the laws --------------------------------------------------------------------------------------------------

    def keeps_the_laws(self) -> None:
        """Nothing is prompted or landed twice, or lands unseen; main is green at every step; the log tells all."""
        own = [(fact.at, fact.event) for fact in self.log.facts if fact.repository == self.repository.id]
        nothing_is_prompted_twice(self.agents.prompts, [event for _, event in own])
        nothing_lands_unseen(
            self.facts(e.ChangeLanded),
            self.repository,
            checked=[commit for _, commit in self.checks.ran],
            changes=lambda task: self.task(task).change,
        )
        assert fold(State(), own) == self.state
        assert self.complaints == []


def spec(name: str, **fields: Any) -> TaskSpec:
    """A plain task."""
    plain = {"id": TaskId(name), "title": f"Do {name}", "goal": f"Do {name}.", "agent": AgentName("coder")}
    return TaskSpec(**plain | fields)


def _asks(state: State, task: str) -> list[Ask]:
    return [ask for ask in state.open_asks() if ask.task == task]


def landed(*tasks: str) -> Condition:
    """Every one of these has landed, and its workspace is gone."""
    return lambda state: all(state.past.get(TaskId(name)) is True for name in tasks)


def at(task: str, *stages: type[Stage]) -> Condition:
    """The task is at one of these stages."""

    def condition(state: State) -> bool:
        name = TaskId(task)
        if name in state.past:
            return (Landed if state.past[name] else Cancelled) in stages
        return isinstance(state.tasks[name].stage, stages)

    return condition


def over(task: str) -> Condition:
    """The task has ended, and nothing of it is left on the machine."""
    return lambda state: TaskId(task) in state.past


def play(story: Callable[[World], Awaitable[None]], world: Callable[[], World] = World) -> None:
    """Play a story, and hold it to the laws."""

    async def main() -> None:
        async with asyncio.timeout(60), world() as stage:
            await story(stage)
            stage.keeps_the_laws()

    asyncio.run(main())
