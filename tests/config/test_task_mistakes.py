"""Mistakes in a task file: each gives one clear error, with the line that it is in."""

from typing import Any

import pytest

from bandstand.config.tasks import read_tasks
from bandstand.domain.errors import Refused
from bandstand.domain.ids import AgentName, TaskId

CLAUDE, CODEX = AgentName("claude"), AgentName("codex")
KEYS = "id, title, goal, acceptance, scope, depends_on, stacked_on, role, agent, priority, network, budget, limits"
ID_HINT = "Use lower-case letters, digits and inner hyphens, at most 40 characters."
SCOPE_HINT = "Write paths from the top of the repository, as in `src/app/` or `docs/*.md`."
COLON_HINT = "Check the indentation, and put text that holds a colon in quotes."


def tasks(source: str | bytes, *, name: str = "tasks.yaml", agent: AgentName | None = CLAUDE) -> object:
    """Read a file in a repository that has a task `old` and two agents."""
    return read_tasks(source, name=name, known=[TaskId("old")], default_agent=agent, agents=[CLAUDE, CODEX])


def refused(source: str | bytes, **order: Any) -> tuple[str, str]:
    """The message and the hint of the one error that a file gives."""
    with pytest.raises(Refused) as caught:
        tasks(source, **order)
    return caught.value.message, caught.value.hint


NOT_A_FILE_OF_TASKS = [
    ("", "1: This file is empty.", "Begin with a task: `- goal: add dark mode`."),
    ("# later\n\n", "1: This file is empty.", "Begin with a task: `- goal: add dark mode`."),
    (b"- goal: a\n- goal: \xff\n", "2: This is not UTF-8 text: it holds the byte 0xff.", None),
    ("- goal: a\n".encode("utf-16"), "1: This is not UTF-8 text: it holds the byte 0xff.", None),
    ("- goal: a\n\tid: b\n", "2: A tab stands where YAML allows only spaces.", "Indent with spaces."),
    ("- goal: a\n- goal:\tb\n\t\n", "2: A tab stands where YAML allows only spaces.", "Indent with spaces."),
    ("- goal: add: a thing\n", "1: A colon stands where none can be.", COLON_HINT),
    ("- goal: a\n   id: b\n", "2: A colon stands where none can be.", COLON_HINT),
    ("- goal: a\n id: b\n", "2: The indentation does not go with the lines above.", None),
    ("- goal: a\n  title\n  id: x\n", "2: This line is no `key: value`.", "Check the colon and the indentation."),
    ("tasks:\n  - goal: a\n  defaults\n", "3: This line is no `key: value`.", None),
    ('- goal: a\n- goal: "b\n  id: x\n', "2: A quote is opened here and never closed.", ""),
    ('- goal: "a" b\n', "1: A value goes on where it should have ended.", "Check the quotes."),
    ("- goal: a\n- [b, c\n", "2: A bracket is opened here and not closed, or a comma is missing.", ""),
    ("- goal: a\n  scope: [\n", "2: A value is missing, or a bracket is not closed.", ""),
    ("- goal: @home\n", "1: A value cannot begin with `@`.", "Put the value in quotes."),
    ("- goal: `x`\n", '1: A value cannot begin with "`".', "Put the value in quotes."),
    ("- goal: a\n---\n- goal: b\n", "2: A second document begins here (`---`).", "Put all tasks into one list."),
    ("- &a\n  goal: x\n- *a\n", "3: Aliases (`*name`) are not read here.", None),
    ("- goal: !env HOME\n", "1: Tags such as `!env` are not read here.", ""),
    (
        "- goal: !!python/name:os.system\n",
        "1: Tags such as `!!python/name:os.system` are not read here.",
        "",
    ),
    ("- goal: a\n  goal: b\n", "2: `goal` stands twice; the first is in line 1.", ""),
    ("- ? [a]\n  : b\n", "1: A key must be text.", ""),
    ("- goal: a\x00\n", "1: This holds a character that no text file should.", ""),
    ('- goal: "\\UFFFFFFFF"\n', "1: This is not YAML: a number here is out of all bounds.", ""),
    ("[" * 5000, "1: This is nested too deeply.", ""),
    ("- goal: a\n" * 200_000, "1: This file has more than 1,500,000 characters.", ""),
    (
        "add dark mode",
        "1: A task file must be a list of tasks, but this is the text `add dark mode`.",
        "Begin with `- goal: …`.",
    ),
    ("- add dark mode", "1: A task must be a mapping, but this is the text `add dark mode`.", "Write `- goal: …`."),
    ("- 3", "1: A task must be a mapping, but this is the number `3`.", f"Its keys are: {KEYS}."),
    ("[]", "1: `tasks` is an empty list.", ""),
    ("{}", "1: `tasks` is missing in a task file.", ""),
    ("defaults: {}\ntasks: a\n", "2: `tasks` must be a list, but this is the text `a`.", ""),
    (
        "goal: add dark mode\n",
        "1: `goal` is no key of a task file (and 1 more).",
        "Tasks stand in a list: `- goal: …`.",
    ),
]

