"""Verbs about this machine: what is on it, and the daemon."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser


def _demo(parser: "ArgumentParser") -> None:
    parser.add_argument("--clean", action="store_true", help="remove what demos left behind")
    parser.add_argument("--sandbox", choices=["bubblewrap", "none"], default="bubblewrap", help="what keeps agents in")
    json_option(parser)


def _up(parser: "ArgumentParser") -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=int, metavar="N", help="the HTTP API on 127.0.0.1 too; 0 takes any port")
    where.add_argument("--listen", metavar="HOST:N", help="the same on another loopback address, such as [::1]:N")


def _daemon(parser: "ArgumentParser") -> None:
    parser.add_argument("--ready", type=int, metavar="FD", help="where to say that commands may connect")
    parser.add_argument("--woken", action="store_true", help="a holder wants it, and no person")


VERBS = (
    Verb(
        "agents",
        "the agents that are here, and those that could be",
        does="bandstand.faces.cli.looking:agents",
        options=json_option,
    ),
    Verb(
        "doctor",
        "what this machine has and lacks; each line names its cure",
        does="bandstand.faces.cli.doctor:doctor",
        options=json_option,
    ),
    Verb(
        "demo",
        "the whole job on a small project, played by rehearsal agents",
        does="bandstand.faces.cli.demo:demo",
        options=_demo,
    ),
    Verb(
        "up",
        "run the daemon in the foreground; otherwise the first command starts it",
        does="bandstand.faces.daemon.server:up",
        options=_up,
    ),
    Verb(
        "down",
        "stop the daemon; agents go on, and the next command finds them",
        does="bandstand.faces.cli.machine:down",
        options=json_option,
    ),
    Verb(
        "daemon",
        "be the daemon that a command or a holder starts",
        does="bandstand.faces.daemon.server:daemon",
        options=_daemon,
        hidden=True,
    ),
)
