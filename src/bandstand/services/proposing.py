"""Proposing: from the end of a turn to the change that a task has, as git sees it and not as the agent says."""

from dataclasses import dataclass

from bandstand.domain.agent import TurnResult
from bandstand.domain.change import Change
from bandstand.domain.events import TurnEnded
from bandstand.domain.ids import CommitId
from bandstand.domain.policy import Policy
from bandstand.domain.run import Run, Turn
from bandstand.domain.state import State, Task
from bandstand.ports.git import Repository, Signature
from bandstand.ports.workspaces import Snapshot, Workspaces
from bandstand.services.policies import Policies

MESSAGE_KEPT = 4_000
"""How many characters of what an agent said at the end of a turn stand in the log; the journal has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposing:
    """Takes in what an agent left in its workspace. May be repeated: the same files give the same change."""

    repository: Repository
    workspaces: Workspaces
    policies: Policies

    async def propose(
        self, state: State, run: Run, turn: Turn, result: TurnResult, *, policy: Policy, author: Signature
    ) -> TurnEnded:
        """Keep a snapshot, publish the task's branch, and say what the task's change now is.

        What the agent wrote in this turn and left, without any commit of its own, is committed for it.
        """
        task = state.tasks[run.task]
        snapshot = await self.workspaces.snapshot(task.spec.id)
        own_head = snapshot.head
        fresh = _left(snapshot).items() - dict(zip(task.leftovers, task.leftover_contents, strict=False)).items()
        left_before = task.committed or own_head in (task.own_head or task.base, task.base)
        committed = bool(fresh) and (left_before or snapshot.withheld)
        if committed:
            snapshot = await self._commit(task, snapshot, author)
        await self.workspaces.publish(task.spec.id, snapshot.head)
        change = await self.change(state, task, snapshot.head, policy)
        return TurnEnded(
            task=task.spec.id,
            run=run.id,
            number=turn.number,
            stop=result.stop,
            message=result.message[-MESSAGE_KEPT:],
            change=change,
            own_head=own_head,
            snapshot=snapshot.number,
            leftovers=snapshot.uncommitted,
            leftover_contents=snapshot.contents,
            committed_for_agent=committed,
            gates=await self.policies.touched(policy, change) if change is not None else (),
            usage=result.usage,
        )

    async def _commit(self, task: Task, snapshot: Snapshot, author: Signature) -> Snapshot:
        why = "left these edits without a commit"
        if snapshot.withheld:
            why = "made these edits in commits that also hold files which were copied into its workspace"
        message = f"{task.spec.title}\n\n{task.spec.agent} {why}.\n"
        return await self.workspaces.commit_leftovers(task.spec.id, snapshot, message=message, author=author)

    async def change(self, state: State, task: Task, head: CommitId, policy: Policy) -> Change | None:
        """What the branch adds to what it is based on: the target, or the task it is stacked on."""
        change = await self.repository.change(base=await self.base(state, task, policy), head=head)
        return change if change.files else None

    async def base(self, state: State, task: Task, policy: Policy) -> CommitId:
        """Where the task's work begins. What a cancelled task left belongs to whoever still has it in their change."""
        below = state.tasks.get(task.spec.stacked_on) if task.spec.stacked_on is not None else None
        if below is not None and below.change is not None and not below.ended:
            return below.change.head
        return await self.repository.tip(policy.target)


def _left(snapshot: Snapshot) -> dict[str, str]:
    """The paths that were not committed, each with what stands there: one that was edited again is not the same."""
    return dict(zip(snapshot.uncommitted, snapshot.contents, strict=True))
