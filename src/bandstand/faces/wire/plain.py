"""Read models as JSON. The daemon makes it; whoever only reads it does without this module."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum

from bandstand.faces.wire import Json


def plain(value: object) -> Json:
    """A read model as JSON: dataclasses as objects, times as ISO 8601, sets and tuples as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value
