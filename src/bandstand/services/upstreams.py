"""The remote of the target: looked at before a run, and told what has landed.

What cannot be reached or does not fit keeps nobody from working: it is said, and the run begins from what is here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bandstand.domain import events as e
from bandstand.domain.activities import Push
from bandstand.domain.errors import Refused, Unavailable
from bandstand.domain.policy import Policy
from bandstand.domain.policy import Push as PushRule
from bandstand.domain.stage import Landed
from bandstand.ports.git import CheckoutInTheWay, Repository, TargetMoved
from bandstand.ports.remote import Fetched, Remote
from bandstand.services.fleet import Fleet
from bandstand.services.runs import confirmed

FRESH = timedelta(minutes=1)
"""For so long what was fetched counts as what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """Of one repository. `fetches` tells whether the user wants remotes to be looked at, `forbids` whether they want
    nothing to be pushed, whatever rules say.
    """

    fleet: Fleet
    repository: Repository
    remote: Remote
    fetches: Callable[[], bool]
    forbids: Callable[[], bool] = field(default=lambda: False)
    _looked: dict[str, datetime] = field(default_factory=dict)

    async def refresh(self, target: str) -> str:
        """Bring the target up to its remote where that takes nothing off it; what to say of it, mostly nothing."""
        now = self.fleet.clock.now()
        if not self.fetches() or (target in self._looked and now < self._looked[target] + FRESH):
            return ""
        self._looked[target] = now
        try:
            fetched = await self.remote.fetch(target)
        except (Unavailable, Refused) as error:
            name = await self.remote.of(target) or ""
            return await self._record(e.TargetFetched(remote=name, branch=target, trouble=str(error)))
        if fetched is None or not fetched.behind:
            return ""
        return await self._record(await self._brought_up(target, fetched))

    async def _brought_up(self, target: str, fetched: Fetched) -> e.TargetFetched:
        trouble, there = "", f"{target} of {fetched.remote}"
        if fetched.ahead:
            trouble = f"{target} and {there} have diverged: {fetched.ahead} commits here, {fetched.behind} there."
        else:
            try:
                await self.repository.land(target, old=fetched.local, new=fetched.tip)
            except CheckoutInTheWay as way:
                trouble = f"{target} is {fetched.behind} commits behind {there}; your edits are in the way: {way}."
            except TargetMoved:
                trouble = f"{target} moved while {there} was looked at."
            except (Unavailable, Refused) as error:
                trouble = f"{target} is {fetched.behind} commits behind {there}, and cannot be moved now: {error}"
        moved = None if trouble else fetched.tip
        return e.TargetFetched(remote=fetched.remote, branch=target, moved_to=moved, trouble=trouble)

    async def _record(self, fact: e.TargetFetched) -> str:
        await self.fleet.record(lambda _: [fact])
        if fact.moved_to is not None:
            return f"{fact.branch} was behind {fact.remote} and is at {fact.moved_to[:10]} now, like there."
        return f"{fact.trouble} The run begins from what you have."

    async def goes_to(self, policy: Policy) -> str:
        """The remote that what lands is pushed to; empty for none."""
        return (await self.remote.of(policy.target) or "") if policy.push is PushRule.AFTER_LANDING else ""

    async def push(self, activity: Push) -> None:
        """Have the remote hold what landed, and record that; or that nothing is to be pushed any more.

        Raises `Refused` and `Unavailable` where the remote does not take it.
        """
        done: e.Event
        if self.forbids():
            done = e.PushGivenUp(task=activity.task, by="your settings")
        else:
            # Where it goes was recorded with the landing; which remote the target follows may be another one by now.
            await self.remote.push(confirmed(self.fleet.state).target, activity.commit, remote=activity.remote)
            done = e.ChangePushed(task=activity.task, commit=activity.commit, remote=activity.remote)
        await self.fleet.record(
            lambda state: (
                [done] if activity.task in state.tasks and isinstance(state.tasks[activity.task].stage, Landed) else []
            )
        )
