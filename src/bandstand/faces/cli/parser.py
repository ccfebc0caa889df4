"""The words of the command line as argparse takes them: the parser of one verb, or of all for help and documents."""

import argparse
import os

from bandstand import __version__
from bandstand.faces.cli.verbs import Verb, every
from bandstand.faces.wire import Json

EPILOG = """\
first steps:
  band demo                       see the whole job in half a minute, without any agent or key
  band doctor                     what is missing on this machine, and the command that cures it
  band run "add dark mode"        hand a goal to an agent in this repository
  band ps                         what goes on

exit codes: 0 done, 1 a task did not land, 2 refused (the order or its input is wrong), 3 not available now (try again),
70 broken (a person has to look), 130 interrupted
"""

_MARGIN, _LEAST, _OPTIONS = 2, 40, 30


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as it needs to be read, options in one column.

    argparse makes one for every option that is added. Left to find the width by itself it would import `shutil`, and
    with it every compression that there is.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=_OPTIONS, width=max(_LEAST, _columns() - _MARGIN))


def _columns() -> int:
    """The width of the terminal, as `shutil.get_terminal_size` finds it."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def verb_parser(verb: Verb) -> argparse.ArgumentParser:
    """The parser of what stands behind one verb."""
    parser = argparse.ArgumentParser(prog=f"band {verb.name}", **_help(verb))
    return _filled(parser, verb)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="band",
        description="Bandstand: many coding agents at work in one repository, on an always-green main.",
        epilog=EPILOG,
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action="version", version=f"band {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for verb in every():
        _filled(verbs.add_parser(verb.name, help=verb.words, **_help(verb)), verb)
    return parser


def _help(verb: Verb) -> dict[str, Json]:
    description = verb.words[0].upper() + verb.words[1:] + "."
    return {"description": description, "epilog": verb.examples or None, "formatter_class": _Formatter}


def _filled(parser: argparse.ArgumentParser, verb: Verb) -> argparse.ArgumentParser:
    parser.set_defaults(verb=verb.name, does=verb.does)
    verb.options(parser)
    return parser
