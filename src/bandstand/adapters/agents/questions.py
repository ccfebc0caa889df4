"""Questions that an agent asks in a form, and the answers that fill it in.

ACP asks with a small JSON schema: an object of named fields, each a text, a number, a yes or no, or a choice. We ask
a person one thing: a choice, or a text. So of a form
    with one field that matters    its options are the choices, or any text is the answer;
    with several                   the fields are listed in the question, and the answer is one `name: value` per line.
A field matters when it has options or must be filled in. A text field beside the one that matters takes an answer
that is none of its choices ("something else").
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandstand.adapters.agents.shapes import rows, table, text, word
from bandstand.domain.agent import Choice, QuestionAsked
from bandstand.domain.errors import Refused

ACCEPT = "accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    """One value that a field may have."""

    id: str
    label: str
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One field of a form. `many` fields hold a list of their options."""

    name: str
    title: str
    about: str
    type: str
    options: tuple[_Option, ...]
    required: bool
    default: object

    @property
    def many(self) -> bool:
        return self.type == "array"

    def option(self, said: str) -> _Option | None:
        """The option that `said` names, by its id or its label."""
        wanted = said.strip().casefold()
        return next((each for each in self.options if wanted in (each.id.casefold(), each.label.casefold())), None)

    def value(self, said: str) -> object:
        """What `said` is as a value of this field. Raises `Refused` when it is none."""
        if self.options:
            return self._chosen(said)
        if self.type in ("integer", "number"):
            return self._number(said.strip())
        return [part.strip() for part in said.split(",")] if self.many else said

    def _number(self, said: str) -> int | float:
        try:
            number = int(said) if self.type == "integer" else float(said)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise Refused(f"{said!r} is no number.", hint=f"{self.title} takes a number.")
        return number

    def _chosen(self, said: str) -> object:
        parts = said.split(",") if self.many and self.option(said) is None else [said]
        chosen = [self.option(part) for part in parts]
        values = [each.value for each in chosen if each is not None]
        if len(values) < len(chosen):
            raise Refused(f"{said!r} is none of the choices.", hint=f"{self.title} takes: {_offer(self)}.")
        return values if self.many else values[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An `elicitation/create` request with a form, and how it is answered."""

    update: QuestionAsked
    matter: tuple[_Field, ...]
    other: _Field | None

    def reply(self, choice: str | None, *, said: str) -> object:
        """The answer with `choice`, or with the text `said`; with neither, a decline. Raises `Refused`."""
        if choice is None and not said.strip():
            return {"action": "decline"}
        if choice is not None:
            offered = [each.id for each in self.update.choices]
            if choice not in offered:
                raise Refused(
                    f"{choice!r} is no answer to this question.",
                    hint=f"It takes: {', '.join(offered) or 'a text'}.",
                )
        return {"action": "accept", "content": self._content(choice if choice is not None else said)}

    def withdrawal(self) -> object:
        """The answer when the turn that asked was cancelled."""
        return {"action": "cancel"}

    def _content(self, said: str) -> dict[str, object]:
        if not self.matter:
            return {}
        if len(self.matter) > 1:
            return _filled_in(self.matter, said)
        asked = self.matter[0]
        if asked.options and self.other is not None and asked.option(said) is None and not asked.many:
            return {self.other.name: said}
        return {asked.name: asked.value(said)}


def question(request: str, params: object) -> Question | None:
    """An `elicitation/create` as a question; `None` when it is not a form, which is all that we offer."""
    asked = table(params)
    if text(asked.get("mode")) not in ("", "form"):
        return None
    schema = table(asked.get("requestedSchema"))
    required = [each for each in rows(schema.get("required")) if isinstance(each, str)]
    fields = [
        _field(name, table(value), required=name in required) for name, value in table(schema.get("properties")).items()
    ]
    matter = tuple(field for field in fields if field.options or field.required) or tuple(fields)
    spare = [field for field in fields if field not in matter and field.type == "string"]
    update = QuestionAsked(
        request=request, question=_wording(text(asked.get("message")), matter), choices=_choices(matter)
    )
    return Question(update=update, matter=matter, other=spare[0] if spare else None)


def _field(name: str, schema: Mapping[str, object], *, required: bool) -> _Field:
    kind = text(schema.get("type"))
    items = table(schema.get("items")) if kind == "array" else schema
    options = _options(items)
    if kind == "boolean" and not options:
        options = (_Option(id="true", label="Yes", value=True), _Option(id="false", label="No", value=False))
    return _Field(
        name=name,
        title=text(schema.get("title")) or text(name),
        about=text(schema.get("description")),
        type=kind or "string",
        options=options,
        required=required,
        default=schema.get("default"),
    )


def _options(schema: Mapping[str, object]) -> tuple[_Option, ...]:
    """The values that a schema allows: titled ones (`oneOf`, `anyOf`) or bare ones (`enum`)."""
    found: dict[str, _Option] = {}
    for row in (*rows(schema.get("oneOf")), *rows(schema.get("anyOf"))):
        value = table(row).get("const")
        if name := word(value):
            found.setdefault(name, _Option(id=name, label=text(table(row).get("title")) or name, value=value))
    if not found:
        for value in rows(schema.get("enum")):
            if name := word(value):
                found.setdefault(name, _Option(id=name, label=name, value=value))
    return tuple(found.values())


def _choices(matter: tuple[_Field, ...]) -> tuple[Choice, ...]:
    """What may be chosen. A form without fields asks for a yes; of a yes and a no, only the yes grants anything."""
    if not matter:
        return (Choice(id=ACCEPT, label="Accept", grants=True),)
    if len(matter) > 1:
        return ()
    return tuple(Choice(id=each.id, label=each.label, grants=each.value is not False) for each in matter[0].options)


def _wording(message: str, matter: tuple[_Field, ...]) -> str:
    """The question as a person reads it."""
    if len(matter) <= 1:
        return message or next((field.about or field.title for field in matter), "") or "The agent asks for a yes."
    lines = [message or "The agent asks:", "Answer with one line for each, as `name: value`."]
    for field in matter:
        about = f" ({field.about})" if field.about else ""
        offer = f" One of: {_offer(field)}." if field.options else ""
        lines.append(f"{text(field.name)}: {field.title}{about}{offer}")
    return "\n".join(lines)


def _offer(field: _Field) -> str:
    return ", ".join(each.id if each.id == each.label else f"{each.id} ({each.label})" for each in field.options)


def _filled_in(matter: tuple[_Field, ...], said: str) -> dict[str, object]:
    """Several fields from one text: a JSON object, or `name: value` lines. Raises `Refused` when one is missing."""
    given = dict(_given(said))
    content: dict[str, object] = {}
    missing: list[str] = []
    for field in matter:
        answer = given.get(field.name.casefold(), given.get(field.title.casefold()))
        if answer is not None:
            content[field.name] = field.value(answer)
        elif field.default is not None:
            content[field.name] = field.default
        elif field.required:
            missing.append(field.name)
    if missing or not content:
        raise Refused(
            "The answer leaves out what the question asks.",
            hint=f"Answer with one `name: value` line for each of: {', '.join(missing or [f.name for f in matter])}.",
        )
    return content


def _given(said: str) -> Iterable[tuple[str, str]]:
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return [(name.casefold(), _spelled(each)) for name, each in value.items()]
    pairs = (line.split(":", 1) for line in said.splitlines() if ":" in line)
    return [(name.strip().casefold(), answer.strip()) for name, answer in pairs]


def _spelled(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(word(each) for each in value) if isinstance(value, list) else word(value)
