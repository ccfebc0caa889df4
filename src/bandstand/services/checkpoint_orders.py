"""Orders about checkpoints: one more is taken, a task goes back to one, a new task begins with one.

A refused order leaves everything as it was, what is kept beside the log included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bandstand.domain import events as e
from bandstand.domain import steering
from bandstand.domain.errors import BandstandError, Refused, Stale
from bandstand.domain.ids import AgentName, CommitId, TaskId
from bandstand.domain.state import State
from bandstand.domain.steering import Destination, Live
from bandstand.domain.task import TaskSpec, forked, problems
from bandstand.ports.checkpoints import Checkpoints
from bandstand.ports.workspaces import Workspaces
from bandstand.services.commands import Commands, known


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointOrders:
    """The orders of one repository that are about checkpoints, next to its other `commands`."""

    commands: Commands
    checkpoints: Checkpoints
    workspaces: Workspaces

    async def take(self, task_id: TaskId, *, by: str) -> int:
        """Keep the files of a task as they are now; the number of that checkpoint: of the last one, if that is it.

        It may be in the middle of a turn, and be half of what the agent is about. Raises `Unknown`, and `Refused` where
        there is no workspace, or none that is a repository.
        """
        known(self.commands.fleet.state, task_id)
        await self._require_workspace(task_id)
        kept = await self.workspaces.snapshot(task_id)
        await self.commands.fleet.record(lambda state: steering.checkpoint(known(state, task_id), kept.number, by=by))
        return kept.number

    async def rewind(self, task_id: TaskId, number: int, *, text: str, live: Live, by: str) -> None:
        """Have a task go back to a checkpoint and on from there. Refused while main is being moved to its change.

        `text` is said to its agent in the turn behind that. Raises `Unknown` without such a checkpoint.
        """
        known(self.commands.fleet.state, task_id)
        await self._require_workspace(task_id)
        commit = await self._commit(task_id, number)
        to = Destination(checkpoint=number, commit=commit)
        await self.commands.unless_landed(task_id, lambda task: steering.rewind(task, to, text, live=live, by=by))

    async def fork(
        self, task_id: TaskId, number: int, new: TaskId, *, words: str, agent: AgentName | None, by: str
    ) -> None:
        """Have a new task begin with a checkpoint of another one, which goes on as if nothing had been said.

        It is asked for the same, with `words` behind it, and needs what that one needs. Raises `Unknown` without such a
        checkpoint, `Refused` where the new id cannot be one.
        """
        state = self.commands.fleet.state
        if task_id in state.past:
            raise Stale(
                f"The checkpoints of {task_id} went with its workspace.",
                hint=f"What had not landed is kept: band rescue show {task_id}",
            )
        task = known(state, task_id)
        await self._require_workspace(task_id)
        _require_new(state, new)
        fork = await self.workspaces.lend(task_id, number, to=new)

        def decide(state: State) -> Sequence[e.Event]:
            _require_new(state, new)
            needs = known(state, task_id).waived
            spec = forked(task.spec, fork, new, words=words, agent=agent, without=needs)
            return [e.TaskSubmitted(spec=spec, by=by)]

        try:
            await self.commands.fleet.record(decide)
        except BandstandError:
            if new not in self.commands.fleet.state.tasks:
                await self.workspaces.unlend(new)
            raise

    async def _commit(self, task_id: TaskId, number: int) -> CommitId:
        """The commit of a checkpoint; of the beginning, the base."""
        if number == 0:
            return known(self.commands.fleet.state, task_id).base or CommitId("")
        return await self.checkpoints.commit(task_id, number)

    async def _require_workspace(self, task_id: TaskId) -> None:
        if await self.workspaces.find(task_id) is None:
            raise Refused(
                f"{task_id} has no workspace now, and so no checkpoint.",
                hint=f"`band show {task_id}` tells where it stands.",
            )


def _require_new(state: State, new: TaskId) -> None:
    """Raise `Refused` if a task of that id there is already, or ever was."""
    probe = TaskSpec(id=new, title="", goal="", agent=AgentName(""))
    for wrong in problems((probe,), known={*state.tasks, *state.past}):
        raise Refused(wrong.message, hint=wrong.hint)
