"""Data against a model: the model's value, or one clear error with the line of what is wrong.

pydantic finds every mistake at once and describes it for programmers; here its findings become sentences about keys.
"""

import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bandstand.config.documents import Document
from bandstand.config.findings import Finding, Unfit, did_you_mean, in_words, quoted, refusal
from bandstand.config.models import TaskFile, TaskItem
from bandstand.config.table import Table
from bandstand.config.toml_lines import Path

M = TypeVar("M", bound=Table)

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "tuple_type": "a list",
}
_KEY = "[key]"  # pydantic's mark for the key of a mapping


def validated(model: type[M], document: Document) -> M:
    """The document as a model. Raises `Refused`."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        # Of one line, a misspelt key says more than the one that is missing because of it.
        details = sorted(error.errors(), key=lambda found: found["type"] == "missing")
        raise refusal(document.name, [_finding(model, document, found) for found in details]) from None


def model_in(annotation: Any) -> type[Table] | None:
    """The first model that a type is made of: `T` in `tuple[T, ...]`, `dict[str, T]`, `T | None`."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, Table) else None
    return next((found for part in get_args(annotation) if (found := model_in(part))), None)


def choices(annotation: Any) -> list[str]:
    """What an enumeration allows, also inside a union; nothing for any other type."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    if get_origin(annotation) is types.UnionType:
        return [choice for part in get_args(annotation) for choice in choices(part)]
    return []


def _finding(model: type[Table], document: Document, found: ErrorDetails) -> Finding:
    path = tuple(part for part in found["loc"] if part != _KEY)
    sentence, hint = _sentence(model, document, path, found)
    return Finding(line=document.locate(path), sentence=sentence, hint=hint)


def _sentence(model: type[Table], document: Document, path: Path, found: ErrorDetails) -> tuple[str, str]:
    kind = found["type"]
    if kind == "extra_forbidden":
        return _unknown_key(_model_at(model, path[:-1]), str(path[-1]))
    if kind == "missing":
        return f"`{path[-1]}` is missing in {_model_at(model, path[:-1]).called}.", ""
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return _not_a_table(model, document, path, found["input"])
    return _wrong_value(model, document, path, found)


def _wrong_value(model: type[Table], document: Document, path: Path, found: ErrorDetails) -> tuple[str, str]:
    key = quoted(".".join(_keys(path)) or document.name)
    kind = found["type"]
    if found["input"] is None:
        return f"{key} is empty.", "Write a value, or leave the key out."
    if kind in _WANTED:
        return _wrong_type(key, _WANTED[kind], document, found["input"])
    if kind == "enum":
        return _unknown_choice(key, document, choices(_annotation_at(model, path)), found["input"])
    return f"{key} {_predicate(found)}.", _own_hint(found)


def _keys(path: Path) -> list[str]:
    """The path as a person says it: without positions, and without the list that every task is in."""
    keys = [part for part in path if isinstance(part, str)]
    return keys[1:] if len(keys) > 1 and keys[0] == "tasks" else keys


def _annotations(model: type[Table], path: Path) -> Iterator[Any]:
    """The type of each field on the way, from the top."""
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        if field is None:
            continue  # A position in a list, or a name that the file chose.
        yield field.annotation
        model = model_in(field.annotation) or model


def _model_at(model: type[Table], path: Path) -> type[Table]:
    models = [inner for annotation in _annotations(model, path) if (inner := model_in(annotation))]
    return models[-1] if models else model


def _annotation_at(model: type[Table], path: Path) -> Any:
    return [None, *_annotations(model, path)][-1]


def _unknown_key(model: type[Table], key: str) -> tuple[str, str]:
    if model is TaskFile and key in TaskItem.model_fields:
        return f"{quoted(key)} is no key of {model.called}.", f"Tasks stand in a list: `- {key}: …`."
    return f"{quoted(key)} is no key of {model.called}.", did_you_mean(key, model.model_fields)


def _not_a_table(model: type[Table], document: Document, path: Path, value: object) -> tuple[str, str]:
    wanted = _model_at(model, path)
    this = _described(value, document)
    if wanted is TaskFile:
        return f"A task file must be a list of tasks, but this is {this}.", "Begin with `- goal: …`."
    if wanted is TaskItem and isinstance(value, str):
        return f"A task must be {document.table}, but this is {this}.", "Write `- goal: …`."
    what = wanted.called[:1].upper() + wanted.called[1:]
    return f"{what} must be {document.table}, but this is {this}.", f"Its keys are: {', '.join(wanted.model_fields)}."


def _wrong_type(key: str, wanted: str, document: Document, value: object) -> tuple[str, str]:
    sentence = f"{key} must be {wanted}, but this is {_described(value, document)}."
    scalar = isinstance(value, bool | int | float)
    if wanted == "text" and scalar:
        return sentence, f'Put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}".'
    if wanted == "a whole number" and isinstance(value, str) and value.strip().isdecimal():
        return sentence, f"Write it without quotes: {value.strip()}"
    return sentence, ""


def _unknown_choice(key: str, document: Document, allowed: list[str], value: object) -> tuple[str, str]:
    given = quoted(value) if isinstance(value, str) else _described(value, document)
    hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
    return f"{key} must be {in_words(allowed)}, not {given}.", hint if hint.startswith("Did") else ""


_PREDICATE = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
    "value_error": "{error}",
}


def _predicate(found: ErrorDetails) -> str:
    known = _PREDICATE.get(found["type"])
    return known.format_map(found.get("ctx", {})) if known else f"is not right: {found['msg']}"


def _own_hint(found: ErrorDetails) -> str:
    error = found.get("ctx", {}).get("error")
    return error.hint if isinstance(error, Unfit) else ""


def _described(value: object, document: Document) -> str:
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {quoted(value)}"
        case str():
            return f"the text {quoted(value)}"
        case dict():
            return document.table
        case _:
            return "empty" if value is None else f"a {type(value).__name__}"
