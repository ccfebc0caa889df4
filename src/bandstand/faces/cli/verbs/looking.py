"""Verbs that look: nothing changes by them."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser


_PS = """\
  band ps                         what goes on in this repository
  band ps docs api                these two tasks only
  band ps -f                      watch all live tasks to their end
  band ps --json | jq -r '.tasks[] | select(.mark == "needs-you") | .id'
"""
_SHOW = """\
  band show docs                  its change, checks, reviews, and what is asked
  band show docs --json | jq .row.words
"""
_LOG = """\
  band log docs                   prompts, what the agent said and did
  band log docs -f --full         every line of it, and go on as it comes
"""
_DIFF = """\
  band diff docs                  read it; colours and a pager where there is a terminal
  band diff docs --stat           files and lines only
  band diff docs@3                what its checkpoint 3 changed since the one before
  band diff docs | git apply --check
"""


_QUEUE = """\
  band queue                      the merge queue of this repository, the next one first
  band queue --json | jq -r '.entries[0].id'
"""


_PORTS = """\
  band ports docs                 where its agent listens
  band ports docs --json | jq '.ports[].port'
"""
_OPEN = """\
  band open docs --port 3000                   see it at http://127.0.0.1:3000/
  band open login --port 3000 --local-port 3001
  band open docs --port 3000 --no-browser      only print the URL
"""
_OPEN_NOTES = """\
It goes on until you press Ctrl-C or the agent ends, and may be given before anything listens. Every agent may listen on
the same port: each has a network of its own, and here another number where that one is taken. Agents without a sandbox,
or with the machine's network, listen on the machine itself: then you are told so, and nothing is forwarded.
"""


def _ps(parser: "ArgumentParser") -> None:
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="these tasks only")
    parser.add_argument("-a", "--all", action="store_true", help="ended tasks too, however many")
    parser.add_argument(
        "-f",
        "--follow",
        action="store_const",
        dest="does",
        const="bandstand.faces.cli.run:watch",
        help="watch them to their end; all live ones if none is named",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="with --follow: show more of what goes on")
    json_option(parser)


def _show(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    json_option(parser)


def _ports(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    json_option(parser)


def _open(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("--port", type=int, required=True, metavar="PORT", help="where its agent listens")
    parser.add_argument("--local-port", type=int, metavar="N", help="which port of this machine to take; 0 is any")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser, where there is a desktop")
    json_option(parser)


def _log(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the task has ended")
    parser.add_argument("--full", action="store_true", help="prompts and outputs whole, not their first lines")
    json_option(parser)


def _diff(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("--stat", action="store_true", help="files and lines only")
    json_option(parser)


VERBS = (
    Verb(
        "ps",
        "the fleet at a glance",
        does="bandstand.faces.cli.looking:ps",
        options=_ps,
        examples=_PS,
        one="with --follow: a task did not land",
    ),
    Verb(
        "queue",
        "what lands next, in order",
        does="bandstand.faces.cli.looking:queue",
        options=json_option,
        examples=_QUEUE,
    ),
    Verb("show", "one task, whole", does="bandstand.faces.cli.showing:show", options=_show, examples=_SHOW),
    Verb(
        "log",
        "what was said and done in a task",
        does="bandstand.faces.cli.showing:log",
        options=_log,
        examples=_LOG,
    ),
    Verb(
        "ports",
        "what a task's agent listens on",
        does="bandstand.faces.cli.opening:ports",
        options=_ports,
        examples=_PORTS,
    ),
    Verb(
        "open",
        "forward a port of a task's agent to this machine",
        does="bandstand.faces.cli.opening:open_port",
        options=_open,
        examples=_OPEN,
        notes=_OPEN_NOTES,
    ),
    Verb("diff", "a task's change as a patch", does="bandstand.faces.cli.showing:diff", options=_diff, examples=_DIFF),
)
