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
_REWIND = """\
  band rewind docs@2              files, index and branch as they were at checkpoint 2
  band rewind docs@2 -m "Keep the old parser."      and its agent goes on from there with that
  band rewind docs@0 --now        to the very beginning, ending the turn that goes on
"""
_REWIND_NOTES = """\
What there is before that is kept as one more checkpoint, so nothing is lost, and one can go back there, too. What git
ignores stays as it is. Checks and reviews of what was taken back count no more: the task goes on with the change that
it had then, or begins anew if it had none. Its agent keeps its session and is told in its next turn.
"""
_FORK = """\
  band fork docs@2                the same goal once more, from checkpoint 2 on
  band fork docs@2 "Use SQLite this time." --agent codex --id docs-b
"""
_FORK_NOTES = """\
The new task has the files and the commits of that checkpoint and needs what the other one needs, but not that one. Each
is checked, reviewed and landed for itself; whichever lands second gets a conflict back as any task does.
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


def _rewind(parser: "ArgumentParser") -> None:
    parser.add_argument("place", metavar="TASK@N", help="which checkpoint; 0 is the beginning")
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="what its agent is told then")
    live = parser.add_mutually_exclusive_group()
    live.add_argument("--now", action="store_true", help="end the turn that its agent is in, if it is in one")
    live.add_argument("--after-turn", action="store_true", help="let that turn come to its end first")
    json_option(parser)


def _fork(parser: "ArgumentParser") -> None:
    parser.add_argument("place", metavar="TASK@N", help="which checkpoint; 0 is the beginning")
    parser.add_argument("words", nargs="?", default="", metavar="WORDS", help="what more is wanted of the new task")
    parser.add_argument("--agent", metavar="AGENT", help="who works at it; by default as at the other one")
    parser.add_argument("--id", metavar="ID", help="its id; by default one is made of the other one's")
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
        "rewind",
        "take a task back to one of its checkpoints, and on from there",
        does="bandstand.faces.cli.going_back:rewind",
        options=_rewind,
        examples=_REWIND,
        notes=_REWIND_NOTES,
    ),
    Verb(
        "fork",
        "begin a new task with a checkpoint of another one; both go on",
        does="bandstand.faces.cli.going_back:fork",
        options=_fork,
        examples=_FORK,
        notes=_FORK_NOTES,
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
