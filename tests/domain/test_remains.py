"""What may go by the facts alone: whose a thing is, whether somebody may use it, and how long it is kept."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.ids import RunId, TaskId
from bandstand.domain.remains import (
    COLLECT_AFTER,
    Aged,
    Keep,
    archived_task,
    checkout_task,
    due,
    ended,
    is_wanted,
    spent,
    task_of,
)
from bandstand.domain.run import Part, Run
from bandstand.domain.stage import Queued
from bandstand.domain.state import State, Task
from tests.domain.states import NOW, spec

AGES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20)
NAMES = ["one", "check", "review-one", "one-0123456789ab"]


@pytest.mark.parametrize("task", NAMES)
def test_each_thing_is_known_by_its_name(task: str) -> None:
    """Also of tasks that are called as what belongs to a task."""
    assert task_of(f"{task}.1") == task_of(f"{task}.review.2") == task
    assert checkout_task(f"check.{task}.3") == checkout_task(f"review-{task}.review.1") == task
    assert archived_task(f"{task}-fedcba987654") == task


def live(**fields: object) -> State:
    """A state with one live task."""
    task = Task(spec=spec("one"), number=1, stage=Queued(), since=NOW, **fields)  # type: ignore[arg-type]
    return State(tasks={task.spec.id: task}, past={TaskId("gone"): True, TaskId("off"): False})


def test_a_checkout_is_wanted_by_its_last_check_and_by_a_review_that_lives() -> None:
    """Of a task that nobody knows it may be; of one that is over it is not."""
    run = Run(id=RunId("one.review.2"), task=TaskId("one"), part=Part.REVIEWER, agent=spec("one").agent)
    state = live(checks=3, review_run=run)
    wanted = ["check.one.3", "review-one.review.2", "check.stranger.1", "review-stranger.review.1"]
    unwanted = ["check.one.2", "review-one.review.1", "check.gone.1", "review-off.review.1"]
    assert all(is_wanted(state, name) for name in wanted)
    assert not any(is_wanted(state, name) for name in unwanted)


def test_only_what_is_over_for_good_has_ended() -> None:
    """And the words say how."""
    state = live()
    told = [ended(state, TaskId(name)) for name in ("one", "stranger", "gone", "off")]
    assert told == ["", "", "gone has landed", "off was cancelled"]


def test_too_old_goes_and_then_the_oldest_until_there_is_room() -> None:
    """Each with its reason."""
    things = [Aged(name=str(days), last=NOW - timedelta(days=days), bytes=40) for days in (1, 20, 5, 3)]
    gone = spent(things, Keep(days=10, bytes=100), now=NOW)
    assert [thing.name for thing, _ in gone] == ["20", "5"]
    assert [why for _, why in gone] == ["20 days old; kept for 10", "newer ones take the 0 MB that are kept"]


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10**12)), max_size=20))
def test_nothing_is_ever_spent_where_all_is_kept(ages: list[tuple[int, int]]) -> None:
    """0 is for ever, and any room."""
    things = [Aged(name=str(n), last=NOW - timedelta(days=days), bytes=size) for n, (days, size) in enumerate(ages)]
    assert spent(things, Keep(), now=NOW) == []


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20), st.integers(1, 40), st.integers(1, 200)
)
def test_what_stays_is_young_and_has_room(ages: list[tuple[int, int]], days: int, room: int) -> None:
    """Whatever there is."""
    things = [Aged(name=str(n), last=NOW - timedelta(days=age), bytes=size) for n, (age, size) in enumerate(ages)]
    gone = {thing.name for thing, _ in spent(things, Keep(days=days, bytes=room), now=NOW)}
    stays = [thing for thing in things if thing.name not in gone]
    assert all((NOW - thing.last).days < days for thing in stays)
    assert sum(thing.bytes for thing in stays) <= room


def test_it_is_due_a_day_after_the_last_time_or_the_first_sight() -> None:
    """A new repository has nothing old."""
    later = NOW + COLLECT_AFTER
    assert not due(State(), now=NOW)
    assert not due(State(opened=NOW), now=later - timedelta(seconds=1))
    assert due(State(opened=NOW), now=later)
    assert not due(State(opened=NOW, collected=later), now=later)
