"""Which tools and which files of the repository a shell command runs.

`npm run` and `make` are followed into package.json and the Makefile. It is a reading, not a shell: what a command
computes is not seen.
"""

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

Reader = Callable[[str], bytes | None]
"""A file as it stands in a commit; `None` if it is not there."""

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
NODE_TOOLS = frozenset({"npm", "pnpm", "yarn", "bun", "npx"})

_OPERATOR = re.compile(r"[();<>|&]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_WRAPPERS = frozenset({"env", "exec", "time", "nice", "command", "npx", "bunx", "xvfb-run", "sudo"})
_RUNNERS = {
    "uv": "run",
    "poetry": "run",
    "pipenv": "run",
    "pdm": "run",
    "hatch": "run",
    "rye": "run",
    "bundle": "exec",
}
_INTERPRETER = re.compile(r"(?:sh|bash|dash|zsh|ksh|python[\d.]*|node|deno|ruby|perl|php|tsx|ts-node|source|\.)")
_NODE_SCRIPT = re.compile(r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+|run-script\s+)?([\w:.-]+)")
_NOT_OUR_SCRIPTS = frozenset({"install", "ci", "add", "exec", "dlx", "run"})
_RULE = re.compile(r"^([\w./ -]+):(?!=)([^\n]*)\n((?:\t[^\n]*\n?)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What commands run: names of tools, and paths that may be files of the repository."""

    tools: frozenset[str]
    paths: frozenset[str]


def programs(commands: Iterable[str], read: Reader) -> Programs:
    """The programs of some commands, and of those that they run by `make` and `npm`."""
    scripts, rules = _node_scripts(read("package.json")), _make_rules(read)
    waiting = list(commands)
    seen: set[str] = set()
    tools: set[str] = set()
    paths: set[str] = set()
    while waiting:
        command = waiting.pop()
        if command in seen:
            continue
        seen.add(command)
        for folder, words in _simple_commands(command):
            tools.add(posixpath.basename(words[0]))
            paths |= {posixpath.normpath(posixpath.join(folder, path)) for path in _files_run(words)}
            if words[0] in {"make", "gmake"}:
                waiting += _made(words, rules)
        for name in _NODE_SCRIPT.findall(command):
            if name not in _NOT_OUR_SCRIPTS:
                waiting += [scripts[whole] for whole in (f"pre{name}", name, f"post{name}") if whole in scripts]
    return Programs(tools=frozenset(tools), paths=frozenset(paths))


def _simple_commands(command: str) -> Iterator[tuple[str, list[str]]]:
    """Each simple command without assignments and wrappers, and the folder where it runs: where `cd` led."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        words = _OPERATOR.sub(r" \g<0> ", command).split()
    folder = ""
    simple: list[str] = []
    for word in (*words, ";"):
        if not _OPERATOR.fullmatch(word):
            simple.append(word)
            continue
        simple = _without_wrappers(simple)
        if len(simple) == 2 and simple[0] == "cd":
            folder = posixpath.join(folder, simple[1])
        elif simple:
            yield folder, simple
        simple = []


def _without_wrappers(words: list[str]) -> list[str]:
    """The command itself: `env A=1 timeout 60 uv run x` is `x`."""
    while words:
        first = words[0]
        if _ASSIGNMENT.match(first) or first in _WRAPPERS:
            words = words[1:]
        elif first == "timeout":
            words = [word for word in words[1:] if not word.startswith("-")][1:]
        elif len(words) > 2 and _RUNNERS.get(first) == words[1]:
            words = words[2:]
            while words and words[0].startswith("-"):
                words = words[1:]
        else:
            break
    return words


def _files_run(words: Sequence[str]) -> Iterator[str]:
    """The file that a simple command executes, if it could be one of the repository's."""
    if not _INTERPRETER.fullmatch(posixpath.basename(words[0])):
        if "/" in words[0]:
            yield words[0]
        return
    for position, word in enumerate(words[1:], start=1):
        if word == "-m" and position + 1 < len(words):
            module = words[position + 1].replace(".", "/")
            yield from (f"{module}.py", f"{module}/__main__.py")
            return
        if word == "-c":
            return
        if not word.startswith("-"):
            yield word
            return


def _node_scripts(content: bytes | None) -> dict[str, str]:
    try:
        package = json.loads((content or b"{}").decode(errors="replace"))
    except (json.JSONDecodeError, RecursionError):
        return {}
    scripts = package.get("scripts") if isinstance(package, dict) else None
    return {name: text for name, text in scripts.items() if isinstance(text, str)} if isinstance(scripts, dict) else {}


def _make_rules(read: Reader) -> dict[str, tuple[list[str], list[str]]]:
    """For each target of the Makefile what it depends on, and its recipe."""
    content = next((content for name in MAKEFILES if (content := read(name)) is not None), b"")
    rules: dict[str, tuple[list[str], list[str]]] = {}
    for targets, needs, recipe in _RULE.findall(content.decode(errors="replace").replace("\\\n", " ")):
        for target in targets.split():
            needed, lines = rules.setdefault(target, ([], []))
            needed += needs.split("#")[0].split(";")[0].split()
            lines += [line.lstrip("\t@-+ ") for line in recipe.splitlines()]
            lines += needs.partition(";")[2:]
    return rules


def _made(words: Sequence[str], rules: dict[str, tuple[list[str], list[str]]]) -> list[str]:
    """The recipes that a call of make runs, prerequisites included."""
    waiting = [word for word in words[1:] if word in rules] or list(rules)[:1]
    seen: set[str] = set()
    recipes: list[str] = []
    while waiting:
        target = waiting.pop()
        if target not in seen and target in rules:
            seen.add(target)
            needs, lines = rules[target]
            waiting += needs
            recipes += lines
    return recipes
