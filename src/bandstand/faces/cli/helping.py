"""`band help`, and what is said to words that name no verb."""

import argparse
import sys
from collections.abc import Iterator

from bandstand.config.findings import close_to, quoted
from bandstand.domain.errors import Refused
from bandstand.faces.cli.looking import dump
from bandstand.faces.cli.parser import build_parser, verb_parser
from bandstand.faces.cli.verbs import Verb, every, find
from bandstand.faces.wire import Json

ELSEWHERE = {
    "approve": "review TASK --approve",
    "attach": "log TASK -f",
    "inbox": "asks",
    "init": "doctor",
    "kill": "cancel TASK",
    "list": "ps",
    "logs": "log TASK",
    "ls": "ps",
    "new": 'run "…"',
    "start": 'run "…"',
    "status": "ps",
    "submit": 'run "…"',
    "tail": "log TASK -f",
    "version": "--version",
    "watch": "ps -f",
}
"""Words that other programs have for what ours does."""


def explain(arguments: argparse.Namespace) -> int:
    """What a verb does, or what verbs there are."""
    if arguments.about is None:
        if arguments.json:
            return dump([_explained(verb) for verb in every()])
        sys.stdout.write(build_parser().format_help())
        return 0
    verb = find(arguments.about)
    if verb is None:
        raise unknown(arguments.about)
    if arguments.json:
        return dump(_explained(verb))
    sys.stdout.write(verb_parser(verb).format_help())
    return 0


def without_verb(words: list[str]) -> argparse.Namespace:
    """What to do with words that do not begin with a verb: show help, or the version. Raises `Refused` for others."""
    if words and not words[0].startswith("-"):
        raise unknown(words[0])
    build_parser().parse_args(words)
    return argparse.Namespace(does=f"{__name__}:explain", about=None, json=False)


def unknown(word: str) -> Refused:
    """What to raise for a word that is no verb."""
    meant = ELSEWHERE.get(word.lower()) or close_to(word, [verb.name for verb in every()])
    question = f" Did you mean `band {meant}`?" if meant else ""
    return Refused(f"{quoted(word)} is no verb of band.{question}", hint="All verbs in a line each: band help")


def _explained(verb: Verb) -> Json:
    parser = verb_parser(verb)
    return {
        "verb": verb.name,
        "does": verb.words,
        "usage": " ".join(parser.format_usage().removeprefix("usage: ").split()),
        "options": list(_options(parser)),
        "examples": [line.strip() for line in verb.examples.splitlines()],
    }


def _options(parser: argparse.ArgumentParser) -> Iterator[Json]:
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
            yield {
                "names": list(action.option_strings),
                "value": value,
                "choices": [str(choice) for choice in action.choices or ()],
                "means": action.help or "",
            }
