"""Events as they are stored, and back: a type name, a version, and the fields as JSON text.

What stays true:

* what was once written can be read for ever, to an equal value: a new field needs a default; any other change of an
  event, or of something within it, needs a new version of that event in `VERSIONS` and an upcaster from the one before;
* what cannot be read back is never written;
* what a newer program wrote is not guessed at: an unknown type, version, field or member of an enumeration is `Broken`.
"""

import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from bandstand.adapters.store.shapes import Payload, Shapes, Unfit, escaped
from bandstand.domain.errors import Broken
from bandstand.domain.events import Event

Upcaster = Callable[[Payload], Payload]

VERSIONS: Mapping[str, int] = {}
"""The version in which each type of event is written; 1 for those not named."""

UPCASTERS: Mapping[tuple[str, int], Upcaster] = {}
"""By type and version: what makes the payload of that version one of the next."""

E = TypeVar("E")

_NEWER = "A newer Bandstand may have written it: upgrade this one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An event as it stands on disk: the name of its class, the version of its fields, and these as JSON text."""

    type: str
    version: int
    payload: str


class Codec(Generic[E]):
    """Turns events of the given types to text and back. Everything is compiled here, once.

    Raises `TypeError` for a type hint that it has no way to write, `ValueError` when an upcaster is missing.
    """

    def __init__(
        self,
        events: tuple[type[E], ...],
        *,
        versions: Mapping[str, int] = VERSIONS,
        upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
    ) -> None:
        shapes = Shapes()
        self._records = {event.__name__: shapes.record(event) for event in events}
        self._versions = {name: versions.get(name, 1) for name in self._records}
        self._upcasters = dict(upcasters)
        self._dump = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
        for name, current in self._versions.items():
            for version in range(1, current):
                if (name, version) not in self._upcasters:
                    raise ValueError(f"There is no upcaster for version {version} of {name}.")

    @property
    def versions(self) -> Mapping[str, int]:
        """Each type of event that this codec knows, and the version in which it writes it."""
        return self._versions

    def encode(self, event: E) -> Stored:
        """The event as text that UTF-8 can hold. Raises `Broken` for one that could not be read back."""
        name = type(event).__name__
        record = self._records.get(name)
        if record is None:
            raise Broken(f"{name} is no type of event, so it cannot be recorded.")
        try:
            fields = record.encode(event)
        except Unfit as unfit:
            raise Broken(f"This {name} cannot be recorded: {unfit}.") from None
        return Stored(type=name, version=self._versions[name], payload=escaped(self._dump(fields)))

    def decode(self, stored: Stored) -> E:
        """The event that was stored. Raises `Broken` for one that this program does not understand."""
        name = stored.type
        current = self._versions.get(name)
        if current is None:
            raise Broken(f"Events of the type {name!r} are not known here.", hint=_NEWER)
        if not 1 <= stored.version <= current:
            known = "version 1" if current == 1 else f"versions 1 to {current}"
            raise Broken(f"This {name} has version {stored.version}, and only {known} can be read.", hint=_NEWER)
        payload = _parsed(stored)
        for version in range(stored.version, current):
            payload = self._upcasters[name, version](payload)
        try:
            event: E = self._records[name].decode(payload)
        except Unfit as unfit:
            raise Broken(f"This {name} cannot be read: {unfit}.", hint=_NEWER) from None
        return event


def _parsed(stored: Stored) -> Any:
    try:
        return json.loads(stored.payload)
    except ValueError as error:
        raise Broken(f"This {stored.type} does not hold JSON: {error}.") from None


@cache
def event_codec() -> Codec[Event]:
    """The codec for every event of the domain."""
    return Codec(typing.get_args(Event))
