"""The words of the command line as argparse takes them: the parser of one verb, or of all for help and documents."""

import argparse
import os

from bandstand import __version__
from bandstand.domain.errors import Refused
from bandstand.faces.cli.verbs import EXITS, Verb, by_theme, every
from bandstand.faces.wire import TYPE_CHECKING, Json

if TYPE_CHECKING:
    from typing import NoReturn

FIRST_STEPS = """\
first steps:
  band demo                       see the whole job in half a minute, without any agent or key
  band doctor                     what is missing on this machine, and the command that cures it
  band run "add dark mode"        hand a goal to an agent in this repository
  band ps                         what goes on
  band help run                   one verb, with examples
"""

_MARGIN, _LEAST, _OPTIONS, _LONGEST_USAGE, _VERB = 2, 40, 30, 100, 13


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


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are ours: one sentence, and a hint at what would be right."""

    def __init__(self, **about: Json) -> None:
        super().__init__(formatter_class=_Formatter, allow_abbrev=False, **about)

    def parse_args(self, args: Json = None, namespace: Json = None) -> Json:
        """The words understood. Raises `Refused` for those that are none; a mistyped option is told before all else."""
        for word in args[: args.index("--")] if "--" in args else args:
            if word.startswith("--") and " " not in word and word.partition("=")[0] not in self._option_string_actions:
                self._complain_of(word)
            if word.startswith("--") and word.endswith("=--"):
                self.error(f"argument {word.partition('=')[0]}: expected one argument")
        found, left = self.parse_known_args(args, namespace)
        if left:
            self._complain_of(left[0])
        return found

    def error(self, message: str) -> "NoReturn":
        """Raise what argparse has to say about the words."""
        raise Refused(_sentence(message), hint=self._how())

    def _complain_of(self, word: str) -> "NoReturn":
        from bandstand.config.findings import close_to, quoted

        if word.startswith("-") and word != "-":
            option = word.partition("=")[0]
            close = close_to(option, self._option_string_actions)
            meant = f" Did you mean `{close}`?" if close else ""
            raise Refused(f"`{self.prog}` has no option {quoted(option)}.{meant}", hint=self._how())
        raise Refused(
            f"`{self.prog}` does not know what to do with {quoted(word)}.",
            hint=f'Several words that belong together stand in quotes: "add dark mode".\n{self._how()}',
        )

    def _how(self) -> str:
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        more = f"{self.prog.replace('band', 'band help', 1)}"
        return f"{usage}\nMore, with examples: {more}" if len(usage) <= _LONGEST_USAGE else f"See: {more}"


class _Overview(_Parser):
    """The parser of the whole command line, whose help lists the verbs by what one wants."""

    def format_help(self) -> str:
        """What `band --help` prints."""
        from textwrap import wrap

        width, indent = max(_LEAST, _columns() - _MARGIN), " " * (_VERB + 2)
        lines = [self.format_usage(), *wrap(self.description or "", width), ""]
        for words, verbs in by_theme():
            lines.append(f"{words}:")
            for verb in verbs:
                named = f"  {verb.name:<{_VERB}}{verb.words}"
                lines += wrap(named, width, subsequent_indent=indent, drop_whitespace=True)
            lines.append("")
        return "\n".join([*lines, self.epilog or ""])


def _sentence(message: str) -> str:
    """What argparse complains of as a sentence of ours; what it may say besides in its own words."""
    what, _, rest = message.partition(": ")
    name = what.removeprefix("argument ").partition("/")[0]
    value = rest.rpartition("value: ")[2]
    if what == "the following arguments are required":
        return f"{rest.replace(', ', ' and ')} {'are' if ', ' in rest else 'is'} missing."
    if rest.startswith("expected "):
        return f"{name} needs a value."
    if rest.startswith("not allowed with argument "):
        return f"{name} and {rest.removeprefix('not allowed with argument ').partition('/')[0]} exclude each other."
    if rest.startswith("invalid int value"):
        return f"{name} is a whole number, and {value} is none."
    if rest.startswith("invalid choice: "):
        wrong, _, allowed = rest.removeprefix("invalid choice: ").partition(" (choose from ")
        return f"{name} cannot be {wrong}, but one of {allowed.removesuffix(')').replace(chr(39), '')}."
    return f"{message[0].upper()}{message[1:]}."


def verb_parser(verb: Verb) -> argparse.ArgumentParser:
    """The parser of what stands behind one verb. It raises `Refused` for what it does not understand."""
    return _filled(_Parser(prog=f"band {verb.name}", **_about(verb)), verb)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, for help and documents: a command is parsed by that of its verb."""
    parser = _Overview(
        prog="band",
        description="Bandstand: many coding agents at work in one repository, on an always-green main.",
        epilog=f"{FIRST_STEPS}\n{_exits(dict.fromkeys([1], 'a task did not land, or something is missing'))}",
    )
    parser.add_argument("--version", action="version", version=f"band {__version__}", help="print the version")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=_Parser)
    for verb in every():
        _filled(verbs.add_parser(verb.name, help=verb.words, **_about(verb)), verb)
    return parser


def _about(verb: Verb) -> dict[str, Json]:
    description = f"{verb.words[0].upper()}{verb.words[1:]}."
    examples = f"examples:\n{verb.examples}" if verb.examples else ""
    parts = [part for part in (examples, verb.notes, _exits({1: verb.one})) if part]
    return {"description": description, "epilog": "\n".join(parts)}


def _exits(ones: dict[int, str]) -> str:
    """What the exit codes mean, one to a line."""
    means = {code: ones.get(code) or words for code, words in EXITS.items()}
    return "exit codes:\n" + "".join(f"  {code:<4}{words}\n" for code, words in means.items() if words)


def _filled(parser: argparse.ArgumentParser, verb: Verb) -> argparse.ArgumentParser:
    parser.set_defaults(verb=verb.name, does=verb.does)
    verb.options(parser)
    return parser
