"""Verbs for what needs a human: asks and reviews."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

_ASKS = """\
  band asks                       each with its choices and how to answer it
  band asks --json | jq -r '.[].id'
"""
_ANSWER = """\
  band answer a3 1                answer with the first choice
  band answer a3 allow --alike    the same answer for every ask like it
  band answer a4 -m "Use UTC."    answer a question in words
"""
_REVIEW = """\
  band review docs                look at the change with its evidence
  band review docs --approve --commit 1f2e3d4c5b6a
  band review docs --request-changes -m "app.py:12: handle the empty list"
"""


_NETWORK = """\
  band network                    what agents and checks may reach, and what was allowed beside the rules
  band network allow example.org                    all tasks of this repository may, from now on
  band network allow localhost:5432 --task docs     one task may reach a database of this machine
  band network revoke example.org                   take it back
"""
_NETWORK_NOTES = """\
An agent or a check that tries another host is refused, and you are asked: `band asks`. What the rules name is changed
in bandstand.toml, below [network]. A host in your own machine's network is reached only if it is named with its port.
"""


def _network(parser: "ArgumentParser") -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=["list", "allow", "revoke"],
        default="list",
        metavar="ACTION",
        help="list, allow or revoke; list if none is said",
    )
    parser.add_argument("host", nargs="?", metavar="HOST", help="a host, *.HOST, or HOST:PORT")
    parser.add_argument("--task", metavar="TASK", help="with allow: for this task alone")
    json_option(parser)


def _answer(parser: "ArgumentParser") -> None:
    parser.add_argument("ask", metavar="ASK")
    parser.add_argument("choice", nargs="?", default="", metavar="CHOICE", help="its number, id or first letters")
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="words that go with it")
    parser.add_argument("--alike", action="store_true", help="every open ask like it, too")
    json_option(parser)


def _review(parser: "ArgumentParser") -> None:
    parser.add_argument("task", metavar="TASK")
    verdict = parser.add_mutually_exclusive_group()
    verdict.add_argument("--approve", action="store_true", help="let it land, once its checks are green")
    verdict.add_argument("--request-changes", action="store_true", help="send it back, with -m")
    parser.add_argument(
        "--commit",
        default="",
        metavar="COMMIT",
        help="what you have seen; refused if the change has moved since. Without it: what the open ask is about",
    )
    parser.add_argument("-m", "--message", default="", metavar="TEXT", help="what you have to say")
    json_option(parser)


VERBS = (
    Verb(
        "asks",
        "what needs you, the most urgent first",
        does="bandstand.faces.cli.looking:asks",
        options=json_option,
        examples=_ASKS,
    ),
    Verb("answer", "answer an ask", does="bandstand.faces.cli.orders:answer", options=_answer, examples=_ANSWER),
    Verb(
        "review",
        "look at a change with its evidence, or give a verdict",
        does="bandstand.faces.cli.orders:review",
        options=_review,
        examples=_REVIEW,
    ),
    Verb(
        "network",
        "what agents may reach, and what you let them reach beside the rules",
        does="bandstand.faces.cli.networking:network",
        options=_network,
        examples=_NETWORK,
        notes=_NETWORK_NOTES,
    ),
)
