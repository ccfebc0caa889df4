"""A score: what the agent plays, in the normal form that the validator writes as JSON.

    {"tasks": {NAME: {"match": REGEX, "parts": [PART, ...]}}, "parts": [PART, ...]}
    PART: {"name": TEXT, "when": [REGEX or "start", ...], "times": N or "always", "steps": [STEP, ...]}
    STEP: {STEP_NAME: {FIELD: VALUE, ...}, "only_if": {"path": PATH, "contains": TEXT, "absent": true}}

Nothing changes a score once it is read, and choosing a part depends on nothing but what is passed in. Plain classes
with slots stand where the house would have dataclasses: importing those costs as much as the rest of a start.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False  # see `wire`
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bandstand.rehearsal.wire import Json

START = "start"
ALWAYS = "always"
_FLAGS = re.IGNORECASE | re.MULTILINE
_TASK_LINE = r"^[\s>*_#`-]*task:[ \t*_`]*([\w.-]*\w)"  # compiled when the first prompt comes


class ScoreError(Exception):
    """A score, or a step of it, that is not in the normal form."""


class Step:
    """One step: its name, its fields, and the condition on which it is played."""

    __slots__ = ("fields", "name", "only_if")

    def __init__(self, *, name: str, fields: Json, only_if: Step | None) -> None:
        self.name = name
        self.fields = fields
        self.only_if = only_if

    def text(self, field: str, default: str | None = None) -> str:
        """A field that holds text. Raises `ScoreError` if it does not, or is missing and has no default."""
        value = self.fields.get(field, default)
        if not isinstance(value, str):
            raise ScoreError(f"The step `{self.name}` needs a text `{field}`.")
        return value

    def number(self, field: str, default: float | None = None) -> float:
        """A field that holds a number. Raises `ScoreError` as `text` does."""
        value = self.fields.get(field, default)
        if not isinstance(value, int | float):
            raise ScoreError(f"The step `{self.name}` needs a number `{field}`.")
        return value

    def flag(self, field: str) -> bool:
        """Whether a field is there and true."""
        return self.fields.get(field) is True

    def texts(self, field: str) -> list[str]:
        """A field that lists texts; empty if it is missing."""
        value = self.fields.get(field)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def record(self, field: str) -> Step:
        """A field that holds fields of its own; without any if it is missing."""
        value = self.fields.get(field)
        return Step(name=f"{self.name}.{field}", fields=value if isinstance(value, dict) else {}, only_if=None)

    def records(self, field: str) -> list[Step]:
        """A field that lists such records; empty if it is missing."""
        value = self.fields.get(field)
        items = value if isinstance(value, list) else []
        name = f"{self.name}.{field}"
        return [Step(name=name, fields=item, only_if=None) for item in items if isinstance(item, dict)]

    def steps(self, field: str) -> list[Step] | None:
        """A field that lists steps, or `None` if it is missing. Raises `ScoreError`."""
        return steps(self.fields[field]) if field in self.fields else None

    def filled(self, values: Mapping[str, str]) -> Step:
        """This step with the values put where `{name}` stands. Steps inside it are left for when they are played."""
        fields: Json = {
            field: value if field == "otherwise" else _fill(value, values) for field, value in self.fields.items()
        }
        return Step(name=self.name, fields=fields, only_if=self.only_if.filled(values) if self.only_if else None)

    def as_json(self) -> Json:
        """The step in normal form, as it was read."""
        condition: Json = {"only_if": self.only_if.fields} if self.only_if else {}
        return {self.name: self.fields, **condition}


class Part:
    """Steps, and when they are played: if all of `when` fits the prompt, and at most `times` times (0: always)."""

    __slots__ = ("name", "steps", "times", "when")

    def __init__(self, *, name: str, when: Sequence[str], times: int, steps: Sequence[Step]) -> None:
        self.name = name
        self.when = when
        self.times = times
        self.steps = steps

    def fits(self, prompt: str, *, first: bool) -> bool:
        """Whether every condition holds for this prompt."""
        return all(first if word == START else re.search(word, prompt, _FLAGS) is not None for word in self.when)


class Score:
    """All parts: those of named tasks, in their order, and those for every other task."""

    __slots__ = ("parts", "tasks")

    def __init__(self, *, tasks: Mapping[str, tuple[str, Sequence[Part]]], parts: Sequence[Part]) -> None:
        self.tasks = tasks
        self.parts = parts

    def task_for(self, prompt: str) -> str:
        """The first task of the score that this first prompt is about, or nothing, which stands for `parts`."""
        said = task_line(prompt)
        for name, (match, _) in self.tasks.items():
            if re.search(match, prompt, _FLAGS) if match else name.lower() == said.lower():
                return name
        return ""

    def parts_of(self, task: str) -> Sequence[Part]:
        """The parts of a task of the score."""
        return self.tasks[task][1] if task in self.tasks else self.parts


def task_line(prompt: str) -> str:
    """The word behind `Task:` on the first line that begins with it, or nothing."""
    found = re.search(_TASK_LINE, prompt, _FLAGS)
    return found.group(1) if found else ""


def choose(parts: Sequence[Part], prompt: str, *, first: bool, used: Mapping[str, int]) -> Part | None:
    """The first part that fits the prompt and is not used up. `used` counts by the parts' names."""
    for part in parts:
        if (not part.times or used.get(part.name, 0) < part.times) and part.fits(prompt, first=first):
            return part
    return None


