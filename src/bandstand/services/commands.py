"""Orders: what a face can have done. Each is one decision on the state, recorded or refused as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bandstand.domain import events as e
from bandstand.domain.agent import AgentProfile
from bandstand.domain.ask import APPROVE, REQUEST_CHANGES, Answer, Ask, AskKind
from bandstand.domain.asking import answer, resume_waiting
from bandstand.domain.errors import Refused, Unknown
from bandstand.domain.ids import AskId, TaskId
from bandstand.domain.policy import Policy
from bandstand.domain.review import Review, Reviewer, Verdict
from bandstand.domain.stage import AgentReview, Checking, HumanReview, InQueue
from bandstand.domain.state import State, Task
from bandstand.domain.task import TaskSpec, problems
from bandstand.ports.environment import CallerEnvironment
from bandstand.services.fleet import Fleet

_REVIEWABLE = Checking | AgentReview | HumanReview | InQueue


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
    """The orders of one repository."""

    fleet: Fleet
    environment: CallerEnvironment

    async def submit(self, submission: Submission) -> tuple[TaskId, ...]:
        """Take up tasks, all or none. Whoever submits has seen the rules and lets them hold.

        Raises `Refused` with the first thing that is wrong.
        """
        await self.environment.save(submission.variables)

        def decide(state: State) -> Sequence[e.Event]:
            wrong = problems(submission.specs, known=state.tasks)
            if wrong:
                raise Refused(wrong[0].message, hint=wrong[0].hint)
            facts: list[e.Event] = []
            if state.path != submission.path:
                facts.append(e.RepositoryOpened(path=submission.path))
            if state.sandbox != submission.sandbox:
                facts.append(_switch_sandbox(state, submission))
            if state.policy is None or state.policy.digest != submission.policy.digest:
                facts.append(e.PolicyConfirmed(policy=submission.policy, by=submission.by))
                facts.extend(resume_waiting(state, by=submission.by))
            facts.extend(_bring_agents(state, submission))
            facts.extend(e.TaskSubmitted(spec=spec, by=submission.by) for spec in submission.specs)
            return facts

        await self.fleet.record(decide)
        return tuple(spec.id for spec in submission.specs)

    async def answer(
        self, ask: AskId, choice: str, *, text: str, by: str, alike: Sequence[AskId] = ()
    ) -> tuple[AskId, ...]:
        """Answer an ask, and those named as alike in the same way. Raises `Refused` or `Unknown`; then none is."""

        def decide(state: State) -> Sequence[e.Event]:
            facts: list[e.Event] = []
            for one in (ask, *alike):
                facts.extend(answer(state, _ask(state, one), Answer(choice=choice, text=text, by=by)))
            return facts

        await self.fleet.record(decide)
        return (ask, *alike)

    async def review(self, task_id: TaskId, *, approve: bool, text: str, by: str) -> None:
        """A human's verdict on the change as it stands. Raises `Refused` when there is none to give it on."""

        def decide(state: State) -> Sequence[e.Event]:
            task = known(state, task_id)
            asked = [ask for ask in state.open_asks() if ask.task == task_id and ask.kind is AskKind.REVIEW]
            choice = APPROVE.id if approve else REQUEST_CHANGES.id
            if asked:
                return answer(state, asked[0], Answer(choice=choice, text=text, by=by))
            return [e.ReviewConcluded(task=task_id, review=_verdict(task, approve=approve, text=text, by=by))]

        await self.fleet.record(decide)

    async def send(self, task_id: TaskId, text: str, *, by: str) -> None:
        """Say something to a task's agent: its next turn, as soon as none runs."""
        if not text.strip():
            raise Refused("There is nothing to send.", hint='Say it: band send TASK "…"')

        def decide(state: State) -> Sequence[e.Event]:
            task = known(state, task_id)
            if task.ended:
                raise Refused(f"{task_id} has ended.", hint="Submit a new task with `band run`.")
            if task.landing:
                raise Refused(f"{task_id} is landing right now.", hint="Wait a moment, then submit a new task.")
            return [e.MessageSent(task=task_id, text=text, by=by)]

        await self.fleet.record(decide)

    async def cancel(self, task_id: TaskId, *, reason: str, by: str) -> None:
        """Stop a task for good; its work is kept. Refused while it is landing, and once it has ended."""

        def decide(state: State) -> Sequence[e.Event]:
            task = known(state, task_id)
            if task.ended:
                raise Refused(f"{task_id} has ended already.")
            if task.landing:
                raise Refused(f"{task_id} is landing right now.", hint="Wait a moment; what landed can be reverted.")
            return [e.TaskCancelled(task=task_id, by=by, reason=reason)]

        await self.fleet.record(decide)


def known(state: State, task_id: TaskId) -> Task:
    """A task by its id. Raises `Unknown`."""
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


def _verdict(task: Task, *, approve: bool, text: str, by: str) -> Review:
    if task.change is None or not isinstance(task.stage, _REVIEWABLE):
        raise Refused(f"{task.spec.id} has no change to review now.", hint=f"`band show {task.spec.id}` tells more.")
    if not approve and not text:
        raise Refused("Changes are requested without saying which.", hint="Say them with -m.")
    return Review(
        commit=task.change.head,
        by=Reviewer.HUMAN,
        name=by,
        verdict=Verdict.APPROVED if approve else Verdict.CHANGES_REQUESTED,
        summary=text,
    )
