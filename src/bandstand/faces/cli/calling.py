"""Calling the daemon from a command's folder. If there is none, `starting` is imported, and starts it.

This is what every command waits for, so it imports what an answer needs and nothing else.
"""

from bandstand.faces.cli.reaching import client, folder
from bandstand.faces.wire import TYPE_CHECKING, Json, Lost, NotRunning, Outlived

if TYPE_CHECKING:
    from pathlib import Path

_TRIES = 3
"""While a daemon makes way, somebody else may be quicker to start one that has to do so, too."""


def call(op: str, *, at: "Path | None" = None, **args: Json) -> Json:
    """The result of an operation in the caller's folder, or `at` another. Starts the daemon if none is running."""
    path = folder(at)
    for _ in range(_TRIES):
        try:
            return client().call(op, path=path, **args)
        except (NotRunning, Outlived, Lost) as failed:
            from bandstand.faces.cli.starting import make_ready

            make_ready(failed, op=op)
    return client().call(op, path=path, **args)