def steps(value: object) -> list[Step]:
    """Steps from JSON. Raises `ScoreError`."""
    if not isinstance(value, list):
        raise ScoreError("Steps must be a list.")
    return [_step(item) for item in value]


def parse(value: object) -> Score:
    """A score from JSON. Raises `ScoreError`."""
    score = _object(value, "The score")
    tasks: dict[str, tuple[str, Sequence[Part]]] = {}
    for name, task in _object(score.get("tasks", {}), "`tasks`").items():
        fields = _object(task, f"Task `{name}`")
        tasks[name] = (_pattern(fields.get("match", "")), _parts(fields.get("parts")))
    return Score(tasks=tasks, parts=_parts(score.get("parts", [])))


def load(path: str) -> Score:
    """The score in a JSON file. Raises `ScoreError`, also if the file cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            return parse(json.loads(file.read()))
    except OSError as error:
        raise ScoreError(f"The score {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ScoreError(f"The score {path} is not JSON: {error}.") from None


def _parts(value: object) -> list[Part]:
    if not isinstance(value, list):
        raise ScoreError("Parts must be a list.")
    parts = []
    for index, item in enumerate(value, start=1):
        fields = _object(item, f"Part {index}")
        when = fields.get("when", [])
        if not isinstance(when, list):
            raise ScoreError(f"`when` of part {index} must be a list.")
        times = fields.get("times", 1)
        parts.append(
            Part(
                name=str(fields.get("name", f"part {index}")),
                when=[_pattern(word) for word in when],
                times=times if isinstance(times, int) else 0,
                steps=steps(fields.get("steps")),
            )
        )
    return parts


def _step(value: object) -> Step:
    item = dict(_object(value, "A step"))
    condition = item.pop("only_if", None)
    if len(item) != 1:
        raise ScoreError(f"A step has one name, not {len(item)}.")
    ((name, fields),) = item.items()
    only_if = None
    if condition is not None:
        only_if = Step(name="only_if", fields=_object(condition, "`only_if`"), only_if=None)
    return Step(name=name, fields=_object(fields, f"The step `{name}`"), only_if=only_if)


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise ScoreError(f"{what} must be a JSON object.")
    return value


def _pattern(value: object) -> str:
    try:
        re.compile(value if isinstance(value, str) else "(")
    except re.error:
        raise ScoreError(f"{value!r} is not a regular expression.") from None
    return str(value)


def _fill(value: object, values: Mapping[str, str]) -> object:
    if isinstance(value, str):
        # In one pass, so that what is put in is not searched again.
        return re.sub(r"\{(\w+)\}", lambda found: values.get(found.group(1), found.group()), value)
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    return value
