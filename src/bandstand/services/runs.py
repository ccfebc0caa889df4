"""Authors: driving the run that makes a task's change, from an empty folder to the end of its process.

Every step looks before it acts, so this may be started again at any moment for the same run: the workspace that is
there is used, the process that lives is attached to, and a prompt that the journal has is not sent again. A turn whose
end the journal has did end, whatever became of the process, and is taken in before the run is recorded as ended.
"""

import contextlib
from dataclasses import dataclass

from bandstand.domain import events as e
from bandstand.domain.activities import Author
from bandstand.domain.agent import AgentProfile, StopReason, TurnResult
from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable
from bandstand.domain.limits import Limits, in_bytes
from bandstand.domain.policy import Policy
from bandstand.domain.prompt import author_prompt
from bandstand.domain.remains import task_of
from bandstand.domain.run import EndReason, Run, Turn
from bandstand.domain.stage import Blocked, Working
from bandstand.domain.state import State, Task
from bandstand.ports.agents import AgentProtocol, PromptFailed, Session
from bandstand.ports.hosts import Host, RunState, RunStatus
from bandstand.ports.workspaces import Workspace, Workspaces
from bandstand.services.conversation import Conversation, live_run, wanted
from bandstand.services.egress import Egress
from bandstand.services.fleet import Fleet
from bandstand.services.launching import Launching, People, find_profile
from bandstand.services.policies import Policies
from bandstand.services.proposing import Proposing
from bandstand.services.settingup import Setups

OVER = frozenset({RunState.EXITED, RunState.LOST})
"""A run of which nothing is left but its journal."""


async def open_session(host: Host, protocol: AgentProtocol, run: Run, *, profile: AgentProfile, cwd: str) -> Session:
    """The session of a live run, on a channel of its own. Raises what attaching and opening raise."""
    channel = await host.attach(run.id)
    try:
        return await protocol.open(
            channel, profile=profile, cwd=cwd, resume=run.resume, deadline_seconds=float(profile.start_seconds)
        )
    except BaseException:
        await channel.close()
        raise


