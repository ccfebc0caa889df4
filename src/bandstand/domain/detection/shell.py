"""Shell text as simple commands: a reading, not a shell.

It errs to one side. A branch that may not be taken is taken, a folder that was once entered may still be the current
one, a variable that nobody set is empty. What a command computes is not seen.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

_TOKEN = re.compile(
    r"""
    (?P<gap>[ \t\r\f\v]+ | \\\n | (?<![^\s;&|()])\#[^\n]*)
  | (?P<redirect>\d*(?:<<<|<<-?|<>|<&|>&|>>|>\||<(?!\()|>(?!\()) | &>>?)
  | (?P<operator>&& | \|\| | ;;&? | ;& | \|& | [<>]\( | [;&|()\n])
  | (?P<word>(?:\\[^\n] | '[^']*' | "(?:\\[\s\S]|[^"\\])*" | [^\s;&|()<>'"\\])+)
  | (?P<stray>[\s\S])
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r"""'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])""")
_BACKTICKS = re.compile(r"`([^`]*)`")
_VARIABLE = re.compile(r"\$(?:(\w+|[@*#?!$-])|\{(\w+)(?::?[-=+?]([^}]*)|[^}]*)\})")
_ALTERNATIVES = re.compile(r"\{[^{},]*,[^{}]*\}")
_FUNCTION = re.compile(r"(?m)(?:^|[;&|{(]|\bfunction\b)\s*([\w-]+)\s*\(\s*\)|\bfunction\s+([\w-]+)")
_BRACKET = re.compile(r"\\[\s\S]|'[^']*'|[()]|\bcase\s[^\n;()]*?\sin\b|\besac\b")
_SUBSTITUTED = "$_"
_KEYWORDS = frozenset(
    {"if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}", "esac", "coproc", "function"}
)
_COMPOUND = _KEYWORDS | {"for", "select", "case", "time"}
_SETTERS = frozenset({"export", "declare", "typeset", "local", "readonly"})
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.DOTALL)
_MOST_VALUES = 40
_DEEPEST = 12
_MOST_FOLDERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """One simple command: where it may run, its words, the variables that it or its shell sets, what it reads.

    `words` is empty where variables are all there is. `inputs` are files that are its standard input.
    """

    folders: tuple[str, ...]
    words: tuple[str, ...]
    variables: Mapping[str, str]
    inputs: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known at one point of the text."""

    folders: list[str]
    values: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    piped: tuple[str, ...] = ()


def functions(text: str) -> frozenset[str]:
    """The names of the shell functions that a text defines."""
    return frozenset(one or other for one, other in _FUNCTION.findall(text))


def simple_commands(text: str, *, folders: tuple[str, ...] = ("",)) -> Iterator[Simple]:
    """The simple commands of a text that runs in one of some folders, those of substitutions included."""
    waiting = [(text, 0)]
    reading = _Reading(folders=list(folders))
    while waiting:
        current, depth = waiting.pop()
        if depth == _DEEPEST:
            yield from _commands(current.replace("$(", "\n(").replace("`", "\n"), reading)
            continue
        plain, inner = _without_substitutions(current)
        waiting += [(one, depth + 1) for one in inner]
        yield from _commands(plain, reading)


def _without_substitutions(text: str) -> tuple[str, list[str]]:
    """The text without what `$(…)` and backticks hold, and that."""
    inner: list[str] = []

    def keep(match: re.Match[str]) -> str:
        inner.append(match[1])
        return _SUBSTITUTED

    text = _BACKTICKS.sub(keep, text)
    pieces: list[str] = []
    end = 0
    while (start := text.find("$(", end)) >= 0:
        close = _closing(text, start + 2)
        inner.append(text[start + 2 : close])
        pieces += [text[end:start], _SUBSTITUTED]
        end = close + 1
    return "".join([*pieces, text[end:]]), inner


def _closing(text: str, start: int) -> int:
    """Where the parenthesis that was opened before `start` is closed; the end of the text if it is not.

    Those that end a pattern of `case` were never opened.
    """
    depth, cases = 1, list[int]()
    for match in _BRACKET.finditer(text, start):
        token = match[0]
        if token.startswith("case"):
            cases.append(depth)
        elif token == "esac":
            cases = cases[:-1]
        elif token == "(":
            depth += 1
        elif token == ")" and depth not in cases[-1:]:
            depth -= 1
        if depth == 0:
            return match.start()
    return len(text)


def _commands(text: str, reading: _Reading) -> Iterator[Simple]:
    redirect = ""
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup, match[0]
        if kind == "redirect":
            redirect = token.lstrip("0123456789")
        elif kind == "word":
            word = _unquoted(token)
            if not redirect:
                reading.words.append(word)
            elif redirect == "<":
                reading.inputs.append(word)
            redirect = ""
        elif kind == "operator":
            yield from _ended(reading, pipes=token in {"|", "|&"})
    yield from _ended(reading, pipes=False)


def _ended(reading: _Reading, *, pipes: bool) -> Iterator[Simple]:
    """The commands that some words make, one for each value that a variable in them may have."""
    words, inputs = reading.words, [one for word in reading.inputs for one in _expanded(word, reading.values)]
    reading.words, reading.inputs = [], []
    while words and (words[0] in _KEYWORDS or (words[0] == "time" and {*words[1:2]} & _COMPOUND)):
        words = words[1:]
    if words and words[0] in {"for", "select"}:
        reading.values[words[1] if len(words) > 1 else ""] = [
            one for word in words[3:] for one in _expanded(word, reading.values)
        ]
        return
    variables = _assigned(words, reading.values)
    count = next((at for at, word in enumerate(words) if not ASSIGNMENT.fullmatch(word)), len(words))
    if count == len(words) or words[count] in _SETTERS:
        reading.values.update({name: [value] for name, value in variables.items()})
    feeding: tuple[str, ...] = ()
    for expanded in _alternatives(words[count:], reading.values):
        if expanded[0] in {"cd", "pushd"}:
            _enter(reading, [word for word in expanded[1:] if not word.startswith("-")])
        elif expanded[0] == "cat" and pipes:
            feeding = expanded[1:]
        yield Simple(
            folders=tuple(reading.folders), words=expanded, variables=variables, inputs=(*inputs, *reading.piped)
        )
    if variables and count == len(words):
        yield Simple(folders=tuple(reading.folders), words=(), variables=variables)
    reading.piped = feeding


def _enter(reading: _Reading, target: list[str]) -> None:
    """Any of the folders so far may be the one that is left, or the one where it goes on."""
    if target and not target[0].startswith("/"):
        entered = [posixpath.normpath(posixpath.join(folder, target[0])) for folder in reading.folders]
        found = dict.fromkeys([*reading.folders, *("" if one == "." else one for one in entered)])
        reading.folders = list(found)[:_MOST_FOLDERS]


def _assigned(words: list[str], values: Mapping[str, list[str]]) -> dict[str, str]:
    """The variables that stand before a command, or that one like `export` sets."""
    found: dict[str, str] = {}
    for word in words:
        match = ASSIGNMENT.fullmatch(word)
        if match is not None:
            found[match[1]] = next(_expanded(match[2], values), "")
        elif word not in _SETTERS and not word.startswith("-"):
            break
    return found


def _alternatives(words: list[str], values: Mapping[str, list[str]]) -> Iterator[tuple[str, ...]]:
    """The words with their variables replaced. A word with several values gives as many commands."""
    choices = [list(islice(_expanded(word, values), _MOST_VALUES)) for word in words]
    for number in range(max(map(len, choices), default=0)):
        expanded = [one for choice in choices for one in (choice[min(number, len(choice) - 1)],)]
        if expanded and not expanded[0]:
            expanded = expanded[1:]
        if expanded:
            yield tuple(expanded)


def _expanded(word: str, values: Mapping[str, list[str]]) -> Iterator[str]:
    """A word for each value of the first variable in it with several. Braces are any text."""
    names = [one or other for one, other, _ in _VARIABLE.findall(word)]
    several = next((values[name] for name in names if len(values.get(name, ())) > 1), [""])
    for value in several[:_MOST_VALUES]:

        def replaced(match: re.Match[str], value: str = value) -> str:
            name = match[1] or match[2]
            known = values.get(name, [match[3] or ""])
            return value if len(known) > 1 else "".join(known)

        text = _VARIABLE.sub(replaced, word)
        rooted = text.startswith("/") and not word.startswith("/")
        # A path below a folder that is not known is taken to lie at the top of the repository.
        yield _ALTERNATIVES.sub("*", f"./{text.lstrip('/')}" if rooted else text)


def _unquoted(token: str) -> str:
    def plain(match: re.Match[str]) -> str:
        single, double, escaped = match.groups()
        if single is not None:
            return str(single)
        return re.sub(r'\\([\\"$`])', r"\1", double.replace("\\\n", "")) if double is not None else str(escaped)

    return _QUOTED.sub(plain, token)
