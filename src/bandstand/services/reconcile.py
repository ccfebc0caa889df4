"""The brain: one beat after another, from what is to what should be.

A beat records every fact that follows from the state and the time, then starts each activity that must be going on and
is not. It is woken by new facts and by timers, and does nothing else: no polling. After a start the first beat finds
what a crash left half done, since activities look before they act.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bandstand.domain import events as e
from bandstand.domain.activities import STEP_LIMIT, Activity, Author, Retire, Reviewing, RunChecks
from bandstand.domain.errors import BandstandError, Broken, Unavailable, of_the_disk
from bandstand.domain.slots import Limits
from bandstand.domain.state import State
from bandstand.services.admission import Account
from bandstand.services.fleet import Fleet
from bandstand.services.measures import Measures

Perform = Callable[[Activity], Awaitable[None]]

_MOST_DECISIONS = 100_000
_NOTHING = Limits(slots=0)
_TAKES_LONG = Author | Reviewing | RunChecks
_REST = timedelta(seconds=5)
_OUR_FAULT = "This is a fault of Bandstand; the daemon's log has the whole story."
_log = logging.getLogger(__name__)


def _failed(activity: Activity, error: BandstandError) -> e.StepFailed:
    return e.StepFailed(task=activity.task, step=activity.step, message=str(error), hint=error.hint)


class Brain:
    """Keeps one fleet going.

    `perform` carries out an activity and records what came of it. `account` is this fleet's in the ledger of what it
    shares with others. `trouble` says why there is no beat now, and is empty if all is well.
    """

    def __init__(self, fleet: Fleet, *, perform: Perform, account: Account, measures: Measures | None = None) -> None:
        self.trouble = ""
        self._measures = measures or Measures()
        self._fleet = fleet
        self._perform = perform
        self._account = account
        self._going: dict[str, asyncio.Task[None]] = {}
        self._again = asyncio.Event()
        self._steps: set[asyncio.Task[None]] = set()
        self._lasting: set[str] = set()  # what goes on behind the fact by which it is not wanted any more
        self._draining = False
        account.wake = self.wake

    async def run(self) -> None:
        """Beat until cancelled. Agents go on when it is; whatever else was going on is taken up by the next one.

        A beat that fails, since the log cannot be written, say, is told in `trouble` and tried again after a while.
        """
        try:
            while True:
                await self._beat_or_rest()
        finally:
            await self._let_go()

    async def _beat_or_rest(self) -> None:
        try:
            began = self._fleet.clock.now()
            seen = await self.beat()
            self._measures.beat(self._fleet.clock.now() - began)
            self.trouble = ""
        except BandstandError as error:
            self.trouble = f"{error} {error.hint}".strip()
        except Exception as error:  # a fleet without a brain would wait in silence
            _log.exception("a beat failed", extra={"repository": self._fleet.repository})
            self.trouble = f"{type(error).__name__}: {error} {_OUR_FAULT}"
        else:
            await self._wait(seen)
            return
        _log.warning("no beat for %s: %s", _REST, self.trouble, extra={"repository": self._fleet.repository})
        self._account.rest(self._fleet.agenda.busy)
        await self._fleet.clock.sleep_until(self._fleet.clock.now() + _REST)

    async def drain(self, *, seconds: float) -> None:
        """Begin nothing more, and come to an end with what takes moments: a landing, say. Agents and checks go on."""
        self._draining = True
        if self._steps:
            await asyncio.wait(self._steps, timeout=seconds)

    async def beat(self) -> int:
        """Record what follows, start what is missing, end what is not wanted; the version of the state it saw."""
        for _ in range(_MOST_DECISIONS):
            if not await self._fleet.record(self._decide):
                break
        else:
            raise Broken("The plan of this repository does not come to an end.", hint="Please report this as a bug.")
        self._again.clear()
        state = self._fleet.state
        self._settle()
        wanted = {activity.key: activity for activity in self._wanted()}
        for key in self._going.keys() - wanted.keys() - self._lasting:
            self._going[key].cancel()
        for key, activity in wanted.items() if not self._draining else ():
            if key not in self._going:
                self._begin(activity)
        return state.version

    def _begin(self, activity: Activity) -> None:
        task = self._going[activity.key] = asyncio.create_task(self._guard(activity), name=activity.key)
        if isinstance(activity, Retire):
            self._lasting.add(activity.key)  # once its task is over, the house is kept
        if not isinstance(activity, _TAKES_LONG):
            self._steps.add(task)
            task.add_done_callback(self._steps.discard)

    def _decide(self, _state: State) -> tuple[e.Event, ...]:
        """What follows. What it takes of the machine is taken at once: others decide before it is recorded."""
        agenda, now = self._fleet.agenda, self._fleet.clock.now()
        facts = agenda.decide(now=now, limits=self._account.limits())
        run = next((fact.run for fact in facts if isinstance(fact, e.RunStarted)), None)
        if not self._account.admits(run):
            facts, run = agenda.decide(now=now, limits=_NOTHING), None
        self._account.take(agenda.busy_after(facts, at=now), run)
        return facts

    def _settle(self) -> None:
        """Tell the ledger how it stands here, now that nothing more follows."""
        agenda = self._fleet.agenda
        held = agenda.busy
        full = held >= self._account.limits().slots
        more = full and bool(agenda.decide(now=self._fleet.clock.now(), limits=Limits(slots=held + 1)))
        self._account.settle(held, more=more)

    def _wanted(self) -> tuple[Activity, ...]:
        return self._fleet.agenda.activities(now=self._fleet.clock.now())

    def wake(self) -> None:
        """Have another beat: something outside the fleet has changed."""
        self._again.set()

    async def _wait(self, seen: int) -> None:
        """Until there is a fact that the last beat did not see, an activity ended, or its time has come."""
        times = (self._fleet.agenda.wake_at(now=self._fleet.clock.now()), self._account.look_again)
        wake = min((time for time in times if time is not None), default=None)
        waiting = (
            asyncio.create_task(self._news(seen)),
            asyncio.create_task(self._sleep(wake)),
            asyncio.create_task(self._ended()),
        )
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _news(self, seen: int) -> None:
        await self._fleet.until(lambda state: state.version > seen)

    async def _ended(self) -> None:
        await self._again.wait()

    async def _sleep(self, wake: datetime | None) -> None:
        if wake is None:
            await asyncio.Event().wait()
        else:
            await self._fleet.clock.sleep_until(wake)

    async def _guard(self, activity: Activity) -> None:
        """Perform an activity. What goes wrong becomes a fact, and so does an activity that brought about nothing."""
        try:
            failure = await self._attempt(activity)
            if failure is not None:
                _log.warning(
                    "%s of %s failed: %s", activity.step, activity.task, failure.message, extra=self._about(activity)
                )
                await self._fleet.record(lambda state: (failure,) if activity.task in state.tasks else ())
        except BandstandError as error:
            told = "That %s of %s failed could not be recorded: %s"
            _log.error(told, activity.step, activity.task, error, extra=self._about(activity))
            self.trouble = f"{error} {error.hint}".strip()
            await self._fleet.clock.sleep_until(self._fleet.clock.now() + _REST)
        finally:
            # Only now, so that no beat starts it again without knowing that it failed.
            self._going.pop(activity.key, None)
            self._lasting.discard(activity.key)
            self._again.set()

    def _about(self, activity: Activity) -> dict[str, str]:
        return {"repository": self._fleet.repository, "task": activity.task, "step": activity.step}

    async def _attempt(self, activity: Activity) -> e.StepFailed | None:
        try:
            await self._perform_in_time(activity)
        except BandstandError as error:
            return _failed(activity, error)
        except Exception as error:  # outlives a fault in a performer
            if isinstance(error, OSError) and (trouble := of_the_disk(error)) is not None:
                return _failed(activity, trouble)
            _log.exception("%s of %s failed", activity.step, activity.task, extra=self._about(activity))
            message = f"{type(error).__name__}: {error}"
            return e.StepFailed(task=activity.task, step=activity.step, message=message, hint=_OUR_FAULT)
        if activity in self._wanted():
            return e.StepFailed(task=activity.task, step=activity.step, message="It came to no end.")
        return None

    async def _perform_in_time(self, activity: Activity) -> None:
        """Perform an activity. Agents and checks have limits of their own; any other step has an hour at most."""
        if isinstance(activity, _TAKES_LONG):
            await self._perform(activity)
            return
        clock = self._fleet.clock
        step = asyncio.ensure_future(self._perform(activity))
        limit = asyncio.ensure_future(clock.sleep_until(clock.now() + STEP_LIMIT))
        try:
            await asyncio.wait({step, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                raise Unavailable("It did not end within an hour.", hint="Look for a process or a disk that hangs.")
            await step
        finally:
            for one in (step, limit):
                one.cancel()
            await asyncio.gather(step, limit, return_exceptions=True)

    async def _let_go(self) -> None:
        going = list(self._going.values())
        for task in going:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*going, return_exceptions=True)
