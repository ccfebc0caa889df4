"""Landing: building what main would be, and moving main to it once it is green and reviewed."""

from dataclasses import dataclass, replace

from bandstand.domain import events as e
from bandstand.domain.activities import Build, Move
from bandstand.domain.asking import Reason, block
from bandstand.domain.errors import Broken
from bandstand.domain.gates import checks_in_words, may_land, reviews_in_words
from bandstand.domain.ids import CommitId, TaskId
from bandstand.domain.policy import LandingMethod, Policy
from bandstand.domain.run import Cause
from bandstand.domain.stage import Building, Candidate, Moving
from bandstand.domain.state import State, Task
from bandstand.faults import fault
from bandstand.ports.git import CheckoutInTheWay, Conflicted, MergeOrder, Repository, TargetMoved
from bandstand.services.fleet import Fleet
from bandstand.services.launching import Launching
from bandstand.services.policies import Policies
from bandstand.services.runs import confirmed
from bandstand.services.upstreams import Upstreams

TRAILER = "Bandstand-Task"
"""The commit trailer by which a landing is found again in history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The merge queue's two hands. Which change lands is decided elsewhere; here it is done."""

    fleet: Fleet
    repository: Repository
    launching: Launching
    policies: Policies
    upstreams: Upstreams

    async def build(self, activity: Build) -> None:
        """Build the change on top of the target as a commit that is on no branch yet, or give it back in conflict."""
        if not await self.policies.still_confirmed(activity.task):
            return
        state = self.fleet.state
        task, policy = state.tasks[activity.task], confirmed(state)
        if task.change is None:
            raise Broken(f"{activity.task} stands in the merge queue without a change.")
        if await self.landed_before(activity.task):
            return
        onto = await self.repository.tip(policy.target)
        author = await self.launching.author(task.spec.agent, policy)
        order = MergeOrder(
            onto=onto,
            change=task.change.head,
            message=landing_message(task, policy),
            author=author,
            committer=await self.repository.user(),
            at=task.since,
            squash=policy.landing is LandingMethod.SQUASH,
        )
        fault("merge.build.before")
        merged = await self.repository.merge(order)
        fault("merge.build.after")
        fact: e.Event
        if isinstance(merged, Conflicted):
            evidence = f"Files in conflict: {', '.join(merged.paths)}\n{merged.detail}"
            fact = e.LandingReturned(task=activity.task, cause=Cause.CONFLICT, evidence=evidence, onto=onto)
        elif grown := await self._grown(task, policy, onto=onto, head=merged.commit):
            fact = grown
        else:
            check = f"{activity.task}.{task.checks + 1}"
            fact = e.CandidateBuilt(task=activity.task, onto=onto, commit=merged.commit, tree=merged.tree, check=check)
        await self._record(activity.task, Building(), fact)

    async def landed_before(self, name: TaskId) -> bool:
        """Whether main was moved to this change although that was not recorded: then it is now.

        What failed behind the move, again and again, has brought the task back to its place in the queue.
        """
        task, policy = self.fleet.state.tasks[name], confirmed(self.fleet.state)
        candidate = task.approved
        if candidate is None or not await self.repository.contains(policy.target, candidate.commit):
            return False
        await self.repository.land(policy.target, old=candidate.onto, new=candidate.commit)
        fact = _landed(task, policy, candidate, remote=await self.upstreams.goes_to(policy))

        def landed(state: State) -> list[e.Event]:
            now = state.tasks.get(name)
            return [fact] if now is not None and not now.ended and now.approved == candidate else []

        await self.fleet.record(landed)
        return True

    async def _grown(self, task: Task, policy: Policy, *, onto: CommitId, head: CommitId) -> e.ChangeReassessed | None:
        """What the change would bring to the target beyond what was reviewed, or nothing.

        That happens to a change built upon another one: what that took back, or was cancelled with, is its own now.
        """
        brings = await self.repository.change(base=onto, head=head)
        gates = await self.policies.touched(policy, brings)
        if task.change is None or (set(brings.paths) <= set(task.change.paths) and set(gates) <= set(task.gates)):
            return None
        change = replace(task.change, base=onto, files=brings.files)
        return e.ChangeReassessed(task=task.spec.id, change=change, gates=gates)

    async def move(self, activity: Move) -> None:
        """Move the target to the candidate, and every checkout of it; also when that was half done before a crash."""
        candidate = activity.candidate
        task, policy = self.fleet.state.tasks[activity.task], confirmed(self.fleet.state)
        stage = Moving(candidate=candidate)
        moved = await self.repository.contains(policy.target, candidate.commit)
        if not moved and not may_land(task, policy, candidate.tree):
            reason = "Its checks or its review no longer stand."
            await self._record(activity.task, stage, e.LandingRestarted(task=activity.task, reason=reason))
            return
        try:
            # Also where it has moved: a checkout may still be locked by one who died behind that.
            await self.repository.land(policy.target, old=candidate.onto, new=candidate.commit)
        except TargetMoved:
            reason = f"{policy.target} moved in the meantime."
            await self._record(activity.task, stage, e.LandingRestarted(task=activity.task, reason=reason))
            return
        except CheckoutInTheWay as way:
            await self._in_the_way(activity, way, policy)
            return
        remote = await self.upstreams.goes_to(policy)
        await self._record(activity.task, stage, _landed(task, policy, candidate, remote=remote))

    async def _in_the_way(self, activity: Move, way: CheckoutInTheWay, policy: Policy) -> None:
        reason = _way_in_words(activity.task, way, policy.target)
        stage = Moving(candidate=activity.candidate)

        def ask(state: State) -> list[e.Event]:
            task = state.tasks[activity.task]
            return [block(state, task, reason, now=self.fleet.clock.now())] if task.stage == stage else []

        await self.fleet.record(ask)

    async def _record(self, task: TaskId, stage: Building | Moving, fact: e.Event) -> None:
        await self.fleet.record(lambda state: [fact] if state.tasks[task].stage == stage else [])


def _way_in_words(task: TaskId, way: CheckoutInTheWay, target: str) -> Reason:
    """What the user has under way in their checkout, and what they can do about it."""
    paths = ", ".join(way.paths)
    if way.reason:
        return Reason(
            title=f"{way.reason} in {way.checkout}; landing {task} waits for you.",
            detail=f"Finish it or abort it{': ' + paths if paths else ''}. {target} has not moved.",
        )
    return Reason(
        title=f"Your edits in {way.checkout} are in the way of landing {task}.",
        detail=f"Commit, stash or revert: {paths}. {target} has not moved.",
    )


def _landed(task: Task, policy: Policy, candidate: Candidate, *, remote: str) -> e.ChangeLanded:
    return e.ChangeLanded(
        task=task.spec.id,
        commit=candidate.commit,
        onto=candidate.onto,
        checks=checks_in_words(policy),
        reviews=reviews_in_words(task, policy),
        remote=remote,
    )


def landing_message(task: Task, policy: Policy) -> str:
    """The message of the commit that lands a task."""
    lines = [task.spec.title, "", task.spec.goal.strip(), "", f"{TRAILER}: {task.spec.id}"]
    lines.append(f"Bandstand-Agent: {task.spec.agent}")
    lines.append(f"Bandstand-Checks: {_one_line(checks_in_words(policy))}")
    lines.append(f"Bandstand-Review: {_one_line(reviews_in_words(task, policy))}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