def confirmed(state: State) -> Policy:
    """The policy that was confirmed. Nothing is started before there is one."""
    if state.policy is None:
        raise Refused("The rules of this repository have not been confirmed.", hint="Start with `band run`.")
    return state.policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Authors:
    """Drives authoring runs of one repository."""

    fleet: Fleet
    host: Host
    protocol: AgentProtocol
    workspaces: Workspaces
    launching: Launching
    policies: Policies
    proposing: Proposing
    egress: Egress
    setups: Setups

    async def perform(self, activity: Author) -> None:
        """Drive a run until it has ended, and record that."""
        while (run := live_run(self.fleet.state, activity.run)) is not None:
            status = await self.host.status(run.id)
            if run.stopping is not None:
                await self._end(run, run.stopping)
            elif status.state in OVER:
                await self._ended(run, status)
            elif status.state is RunState.ABSENT and isinstance(self.fleet.state.tasks[run.task].stage, Blocked):
                return  # its workspace could not be set up
            else:
                await self._go_on(run, status.state)

    async def _go_on(self, run: Run, state: RunState) -> None:
        """Start the run if it never was, and converse with its agent until it ends or is to end."""
        task = self.fleet.state.tasks[run.task]
        policy = confirmed(self.fleet.state)
        profile = find_profile(await self.policies.profiles(policy), run.agent)
        if state is RunState.ABSENT:
            await self.end_strays(task)
        people = await self.launching.people(run.agent, policy)
        workspace = await self._workspace(task, policy, people)
        if state is RunState.ABSENT and not await self.setups.ready(run, workspace, policy):
            return
        try:
            if state is RunState.ABSENT:
                allowed = self.launching.allowed(policy, task)
                reach = await self.egress.prepare(run, profile)
                launch = await self.launching.launch(profile, workspace, people, reach, limits=allowed)
                await self.host.start(run.id, launch)
            await self._converse(run, profile, workspace)
        except Refused as refusal:
            await self.host.stop(run.id)
            await self._record_end(run, EndReason.REFUSED, detail=await self._words(run, refusal))
        except PromptFailed as failure:
            # The agent lives, but has nothing to say for this turn: a new one may fare better.
            await self.host.stop(run.id)
            await self._record_end(run, EndReason.CRASHED, detail=str(failure))
        except Unavailable:
            # The run may be over, which its status tells; if it is not, this was about something else.
            if (await self.host.status(run.id)).state not in OVER:
                raise

    async def end_strays(self, task: Task) -> None:
        """End agents of a task that no fact tells of any more: the log has lost facts since they were started."""
        known = {run.id for run in (task.run, task.review_run) if run is not None}
        for run in await self.host.live():
            if task_of(run) == task.spec.id and run not in known:
                await self.host.stop(run)

    async def _workspace(self, task: Task, policy: Policy, people: People) -> Workspace:
        begin = task.base or (task.spec.fork.base if task.spec.fork is not None else None)
        base = begin or await self.proposing.base(self.fleet.state, task, policy)
        workspace = await self.workspaces.prepare(
            task.spec.id,
            base=base,
            target=policy.target,
            author=people.author,
            committer=people.committer,
            inclusion=policy.inclusion,
            fork=task.spec.fork,
        )
        if task.base is None:
            prepared = e.WorkspacePrepared(
                task=task.spec.id, base=base, included=workspace.included, left_out=workspace.left_out
            )
            await self.fleet.record(lambda _: [prepared])
        return workspace

    async def _converse(self, run: Run, profile: AgentProfile, workspace: Workspace) -> None:
        sandbox = self.launching.sandbox
        cwd = str(sandbox.inside(workspace.folder, role="workspace"))
        try:
            session = await open_session(self.host, self.protocol, run, profile=profile, cwd=cwd)
        except Unavailable as silence:
            # An agent that does not open a session in time will not do so later either.
            if (await self.host.status(run.id)).state is RunState.LIVE:
                await self.host.stop(run.id)
                await self._record_end(run, EndReason.CRASHED, detail=await self._words(run, silence))
            return
        if run.session is None:
            await self.fleet.record(lambda _: [e.SessionOpened(run=run.id, task=run.task, session=session.id)])
        conversation = Conversation(
            self.fleet, run, session, walled=sandbox.enforced, egress=self.egress, profile=profile
        )
        async with conversation.open():
            remembers = session.resumed
            while (turn := await self._next_turn(run, conversation)) is not None:
                await self._take_turn(run, turn, conversation, remembers=remembers)
                remembers = True

    async def _next_turn(self, run: Run, conversation: Conversation) -> Turn | None:
        """The turn that is to be played now; nothing when the run is to end, or has ended."""
        state = await self.fleet.until(
            lambda state: conversation.over or not wanted(state, run) or _turn(state, run) is not None
        )
        return _turn(state, run) if wanted(state, run) and not conversation.over else None

    async def _take_turn(self, run: Run, turn: Turn, conversation: Conversation, *, remembers: bool) -> None:
        task, policy = self.fleet.state.tasks[run.task], confirmed(self.fleet.state)
        if turn.onto is not None:
            ref = f"refs/remotes/origin/{policy.target}"
            await self.workspaces.show_commit(task.spec.id, ref=ref, commit=turn.onto)
        text = author_prompt(task.spec, turn, target=policy.target, remembers=remembers, taken_back=task.taken_back)
        result = await conversation.prompt(turn.number, text)
        if result is not None:
            await self.fleet.record(lambda state: [_played(run, turn)] if _plays(state, run, turn) else [])
            ended = await self._take_in(run, turn, result)
            await self.fleet.record(lambda state: [ended] if _turn(state, run) == turn else [])

    async def _take_in(self, run: Run, turn: Turn, result: TurnResult) -> e.TurnEnded:
        """What a turn came to. That this does not work is no fault of the turn: it is tried again, the turn is not."""
        policy = confirmed(self.fleet.state)
        author = await self.launching.author(run.agent, policy)
        try:
            return await self.proposing.propose(self.fleet.state, run, turn, result, policy=policy, author=author)
        except Refused as refusal:
            cancel = f"cancel {run.task}: then its files are kept."
            hint = f"{refusal.hint} Or {cancel}" if refusal.hint else f"Mend its workspace, or {cancel}"
            raise Broken(refusal.message, hint=hint) from refusal

    async def _end(self, run: Run, reason: EndReason) -> None:
        status = await self.host.stop(run.id)
        # What an ended task has is kept in a moment, when its workspace is retired: once is enough.
        if not self.fleet.state.tasks[run.task].ended and await self.workspaces.find(run.task) is not None:
            # An agent that destroyed its repository can be ended too; its files are kept when it is retired.
            with contextlib.suppress(Refused):
                await self.workspaces.snapshot(run.task)
        await self._record_end(run, reason, code=status.code)

    async def _ended(self, run: Run, status: RunStatus) -> None:
        if status.state is RunState.LOST:
            await self._record_end(run, EndReason.LOST, detail="Its holder is gone, and the agent with it.")
            return
        detail = await self.host.errors(run.id) or _without_a_word(status)
        reason = EndReason.MEMORY if starved(status) else EndReason.CRASHED
        if reason is EndReason.MEMORY:
            words = starved_words(self.launching.allowed(self.fleet.state.policy, self.fleet.state.tasks[run.task]))
            detail = f"{words}\n{detail}"
        await self._record_end(run, reason, code=status.code, detail=detail)

    async def _words(self, run: Run, error: BandstandError) -> str:
        """What went wrong, and what the agent itself had to say."""
        return f"{error} {error.hint}".strip() + f"\n{await self.host.errors(run.id)}".rstrip()

    async def _record_end(self, run: Run, reason: EndReason, *, code: int | None = None, detail: str = "") -> None:
        """Record that the process is gone, and with it the end of its turn, if the journal has that."""
        turn, taken = _turn(self.fleet.state, run), None
        try:
            result = await self._told(run, turn) if turn is not None else None
        except PromptFailed as failure:
            result, detail = None, str(failure)
        if turn is not None and result is not None:
            taken = await self._take_in(run, turn, result)
        ended = e.RunEnded(run=run.id, task=run.task, reason=reason, code=code, detail=detail)

        def over(state: State) -> list[e.Event]:
            if live_run(state, run) is None:
                return []
            return [taken, ended] if taken is not None and _turn(state, run) == turn else [ended]

        await self.fleet.record(over)

    async def _told(self, run: Run, turn: Turn) -> TurnResult | None:
        """How a turn ended, by the journal. One that we cut off ourselves has no end of its own."""
        result = await self.protocol.turn_result(self.host.journal(run.id), turn=turn.number)
        cut_off = run.stopping is not None and result is not None and result.stop is StopReason.CANCELLED
        return None if cut_off else result


