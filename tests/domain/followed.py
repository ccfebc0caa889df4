"""A fleet whose plan is asked twice: as it is written, which looks at everything, and through its agenda."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from bandstand.domain import events as e
from bandstand.domain.activities import activities, wake_at
from bandstand.domain.agenda import Agenda
from bandstand.domain.scheduling import decide
from bandstand.domain.slots import Limits, busy
from bandstand.domain.state import State, apply, fold
from tests.domain.steered import Steered


class Followed(Steered):
    """Asks both after every fact, whatever happens in between: they never differ."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.agenda = Agenda(self.state)
        self.slots = 2

    def fold(self, event: e.Event) -> None:
        """One more fact."""
        self.state = apply(self.state, event, at=self.now)
        self.agenda.follow(event, self.state)

    def follows(self) -> tuple[e.Event, ...]:
        """What follows now."""
        limits = Limits(slots=self.slots)
        facts = decide(self.state, now=self.now, limits=limits)
        assert self.agenda.decide(now=self.now, limits=limits) == facts
        after = fold(self.state, ((self.now, fact) for fact in facts))
        assert self.agenda.busy_after(facts, at=self.now) == busy(after)
        self.the_agenda_answers_as_the_plan()
        return facts

    @rule(slots=st.sampled_from([0, 1, 2, 2, 3]))
    def others_come_and_go(self, slots: int) -> None:
        """Other fleets leave more slots, or fewer."""
        self.slots = slots
        self.settle()

    @invariant()
    def the_agenda_answers_as_the_plan(self) -> None:
        """Whatever must be going on, and when to look again."""
        assert self.agenda.busy == busy(self.state)
        assert self.agenda.activities(now=self.now) == activities(self.state, now=self.now)
        assert self.agenda.wake_at(now=self.now) == wake_at(self.state, now=self.now)
