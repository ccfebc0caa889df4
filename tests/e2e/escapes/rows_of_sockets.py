"""Rows of the escape table: who listens at a path, and the person's terminal."""

from collections.abc import Callable
from typing import Any

from tests.e2e.escapes.attempt import SYS_ADMIN, Attempt, Control, granted, received, text
from tests.e2e.escapes.ground import Ground

NOT_THERE = "mounts: the socket is not there inside"
OWN_NETWORK = "network namespace: nobody else is on its loopback"
NOT_NAMED = "egress proxy: what is in the machine's own network has to be named with its port"
NO_TERMINAL = "devices: terminals inside are of a file system of their own; a session of its own"


def speaks(name: str, socket: str) -> Attempt:
    """A program of the person's is spoken to that does much for who speaks to it."""
    return Attempt(
        name=name,
        program="sockets.unix",
        words=lambda ground, words: {"path": ground.socket(socket), "text": words},
        told=received,
        holds=NOT_THERE,
    )


def is_let_in(name: str, place: Callable[[Ground], Any], **more: Any) -> Attempt:
    """A part of Bandstand accepts a connection."""
    return Attempt(
        name=name,
        program="sockets.connect",
        words=lambda ground, _: {"path": str(place(ground)), "token": ground.mark},
        told=granted,
        law=2,
        holds=NOT_THERE,
        **more,
    )


def reaches(
    name: str,
    program: str,
    words: Callable[[Ground], dict[str, Any]],
    holds: str = OWN_NETWORK,
    control: Control = Control.UNSANDBOXED,
) -> Attempt:
    """A service of the host's is spoken to."""
    return Attempt(
        name=name,
        program=f"sockets.{program}",
        words=lambda ground, words_: {**words(ground), "text": words_},
        told=received,
        holds=holds,
        control=control,
    )


def _typed(number: int) -> Callable[[Ground, Attempt, str, str], bool]:
    return lambda ground, attempt, who, _: text(ground, attempt).replace("WHO", who) in ground.seen(number)


ROWS = (
    is_let_in("connect to the daemon", lambda ground: ground.stage.state / "run" / "band.sock"),
    is_let_in("connect to the API", lambda ground: ground.stage.state / "run" / "api.sock"),
    is_let_in("connect to another run's holder", lambda ground: ground.run_folder / "sock"),
    is_let_in("connect to the own holder", lambda ground: ground.run_folder.parent / "probe.1" / "sock", in_a_run=True),
    speaks("speak to the session bus", "bus"),
    speaks("speak to the container daemon", "docker.sock"),
    speaks("speak to the key agent", "agent"),
    speaks("speak to the display", "x11"),
    Attempt(
        name="write to the person's terminal",
        program="terminals.write",
        words=lambda ground, words: {"path": ground.terminal(0), "text": words},
        told=_typed(0),
        holds=NO_TERMINAL,
    ),
    Attempt(
        name="press keys on the person's terminal",
        program="terminals.press",
        words=lambda ground, words: {"path": ground.terminal(1), "text": words},
        told=_typed(1),
        holds=f"{NO_TERMINAL}; seccomp: TIOCSTI",
        needs=SYS_ADMIN,
    ),
    Attempt(
        name="leave the person's terminal raw",
        program="terminals.raw",
        words=lambda ground, _: {"path": ground.terminal(2)},
        told=lambda ground, *_: ground.is_raw(2),
        holds=NO_TERMINAL,
    ),
)
NETWORK = (
    reaches("speak to a service of the host's", "tcp", lambda g: {"host": "127.0.0.1", "port": g.facts["tcp"]}),
    reaches("speak to one by IPv6", "tcp", lambda g: {"host": "::1", "port": g.facts["tcp6"]}),
    reaches("ask the host's name server", "udp", lambda g: {"host": "127.0.0.1", "port": g.facts["udp"]}),
    reaches("speak to a socket that is in no folder", "abstract", lambda g: {"name": g.abstract()}),
    reaches(
        "ask for the machine's metadata",
        "tcp",
        lambda _: {"host": "169.254.169.254", "port": 80},
        "network namespace: there is no way to it",
        Control.METADATA,
    ),
    reaches(
        "have the proxy speak to a service of the host's",
        "tunnel",
        lambda g: {"host": "localhost", "port": g.facts["tcp"]},
        NOT_NAMED,
        Control.NAMED,
    ),
    reaches(
        "the same in the way of SOCKS",
        "socks",
        lambda g: {"host": "127.0.0.1", "port": g.facts["tcp"]},
        NOT_NAMED,
        Control.NAMED,
    ),
)
