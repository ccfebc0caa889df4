"""No task waits in silence, whatever fails: the fleet of `test_fleet_machine` with steps of ours that fail, too."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from bandstand.domain import events as e
from bandstand.domain.activities import activities, not_before
from bandstand.domain.scheduling import ready
from bandstand.domain.slots import busy
from bandstand.domain.stage import Checked, InQueue, Queued, Working
from bandstand.domain.state import State, Task
from tests.domain import test_fleet_machine as usual


def waits_for_others(state: State, task: Task, slots: int) -> bool:
    """Whether somebody else's deed is what this task waits for: a need, a slot, or the one that lands now."""
    if task.paused is not None:
        return task.run is None and task.review_run is None
    full = busy(state) >= slots
    match task.stage:
        case Queued():
            return full or not ready(state, task)
        case Working(started=False):
            return full
        case Checked():
            return full or task.review_run is not None
        case InQueue():
            landing = any(other.landing for other in state.tasks.values())
            return landing or any(not state.has_ended(need) for need in task.spec.needs)
        case _:
            return False


class ClumsyMachine(usual.FleetMachine):
    """The same fleet, in which every step may fail."""

    @precondition(lambda self: bool(activities(self.state, now=self.now)))
    @rule(index=st.integers(0, 9), times=st.sampled_from([1, 3]))
    def a_step_fails(self, index: int, times: int) -> None:
        """Once, or until a human is asked."""
        going = activities(self.state, now=self.now)
        victim = going[index % len(going)]
        for _ in range(times):
            if victim in activities(self.state, now=self.now):
                self.record(e.StepFailed(task=victim.task, step=victim.step, message="No room."))
            self.settle()
            self.now += timedelta(seconds=10)
            self.settle()

    @invariant()
    def every_task_has_somebody_who_acts(self) -> None:
        """Something goes on for it, a human is asked, a timer runs, or it waits for others of whom the same holds."""
        if self.state.policy is None:
            return
        going = {activity.task for activity in activities(self.state, now=self.now)}
        asked = {ask.task for ask in self.state.open_asks()}
        for task in self.state.tasks.values():
            retry = not_before(task)
            acts = task.spec.id in going | asked or (retry is not None and retry > self.now)
            assert task.ended or acts or waits_for_others(self.state, task, self.slots), (
                f"{task.spec.id} waits in silence: {task}"
            )


ClumsyMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestNobodyWaitsInSilence = ClumsyMachine.TestCase