def starved(status: RunStatus) -> bool:
    """Whether a run ended badly behind processes of its that the kernel had ended for want of memory."""
    return status.state is RunState.EXITED and status.starved > 0 and status.code != 0 and status.reason != "stopped"


def starved_words(limits: Limits) -> str:
    """What to say of such a run."""
    size = f"the {in_bytes(limits.memory_bytes)} of memory" if limits.memory_bytes is not None else "the memory"
    return f"Its processes had used up {size} that they may have together, and the kernel ended one."


def _without_a_word(status: RunStatus) -> str:
    """How a process ended that said nothing on its standard error."""
    if status.code is None:
        return status.reason
    how = f"was ended by signal {-status.code}" if status.code < 0 else f"exited with code {status.code}"
    return f"Its process {how} in the middle of its work, without a word."


def _played(run: Run, turn: Turn) -> e.TurnPlayed:
    return e.TurnPlayed(task=run.task, number=turn.number)


def _plays(state: State, run: Run, turn: Turn) -> bool:
    """Whether the agent is not yet known to be done with this turn."""
    stage = state.tasks[run.task].stage
    return _turn(state, run) == turn and isinstance(stage, Working) and not stage.played


def _turn(state: State, run: Run) -> Turn | None:
    """The turn that the task's agent is to play now."""
    stage = state.tasks[run.task].stage
    return stage.turn if isinstance(stage, Working) and stage.started else None
