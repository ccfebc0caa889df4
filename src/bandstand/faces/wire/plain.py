"""Read models as JSON. The daemon makes it; whoever only reads it does without this module."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum

from bandstand.faces.wire import Json

_AS_IT_IS = frozenset({str, int, float, bool, type(None)})


_FIELDS: dict[type, tuple[str, ...]] = {}
"""The names of each dataclass's fields, once they were looked for; of anything else none."""


def plain(value: object) -> Json:  # noqa: PLR0911 - a case for each shape
    """A read model as JSON: dataclasses as objects, times as ISO 8601, sets and tuples as lists."""
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()
    if names := _FIELDS[kind]:
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value
