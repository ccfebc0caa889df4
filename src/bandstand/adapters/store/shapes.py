"""The shape that a value of each type hint has in JSON.

Made from the type hints alone: dataclasses, enumerations, new types, tuples, frozen sets, mappings, `None`, one of
several dataclasses, moments, texts, numbers and truths. What stays true: a value that was written is read as an equal
one, and one that does not fit its hint is neither written nor read.

Where JSON has no word of its own: a moment is ISO 8601 in UTC with microseconds; a tuple and a set are lists, the set
sorted; a mapping is a list of pairs; one of several dataclasses carries its class name under `$type`; a number that is
not finite is its name. A text in which one half of a character ends where the other half begins would be read back as
another one, so it is a list of the pieces that it is joined from.
"""

import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple, NewType, NoReturn

from bandstand.domain.errors import Broken

Payload = dict[str, Any]

_TYPE = "$type"


class Unfit(Exception):
    """A value does not fit its type hint. `path` leads to it, from the inside out."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(reversed(self.path)) or 'the whole of it'} {self.args[0]}"


def _refuse(message: str) -> NoReturn:
    raise Unfit(message)


def _unfit(value: object, wanted: str) -> NoReturn:
    shown = repr(value)
    _refuse(f"is {shown if len(shown) <= 60 else shown[:57] + '...'}, not {wanted}")


# --- texts ----------------------------------------------------------------------------------------------------------

_SURROGATE = re.compile("[\ud800-\udfff]")
_BETWEEN_HALVES = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")


def escaped(text: str) -> str:
    """JSON with its lone surrogates escaped: UTF-8 has no place for them."""
    if text.isascii():
        return text
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _encode_text(value: Any) -> Any:
    if not isinstance(value, str):
        _unfit(value, "a text")
    if value.isascii() or _BETWEEN_HALVES.search(value) is None:
        return str(value)
    return _BETWEEN_HALVES.split(value)


def _decode_text(value: Any) -> Any:
    if type(value) is str:
        return value
    if type(value) is list and all(type(piece) is str for piece in value):
        return "".join(value)
    _unfit(value, "a text")


# --- other plain values ---------------------------------------------------------------------------------------------


def _encode_whole(value: Any) -> Any:
    return int(value) if isinstance(value, int) else _unfit(value, "a whole number")


def _decode_whole(value: Any) -> Any:
    return value if type(value) is int else _unfit(value, "a whole number")


def _encode_number(value: Any) -> Any:
    if not isinstance(value, int | float):
        _unfit(value, "a number")
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _decode_number(value: Any) -> Any:
    if type(value) in (float, int) or value in ("nan", "inf", "-inf"):
        return float(value)
    _unfit(value, "a number")


def _truth(value: Any) -> Any:
    return value if type(value) is bool else _unfit(value, "true or false")


def encode_time(value: datetime) -> str:
    """A moment as text that sorts like time. Raises `Broken` for one without a time zone."""
    if value.tzinfo is None:
        raise Broken(f"The moment {value} has no time zone, so it cannot be recorded.")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def decode_time(text: str) -> datetime:
    """The moment, in UTC, that a text of `encode_time` names. Raises `ValueError` for any other text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"The moment {text!r} has no time zone.")
    return moment.astimezone(UTC)


def _encode_moment(value: Any) -> Any:
    if not isinstance(value, datetime) or value.tzinfo is None:
        _unfit(value, "a moment with a time zone")
    return encode_time(value)


def _decode_moment(value: Any) -> Any:
    if type(value) is str:
        try:
            return decode_time(value)
        except ValueError:
            pass
    _unfit(value, "a moment")


# --- type hints to converters ---------------------------------------------------------------------------------------


class Converter(NamedTuple):
    """How values of one type hint become what JSON has words for, and back. Both raise `Unfit`."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_PLAIN: Mapping[Any, Converter] = {
    str: Converter(_encode_text, _decode_text),
    int: Converter(_encode_whole, _decode_whole),
    float: Converter(_encode_number, _decode_number),
    bool: Converter(_truth, _truth),
    datetime: Converter(_encode_moment, _decode_moment),
}


class Record:
    """The converter of one dataclass. It is filled after it is made, so that a type may hold itself."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._encoders: tuple[tuple[str, Callable[[Any], Any]], ...] = ()
        self._decoders: dict[str, Callable[[Any], Any]] = {}
        self._required: frozenset[str] = frozenset()

    def fill(self, converters: Mapping[str, Converter], required: frozenset[str]) -> None:
        """Say how each field is written, and which must be there."""
        self._encoders = tuple((name, converter.encode) for name, converter in converters.items())
        self._decoders = {name: converter.decode for name, converter in converters.items()}
        self._required = required

    def encode(self, value: Any) -> Payload:
        """The fields, all of them, in their order."""
        if type(value) is not self._kind:
            _unfit(value, f"a {self._kind.__name__}")
        written: Payload = {}
        name = ""
        try:
            for name, encode in self._encoders:
                written[name] = encode(getattr(value, name))
        except Unfit as unfit:
            unfit.path.append(name)
            raise
        return written

    def decode(self, payload: Any) -> Any:
        """The value; fields that are not there have their defaults."""
        if type(payload) is not dict:
            _unfit(payload, f"the fields of a {self._kind.__name__}")
        decoders = self._decoders
        read: Payload = {}
        name = ""
        try:
            for name, value in payload.items():
                if name not in decoders:
                    _refuse("is a field that is not known here")
                read[name] = decoders[name](value)
        except Unfit as unfit:
            unfit.path.append(name)
            raise
        missing = self._required - read.keys()
        if missing:
            _refuse(f"lacks {', '.join(sorted(missing))}")
        return self._kind(**read)


