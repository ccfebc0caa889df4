"""The agenda answers as the plan does, also where the machine of a fleet's whole life seldom comes."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bandstand.domain import events as e
from bandstand.domain.activities import activities
from bandstand.domain.agenda import Agenda
from bandstand.domain.agent import StopReason
from bandstand.domain.ids import AgentName, CommitId, TaskId
from bandstand.domain.policy import Policy, ReviewMode
from bandstand.domain.run import Cause, Turn
from bandstand.domain.scheduling import decide
from bandstand.domain.slots import Limits
from bandstand.domain.stage import InQueue, Working
from bandstand.domain.state import Task
from bandstand.domain.task import TaskSpec
from tests.domain.states import Story, change, outcome, spec
from tests.domain.test_fleet_machine import FleetMachine


def crowd(draw: st.DrawFn) -> list[TaskSpec]:
    """Tasks of which each may need some before it, and may be stacked on one."""
    specs: list[TaskSpec] = []
    for number in range(draw(st.integers(2, 8))):
        before = [spec.id for spec in specs]
        needs = draw(st.lists(st.sampled_from(before), unique=True, max_size=2)) if before else []
        specs.append(
            TaskSpec(
                id=TaskId(f"t{number}"),
                title="A task",
                goal="Do it.",
                agent=AgentName("a"),
                depends_on=tuple(needs),
                stacked_on=draw(st.sampled_from([None, None, *before])),
                priority=draw(st.integers(0, 1)),
            )
        )
    return specs


class Crowd(FleetMachine):
    """Every turn makes a change of which nobody thinks badly."""

    def turn_moves(self, data: st.DataObject, task: Task, luck: str) -> None:
        assert isinstance(task.stage, Working) and task.run is not None
        self.record(
            e.TurnEnded(
                task=task.spec.id,
                run=task.run.id,
                number=task.stage.turn.number,
                stop=StopReason.END_TURN,
                message="Done.",
                change=self.new_change(),
                own_head=CommitId("own"),
                snapshot=task.snapshots + 1,
            )
        )


@settings(max_examples=40, deadline=None)
@given(specs=st.composite(crowd)(), seed=st.integers(0, 2**32), data=st.data())
def test_a_crowd_lands_by_its_agenda(specs: list[TaskSpec], seed: int, data: st.DataObject) -> None:
    """The machine compares both after every fact; in the end everything has landed."""
    fleet, chance = Crowd(), Random(seed)
    fleet.record(e.PolicyConfirmed(policy=Policy(target="main", review=ReviewMode.NONE), by="ada"))
    fleet.record(*(e.TaskSubmitted(spec=spec, by="ada") for spec in specs))
    fleet.settle()
    while fleet.state.tasks:
        fleet.perform(data, chance.choice(activities(fleet.state, now=fleet.now)), "well")
        fleet.settle()
    assert sorted(fleet.landed) == [spec.id for spec in specs]


def test_who_waits_for_a_slot_may_have_to_wait_for_more() -> None:
    """The task that it is stacked on goes back to its agent before there is a slot."""
    story = Story(slots=0).submit(spec("below"), spec("above", stacked_on=TaskId("below")))
    story.put("below", InQueue(position=1), change=change(), outcome=outcome(), run=None)
    agenda = Agenda(story.state)

    def both(slots: int) -> tuple[e.Event, ...]:
        limits = Limits(slots=slots)
        facts = agenda.decide(now=story.now, limits=limits)
        assert facts == decide(story.state, now=story.now, limits=limits)
        return facts

    def record(*facts: e.Event) -> None:
        for fact in facts:
            story.record(fact)
            agenda.follow(fact, story.state)

    record(*both(0))
    assert both(0) == ()
    record(e.TurnQueued(task=TaskId("below"), turn=Turn(number=2, cause=Cause.CONFLICT)))
    record(*both(1))
    assert both(2) == ()
