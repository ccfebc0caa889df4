"""Task files: what is taken, and for each mistake one clear error with the line of it."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from bandstand.config.tasks import read_tasks, single_task, title_of
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName, TaskId
from bandstand.domain.task import Budget, Role, TaskSpec

CLAUDE, CODEX = AgentName("claude"), AgentName("codex")
KEYS = ["id", "title", "goal", "acceptance", "scope", "depends_on", "stacked_on", "role", "agent", "priority", "budget"]


def tasks(source: str | bytes, *, name: str = "tasks.yaml", agent: AgentName | None = CLAUDE) -> tuple[TaskSpec, ...]:
    """Read a file in a repository that has a task `old` and two agents."""
    return read_tasks(source, name=name, known=[TaskId("old")], default_agent=agent, agents=[CLAUDE, CODEX])


def test_a_whole_file() -> None:
    """The order of the file is kept, defaults hold where a task is silent, and a task's own list replaces theirs."""
    found = tasks("""
defaults: {agent: codex, scope: src/, acceptance: [It works.], priority: 2, budget: {minutes: 30, turns: 5}}
tasks:
- id: b
  goal: |
    # Add a switch. And a light.
    More on it.
  depends_on: a
  budget: {turns: 9}
- id: a
  goal: b
  title: The lamp
  agent: claude
  role: tester
  scope: []
  acceptance: One sentence.
  priority: -1
  stacked_on: old
""")
    assert found == (
        TaskSpec(
            id=TaskId("b"),
            title="Add a switch",
            goal="# Add a switch. And a light.\nMore on it.\n",
            agent=CODEX,
            acceptance=("It works.",),
            scope=("src/",),
            depends_on=(TaskId("a"),),
            priority=2,
            budget=Budget(minutes=30, turns=9),
        ),
        TaskSpec(
            id=TaskId("a"),
            title="The lamp",
            goal="b",
            agent=CLAUDE,
            acceptance=("One sentence.",),
            stacked_on=TaskId("old"),
            role=Role.TESTER,
            priority=-1,
            budget=Budget(minutes=30, turns=5),
        ),
    )


def test_ids_are_made_where_there_are_none() -> None:
    """An id that is made is new among those that are known, written and made."""
    found = tasks("- goal: Old.\n- goal: fix it\n- goal: fix it\n- {goal: x, id: fix-it}\n- goal: 修理する\n")
    assert [spec.id for spec in found] == ["old-2", "fix-it-2", "fix-it-3", "fix-it", "task"]


def test_the_repositorys_budget_holds_for_who_does_not_say() -> None:
    """The budget that is handed in stands behind the file's defaults, and these behind the task's own."""
    read = read_tasks(
        "tasks: [{goal: a, budget: {turns: 1}}]\ndefaults: {budget: {turns: 2}}\n",
        name="-",
        known=[],
        default_agent=CLAUDE,
        agents=[CLAUDE],
        budget=Budget(minutes=7, turns=3),
    )
    assert read[0].budget == Budget(minutes=7, turns=1)


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "2026-11-23", "010", "0x10", "1e5", "1-30"])
def test_words_that_yaml_takes_for_something_else_are_words(word: str) -> None:
    """Norway's domain, dates and odd numbers are ids and titles as they are written."""
    (spec,) = tasks(f"- id: {word}\n  goal: a\n  title: {word}\n")
    assert (spec.id, spec.title) == (word, word)


def test_json_is_read_too() -> None:
    """As Python writes it, with escapes, and as people indent it, with tabs."""
    written = json.dumps([{"goal": "Add a 😀 and a\ttab", "id": "a"}, {"goal": "b", "depends_on": ["a"]}], indent="\t")
    assert [spec.goal for spec in tasks(written)] == ["Add a 😀 and a\ttab", "b"]
    with pytest.raises(Refused, match=r"tasks\.yaml:4: `idd` is no key of a task\."):
        tasks(written.replace('"id"', '"idd"'))


# --- any file ------------------------------------------------------------------------------------------------------

LINES = some.text(
    some.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=30
).filter(lambda text: text.strip() == text)
GOALS = some.lists(LINES, min_size=1, max_size=3).map("\n".join) | some.sampled_from(
    ["no", "1", "~", "2026-11-23", "- a", "a: b"]
)
PARTS = some.text("abxyz*.-", min_size=1, max_size=5).filter(lambda part: ".." not in part)
SCOPES = some.lists(some.lists(PARTS, min_size=1, max_size=3).map("/".join), max_size=2)
FREE = some.fixed_dictionaries(
    {"goal": GOALS},
    optional={
        "title": LINES,
        "acceptance": some.lists(GOALS, max_size=2) | GOALS,
        "scope": SCOPES,
        "role": some.sampled_from([role.value for role in Role]),
        "agent": some.sampled_from([CLAUDE, CODEX]),
        "priority": some.integers(-1000, 1000),
        "budget": some.fixed_dictionaries(
            {}, optional={"minutes": some.integers(1, 600), "turns": some.integers(1, 50)}
        ),
    },
)
IDS = some.text("abcno019", min_size=1, max_size=6)


@some.composite
def files(draw: some.DrawFn) -> list[dict[str, Any]]:
    """A valid task file: each task needs only such as stand above it."""
    ids = draw(some.lists(IDS, min_size=1, max_size=5, unique=True))
    found = []
    for number, id_ in enumerate(ids):
        task = {"id": id_, **draw(FREE)}
        above = some.sampled_from([*ids[:number], "old"])
        task["depends_on"] = draw(some.lists(above, max_size=3, unique=True))
        if draw(some.booleans()):
            task["stacked_on"] = draw(above)
        found.append(task)
    return draw(some.permutations(found))


