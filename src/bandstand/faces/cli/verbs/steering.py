"""Verbs that hold tasks, let them go on, and try them again."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

_PAUSE = """\
  band pause docs -m "after lunch"
"""
_PAUSE_NOTES = """\
Its agent is ended; its files, its session and its place in the queue are kept. A paused task holds up no other one but
those that need it.
"""
_RESUME = """\
  band resume docs                the turn is given again, to the same session
  band resume --all               what `band stop --all` held, in every repository
"""
_RETRY = """\
  band retry docs
"""
_RETRY_NOTES = """\
Whatever goes on for the task begins anew: an agent or a reviewer that hangs is ended and gets its turn again, checks
and a merge are run once more. A step that did not work and waits is tried at once. A task that needs you because
something did not work goes on.
"""
_STOP = """\
  band stop --all
  band resume --all               all of them go on
"""
_STOP_NOTES = """\
Every task of every repository is held and every agent ended, also when the daemon is dead or does not answer. What they
wrote is kept. One task alone is held by `band pause`; `band down` stops the daemon only, and agents go on.
"""


def _pause(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="why")
    json_option(parser)


def _resume(parser: "ArgumentParser") -> None:
    parser.add_argument("task", nargs="?", metavar="TASK")
    parser.add_argument("--all", action="store_true", help="what `band stop --all` held, in every repository")
    json_option(parser)


def _retry(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    json_option(parser)


def _stop(parser: "ArgumentParser") -> None:
    parser.add_argument("--all", action="store_true", help="say that you mean all of them")
    json_option(parser)


VERBS = (
    Verb(
        "pause",
        "hold a task where it stands: its agent ends, its work is kept",
        does="bandstand.faces.cli.orders:pause",
        options=_pause,
        examples=_PAUSE,
        notes=_PAUSE_NOTES,
    ),
    Verb(
        "resume",
        "let a paused task go on, or all that were stopped together",
        does="bandstand.faces.cli.orders:resume",
        options=_resume,
        examples=_RESUME,
    ),
    Verb(
        "retry",
        "try again now: a failed step, a turn, a review, the checks",
        does="bandstand.faces.cli.orders:retry",
        options=_retry,
        examples=_RETRY,
        notes=_RETRY_NOTES,
    ),
    Verb(
        "stop",
        "stop every agent in every repository now; work is kept",
        does="bandstand.faces.cli.stopping:stop",
        options=_stop,
        examples=_STOP,
        notes=_STOP_NOTES,
    ),
)
