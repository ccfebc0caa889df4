"""Reviews by agents: driving the run that reads a change and gives a verdict.

The reviewer works in a checkout of its own, which is thrown away. As with authors, every step looks before it acts.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from bandstand.domain import events as e
from bandstand.domain.activities import Reviewing
from bandstand.domain.agent import AgentProfile, TurnResult
from bandstand.domain.errors import Broken, Refused, Unavailable
from bandstand.domain.ids import CommitId
from bandstand.domain.policy import Policy
from bandstand.domain.prompt import review_prompt, shown_patch, verdict_again
from bandstand.domain.review import Review, UnreadableVerdict, parse_verdict
from bandstand.domain.run import EndReason, Run
from bandstand.domain.stage import AgentReview
from bandstand.domain.state import State, Task
from bandstand.ports.agents import AgentProtocol, PromptFailed
from bandstand.ports.git import Repository
from bandstand.ports.hosts import Host, RunState, RunStatus
from bandstand.ports.workspaces import Workspace, Workspaces
from bandstand.services.conversation import Conversation, live_run, wanted
from bandstand.services.egress import Egress
from bandstand.services.fleet import Fleet
from bandstand.services.launching import Launching, People, find_profile
from bandstand.services.policies import Policies
from bandstand.services.runs import OVER, confirmed, open_session, starved

Answer = Callable[[int, str], Awaitable[TurnResult | None]]
"""What a reviewer answers to the prompt of a turn; nothing if there is no answer."""

_TRIES = 2
"""How often a reviewer may answer until its verdict can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewers:
    """Drives reviewing runs of one repository."""

    fleet: Fleet
    host: Host
    protocol: AgentProtocol
    repository: Repository
    workspaces: Workspaces
    launching: Launching
    policies: Policies
    egress: Egress

    async def perform(self, activity: Reviewing) -> None:
        """Drive a reviewing run until it has ended, and record its verdict and its end."""
        while (run := live_run(self.fleet.state, activity.run)) is not None:
            status = await self.host.status(run.id)
            if run.stopping is not None:
                await self._end(run, run.stopping)
            elif status.state in OVER:
                await self._ended(run, activity.commit, status)
            else:
                await self._go_on(run, activity.commit, status.state)

    async def _go_on(self, run: Run, commit: CommitId, state: RunState) -> None:
        task = self.fleet.state.tasks[run.task]
        policy = confirmed(self.fleet.state)
        profile = find_profile(await self.policies.profiles(policy), run.agent)
        people = await self.launching.people(run.agent, policy)
        workspace = await self._workspace(task, run, commit, policy, people)
        try:
            if state is RunState.ABSENT:
                allowed = self.launching.allowed(policy, task)
                reach = await self.egress.prepare(run, profile)
                launch = await self.launching.launch(profile, workspace, people, reach, limits=allowed)
                await self.host.start(run.id, launch)
            await self._review(run, commit, profile, workspace)
        except Refused as refusal:
            await self._end(run, EndReason.REFUSED, detail=f"{refusal} {refusal.hint}".strip())
        except PromptFailed as failure:
            await self._end(run, EndReason.CRASHED, detail=str(failure))
        except Unavailable:
            if (await self.host.status(run.id)).state not in OVER:
                raise

    async def _ended(self, run: Run, commit: CommitId, status: RunStatus) -> None:
        """The process is gone. A verdict that the journal has was given."""
        try:
            review = await self._verdict(run, commit, partial(self._told, run))
        except PromptFailed:
            review = ""
        if isinstance(review, Review):
            await self._conclude(run, review)
            await self._end(run, EndReason.FINISHED)
        else:
            reason = EndReason.LOST if status.state is RunState.LOST else EndReason.CRASHED
            reason = EndReason.MEMORY if starved(status) else reason
            await self._end(run, reason, detail=await self.host.errors(run.id) or status.reason)

    async def _told(self, run: Run, turn: int, _: str) -> TurnResult | None:
        """How a turn of a run that is over ended, by its journal."""
        return await self.protocol.turn_result(self.host.journal(run.id), turn=turn)

    async def _workspace(self, task: Task, run: Run, commit: CommitId, policy: Policy, people: People) -> Workspace:
        """A checkout of the change, in which the target's name shows what the change is based on."""
        if task.change is None:
            raise Broken(f"{task.spec.id} is under review without a change.")
        name = workspace_name(run)
        workspace = await self.workspaces.prepare(
            name,
            base=commit,
            target=policy.target,
            author=people.author,
            committer=people.committer,
            inclusion=policy.inclusion,
        )
        ref = f"refs/remotes/origin/{policy.target}"
        await self.workspaces.show_commit(name, ref=ref, commit=task.change.base)
        return workspace

    async def _review(self, run: Run, commit: CommitId, profile: AgentProfile, workspace: Workspace) -> None:
        """Ask for a verdict, once more if it cannot be read, and record it. A run that gives none has broken off."""
        sandbox = self.launching.sandbox
        cwd = str(sandbox.inside(workspace.folder, role="workspace"))
        try:
            session = await open_session(self.host, self.protocol, run, profile=profile, cwd=cwd)
        except Unavailable as silence:
            # A reviewer that does not open a session in time will not do so later either.
            if (await self.host.status(run.id)).state not in OVER:
                await self._end(run, EndReason.CRASHED, detail=f"{silence} {silence.hint}".strip())
            return
        if run.session is None:
            await self.fleet.record(lambda _: [e.SessionOpened(run=run.id, task=run.task, session=session.id)])
        conversation = Conversation(
            self.fleet, run, session, walled=sandbox.enforced, egress=self.egress, profile=profile
        )
        async with conversation.open():
            review = await self._verdict(run, commit, conversation.prompt)
        if isinstance(review, Review):
            await self._conclude(run, review)
            await self.fleet.until(lambda state: not wanted(state, run))
        elif wanted(self.fleet.state, run):
            await self._end(run, EndReason.CRASHED, detail=review)

    async def _verdict(self, run: Run, commit: CommitId, answer: Answer) -> Review | str:
        """The review that the reviewer's answers hold, or why there is none."""
        text = await self._prompt(run)
        problem = "It was stopped."
        for turn in range(1, _TRIES + 1):
            result = await answer(turn, text)
            if result is None:
                return problem
            try:
                return parse_verdict(result.message, commit=commit, name=run.agent)
            except UnreadableVerdict as unreadable:
                problem = str(unreadable)
                text = verdict_again(problem)
        return f"{run.agent} gave no verdict that can be read. {problem}"

    async def _prompt(self, run: Run) -> str:
        task = self.fleet.state.tasks[run.task]
        if task.change is None:
            raise Broken(f"{task.spec.id} is under review without a change.")
        patch = await self.repository.diff(base=task.change.base, head=task.change.head)
        target = confirmed(self.fleet.state).target
        return review_prompt(task.spec, task.change, target=target, patch=shown_patch(patch))

    async def _conclude(self, run: Run, review: Review) -> None:
        concluded = e.ReviewConcluded(task=run.task, review=review)
        await self.fleet.record(lambda state: [concluded] if _reviews(state, run) else [])

    async def _end(self, run: Run, reason: EndReason, *, detail: str = "") -> None:
        status = await self.host.stop(run.id)
        await self.workspaces.discard(workspace_name(run))
        ended = e.RunEnded(run=run.id, task=run.task, reason=reason, code=status.code, detail=detail)
        await self.fleet.record(lambda state: [ended] if live_run(state, run) is not None else [])


def workspace_name(run: Run) -> str:
    """The workspace of a reviewing run."""
    return f"review-{run.id}"


def _reviews(state: State, run: Run) -> bool:
    stage = state.tasks[run.task].stage
    return isinstance(stage, AgentReview) and stage.run == run.id
