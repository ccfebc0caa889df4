"""Tasks as they are submitted: which ids they may have, and what is wrong with a set of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.errors import Refused
from bandstand.domain.ids import LONGEST_TASK_ID, TaskId, slug, task_id, unused
from bandstand.domain.task import TaskSpec, in_the_way, problems
from tests.domain.states import spec


def wrong(*specs: TaskSpec, known: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    """Where something is wrong, and what."""
    found = problems(specs, known=[TaskId(name) for name in known])
    return [(problem.task, problem.field, problem.message) for problem in found]


def test_tasks_may_need_what_is_there_and_what_comes_with_them() -> None:
    """In any order, and the same one twice."""
    specs = [spec("c", depends_on=("a", "b", "a")), spec("b", stacked_on="a"), spec("a", depends_on=("old",))]
    assert wrong(*specs, known=("old",)) == []


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ([spec("a"), spec("a")], [("a", "id", "The id 'a' is used twice.")]),
        ([spec("old")], [("old", "id", "There is already a task 'old' in this repository.")]),
        ([spec("a", depends_on=("b",))], [("a", "depends_on", "Task 'a' needs 'b', and there is no such task.")]),
        ([spec("a", stacked_on="b")], [("a", "stacked_on", "Task 'a' needs 'b', and there is no such task.")]),
        ([spec("a", depends_on=("a",))], [("a", "depends_on", "Task 'a' cannot wait for itself.")]),
        ([spec("a", stacked_on="a")], [("a", "stacked_on", "Task 'a' cannot wait for itself.")]),
        (
            [spec("a", depends_on=("b",)), spec("b", depends_on=("a",))],
            [("a", "depends_on", "Tasks wait for each other in a circle: a -> b -> a.")],
        ),
        (
            [spec("z"), spec("a", depends_on=("z", "b")), spec("b", stacked_on="c"), spec("c", depends_on=("a",))],
            [("a", "depends_on", "Tasks wait for each other in a circle: a -> b -> c -> a.")],
        ),
        (
            [spec("in", depends_on=("a",)), spec("a", depends_on=("b",)), spec("b", stacked_on="a")],
            [("a", "depends_on", "Tasks wait for each other in a circle: a -> b -> a.")],
        ),
    ],
)
def test_what_is_wrong_with_tasks_is_told(specs: list[TaskSpec], expected: list[tuple[str, str, str]]) -> None:
    """At which task, in which field, in a sentence."""
    assert wrong(*specs, known=("old",)) == expected


def test_a_circle_of_any_length_is_found_without_running_out_of_stack() -> None:
    """However long."""
    ring = [spec(f"t{n}", depends_on=(f"t{(n + 1) % 3000}",)) for n in range(3000)]
    assert len(wrong(*ring)) == 1
    chain = [spec(f"t{n}", depends_on=(f"t{n + 1}",) if n < 2999 else ()) for n in range(3000)]
    assert wrong(*chain) == []


@given(st.data())
def test_a_circle_is_found_exactly_if_there_is_one(data: st.DataObject) -> None:
    """As taking away tasks that need nothing any more tells it, until none is left or none can go."""
    names = [f"t{n}" for n in range(data.draw(st.integers(1, 7)))]
    needs = {
        name: data.draw(st.lists(st.sampled_from([other for other in names if other != name] or [""]), max_size=3))
        for name in names
    }
    needs = {name: [need for need in wanted if need] for name, wanted in needs.items()}
    left = dict(needs)
    while free := [name for name, wanted in left.items() if not any(need in left for need in wanted)]:
        for name in free:
            del left[name]
    found = wrong(*(spec(name, depends_on=tuple(wanted)) for name, wanted in needs.items()))
    assert bool(found) == bool(left)


@pytest.mark.parametrize(
    ("goal", "name"),
    [
        ("Add dark mode", "add-dark-mode"),
        ("  fix: the *login* test!  ", "fix-the-login-test"),
        ("Rename every function in the package", "rename-every-function-in"),
        ("Überprüfe die Größe", "berpr-fe-die-gr-e"),
        ("supercalifragilisticexpialidocious", "supercalifragilisticexpi"),
        ("数据", "task"),
        ("", "task"),
        ("-_-", "task"),
    ],
)
def test_a_goal_has_a_short_name(goal: str, name: str) -> None:
    """Of its first words."""
    assert slug(goal) == name


@given(st.text())
def test_every_slug_is_a_task_id(goal: str) -> None:
    """Whatever the goal."""
    assert task_id(slug(goal)) == slug(goal)
    assert len(slug(goal)) <= 24


@given(wanted=st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True), count=st.integers(0, 12))
def test_an_unused_name_is_a_new_task_id(wanted: str, count: int) -> None:
    """However often it was used, and however long it is."""
    taken: set[TaskId] = set()
    for _ in range(count + 1):
        name = unused(wanted, frozenset(taken))
        assert name not in taken
        assert task_id(name) == name
        taken.add(name)
    assert (TaskId(wanted) in taken) and len(taken) == count + 1


@pytest.mark.parametrize("text", ["a", "0", "a-b", "a--b", "x" * LONGEST_TASK_ID])
def test_what_a_task_id_may_be(text: str) -> None:
    """It names a branch and a folder."""
    assert task_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "-", "-a", "a-", "A", "a b", "a/b", "a.b", "..", "ä", "a\n", "x" * (LONGEST_TASK_ID + 1)]
)
def test_what_no_task_id_may_be(text: str) -> None:
    """Refused, with what it may be."""
    with pytest.raises(Refused, match="is not a task id") as refused:
        task_id(text)
    assert "lower-case letters" in refused.value.hint


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        (("band",), "band"),
        (("band/one",), "band/one"),
        (("band/one/more",), "band/one/more"),
        (("band/one-more", "band/two", "band/on"), None),
        ((), None),
    ],
)
def test_a_branch_may_be_in_the_way_of_a_tasks_own(branches: tuple[str, ...], expected: str | None) -> None:
    """One that is above it or below it, and its own, which somebody has already."""
    assert in_the_way(TaskId("one"), branches) == expected
