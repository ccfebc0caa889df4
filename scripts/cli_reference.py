"""Writes docs/reference/cli.md from the parser of `band`. With `--check` nothing is written; it fails instead.

The page is made of the parser's own parts and not of argparse's help text, which differs from one Python to the next.
"""

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from bandstand.faces.cli.parser import build_parser

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
BEGINNING = """\
# The command line

<!-- Written by scripts/cli_reference.py from the verbs in src/bandstand/faces/cli/verbs. Change that. -->

A command is about the repository that you are in; `demo`, `doctor`, `up` and `down` work anywhere.
The first one starts the daemon if none is running; `doctor` and `down` do not.
With `--json` a command prints [JSON for programs](json.md), and an error is JSON on standard output too.
Colours are left out where the output is no terminal, or `NO_COLOR` is set.
"""


def page() -> str:
    """The whole page."""
    parser = build_parser()
    verbs = _verbs(parser)
    table = "\n".join(f"| [`{name}`](#band-{name}) | {_cell(words)} |" for name, words, _ in verbs)
    parts = [BEGINNING, f"| verb | does |\n|---|---|\n{table}\n"]
    parts += ["\n".join(_about(name, verb)) for name, _, verb in verbs]
    parts.append(f"## `band` alone\n\n{_options(parser)}\n\n{_block(parser.epilog)}")
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _verbs(parser: argparse.ArgumentParser) -> list[tuple[str, str, argparse.ArgumentParser]]:
    """Every verb that help names, with its words and its own parser."""
    group = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return [(one.dest, one.help or "", group.choices[one.dest]) for one in group._choices_actions]


def _about(name: str, verb: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## `band {name}`\n"
    yield f"{verb.description}\n"
    line = f"band {name} {' '.join(_usage(verb))}".rstrip()
    yield _block(textwrap.fill(line, width=100, subsequent_indent=" " * 9, break_on_hyphens=False))
    if options := _options(verb):
        yield f"{options}\n"
    if verb.epilog:
        yield _block(verb.epilog)


def _usage(verb: argparse.ArgumentParser) -> Iterator[str]:
    """The words of a command line: options first, as they may stand anywhere, then what it is about."""
    alternatives = {id(one): group for group in verb._mutually_exclusive_groups for one in group._group_actions}
    shown = [action for action in _shown(verb) if action.option_strings]
    for action in shown:
        group = alternatives.get(id(action))
        if group is None:
            yield f"[{_spelled(action)}]"
        elif group._group_actions[0] is action:
            yield f"[{' | '.join(_spelled(one) for one in group._group_actions)}]"
    for action in _shown(verb):
        if not action.option_strings:
            name = str(action.metavar or action.dest)
            yield {"?": f"[{name}]", "*": f"[{name} ...]"}.get(str(action.nargs), name)


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    hidden = (argparse._HelpAction, argparse._SubParsersAction)
    return [one for one in parser._actions if not isinstance(one, hidden) and one.help != argparse.SUPPRESS]


def _spelled(action: argparse.Action, *, by: int = 0) -> str:
    """An option as it is typed, by the first of its names or by another."""
    value = _value(action)
    return f"{action.option_strings[by]}{' ' if value else ''}{value}"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    return "|".join(map(str, action.choices)) if action.choices else str(action.metavar or action.dest.upper())


def _options(parser: argparse.ArgumentParser) -> str:
    rows = []
    for action in _shown(parser):
        names = [_spelled(action, by=number) for number in range(len(action.option_strings))]
        words = ", ".join(f"`{name}`" for name in names or [str(action.metavar or action.dest)])
        if action.help:
            rows.append(f"| {_cell(words)} | {_cell(action.help)} |")
    return "\n".join(["| word | means |", "|---|---|", *rows]) if rows else ""


def _cell(text: str) -> str:
    """A text as it may stand in a table, where a bar would end the cell."""
    return text.replace("|", r"\|").replace("%%", "%")


def _block(text: str | None) -> str:
    return f"```text\n{(text or '').rstrip()}\n```\n"


def main() -> int:
    text = page()
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if there == text:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/reference/cli.md is not as the parser says. Run `python scripts/cli_reference.py`.")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    print("docs/reference/cli.md is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
