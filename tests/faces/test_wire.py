"""The wire: what goes over it comes out the same, and a daemon that ends in the middle is told as that."""

import contextlib
import dataclasses
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.errors import BandstandError, Broken, Refused, Unavailable, Unknown
from bandstand.domain.standing import Mark
from bandstand.faces.wire import Client, Lost, NotRunning, Outlived, encode, error_message, raise_error
from bandstand.faces.wire.plain import plain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_a_message_is_one_line_and_comes_back_as_it_was(message: object) -> None:
    """Whatever text stands in it, line breaks and halves of characters among it."""
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert line.isascii()
    assert json.loads(line) == message


@dataclasses.dataclass(frozen=True)
class Thing:
    """Something to send."""

    name: str
    parts: tuple[object, ...] = ()


def test_values_become_json() -> None:
    """Data classes, words, times, sets, and whatever is in them."""
    thing = Thing(
        "a", (Mark.LANDED, datetime(2026, 1, 5, 9, tzinfo=UTC), frozenset({1}), {Mark.REVIEW: Thing("b")}, None)
    )
    assert plain(thing) == {
        "name": "a",
        "parts": ["landed", "2026-01-05T09:00:00+00:00", [1], {"review": {"name": "b", "parts": []}}, None],
    }


@pytest.mark.parametrize("kind", [Refused, Unknown, Unavailable, Broken, Outlived])
def test_an_error_comes_out_as_what_went_in(kind: type[BandstandError]) -> None:
    """Its kind, its sentence, its hint."""
    message = error_message(kind("It is so.", hint="Do this."))
    with pytest.raises(kind) as raised:
        raise_error(json.loads(encode(message))["error"])
    assert type(raised.value) is kind
    assert (raised.value.message, raised.value.hint) == ("It is so.", "Do this.")


def test_an_error_of_a_kind_that_nobody_knows_is_broken() -> None:
    """A newer daemon may have more of them."""
    with pytest.raises(Broken, match="Strange"):
        raise_error({"kind": "strange", "message": "Strange."})


@contextlib.contextmanager
def answering(*pieces: bytes, listens: bool = True) -> Iterator[Client]:
    """A daemon that reads one request, says these bytes and hangs up. One that does not listen only says them."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "band.sock"
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(20)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                if listens:
                    lines.readline()
                for piece in pieces:
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Client(path)
        finally:
            thread.join()


def test_the_result_is_what_is_returned() -> None:
    """However it arrives, and whatever stands before it."""
    with answering(b'{"item": 1}\n{"res', b'ult": {"a": ["\\u00e4"]}}\n') as client:
        assert client.call("show", task="one") == {"a": ["ä"]}


def test_items_are_yielded_until_the_result() -> None:
    """As they come."""
    with answering(b'{"item": 1}\n{"item": null}\n', b'{"item": {"kind": "x"}}\n{"result": null}\n') as client:
        assert list(client.stream("watch")) == [1, None, {"kind": "x"}]


@pytest.mark.parametrize("said", [b"", b'{"item": 1}\n'])
def test_a_daemon_that_hangs_up_is_lost(said: bytes) -> None:
    """Before it answered; an end of a stream is something else."""
    with answering(said) as client, pytest.raises(Lost, match="ended before it had answered"):
        client.call("show")
    with answering(said) as client, pytest.raises(Lost):
        list(client.stream("watch"))


def test_an_error_may_come_in_the_middle_of_a_stream() -> None:
    """What came before it was yielded."""
    found: list[object] = []
    error = encode(error_message(Refused("No more.")))
    with answering(b'{"item": 1}\n', error) as client, pytest.raises(Refused, match="No more"):
        found.extend(client.stream("watch"))
    assert found == [1]


def test_what_a_daemon_said_before_it_had_read_the_request_is_heard() -> None:
    """It is just being stopped, say, and reads no more: the request is too long to be sent without that."""
    error = encode(error_message(Unavailable("The daemon was stopped.")))
    with (
        answering(error, listens=False) as client,
        pytest.raises(Unavailable, match=r"^The daemon was stopped\.$") as raised,
    ):
        client.call("send", text="x" * (8 << 20))
    assert type(raised.value) is Unavailable
    with answering(listens=False) as client, pytest.raises(Lost, match="ended before it had answered"):
        client.call("send", text="x" * (8 << 20))


def test_nobody_there_is_said_as_such() -> None:
    """No socket, or one that nobody listens at."""
    with tempfile.TemporaryDirectory(prefix="bt-") as folder:
        path = Path(folder) / "band.sock"
        with pytest.raises(NotRunning, match="No daemon is running"):
            Client(path).call("ps")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        with pytest.raises(NotRunning):
            Client(path).call("ps")
        path.unlink()
        path.mkdir()
        with pytest.raises((Broken, NotRunning)):
            Client(path).call("ps")
