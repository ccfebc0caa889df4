"""Rewinding: a task goes back to a checkpoint of its workspace, and on from there.

Its agent has ended before. The files go back, then the branch, then it is recorded; each looks before it acts.
"""

from dataclasses import dataclass

from bandstand.domain import events as e
from bandstand.domain.activities import GoBack
from bandstand.domain.errors import Broken, Refused, Unknown
from bandstand.domain.stage import Rewinding
from bandstand.domain.state import State, Task
from bandstand.ports.workspaces import Rewound, Workspaces
from bandstand.services.fleet import Fleet
from bandstand.services.policies import Policies
from bandstand.services.proposing import Proposing
from bandstand.services.runs import confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewinds:
    """Takes the tasks of one repository back."""

    fleet: Fleet
    workspaces: Workspaces
    policies: Policies
    proposing: Proposing

    async def perform(self, activity: GoBack) -> None:
        """Take a task back, and record what its change is now."""
        task, to = self.fleet.state.tasks[activity.task], activity.to
        name = task.spec.id
        try:
            rewound = await self.workspaces.rewind(name, to.checkpoint, order=to.order)
        except (Refused, Unknown) as refusal:
            hint = f"{refusal.hint} Begin anew from there: band fork {name}@{to.checkpoint}".strip()
            raise Broken(refusal.message, hint=hint) from refusal
        await self.workspaces.publish(name, rewound.proposed)
        fact = await self._fact(task, activity, rewound)
        await self.fleet.record(lambda state: [fact] if _goes_back(state, activity) else [])

    async def _fact(self, task: Task, activity: GoBack, rewound: Rewound) -> e.TaskRewound:
        policy = confirmed(self.fleet.state)
        change = await self.proposing.change(self.fleet.state, task, rewound.proposed, policy)
        return e.TaskRewound(
            task=task.spec.id,
            checkpoint=activity.to.checkpoint,
            saved=rewound.saved,
            change=change,
            own_head=rewound.head,
            leftovers=rewound.uncommitted,
            leftover_contents=rewound.contents,
            gates=await self.policies.touched(policy, change) if change is not None else (),
        )


def _goes_back(state: State, activity: GoBack) -> bool:
    task = state.tasks.get(activity.task)
    return task is not None and task.stage == Rewinding(to=activity.to)
