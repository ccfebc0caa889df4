"""The verbs of `band`, one module for each theme. Adding one touches the list `VERBS` of its theme, and nothing else.

A theme is imported when a verb is looked for in it, and a verb's options are made when it is the one that was typed: a
command that only looks pays for no other. The themes stand here in that order, what is looked for most often first.
"""

from collections.abc import Callable, Iterator

from bandstand.faces.wire import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

THEMES = ("looking", "work", "deciding", "steering", "keeping", "machine")
SHOWN = {
    "work": "give work to agents",
    "looking": "see what goes on",
    "deciding": "decide",
    "steering": "hold back and let go on",
    "keeping": "keep and clear away",
    "machine": "this machine, and band itself",
}
"""The order in which help lists them, and under which words."""

EXITS = {
    0: "done",
    1: "",
    2: "refused: the order or its input is wrong, and nothing was changed",
    3: "not available now: try again",
    70: "broken: a person has to look",
    130: "interrupted",
}
"""What the exit codes of every verb mean. What 1 means stands at the verbs that have it."""


class Verb:
    """What stands behind one word of the command line. A plain class, for `dataclasses` takes longer than an answer.

    `words` say what it does, in small letters and without a full stop; `does` is the function that carries it out, as
    "module:function", and is imported only then; `options` adds what may stand behind the verb, `--json` included;
    `examples` teach it: lines of a command, and behind three spaces or more what it does; `notes` say what else there
    is to know; `one` is what exit code 1 means, if it can be that. A `hidden` verb is called by programs and is in no
    list.
    """

    __slots__ = ("does", "examples", "hidden", "name", "notes", "one", "options", "words")

    def __init__(
        self,
        name: str,
        words: str,
        *,
        does: str,
        options: "Callable[[argparse.ArgumentParser], None]",
        examples: str = "",
        notes: str = "",
        one: str = "",
        hidden: bool = False,
    ) -> None:
        self.name = name
        self.words = words
        self.does = does
        self.options = options
        self.examples = examples
        self.notes = notes
        self.one = one
        self.hidden = hidden


def find(name: str) -> Verb | None:
    """The verb of that name, if there is one."""
    for theme in THEMES:
        for verb in _of(theme):
            if verb.name == name:
                return verb
    return None


def every() -> Iterator[Verb]:
    """All verbs that a person may type, in the order of help."""
    for _, verbs in by_theme():
        yield from verbs


def by_theme() -> Iterator[tuple[str, list[Verb]]]:
    """The words for each theme, with its verbs that a person may type, in the order of help."""
    for theme, words in SHOWN.items():
        yield words, [verb for verb in _of(theme) if not verb.hidden]


def _of(theme: str) -> tuple[Verb, ...]:
    """The verbs of a theme. `importlib` would be one more module to load."""
    found: tuple[Verb, ...] = __import__(f"{__name__}.{theme}", fromlist=("VERBS",)).VERBS
    return found


def json_option(parser: "argparse.ArgumentParser") -> None:
    """The option that every verb has which has something to say."""
    parser.add_argument("--json", action="store_true", help="print JSON")
