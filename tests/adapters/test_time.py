"""What a fleet makes of suspends, restarts, and wall clocks that are set: deadlines count the time awake alone."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bandstand.domain import events as e
from bandstand.domain.agent import Choice, PermissionRequested, ToolKind
from bandstand.domain.asking import ask_for_agent
from bandstand.domain.task import Budget
from tests.domain.states import Story, spec
from tests.hand_machine import NOON, HandMachine

HOUR, DAY = 3600.0, 86400.0
CHOICES = (Choice(id="yes", label="Yes", grants=True), Choice(id="no", label="No", grants=False))


def suspended(machine: HandMachine) -> None:
    """A night with the lid closed."""
    machine.sleeps(30 * HOUR)


def suspended_without_a_daemon(machine: HandMachine) -> None:
    """The daemon was ended before, and another one starts after it."""
    machine.notes()
    machine.sleeps(30 * HOUR)
    machine.restarts()


def suspended_and_killed(machine: HandMachine) -> None:
    """The daemon is killed behind a suspend that it has not noticed, long after it last kept anything."""
    machine.sleeps(30 * HOUR)
    machine.restarts()


def off(machine: HandMachine) -> None:
    """Switched off in good order."""
    machine.notes()
    machine.is_off(30 * HOUR)


def wall_forward(machine: HandMachine) -> None:
    """The time of day is set a day ahead, with the daemon alive."""
    machine.sets_the_wall(DAY)


def wall_forward_and_restarted(machine: HandMachine) -> None:
    """And then another daemon comes."""
    machine.sets_the_wall(DAY)
    machine.restarts()


def wall_back_and_restarted(machine: HandMachine) -> None:
    """The same the other way."""
    machine.sets_the_wall(-DAY)
    machine.restarts()


Happens = Callable[[HandMachine], None]
HAPPENS = (
    suspended,
    suspended_without_a_daemon,
    suspended_and_killed,
    off,
    wall_forward,
    wall_forward_and_restarted,
    wall_back_and_restarted,
)


class Watched:
    """A fleet with an agent that asks, one that works and one that waits, on a machine whose time passes by hand."""

    def __init__(self, folder: Path) -> None:
        self.machine = HandMachine(folder / "clock.json")
        self.machine.notes()
        self.story = Story(slots=1, now=self.machine.clock.now())
        self.story.submit(spec("asks"), spec("works", budget=Budget(minutes=60)), spec("waits"))
        self.settle()
        run = self.story.session("asks").task("asks").run
        assert run is not None
        request = PermissionRequested(request="q", title="May I?", kind=ToolKind.OTHER, choices=CHOICES)
        self.story.record(ask_for_agent(self.story.state, self.story.task("asks"), run.id, request, now=self.story.now))
        self.settle()

    def settle(self) -> list[e.Event]:
        """All that follows now."""
        self.story.now = self.machine.clock.now()
        return self.story.settle()


@pytest.mark.parametrize("happens", HAPPENS)
def test_nothing_expires_that_had_no_time(happens: Happens, tmp_path: Path) -> None:
    """Not by a night, not by a wall clock that is set; not at once, and not in the minute behind it."""
    fleet = Watched(tmp_path)
    fleet.machine.works(30 * 60)
    assert fleet.settle() == []
    fleet.machine.notes()
    before = fleet.machine.clock.now()
    happens(fleet.machine)
    assert fleet.settle() == []
    assert fleet.machine.clock.now() >= before, "facts never go back in time"
    fleet.machine.works(61)
    assert fleet.settle() == []
    assert fleet.machine.clock.now() - before <= timedelta(seconds=61)


@pytest.mark.parametrize("happens", HAPPENS)
def test_what_had_its_time_expires(happens: Happens, tmp_path: Path) -> None:
    """A turn after an hour, an ask after a day: of time awake, with a minute for each time that it woke."""
    fleet = Watched(tmp_path)
    fleet.machine.works(30 * 60)
    fleet.settle()
    fleet.machine.notes()
    happens(fleet.machine)
    fleet.settle()
    fleet.machine.works(32 * 60)
    stops = [fact.task for fact in fleet.settle() if isinstance(fact, e.RunStopRequested)]
    assert stops == ["works"]
    fleet.machine.works(DAY - HOUR - 5 * 60)
    assert not [fact for fact in fleet.settle() if isinstance(fact, e.AskAnswered)]
    fleet.machine.works(10 * 60)
    assert [fact.answer.by for fact in fleet.settle() if isinstance(fact, e.AskAnswered)] == ["deadline"]


STEPS = some.lists(
    some.tuples(
        some.sampled_from(["works", "works", "sleeps", "sets_the_wall", "is_off", "restarts", "notes", "look"]),
        some.floats(0, 10 * DAY),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_happens_time_awake_is_what_counts(steps: list[tuple[str, float]]) -> None:
    """The clock never goes back, nor ahead of the time awake; a minute is lost for each waking, another one if the next
    daemon has to find out, and what was not said before the machine went off."""
    with TemporaryDirectory(prefix="bt-") as folder:
        machine = HandMachine(Path(folder) / "clock.json")
        machine.notes()
        worked = unsaid = graces = 0.0
        shown = 0.0
        for step, seconds in steps:
            match step:
                case "works":
                    machine.works(seconds)
                    worked += seconds
                    unsaid += seconds
                case "sleeps":
                    machine.sleeps(seconds)
                    graces += 60
                case "sets_the_wall":
                    machine.sets_the_wall(seconds - 5 * DAY)
                case "is_off":
                    machine.is_off(seconds)
                    worked, unsaid = worked - unsaid, 0.0
                    shown = 0.0
                case "restarts":
                    machine.restarts()
                    unsaid = 0.0
                    graces += 60
                case "notes":
                    machine.notes()
                    unsaid = 0.0
                case _:
                    pass
            now = machine.shown
            assert now >= shown - 1e-3 or step == "restarts"
            assert worked - graces - 1e-3 <= now <= worked + 1e-3
            shown = now


def test_a_clock_with_nothing_to_go_on_from_shows_the_time_of_day(tmp_path: Path) -> None:
    """The first one, and one whose file is damaged."""
    for text in ("", "[]", "{}", '{"boot": "boot 1"}', '{"boot": 1, "awake_ns": "x", "at": 3}'):
        (tmp_path / "clock.json").write_text(text)
        machine = HandMachine(tmp_path / "clock.json")
        assert machine.shown == 0


def test_a_clock_goes_on_behind_what_has_happened(tmp_path: Path) -> None:
    """Whatever the wall says; and it catches up with the wall when nobody minds, but never goes back."""
    machine = HandMachine(tmp_path / "clock.json")
    machine.clock.not_before(NOON + timedelta(hours=1))
    assert machine.shown == HOUR
    machine.clock.not_before(NOON)
    machine.clock.catch_up()
    assert machine.shown == HOUR
    machine.sleeps(8 * HOUR)
    assert machine.shown == HOUR
    machine.clock.catch_up()
    assert machine.shown == 8 * HOUR
