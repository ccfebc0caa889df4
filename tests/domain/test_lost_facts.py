"""What becomes of a fleet when facts of it were lost: nothing goes on that a human has not said yes to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bandstand.domain import events as e
from bandstand.domain.agenda import Agenda
from bandstand.domain.ask import AskKind
from bandstand.domain.history import at_its_end
from bandstand.domain.ids import AgentName, CommitId, TaskId
from bandstand.domain.past import subject
from bandstand.domain.policy import Policy
from bandstand.domain.stage import Blocked, Cancelled
from bandstand.domain.state import State, apply, fold
from bandstand.domain.task import TaskSpec
from tests.domain.steered import Written
from tests.domain.test_fleet_machine import FleetMachine

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class DamagedFleet(FleetMachine):
    """A fleet whose log loses facts now and then, and is recovered as the store recovers it."""

    @precondition(lambda self: len(self.log) > 4)
    @rule(data=st.data(), length=st.integers(1, 6))
    def facts_are_lost(self, data: st.DataObject, length: int) -> None:
        begin = data.draw(st.integers(0, len(self.log) - 1))
        gone = set(range(begin, min(begin + length, len(self.log))))
        gone -= {index for index in gone if isinstance(self.log[index].event, e.FactsLost)}
        known = {submitted(fact) for index, fact in enumerate(self.log) if index not in gone}
        about = {index: subject(fact.event) for index, fact in enumerate(self.log)}
        orphans = {task for task in about.values() if task is not None and task not in known}
        # Nobody ever reads what is said of a task that nothing else is known of.
        gone |= {index for index, task in about.items() if task in orphans}
        if not gone:
            return
        version = self.state.version
        self.log = with_gaps(self.log, gone, tuple(sorted(orphans)))
        lived = [task.spec.id for task in self.state.tasks.values() if not task.ended]
        self.state = fold(State(), ((fact.at, fact.event) for fact in self.log))
        self.agenda = Agenda(self.state)
        assert self.state.version == version, "no version is given twice"
        if self.state.policy is None:
            self.record(e.PolicyConfirmed(policy=Policy(target="main"), by="you"))  # whoever submits next is asked
        self.landed = [fact.event.task for fact in self.log if isinstance(fact.event, e.ChangeLanded)]
        self.settle()
        for name in lived:
            self.waits_for_a_human(name)

    def waits_for_a_human(self, name: TaskId) -> None:
        """Unless it was submitted behind what was lost, or ended."""
        task = self.state.tasks.get(name)
        if task is None:
            assert name in self.state.past, "no task goes without a word"
        elif task.doubtful and not task.ended:
            assert isinstance(task.stage, Blocked) and task.stage.doubt
            assert self.state.asks[task.stage.ask].kind is AskKind.BLOCKED
            for run in (task.run, task.review_run):
                assert run is None or run.stopping is not None, "its agent is ended"


def submitted(fact: Written) -> TaskId | None:
    """The task that a fact begins."""
    return fact.event.spec.id if isinstance(fact.event, e.TaskSubmitted) else None


def with_gaps(log: list[Written], gone: set[int], orphans: tuple[TaskId, ...]) -> list[Written]:
    """The log with a fact in the place of each gap; the last of them names the orphans."""
    made: list[Written] = []
    for lost, indices in groupby(range(len(log)), key=lambda index: index in gone):
        some = list(indices)
        if lost:
            made.append(Written(NOON, e.FactsLost(count=len(some))))
        else:
            made += [log[index] for index in some]
    last = max(index for index, fact in enumerate(made) if isinstance(fact.event, e.FactsLost))
    event = made[last].event
    assert isinstance(event, e.FactsLost)
    made[last] = Written(NOON, replace(event, orphans=orphans))
    return made


DamagedFleet.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestDamagedFleet = DamagedFleet.TestCase

ONE = TaskId("one")
SUBMITTED = e.TaskSubmitted(
    spec=TaskSpec(id=ONE, title="One", goal="One.", agent=AgentName("a"), depends_on=()), by="you"
)


def test_lost_facts_count_as_whatever_they_may_have_been() -> None:
    """No number of a task, an ask or a place in the queue is given twice, and no id of a task that is known of."""
    state = fold(State(), [(NOON, SUBMITTED), (NOON, e.FactsLost(count=3, orphans=(TaskId("two"),)))])
    assert state.version == 4
    assert (state.totals.submitted, state.totals.asked, state.totals.queued) == (4, 3, 3)
    assert state.past == {"two": False}
    assert state.tasks[ONE].doubtful


def test_an_orphan_that_landed_is_known_to_have_landed() -> None:
    """What depends on it may go on."""
    lost = e.FactsLost(count=1, orphans=(TaskId("two"), TaskId("three")), landed=(TaskId("two"),))
    assert apply(State(), lost, at=NOON).past == {"two": True, "three": False}


def test_a_task_whose_end_is_lost_is_not_said_to_have_landed() -> None:
    """What is known is that its workspace is gone."""
    task = at_its_end([(NOON, SUBMITTED), (NOON + timedelta(hours=1), e.WorkspaceRetired(task=ONE))])
    assert task is not None
    assert isinstance(task.stage, Cancelled)
    assert "lost" in task.stage.reason
    landed = e.ChangeLanded(task=ONE, commit=CommitId("c"), onto=CommitId("b"), checks="", reviews="")
    whole = at_its_end([(NOON, SUBMITTED), (NOON, landed), (NOON, e.WorkspaceRetired(task=ONE))])
    assert whole is not None and not isinstance(whole.stage, Cancelled)
