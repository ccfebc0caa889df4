"""Stored examples of every event, kept for ever in `golden_events.json`.

`python -m tests.adapters.golden_events` adds an example for each type and version that has none yet. It never touches
one that is there: what it says was once written to somebody's disk. `value` is the event as a Python expression; when a
class or field in it is renamed, that expression is mended by hand and the payload stays.
"""

import dataclasses
import enum
import importlib
import json
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bandstand.domain
from bandstand.adapters.store.codec import Codec, Stored
from bandstand.domain.events import Event

FILE = Path(__file__).with_name("golden_events.json")

Entry = dict[str, Any]


def events() -> tuple[type[Event], ...]:
    """Every type of event."""
    return typing.get_args(Event)


def example(hint: Any, label: str = "") -> Any:
    """A value of a type hint, always the same one, with no field at its default where another value is possible."""
    while isinstance(hint, typing.NewType):
        hint = hint.__supertype__
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return hint(**{field.name: example(hints[field.name], field.name) for field in dataclasses.fields(hint)})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return list(hint)[-1]
    if typing.get_origin(hint) is not None:
        return _example_of_many(typing.get_origin(hint), typing.get_args(hint), label)
    plain = {
        str: f"{label} \u00e4 \udcff",
        int: 7,
        float: 1.5,
        bool: True,
        datetime: datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC),
    }
    return plain[hint]


def _example_of_many(origin: Any, hints: tuple[Any, ...], label: str) -> Any:
    if origin in (typing.Union, types.UnionType):
        return example(next(hint for hint in hints if hint is not types.NoneType), label)
    items = [example(hint, label) for hint in hints if hint is not ...]
    if origin is Mapping:
        return dict([items])
    return origin(items)


def expression(event: object) -> str:
    """A Python expression for a value."""
    return re.sub(r"<(\w+\.\w+): '[^']*'>", r"\1", repr(event))


def value(entry: Entry) -> object:
    """What the expression of an entry means, with the names of the domain."""
    names: dict[str, object] = {"datetime": importlib.import_module("datetime")}
    for module in pkgutil.iter_modules(bandstand.domain.__path__, "bandstand.domain."):
        names |= {
            name: known for name, known in vars(importlib.import_module(module.name)).items() if name != "datetime"
        }
    return eval(entry["value"], names)


def stored(entry: Entry) -> Stored:
    """An entry as it would stand in a log."""
    return Stored(type=entry["type"], version=entry["version"], payload=json.dumps(entry["payload"]))


def completed(entries: list[Entry], codec: Codec[Event]) -> list[Entry]:
    """The entries as they are, and behind them one for each type in its current version that has none."""
    there = {(entry["type"], entry["version"]) for entry in entries}
    added: list[Entry] = []
    for kind in events():
        event = example(kind)
        text = codec.encode(event)
        if (text.type, text.version) not in there:
            payload = json.loads(text.payload)
            added.append({"type": text.type, "version": text.version, "payload": payload, "value": expression(event)})
    return [*entries, *added]


def load() -> list[Entry]:
    """Every entry of the file."""
    entries: list[Entry] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []
    return entries


def main() -> None:
    """Complete the file."""
    before = load()
    after = completed(before, Codec(events()))
    FILE.write_text(json.dumps(after, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(before)} examples stay, {len(after) - len(before)} are new.\n")


if __name__ == "__main__":
    main()