def agrees(spec: TaskSpec, written: dict[str, Any]) -> bool:
    """Whether a task is the one that was written."""
    acceptance = written.get("acceptance", [])
    return (
        (spec.id, spec.goal, list(spec.depends_on)) == (written["id"], written["goal"], written["depends_on"])
        and spec.title == written.get("title", spec.title)
        and list(spec.acceptance) == ([acceptance] if isinstance(acceptance, str) else acceptance)
        and list(spec.scope) == written.get("scope", [])
        and (spec.stacked_on, spec.role) == (written.get("stacked_on"), written.get("role", "coder"))
        and (spec.agent, spec.priority) == (written.get("agent", "claude"), written.get("priority", 0))
        and {"minutes": 60, "turns": 20} | written.get("budget", {})
        == {"minutes": spec.budget.minutes, "turns": spec.budget.turns}
    )


@given(files(), some.booleans(), some.booleans(), some.sampled_from([20, 10_000]))
def test_what_is_written_is_what_is_read(written: list[dict[str, Any]], flow: bool, wrapped: bool, width: int) -> None:
    """Any valid file comes back as it was meant, in every style of YAML, as a list and below `tasks`."""
    text = yaml.safe_dump(
        {"tasks": written} if wrapped else written, default_flow_style=flow, allow_unicode=True, width=width
    )
    found = tasks(text)
    assert len(found) == len(written)
    assert all(agrees(*pair) for pair in zip(found, written, strict=True))
    assert tasks(json.dumps(written)) == found


CRUMBS = [
    "goal",
    "id: ",
    "- ",
    "\n  ",
    "tasks:",
    "é",
    "0",
    "\x00",
    "\x85",
    "\ud83d",
    *"-:#&*!|>'\"%@`{}[],?~=\\ \n\t\r",
]
SOUP = some.lists(some.sampled_from(CRUMBS)).map("".join)


@given(some.text() | SOUP | some.binary())
def test_no_text_does_more_than_be_refused(source: str | bytes) -> None:
    """Whatever comes in, tasks come out or one error that names a line."""
    try:
        assert tasks(source)
    except Refused as error:
        place, line, *_ = error.message.split(":")
        assert place == "tasks.yaml" and int(line) >= 1 and error.message.endswith(".")


SHAPES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["tasks", "defaults", *KEYS, "minutes", "turns", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(SHAPES)
def test_no_shape_does_more_than_be_refused(shape: object) -> None:
    """YAML of any shape is tasks, or one error with a line that the file has."""
    text = yaml.safe_dump(shape)
    try:
        assert tasks(text)
    except Refused as error:
        assert 1 <= int(error.message.split(":")[1]) <= text.count("\n")


# --- one goal ------------------------------------------------------------------------------------------------------


def test_one_goal_is_a_task() -> None:
    """Its id is made of its first words and is new, its title of its first sentence."""
    spec = single_task("Add dark mode. Keep it simple!", agent=CLAUDE, known=[TaskId("add-dark-mode")])
    assert spec == TaskSpec(
        id=TaskId("add-dark-mode-2"), title="Add dark mode", goal="Add dark mode. Keep it simple!", agent=CLAUDE
    )


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"goal": " \n"}, "The goal is empty."),
        ({"scope": ["../x"]}, "The scope must stay inside the repository, and `../x` does not."),
        ({"title": "a\nb"}, "The title must be one line."),
        ({"acceptance": [""]}, "The acceptance is empty."),
        ({"id": "A"}, "'A' is not a task id."),
        ({"id": "old"}, "There is already a task 'old' in this repository."),
        ({"depends_on": ["new"]}, "Task 'a' needs 'new', and there is no such task."),
    ],
)
def test_one_goal_may_be_refused(order: dict[str, Any], message: str) -> None:
    """What a file may not say, an order may not say either."""
    with pytest.raises(Refused) as caught:
        single_task(**{"goal": "a", "agent": CLAUDE, "known": [TaskId("old")]} | order)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("goal", "title"),
    [
        ("add dark mode", "add dark mode"),
        ("Add dark mode.", "Add dark mode"),
        ("\n\n## Add *dark* mode\n\nAs follows.", "Add *dark* mode"),
        ("- [ ] Fix v1.2 e.g. in app.py. Then rest.", "[ ] Fix v1.2 e.g. in app.py"),
        ("Why is it slow? Find out.", "Why is it slow?"),
        ("#42", "#42"),
        (".", "."),
        ("a " * 40, "a " * 29 + "a…"),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_a_title_is_the_first_sentence(goal: str, title: str) -> None:
    """Without markup and full stop, cut between words."""
    assert title_of(goal) == title


@given(some.text().filter(lambda text: text.strip()))
def test_every_goal_has_a_title_of_one_line(goal: str) -> None:
    """Never empty, never longer than 60 characters."""
    title = title_of(goal)
    assert len(title.splitlines()) == 1 and 0 < len(title) <= 60 and title == title.strip()


def test_ten_thousand_tasks_are_a_file_like_others() -> None:
    """Each is there, in its place, and waits for the one before it."""
    count = 10_000
    lines = [f"- {{id: t{number}, goal: Do {number}, depends_on: t{number - 1}}}" for number in range(1, count)]
    found = tasks("\n".join(["- {id: t0, goal: Do 0}", *lines]))
    assert [spec.id for spec in found] == [f"t{number}" for number in range(count)]
    assert found[-1].depends_on == (TaskId(f"t{count - 2}"),)
