"""Makefiles, as far as it matters what they run: rules, variables, what they include."""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Reader = Callable[[str], bytes | None]
"""A file as it stands in a commit; `None` if it is not there or no regular file."""

# The parser of Python runs out of memory of its own on nesting that is too deep.
UNPARSABLE = (ValueError, SyntaxError, RecursionError, MemoryError)
"""What parsers raise for a text that is none of theirs."""

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
"""The names that make looks for, in its order; it reads the first only."""

_INCLUDE = re.compile(r"^ *(?:-|s)?include[ \t]+([^\n#]+)", re.MULTILINE)
_VARIABLE = re.compile(r"^ *(?:export |override )*([\w.-]+)[ \t]*(?:::?:?|\?|\+|!)?=[ \t]*([^\n#]*)", re.MULTILINE)
_RULE = re.compile(
    r"^([^\s#:=][^\n#:=]*)::?(?![:=])([^\n]*)\n?((?:(?:\t[^\n]*|[ ]*\#[^\n]*)?(?:\n|\Z))*)", re.MULTILINE
)
_USE = re.compile(r"\$[({]([\w.-]+)[)}](?=(/?))")
_CALL = re.compile(r"\$[({](?:shell)[ \t]+")
_VALUED = frozenset({"-C", "--directory", "-f", "--file", "--makefile", "-I", "--include-dir", "-o", "-W", "-E"})
_MOST_FILES = 50
_MOST_TEXT = 20_000


@dataclass(slots=True, kw_only=True)
class _Makefile:
    """What some files that are read as one say."""

    paths: list[str] = field(default_factory=list)
    rules: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=lambda: {"MAKE": "make", "CURDIR": ".", "SHELL": "/bin/sh"})
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a call of make runs: recipes, the folder where they run, and the files that say so."""

    folder: str
    recipes: tuple[str, ...]
    paths: tuple[str, ...]


def made(words: Sequence[str], *, folder: str, read: Reader) -> Made:
    """What a call of make in a folder runs, prerequisites included. Without a target that is known, all there is."""
    options, goals = _arguments(words)
    for name, value in options:
        if name in {"-C", "--directory"}:
            folder = posixpath.normpath(posixpath.join(folder, value))
    named = [posixpath.join(folder, value) for name, value in options if name in {"-f", "--file", "--makefile"}]
    makefile = _read(named or _found(folder, read), folder=folder, read=read)
    assigned = dict(word.split("=", 1) for word in words[1:] if re.match(r"\w+=", word))
    variables = makefile.variables | assigned
    recipes = [*makefile.commands, *_recipes(makefile, goals)]
    shell = variables["SHELL"]
    texts = [_expanded(recipe, variables) for recipe in recipes]
    return Made(folder=folder, recipes=(*texts, *([shell] if shell != "/bin/sh" else [])), paths=tuple(makefile.paths))


def _arguments(words: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The options with a value, and the targets."""
    options: list[tuple[str, str]] = []
    goals: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _VALUED:
            options.append((name, value if equals else next(rest, "")))
        elif word[:2] in _VALUED and not word.startswith("--"):
            options.append((word[:2], word[2:]))
        elif not word.startswith("-") and not equals:
            goals.append(word)
    return options, goals


def _found(folder: str, read: Reader) -> list[str]:
    """The file that make takes by itself. The last is named also where none can be read: it may be a link."""
    paths = [posixpath.normpath(posixpath.join(folder, name)) for name in MAKEFILES]
    return next(([path] for path in paths if read(path) is not None), paths)


def _read(paths: Sequence[str], *, folder: str, read: Reader) -> _Makefile:
    makefile = _Makefile()
    waiting = list(paths)
    while waiting and len(makefile.paths) < _MOST_FILES:
        path = posixpath.normpath(waiting.pop(0))
        if path in makefile.paths:
            continue
        makefile.paths.append(path)
        text = (read(path) or b"").decode(errors="replace").replace("\\\n", " ")
        for name, value in _VARIABLE.findall(text):
            makefile.variables[name] = value.strip()
        for names in _INCLUDE.findall(text):
            waiting += [posixpath.join(folder, name) for name in _expanded(names, makefile.variables).split()]
        makefile.commands += [text[match.end() : _end(text, match.end())] for match in _CALL.finditer(text)]
        _take_rules(makefile, text)
    return makefile


def _end(text: str, start: int) -> int:
    """The end of the line, closing parentheses aside."""
    end = text.find("\n", start)
    return start + len(text[start : end if end >= 0 else len(text)].rstrip(")} \t"))


def _take_rules(makefile: _Makefile, text: str) -> None:
    for targets, needs, recipe in _RULE.findall(text):
        wanted, _, inline = _expanded(needs.split("#")[0], makefile.variables).partition(";")
        for target in _expanded(targets, makefile.variables).split():
            needed, lines = makefile.rules.setdefault(target, ([], []))
            needed += wanted.replace("|", " ").split()
            lines += [inline, *(line.lstrip("\t@-+ ") for line in recipe.splitlines())]


def _recipes(makefile: _Makefile, goals: Sequence[str]) -> list[str]:
    rules = makefile.rules
    first = [name for name in rules if not name.startswith(".")][:1]
    waiting = list(goals) if goals else first
    seen: set[str] = set()
    recipes: list[str] = []
    while waiting:
        goal = waiting.pop()
        for target in [goal] if goal in rules else [one for one in rules if _matches(one, goal)]:
            if target not in seen:
                seen.add(target)
                needs, lines = rules[target]
                waiting += needs
                recipes += lines
    return recipes


def _matches(pattern: str, goal: str) -> bool:
    start, percent, end = pattern.partition("%")
    return bool(percent) and goal.startswith(start) and goal.endswith(end)


def _expanded(text: str, variables: dict[str, str]) -> str:
    """The text with its variables, over and over, for they are made of others. Unset ones are empty, or the folder."""
    for _ in range(5):
        text = _USE.sub(lambda match: variables.get(match[1], match[2] and "."), text)[:_MOST_TEXT]
    return text.replace("$$", "$")
