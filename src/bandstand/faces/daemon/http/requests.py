"""What a request says, read strictly: what is missing, unknown or of another type is refused by name."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from bandstand.domain.errors import Refused
from bandstand.faces.daemon.http.fields import Field, Operation
from bandstand.faces.wire import Json

LONGEST_BODY = 16 * 2**20
_KEY = re.compile(r"[!-~]{1,200}")
_SEQUENCE = re.compile(r"[0-9]{1,18}")
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
}


class TooLong(Refused):
    """The body of a request is longer than any order has to be."""


class OtherType(Refused):
    """The body of a request is not JSON, and says so."""


def body(data: bytes, fields: Sequence[Field]) -> dict[str, Json]:
    """The members of a JSON object. Raises `Refused`."""
    try:
        given = json.loads(data, parse_constant=_refuse_constant) if data.strip() else {}
    except (ValueError, RecursionError):
        raise Refused("The body of the request is not JSON.") from None
    if not isinstance(given, dict):
        raise Refused("The body of the request is not an object.")
    _known(given, fields)
    for field in fields:
        value = given.get(field.name)
        if value is None:
            if field.required:
                raise Refused(f"The body of the request lacks {field.name!r}.", hint=field.help)
            given.pop(field.name, None)
        else:
            _fits(field, value)
    return given


def query(pairs: Iterable[tuple[str, str]], fields: Sequence[Field]) -> dict[str, Json]:
    """The parameters of a query. Raises `Refused`."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    _known(given, fields)
    read: dict[str, Json] = {}
    for field in fields:
        values = given.get(field.name, [])
        if len(values) > 1 and not field.many:
            raise Refused(f"The query names {field.name!r} more than once.")
        if field.many:
            read[field.name] = values
        elif values:
            read[field.name] = _number(field, values[0]) if field.kind == "integer" else values[0]
    return read


def key(value: str | None) -> str:
    """An `Idempotency-Key`; empty if there is none. Raises `Refused`."""
    if value is not None and not _KEY.fullmatch(value):
        raise Refused("The Idempotency-Key is no key.", hint="Use 1 to 200 visible ASCII characters, such as a UUID.")
    return value or ""


def digest(operation: Operation, where: Mapping[str, str], given: Mapping[str, Json]) -> str:
    """What tells an order from every other one."""
    said = json.dumps([operation.id, dict(where), dict(given)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def sequence(value: str | None) -> int | None:
    """The `Last-Event-ID` of a reader; nothing if it has none. Raises `Refused`."""
    if not value:
        return None
    if not _SEQUENCE.fullmatch(value):
        raise Refused("The Last-Event-ID is not one of ours.", hint="Leave it out to begin with what happens now.")
    return int(value)


def _known(given: Mapping[str, object], fields: Sequence[Field]) -> None:
    names = [field.name for field in fields]
    for name in given:
        if name not in names:
            raise Refused(f"The request names {name!r}, which is not known here.", hint=f"Known: {', '.join(names)}")


def _fits(field: Field, value: Json) -> None:
    wanted = _TYPES[field.kind]
    if not isinstance(value, wanted) or (field.kind == "integer" and isinstance(value, bool)):
        raise Refused(f"{field.name!r} has to be of type {field.kind}.", hint=field.help)
    if field.choices and value not in field.choices:
        raise Refused(f"{field.name!r} cannot be {value!r}.", hint=f"It is one of: {', '.join(field.choices)}")


def _number(field: Field, text: str) -> int:
    if not _SEQUENCE.fullmatch(text):
        raise Refused(f"{field.name!r} has to be a number.", hint=field.help)
    return int(text)


def _refuse_constant(name: str) -> Json:
    raise ValueError(name)