class Shapes:
    """Makes converters from type hints, one for each dataclass."""

    def __init__(self) -> None:
        self._records: dict[type, Record] = {}
        self._generic: Mapping[Any, Callable[[tuple[Any, ...]], Converter]] = {
            tuple: self._tuple,
            frozenset: self._set,
            Mapping: self._mapping,
            typing.Union: self._union,
            types.UnionType: self._union,
        }

    def record(self, kind: type) -> Record:
        """The converter of a dataclass."""
        known = self._records.get(kind)
        if known is not None:
            return known
        made = self._records[kind] = Record(kind)
        hints = typing.get_type_hints(kind)
        given = [field for field in fields(kind) if field.init]
        required = (one.name for one in given if one.default is MISSING and one.default_factory is MISSING)
        made.fill({field.name: self.converter(hints[field.name]) for field in given}, frozenset(required))
        return made

    def converter(self, hint: Any) -> Converter:
        """The converter of any type hint. Raises `TypeError` for one that is not known here."""
        while isinstance(hint, NewType):
            hint = hint.__supertype__
        if hint in _PLAIN:
            return _PLAIN[hint]
        if isinstance(hint, type) and is_dataclass(hint):
            record = self.record(hint)
            return Converter(record.encode, record.decode)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return _enumeration(hint)
        make = self._generic.get(typing.get_origin(hint))
        if make is None:
            raise TypeError(f"There is no way to write {hint} as JSON yet: add it to the codec.")
        return make(typing.get_args(hint))

    def _tuple(self, hints: tuple[Any, ...]) -> Converter:
        if len(hints) == 2 and hints[1] is ...:
            return _sequence(self.converter(hints[0]))
        return _row(tuple(self.converter(hint) for hint in hints))

    def _set(self, hints: tuple[Any, ...]) -> Converter:
        items = _sequence(self.converter(hints[0]))

        def encode(value: Any) -> Any:
            if type(value) is not frozenset:
                _unfit(value, "a frozen set")
            return sorted(items.encode(tuple(value)), key=json.dumps)

        return Converter(encode, lambda value: frozenset(items.decode(value)))

    def _mapping(self, hints: tuple[Any, ...]) -> Converter:
        pairs = _sequence(_row(tuple(self.converter(hint) for hint in hints)))

        def encode(value: Any) -> Any:
            return pairs.encode(tuple(value.items())) if isinstance(value, Mapping) else _unfit(value, "a mapping")

        return Converter(encode, lambda value: dict(pairs.decode(value)))

    def _union(self, hints: tuple[Any, ...]) -> Converter:
        some = [hint for hint in hints if hint is not types.NoneType]
        one = self.converter(some[0]) if len(some) == 1 else self._one_of(some)
        if len(some) == len(hints):
            return one
        return Converter(
            lambda value: None if value is None else one.encode(value),
            lambda value: None if value is None else one.decode(value),
        )

    def _one_of(self, kinds: list[Any]) -> Converter:
        if not all(isinstance(kind, type) and is_dataclass(kind) for kind in kinds):
            raise TypeError(f"There is no way to tell {kinds} apart in JSON: only dataclasses carry their names.")
        records = {kind.__name__: self.record(kind) for kind in kinds}
        names = " or ".join(records)

        def encode(value: Any) -> Any:
            name = type(value).__name__
            return {_TYPE: name, **records[name].encode(value)} if name in records else _unfit(value, names)

        def decode(payload: Any) -> Any:
            name = payload.get(_TYPE) if type(payload) is dict else None
            if name not in records:
                _unfit(payload, names)
            return records[name].decode({key: value for key, value in payload.items() if key != _TYPE})

        return Converter(encode, decode)


def _enumeration(kind: type[Enum]) -> Converter:
    members = {member.value: member for member in kind}
    values = {member: value for value, member in members.items()}

    def encode(value: Any) -> Any:
        return values[value] if type(value) is kind else _unfit(value, f"a {kind.__name__}")

    def decode(value: Any) -> Any:
        if type(value) not in (str, int) or value not in members:
            _unfit(value, f"a {kind.__name__}")
        return members[value]

    return Converter(encode, decode)


def _sequence(item: Converter) -> Converter:
    one_in, one_out = item

    def encode(value: Any) -> Any:
        return [one_in(each) for each in value] if isinstance(value, tuple) else _unfit(value, "a tuple")

    def decode(value: Any) -> Any:
        return tuple([one_out(each) for each in value]) if type(value) is list else _unfit(value, "a list")

    return Converter(encode, decode)


def _row(columns: tuple[Converter, ...]) -> Converter:
    def encode(value: Any) -> Any:
        if not isinstance(value, tuple) or len(value) != len(columns):
            _unfit(value, f"a tuple of {len(columns)}")
        return [column.encode(each) for column, each in zip(columns, value, strict=True)]

    def decode(value: Any) -> Any:
        if type(value) is not list or len(value) != len(columns):
            _unfit(value, f"a list of {len(columns)}")
        return tuple([column.decode(each) for column, each in zip(columns, value, strict=True)])

    return Converter(encode, decode)
