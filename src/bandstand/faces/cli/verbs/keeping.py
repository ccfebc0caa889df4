"""Verbs about what is kept, and what goes."""

from bandstand.faces.cli.verbs import Verb, json_option
from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

_GC = """\
  band gc --dry-run               what nobody needs any more, with the proof and the size of each thing
  band gc                         clear it away
"""
_GC_NOTES = """\
What has neither landed nor been rescued never goes, and rescues never do. How long the journals of ended tasks are kept
stands in your settings, below [retention].
"""


def _gc(parser: "ArgumentParser") -> None:
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would go")
    parser.add_argument(
        "--repository", metavar="ID", help="what is kept of a repository that is gone from its place; `gc` names it"
    )
    json_option(parser)


VERBS = (
    Verb(
        "gc",
        "clear away what nobody needs any more, and say why of each thing",
        does="bandstand.faces.cli.keeping:gc",
        options=_gc,
        examples=_GC,
        notes=_GC_NOTES,
        one="something that may go could not be removed",
    ),
)
