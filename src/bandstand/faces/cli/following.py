"""Following what the daemon says to the end.

A daemon that ends while it is watched is started again, and the watching goes on where it was.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from bandstand.faces.cli.calling import call
from bandstand.faces.cli.reaching import client, folder, lock_lines
from bandstand.faces.cli.starting import crash_loop, here, make_ready, succeeded
from bandstand.faces.wire import Json, Lost, NotRunning, Outlived

_MOST_LOSSES, _LOSSES_SECONDS = 5, 60.0


def stream(op: str, *, at: Path | None = None, lost: Callable[[], None] = lambda: None, **args: Json) -> Iterator[Json]:
    """The items of an operation in the caller's folder, or `at` another. Starts the daemon if none is running.

    If the daemon is lost in the middle, `lost` is called, another one is started, and the items come from the
    beginning. Raises `Lost` when that happens again and again.
    """
    path = folder(at)
    return going_on(lambda: client(install=None).stream(op, path=path, **args), at=at, lost=lost)


def going_on(
    begin: Callable[[], Iterator[Json]], *, at: Path | None = None, lost: Callable[[], None] = lambda: None
) -> Iterator[Json]:
    """The items of `begin`, and of another `begin` each time that the daemon is lost: then another one is started.

    If it made way for one of another installation, that one is waited for, and asked: a daemon is not taken back by who
    only watches.
    Raises `Lost` when that happens again and again, `Unavailable` when daemons die one after the other.
    """
    call("ready", at=at)
    losses: deque[float] = deque(maxlen=_MOST_LOSSES)
    while True:
        try:
            if losses:
                _come_back(at)
            yield from begin()
        except (Lost, NotRunning):
            losses.append(time.monotonic())
            if (loop := crash_loop(here())) is not None:
                raise loop from None
            if len(losses) == _MOST_LOSSES and losses[-1] - losses[0] < _LOSSES_SECONDS:
                raise
            lost()
        else:
            return


def _come_back(at: Path | None) -> None:
    """See to it that there is a daemon again, whichever installation it is of."""
    again, path = client(install=None), folder(at)
    try:
        again.call("ready", path=path)
    except (NotRunning, Outlived, Lost) as failed:
        if not succeeded(here()):
            make_ready(failed, op="ready")
        client(install=None).call("ready", path=path)


def api_socket() -> Path:
    """Where the daemon serves the HTTP API: beside the socket where it says that it listens."""
    where = here()
    _, socket, _ = lock_lines()
    return (Path(socket) if socket else where.socket).with_name(where.api_socket.name)