NOT_A_TASK = [
    ("- gaol: a\n", "1: `gaol` is no key of a task (and 1 more).", "Did you mean `goal`?"),
    ("- goal: a\n- id: b\n  colour: red\n  goal: b\n", "3: `colour` is no key of a task.", f"Known are: {KEYS}."),
    ("tasks:\n- goal: a\ndefault: {}\n", "3: `default` is no key of a task file.", "Did you mean `defaults`?"),
    ("- goal: a\n  budget:\n    minute: 3\n", "3: `minute` is no key of a budget.", "Did you mean `minutes`?"),
    ("defaults:\n  goal: x\ntasks:\n- goal: a\n", "2: `goal` is no key of `defaults`.", None),
    ("- id: a\n  title: b\n", "1: `goal` is missing in a task.", ""),
    ("- goal:\n", "1: `goal` is empty.", "Write a value, or leave the key out."),
    ("- goal: ' '\n", "1: `goal` is empty.", ""),
    ("- goal: 12\n", "1: `goal` must be text, but this is the number `12`.", 'Put it in quotes: "12".'),
    ("- goal: [a]\n", "1: `goal` must be text, but this is a list.", ""),
    ("- goal: {a: b}\n", "1: `goal` must be text, but this is a mapping.", ""),
    ('- goal: "\\ud800"\n', "1: `goal` must be text, and holds bytes that are none in UTF-8.", ""),
    ("- goal: a\n  title: |\n    a\n    b\n", "2: `title` must be one line.", ""),
    ("- goal: a\n  id: 12\n", "2: `id` must be text, but this is the number `12`.", 'Put it in quotes: "12".'),
    ("- goal: a\n  id: 1.5\n", "2: `id` must be text, but this is the number `1.5`.", 'Put it in quotes: "1.5".'),
    ("- goal: a\n  id: True\n", "2: `id` must be text, but this is `true`.", 'Put it in quotes: "true".'),
    ("- goal: a\n  id: Dark_Mode\n", "2: `id` must be a task id, and `Dark_Mode` is none.", ID_HINT),
    (
        "- goal: a\n  role: codr\n",
        "2: `role` must be coder, tester or documenter, not `codr`.",
        "Did you mean `coder`?",
    ),
    ("- goal: a\n  role: boss\n", "2: `role` must be coder, tester or documenter, not `boss`.", ""),
    ("- goal: a\n  role: [coder]\n", "2: `role` must be coder, tester or documenter, not a list.", ""),
    (
        "- goal: a\n  priority: '3'\n",
        "2: `priority` must be a whole number, but this is the text `3`.",
        "Write it without quotes: 3",
    ),
    ("- goal: a\n  priority: 010\n", "2: `priority` must be a whole number, but this is the text `010`.", None),
    ("- goal: a\n  priority: yes\n", "2: `priority` must be a whole number, but this is the text `yes`.", ""),
    ("- goal: a\n  priority: 1e9\n", "2: `priority` must be a whole number, but this is the text `1e9`.", ""),
    ("- goal: a\n  priority: 1001\n", "2: `priority` must be at most 1000.", ""),
    (
        "- goal: a\n  budget: 30\n",
        "2: A budget must be a mapping, but this is the number `30`.",
        "Its keys are: minutes, turns.",
    ),
    ("- goal: a\n  budget: {turns: 0}\n", "2: `budget.turns` must be at least 1.", ""),
    (
        "- goal: a\n  acceptance:\n  - b\n  - 3\n",
        "4: `acceptance` must be text, but this is the number `3`.",
        'Put it in quotes: "3".',
    ),
    ("- goal: a\n  acceptance: {b: c}\n", "2: `acceptance` must be a list, but this is a mapping.", ""),
    (
        "- goal: a\n  scope:\n  - src\n  - /etc\n",
        "4: `scope` must stay inside the repository, and `/etc` does not.",
        SCOPE_HINT,
    ),
    (
        "- goal: a\n  scope: src/../..\n",
        "2: `scope` must stay inside the repository, and `src/../..` does not.",
        SCOPE_HINT,
    ),
    ("- goal: a\n  scope: ~/x\n", "2: `scope` must stay inside the repository, and `~/x` does not.", SCOPE_HINT),
    ("- goal: a\n  scope: 'C:\\x'\n", "2: `scope` must stay inside the repository, and `C:\\x` does not.", SCOPE_HINT),
    ("- goal: a\n  scope: ':!x'\n", "2: `scope` must be plain path patterns, and `:!x` is none.", None),
    ("- goal: a\n  agent: cluade\n", "2: There is no agent `cluade` here.", "Did you mean `claude`?"),
    ("- goal: a\n  agent: hal\n", "2: There is no agent `hal` here.", "Known are: claude, codex."),
    (
        "- goal: a\n  agent: gemini\n",
        "2: There is no agent `gemini` here.",
        "To install it: npm install -g @google/gemini-cli@0.61.0",
    ),
    ("defaults:\n  agent: hal\ntasks:\n- goal: a\n", "2: There is no agent `hal` here.", None),
    ("- goal: a\n  colour: x\n- goal: 3\n- id: B\n", "2: `colour` is no key of a task (and 3 more).", None),
]

