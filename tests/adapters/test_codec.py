"""Events survive being written: every type, every value, and every version that was ever written."""

import dataclasses
import enum
import json
import math
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bandstand.adapters.store.codec import Codec, Stored, event_codec
from bandstand.domain.errors import Broken
from bandstand.domain.events import Event, MessageSent, TaskSubmitted, TurnEnded, TurnStarted
from bandstand.domain.ids import TaskId
from tests.adapters import golden_events as golden

# --- values of any type hint ----------------------------------------------------------------------------------------

# Every character there is: halves of characters and NUL as well.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    types.NoneType: st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0)),
}


@cache
def values(hint: Any) -> st.SearchStrategy[Any]:
    """Every value of a type hint, with every field of a dataclass drawn."""
    while isinstance(hint, typing.NewType):
        hint = hint.__supertype__
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{one.name: values(hints[one.name]) for one in dataclasses.fields(hint)})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    return collections(typing.get_origin(hint), typing.get_args(hint))


def collections(origin: Any, hints: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Every value of a generic type hint."""
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(values(hint) for hint in hints))
    if origin is tuple and hints[-1:] == (...,):
        return st.lists(values(hints[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(hint) for hint in hints))
    if origin is frozenset:
        return st.frozensets(values(hints[0]), max_size=3)
    assert origin is Mapping, f"tell the tests how to draw a {origin}"
    return st.dictionaries(values(hints[0]), values(hints[1]), max_size=3)


def assert_survives(codec: Codec[Any], event: object) -> None:
    """The event is read as it was written, also from a file in UTF-8; `repr` tells a member from its text."""
    stored = codec.encode(event)
    on_disk = Stored(type=stored.type, version=stored.version, payload=stored.payload.encode().decode())
    read = codec.decode(on_disk)
    assert read == event
    assert repr(read) == repr(event)
    assert codec.encode(read) == stored


# There are many types of events, so each has half as many examples as other tests have.
@pytest.mark.parametrize("kind", golden.events(), ids=lambda kind: kind.__name__)
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_every_event_is_read_as_it_was_written(kind: type[Event], data: st.DataObject) -> None:
    """For each type of event, whatever is in it."""
    drawn: st.SearchStrategy[Event] = values(kind)  # type: ignore[arg-type]
    assert_survives(event_codec(), data.draw(drawn))


# --- what no event of the domain holds yet --------------------------------------------------------------------------


class Colour(enum.Enum):
    """An enumeration by number."""

    RED = 1
    BLUE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """One of two things that may be in the same place."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drum:
    """The other one."""

    name: str
    colours: frozenset[Colour] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """An event with every kind of field there is."""

    thing: Bell | Drum
    maybe: Bell | Drum | None
    at: datetime
    names: frozenset[str]
    counts: Mapping[TaskId, tuple[int, ...]]
    by_colour: Mapping[Colour, Bell | None]
    pair: tuple[str, float]
    pairs: tuple[tuple[Colour, bool], ...]
    nothing: tuple[()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """An event that holds its own kind."""

    name: str
    children: "tuple[Tree, ...]" = ()
    derived: int = field(init=False, default=0)


@given(event=values(Struck))
def test_every_kind_of_field_is_read_as_it_was_written(event: Struck) -> None:
    """Sets, mappings, pairs, and one of several dataclasses."""
    stored = Codec((Struck,)).encode(event)
    assert Codec((Struck,)).decode(stored) == event


def test_a_type_may_hold_itself() -> None:
    """As deep as it goes; a field that is not given is not written."""
    tree = Tree(name="a", children=(Tree(name="b", children=(Tree(name="c"),)), Tree(name="d")))
    assert_survives(Codec((Tree,)), tree)
    assert "derived" not in Codec((Tree,)).encode(tree).payload


def test_equal_sets_are_written_alike() -> None:
    """The text of a set does not depend on how it was made."""
    names = [f"n{number}" for number in range(50)]
    one, other = (
        Codec((Drum,)).encode(Drum(name="d", colours=frozenset(colours)))
        for colours in ([Colour.RED, Colour.BLUE], [Colour.BLUE, Colour.RED])
    )
    assert one == other
    payload = json.loads(Codec((Named,)).encode(Named(names=frozenset(names))).payload)
    assert payload == {"names": sorted(names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An event with a set of texts."""

    names: frozenset[str]


@given(text=TEXTS)
@example(text="\udcff\udcfe.txt")
@example(text="\ud83d\ude00")
@example(text="a\ud83d\ud83d\ude00\ude00\udcff")
@example(text="\\\ud83d\\\ude00\\udc80")
@example(text="\0")
@example(text="\U0001f600\u2028\x7f\ufffe")
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    """Odd file names, halves of characters, and what looks like an escape."""
    assert_survives(event_codec(), MessageSent(task=TaskId("t"), text=text, by=text))


def test_a_file_name_that_is_no_text_survives() -> None:
    """What the operating system calls it can be had back."""
    name = os.fsdecode(b"caf\xe9 \xff.py")
    stored = event_codec().encode(MessageSent(task=TaskId("t"), text=name, by="ada"))
    read = event_codec().decode(Stored(type=stored.type, version=1, payload=stored.payload.encode().decode()))
    assert isinstance(read, MessageSent)
    assert os.fsencode(read.text) == b"caf\xe9 \xff.py"


def test_what_is_written_is_plain_json() -> None:
    """Any JSON reader can read it, and a person too."""
    stored = event_codec().encode(MessageSent(task=TaskId("t1"), text="Grüße\n", by="ada"))
    assert stored == Stored(type="MessageSent", version=1, payload='{"task":"t1","text":"Grüße\\n","by":"ada"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An event with a number and a moment."""

    number: float
    at: datetime


NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def test_a_moment_is_written_in_utc_with_microseconds() -> None:
    """So that texts sort like times, and a zone changes nothing."""
    codec = Codec((Measured,))
    east = NOON.astimezone(timezone(timedelta(hours=2)))
    payload = codec.encode(Measured(number=1, at=east)).payload
    assert payload == '{"number":1.0,"at":"2026-03-04T12:00:00.000000+00:00"}'


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_survives(number: float) -> None:
    """As JSON that other readers take too."""
    codec = Codec((Measured,))
    stored = codec.encode(Measured(number=number, at=NOON))
    json.loads(stored.payload, parse_constant=pytest.fail)
    assert repr(codec.decode(stored)) == repr(Measured(number=number, at=NOON))


# --- what is not written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (TurnStarted(task=TaskId("t"), number="seven"), "number is 'seven', not a whole number"),  # type: ignore[arg-type]
        (TurnStarted(task=None, number=7), "task is None, not a text"),  # type: ignore[arg-type]
        (Measured(number=1.0, at=NOON.replace(tzinfo=None)), "at is .*, not a moment with a time zone"),
        (Struck, "type is no type of event"),
        (Bell(name="b"), "Bell is no type of event"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(event: Any, complaint: str) -> None:
    """A wrong value is refused while somebody can still see who made it."""
    codec: Codec[Any] = Codec((TurnStarted, Measured, Struck))
    with pytest.raises(Broken, match=complaint):
        codec.encode(event)


@pytest.mark.parametrize("hint", [object, list[str], dict[str, int], bytes, str | int, Bell | str])
def test_a_field_that_has_no_way_into_json_is_found_at_once(hint: Any) -> None:
    """When the codec is made, not when the first such event happens."""
    kind = dataclasses.make_dataclass("Odd", [("field", hint)], frozen=True, kw_only=True)
    with pytest.raises(TypeError, match="There is no way"):
        Codec((kind,))


# --- old and new programs -------------------------------------------------------------------------------------------


def assert_not_read(stored: Stored, *complaints: str, codec: Codec[Any] | None = None) -> None:
    """The stored event is refused, in words that name what is wrong and what to do."""
    with pytest.raises(Broken) as caught:
        (codec or event_codec()).decode(stored)
    for complaint in complaints:
        assert complaint in caught.value.message
    assert caught.value.message.endswith(".")


def test_a_field_with_a_default_may_be_missing() -> None:
    """It was added after the event was written."""
    stored = Stored(
        type="TaskSubmitted", version=1, payload='{"spec":{"id":"t","title":"T","goal":"G","agent":"a"},"by":"b"}'
    )
    event = event_codec().decode(stored)
    assert isinstance(event, TaskSubmitted)
    assert event.spec.budget.turns == 20


def test_a_field_without_a_default_may_not_be_missing() -> None:
    """Nothing is made up."""
    assert_not_read(Stored(type="TurnStarted", version=1, payload='{"task":"t"}'), "TurnStarted", "lacks number")


@pytest.mark.parametrize(
    ("stored", "complaints"),
    [
        (Stored(type="TaskSang", version=1, payload="{}"), ["TaskSang", "not known here"]),
        (Stored(type="TurnStarted", version=2, payload="{}"), ["TurnStarted", "version 2"]),
        (Stored(type="TurnStarted", version=0, payload="{}"), ["TurnStarted", "version 0"]),
        (
            Stored(type="TurnStarted", version=1, payload='{"task":"t","number":1,"tempo":3}'),
            ["TurnStarted", "tempo is a field that is not known here"],
        ),
        (
            Stored(type="TaskSubmitted", version=1, payload='{"spec":{"colour":"red"},"by":"b"}'),
            ["TaskSubmitted", "spec.colour is a field that is not known here"],
        ),
        (
            Stored(type="TaskSubmitted", version=1, payload='{"spec":{"role":"juggler"},"by":"b"}'),
            ["TaskSubmitted", "spec.role is 'juggler', not a Role"],
        ),
    ],
)
def test_what_a_newer_program_wrote_is_not_guessed_at(stored: Stored, complaints: list[str]) -> None:
    """It is refused with the place and the way out."""
    assert_not_read(stored, *complaints)
    with pytest.raises(Broken) as caught:
        event_codec().decode(stored)
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize(
    "payload", ["", "nonsense", "[]", "null", '{"task":1,"number":1}', '{"task":"t","number":true}']
)
def test_what_is_damaged_is_not_read(payload: str) -> None:
    """It is `Broken`, whatever is wrong."""
    assert_not_read(Stored(type="TurnStarted", version=1, payload=payload), "TurnStarted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """An event in its third version: first it had a bell's number, then its name, now the bell."""

    bell: Bell
    times: int


def renamed(payload: dict[str, Any]) -> dict[str, Any]:
    """From the number to the name."""
    return {"name": f"bell {payload['number']}"}


def boxed(payload: dict[str, Any]) -> dict[str, Any]:
    """From the name to the bell."""
    return {"bell": {"name": payload["name"]}, "times": payload.get("times", 1)}


UPCASTERS: dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("Rung", 1): renamed,
    ("Rung", 2): boxed,
}


@pytest.mark.parametrize(
    ("version", "payload", "event"),
    [
        (1, '{"number":4}', Rung(bell=Bell(name="bell 4"), times=1)),
        (2, '{"name":"big","times":2}', Rung(bell=Bell(name="big"), times=2)),
        (3, '{"bell":{"name":"big"},"times":3}', Rung(bell=Bell(name="big"), times=3)),
    ],
)
def test_an_old_version_is_brought_up_step_by_step(version: int, payload: str, event: Rung) -> None:
    """Each upcaster knows only its own step."""
    codec = Codec((Rung,), versions={"Rung": 3}, upcasters=UPCASTERS)
    assert codec.decode(Stored(type="Rung", version=version, payload=payload)) == event
    assert codec.encode(event).version == 3


def test_an_old_version_may_not_have_fields_of_its_own() -> None:
    """What an upcaster leaves in that nobody knows is refused as well."""
    codec = Codec((Rung,), versions={"Rung": 2}, upcasters={("Rung", 1): lambda payload: {**payload, "times": 1}})
    assert_not_read(Stored(type="Rung", version=1, payload='{"number":4}'), "number", codec=codec)


def test_a_version_without_an_upcaster_from_the_one_before_is_found_at_once() -> None:
    """When the codec is made, not when the first old event is read."""
    with pytest.raises(ValueError, match="no upcaster for version 2 of Rung"):
        Codec((Rung,), versions={"Rung": 3}, upcasters={("Rung", 1): renamed})


# --- the examples that are kept -------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", golden.load(), ids=lambda entry: f"{entry['type']}-{entry['version']}")
def test_what_was_once_written_is_read_the_same_for_ever(entry: golden.Entry) -> None:
    """If this fails, somebody's log can no longer be read: add a default, or a version with an upcaster."""
    read = event_codec().decode(golden.stored(entry))
    assert repr(read) == repr(golden.value(entry))
    assert read == golden.value(entry)


def test_every_event_has_an_example() -> None:
    """`python -m tests.adapters.golden_events` adds what is missing."""
    there = {(entry["type"], entry["version"]) for entry in golden.load()}
    assert event_codec().versions.items() - there == set()


def test_adding_examples_leaves_those_that_are_there() -> None:
    """Also one that would be written otherwise today."""
    entries = golden.completed([], event_codec())
    old = {**entries[3], "value": "something else"}
    assert golden.completed([old], event_codec())[0] == old
    assert len(golden.completed([old], event_codec())) == len(entries)
    assert golden.completed(entries, event_codec()) == entries


def test_an_example_leaves_no_field_at_its_default() -> None:
    """So that it shows the change of any field."""
    turn = golden.example(TurnEnded)
    assert turn.leftovers
    assert turn.usage.cost_usd
    assert turn.change.files[0].path
