"""Which scripts of a package.json a command runs."""

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

NODE_TOOLS = frozenset({"npm", "pnpm", "yarn", "bun", "npx", "bunx"})

_MANAGERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_FOLDER = frozenset({"--prefix", "-C", "--dir", "--cwd"})
_VALUED = _FOLDER | frozenset({"-w", "--workspace", "--filter", "-F", "--loglevel"})
# Words that stand before the name of a script, with how many go with each.
_BEFORE = {"run": 1, "run-script": 1, "rum": 1, "urn": 1, "workspace": 2, "workspaces": 1}
_ALIASES: Mapping[str, tuple[str, ...]] = {"t": ("test",), "tst": ("test",), "it": ("install", "test")}
_INSTALLS = frozenset({"install", "ci", "i", "clean-install", "install-ci-test", "cit"})
_LIFECYCLE = ("preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare")


def scripts_run(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The folder of the package, seen from where the command runs, and the names of its scripts; `*` is any text."""
    tool = posixpath.basename(words[0])
    if tool in {"node", "nodejs"}:
        return "", tuple(words[at + 1] for at, word in enumerate(words[:-1]) if word == "--run")
    if tool in {"npm-run-all", "run-s", "run-p", "npm-run-all2"}:
        return "", tuple(word for word in words[1:] if not word.startswith("-"))
    if tool == "concurrently":
        named = (word.partition(":") for word in words[1:])
        return "", tuple(name for manager, _, name in named if manager in _MANAGERS and name)
    if tool not in _MANAGERS:
        return "", ()
    folder, rest = _arguments(words)
    return folder, _named(rest or (["install"] if tool == "yarn" else []))


def _named(arguments: Sequence[str]) -> tuple[str, ...]:
    """The scripts that the arguments of a package manager name."""
    rest = list(arguments)
    while rest and rest[0] in _BEFORE:
        rest = rest[_BEFORE[rest[0]] :]
    if rest and rest[0] in _INSTALLS:
        return _LIFECYCLE + (("test",) if rest[0] in {"cit", "install-ci-test"} else ())
    return _ALIASES.get(rest[0], (rest[0],)) if rest else ()


def commands_given(words: Sequence[str]) -> tuple[str, ...]:
    """The shell texts that a tool like `concurrently` gets as arguments."""
    if posixpath.basename(words[0]) in {"concurrently", "start-server-and-test"}:
        return tuple(word for word in words[1:] if not word.startswith("-"))
    return ()


def texts(content: bytes | None, names: Sequence[str]) -> Iterator[str]:
    """What these scripts of a package.json are, and what runs before and after them."""
    scripts = _scripts(content)
    for name, text in scripts.items():
        for wanted in names:
            if any(fnmatchcase(name, f"{prefix}{wanted}") for prefix in ("", "pre", "post")):
                yield text


def _arguments(words: Sequence[str]) -> tuple[str, list[str]]:
    folder = ""
    arguments: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            break
        if name in _VALUED:
            following = value if equals else next(rest, "")
            folder = following if name in _FOLDER else folder
        elif not word.startswith("-"):
            arguments.append(word)
    return folder, arguments


def _scripts(content: bytes | None) -> Mapping[str, str]:
    try:
        package = json.loads((content or b"{}").decode(errors="replace"))
    except (json.JSONDecodeError, RecursionError):
        return {}
    scripts = package.get("scripts") if isinstance(package, dict) else None
    return {name: text for name, text in scripts.items() if isinstance(text, str)} if isinstance(scripts, dict) else {}