NOT_A_GRAPH = [
    ("- {id: a, goal: x}\n- {id: b, goal: x}\n- goal: x\n  id: a\n", "4: The id 'a' is used twice.", ""),
    ("- {id: a, goal: x}\n- {id: a, goal: x, depends_on: c}\n", "2: The id 'a' is used twice.", ""),
    ("- goal: x\n  id: old\n", "2: There is already a task 'old' in this repository.", "Give the new one another id."),
    (
        "- id: a\n  goal: x\n  depends_on:\n  - old\n  - new\n",
        "5: Task 'a' needs 'new', and there is no such task.",
        "Check the spelling, or add that task.",
    ),
    ("- id: a\n  goal: x\n  depends_on: a\n", "3: Task 'a' cannot wait for itself.", ""),
    ("- id: a\n  goal: x\n  stacked_on: b\n", "3: Task 'a' needs 'b', and there is no such task.", None),
    (
        "- {id: z, goal: x}\n- id: a\n  goal: x\n  depends_on: [b]\n- id: b\n  goal: x\n  stacked_on: a\n",
        "4: Tasks wait for each other in a circle: a -> b -> a.",
        "",
    ),
    (
        "- id: a\n  goal: x\n  stacked_on: b\n- {id: b, goal: x, stacked_on: a}\n",
        "3: Tasks wait for each other in a circle: a -> b -> a.",
        "",
    ),
]


@pytest.mark.parametrize(("source", "message", "hint"), [*NOT_A_FILE_OF_TASKS, *NOT_A_TASK, *NOT_A_GRAPH])
def test_a_mistake_is_told_once_with_its_line(source: str | bytes, message: str, hint: str | None) -> None:
    """The first mistake by line, in one sentence, with the next step where there is an obvious one."""
    told, told_hint = refused(source)
    assert told == f"tasks.yaml:{message}"
    assert hint is None or told_hint == hint


def test_a_task_without_any_agent() -> None:
    """Where nobody says which agent, the task is named that lacks one."""
    told, hint = refused("- goal: a\n  agent: codex\n- goal: b\n", agent=None)
    assert told == "tasks.yaml:3: This task names no agent, and there is no default."
    assert hint == "Write `agent: NAME`, or say `--agent NAME`. `band agents` shows which there are."


def test_standard_input_has_a_name() -> None:
    """`-` is shown as what it is."""
    assert refused("- gaol: a\n", name="-")[0].startswith("standard input:1: ")


def test_lines_are_those_of_an_editor() -> None:
    """Windows' line ends count once, and characters that YAML takes for line breaks do not count at all."""
    assert refused("- goal: a\r\n  id: b\r\n  x: y\r\n")[0].startswith("tasks.yaml:3: ")
    assert refused('- goal: "a\u2028b"\n  id: b\n  x: y\n')[0].startswith("tasks.yaml:3: ")
    assert refused("\ufeff- goal: a\n  x: y\n".encode())[0].startswith("tasks.yaml:2: ")
