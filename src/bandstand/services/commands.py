"""Orders: what a face can have done. Each is one decision on the state: all that follows is recorded, or nothing is.

A refused order leaves everything as it was, what is kept beside the log included.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bandstand.domain import events as e
from bandstand.domain import holding, steering
from bandstand.domain.agent import AgentProfile
from bandstand.domain.ask import APPROVE, CANCEL, REQUEST_CHANGES, Answer, Ask
from bandstand.domain.asking import answer, resume_waiting
from bandstand.domain.errors import BandstandError, Refused, Stale, Unknown
from bandstand.domain.ids import AskId, TaskId
from bandstand.domain.network import HostRule
from bandstand.domain.policy import Policy
from bandstand.domain.stage import Candidate, Moving
from bandstand.domain.state import State, Task, fold
from bandstand.domain.task import TaskSpec, problems
from bandstand.ports.environment import CallerEnvironment
from bandstand.services.fleet import Decide, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Tasks, and the rules that their submitter saw.

    `variables` are those of the submitter's environment; `agents` are profiles that come with the order.
    """

    specs: tuple[TaskSpec, ...]
    policy: Policy
    path: str
    sandbox: str
    by: str
    variables: Mapping[str, str]
    agents: tuple[AgentProfile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The orders of one repository. `landed` looks whether main was moved to a change, and records it."""

    fleet: Recording
    environment: CallerEnvironment
    landed: Callable[[TaskId], Awaitable[bool]]
    _submitting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def submit(self, submission: Submission) -> tuple[TaskId, ...]:
        """Take up tasks, all or none. Whoever submits has seen the rules and lets them hold.

        Raises `Refused` with the first thing that is wrong.
        """

        def decide(state: State) -> Sequence[e.Event]:
            wrong = problems(submission.specs, known={*state.tasks, *state.past})
            if wrong:
                raise Refused(wrong[0].message, hint=wrong[0].hint)
            facts: list[e.Event] = []
            if state.path != submission.path:
                facts.append(e.RepositoryOpened(path=submission.path))
            if state.sandbox != submission.sandbox:
                facts.append(_switch_sandbox(state, submission))
            _hold_to_target(state, submission)
            if state.policy is None or state.policy.digest != submission.policy.digest:
                facts.append(e.PolicyConfirmed(policy=submission.policy, by=submission.by))
                facts.extend(resume_waiting(state, by=submission.by))
            facts.extend(_bring_agents(state, submission))
            facts.extend(e.TaskSubmitted(spec=spec, by=submission.by) for spec in submission.specs)
            return facts

        async with self._submitting:
            decide(self.fleet.state)
            await self._record_with(submission.variables, decide)
        return tuple(spec.id for spec in submission.specs)

    async def _record_with(self, variables: Mapping[str, str], decide: Decide) -> None:
        """Record an order, with the environment in place before any run that it starts can ask for it."""
        before = await self.environment.load()
        await self.environment.save(variables)
        try:
            await self.fleet.record(decide)
        except BandstandError:
            await self.environment.save(before)
            raise

    async def answer(
        self, ask: AskId, choice: str, *, text: str, by: str, alike: Sequence[AskId] = ()
    ) -> tuple[AskId, ...]:
        """Answer an ask, and those named as alike in the same way. Raises `Refused` or `Unknown`; then none is.

        An answer that cancels is given as `cancel` is.
        """
        asks = [one for name in (ask, *alike) if (one := self.fleet.state.asks.get(name)) is not None and one.open]
        cancelled = {one.task for one in asks if choice == CANCEL.id and one.choice(choice) is not None}
        seen = await self._not_landed(cancelled)

        def decide(state: State) -> Sequence[e.Event]:
            _as_seen(state, seen)
            facts: list[e.Event] = []
            now = self.fleet.clock.now()
            for one in (ask, *alike):
                found = answer(state, _ask(state, one), Answer(choice=choice, text=text, by=by))
                state = fold(state, ((now, fact) for fact in found))
                facts.extend(found)
            return facts

        await self.fleet.record(decide)
        return (ask, *alike)

    async def review(self, task_id: TaskId, *, approve: bool, text: str, by: str, commit: str = "") -> None:
        """A human's verdict on a change. `commit` names the head that was seen; without, it is that of the open ask.

        Raises `Refused` when there is no change to give it on, when the change has moved since it was seen, and for an
        approval that nobody asked for and that does not say of which commit it is.
        """
        given = Answer(choice=APPROVE.id if approve else REQUEST_CHANGES.id, text=text, by=by)
        await self.fleet.record(lambda state: steering.review(state, known(state, task_id), given, commit=commit))

    async def send(self, task_id: TaskId, text: str, *, by: str) -> None:
        """Say something to a task's agent, in a turn of its own.

        A turn or a reviewing agent comes to its end before that; checks and a landing of the change give way to it.
        Refused while main is being moved to the change, and once the task has ended.
        """
        await self.fleet.record(lambda state: steering.send(known(state, task_id), text, by=by))

    async def cancel(self, task_id: TaskId, *, reason: str, by: str) -> None:
        """Stop a task for good; its work is kept. Refused while main is being moved, and once the task has ended.

        It has ended, too, if main was moved to its change and that could not be recorded: the task may be waiting for
        somebody to see to that.
        """
        await self.unless_landed(task_id, lambda task: steering.cancel(task, reason=reason, by=by))

    async def unless_landed(self, task_id: TaskId, decide: Callable[[Task], Sequence[e.Event]]) -> None:
        """Record what follows for a task from an order that must not be taken for a change which has landed."""
        seen = await self._not_landed({task_id})

        def facts(state: State) -> Sequence[e.Event]:
            found = decide(known(state, task_id))
            _as_seen(state, seen)
            return found

        await self.fleet.record(facts)

    async def _not_landed(self, names: Iterable[TaskId]) -> Mapping[TaskId, Candidate | None]:
        """What main was to be moved to for each task, and was not. Raises `Stale` if it was."""
        tasks = self.fleet.state.tasks
        seen = {name: tasks[name].approved for name in names if name in tasks}
        for name, candidate in seen.items():
            # While it is being moved the order is refused anyway.
            waits = candidate is not None and not (tasks[name].ended or isinstance(tasks[name].stage, Moving))
            if waits and await self.landed(name):
                raise Stale(
                    f"The change of {name} has landed: main was moved to it, which could not be recorded until now.",
                    hint="What landed can be reverted.",
                )
        return seen

    async def allow_host(self, host: HostRule, task_id: TaskId | None, *, by: str) -> None:
        """Let a task reach a host, or without a task all of the repository, beside what the rules name.

        Agents that run find it from their next connection on. Refused for a host that may be reached so already.
        """

        def decide(state: State) -> Sequence[e.Event]:
            allowed = state.allowed if task_id is None else known(state, task_id).allowed
            if host in allowed:
                raise Refused(f"{host.text} is allowed already.", hint="`band network` shows what is.")
            return [e.HostAllowed(host=host, by=by, task=task_id)]

        await self.fleet.record(decide)

    async def revoke_host(self, host: HostRule, *, by: str) -> None:
        """Take back that a host may be reached beside what the rules name, for the repository and every task."""

        def decide(state: State) -> Sequence[e.Event]:
            allowed = [*state.allowed, *(rule for task in state.tasks.values() for rule in task.allowed)]
            if host.text not in [rule.text for rule in allowed]:
                raise Refused(
                    f"{host.text} was not allowed beside the rules.",
                    hint="`band network` shows what is. What the rules name is changed in bandstand.toml.",
                )
            return [e.HostRevoked(host=host, by=by)]

        await self.fleet.record(decide)

    async def pause(self, task_id: TaskId, *, reason: str, by: str) -> None:
        """Hold a task where it stands. Its agent is ended, with its session, its files and its place kept."""
        await self.fleet.record(lambda state: holding.pause(known(state, task_id), reason=reason, by=by))

    async def resume(self, task_id: TaskId, *, by: str) -> None:
        """Let a paused task go on. Refused if it is not paused."""
        await self.fleet.record(lambda state: holding.resume(state, known(state, task_id), by=by))

    async def retry(self, task_id: TaskId, *, by: str) -> tuple[str, ...]:
        """Try anew what goes on for a task, or what keeps it from going on; the types of the facts that followed."""
        recorded = await self.fleet.record(lambda state: steering.retry(state, known(state, task_id), by=by))
        return tuple(type(fact.event).__name__ for fact in recorded)


def _as_seen(state: State, seen: Mapping[TaskId, Candidate | None]) -> None:
    """Raise `Stale` for a task whose change began to land since it was looked at."""
    for name, candidate in seen.items():
        if name in state.tasks and state.tasks[name].approved != candidate:
            raise Stale(f"{name} is landing right now.", hint="Wait a moment; what landed can be reverted.")


def known(state: State, task_id: TaskId) -> Task:
    """A task that is not over, by its id. Raises `Stale` for one that is, `Unknown` if there never was one."""
    if task_id in state.past:
        raise Stale(f"{task_id} has ended.", hint="Submit a new task with `band run`.")
    task = state.tasks.get(task_id)
    if task is None:
        raise Unknown(f"There is no task {task_id!r} in this repository.", hint="`band ps` shows the tasks.")
    return task


def _ask(state: State, ask_id: AskId) -> Ask:
    ask = state.asks.get(ask_id)
    if ask is None:
        raise Unknown(f"There is no ask {ask_id!r}.", hint="`band asks` shows what is open.")
    return ask


def _switch_sandbox(state: State, submission: Submission) -> e.SandboxChosen:
    live = [task.spec.id for task in state.tasks.values() if not task.ended]
    if live:
        raise Refused(
            f"Live tasks of this repository run with sandbox {state.sandbox!r}: {', '.join(live[:3])}.",
            hint=f"Wait for them or cancel them, then use --sandbox {submission.sandbox}.",
        )
    return e.SandboxChosen(name=submission.sandbox, by=submission.by)


def _hold_to_target(state: State, submission: Submission) -> None:
    """All live tasks land on one branch. An order for another one would take them along, unasked.

    What has landed and is still to be pushed is pushed to that branch of the remote, and to no other.
    """
    live = [task.spec.id for task in state.tasks.values() if not task.ended or task.push_to]
    if live and state.policy is not None and state.policy.target != submission.policy.target:
        raise Refused(
            f"Live tasks of this repository land on {state.policy.target}: {', '.join(live[:3])}.",
            hint=f"Use --target {state.policy.target}, or wait for them or cancel them.",
        )


def _bring_agents(state: State, submission: Submission) -> list[e.Event]:
    """Agents of the order that are new here. One that live tasks use with another command cannot be replaced."""
    facts: list[e.Event] = []
    for profile in submission.agents:
        old = state.agents.get(profile.name)
        users = [task.spec.id for task in state.tasks.values() if not task.ended and task.spec.agent == profile.name]
        if old is not None and old != profile and users:
            raise Refused(
                f"Live tasks still use another agent {profile.name!r}: {', '.join(users[:3])}.",
                hint="Wait for them or cancel them first.",
            )
        if old != profile:
            facts.append(e.AgentConfigured(profile=profile, by=submission.by))
    return facts
