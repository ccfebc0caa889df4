"""Which file, module or text an interpreter or a test runner is told to run."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_KINDS = (
    ("shell", re.compile(r"(?:sh|bash|dash|zsh|ksh|ash|busybox|source|\.)")),
    ("python", re.compile(r"python[\d.]*|pypy[\d.]*|py|ipython")),
    ("coverage", re.compile(r"coverage[\d.]*")),
    ("node", re.compile(r"node|nodejs|tsx|ts-node|bun|deno|electron|c8|nyc")),
    ("other", re.compile(r"ruby|perl|php|lua|Rscript|julia|elixir|groovy|bats|run-parts|osascript|pwsh|tclsh|expect")),
)
_VALUED: Mapping[str, frozenset[str]] = {
    "shell": frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}),
    "python": frozenset({"-W", "-X", "-Q", "--check-hash-based-pycs"}),
    "coverage": frozenset({"--source", "--include", "--omit", "--data-file", "--context", "--concurrency", "--rcfile"}),
    "node": frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions"}),
    "other": frozenset({"-I", "-r", "-d", "-C", "-M"}),
}
_TEXT_OPTIONS = {"node": {"-e", "--eval", "-p", "--print"}, "other": {"-e", "-E"}}
_NODE_LOADS = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader"})
_NODE_VERBS = frozenset({"run", "test", "task", "exec", "watch"})
# Where a test runner or a linter is told to read settings or code. pip's `-r` names what to install, and is none.
_CONFIG = frozenset(
    [
        "--config",
        "--config-file",
        "--configfile",
        "--rcfile",
        "--require",
        "--setup",
        "--conf",
        "--justfile",
        "--taskfile",
        "--noxfile",
        "--tsconfig",
        "--setupFiles",
        "--globalSetup",
        "--build-file",
        "--settings-file",
        "--init-script",
        "--manifest-path",
    ]
)
_CONFIG_OF: Mapping[str, frozenset[str]] = {
    "pytest": frozenset({"-c", "--rootdir"}),
    "py.test": frozenset({"-c", "--rootdir"}),
    "tox": frozenset({"-c", "--conf"}),
    "nox": frozenset({"-f"}),
    "just": frozenset({"-f"}),
    "task": frozenset({"-t"}),
    "mocha": frozenset({"-r"}),
    "jest": frozenset({"-c"}),
    "vitest": frozenset({"-c"}),
    "eslint": frozenset({"-c"}),
    "rspec": frozenset({"-r", "-O"}),
    "phpunit": frozenset({"-c"}),
    "golangci-lint": frozenset({"-c"}),
    "gradle": frozenset({"-b", "-c", "-I"}),
    "gradlew": frozenset({"-b", "-c", "-I"}),
    "mvn": frozenset({"-f", "-s"}),
    "ninja": frozenset({"-f"}),
    "rake": frozenset({"-f"}),
    "tsc": frozenset({"-p", "--project"}),
}
_EXECUTABLE = re.compile(r".+\.(?:py|sh|bash|[cm]?[jt]s|rb|pl|php|bats|ps1)")


@dataclass(slots=True, kw_only=True)
class Told:
    """Files to run, Python modules to run or load, shell text, and a command that a module stands for.

    `scripts` are the files that a shell reads, `here` says whether modules are looked for in the current folder first.
    """

    paths: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    command: tuple[str, ...] = ()
    here: bool = False


def told(words: Sequence[str], *, inputs: Sequence[str] = ()) -> Told:
    """What a simple command without its wrappers is told to run; `inputs` is what it reads."""
    tool = posixpath.basename(words[0])
    found = Told()
    kind = next((kind for kind, pattern in _KINDS if pattern.fullmatch(tool)), "")
    if kind:
        _interpreted(kind, words, found)
        found.paths += inputs
        if kind == "shell":
            found.scripts = [*found.paths]
    if ("/" in words[0] or _EXECUTABLE.fullmatch(words[0])) and not words[0].startswith("/"):
        found.paths.append(words[0])
        found.scripts.append(words[0])
    _configured(tool, words, found)
    _by_folder(tool, words, found)
    return found


def _interpreted(kind: str, words: Sequence[str], found: Told) -> None:
    found.here = kind in {"python", "coverage"}
    rest = list(words[1:])
    text = False
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith(("-", "+")) or word == "-":
            _argument(kind, word, rest, text=text, found=found)
            if kind not in {"coverage", "node"} or word not in {"run", *_NODE_VERBS}:
                return
        elif kind == "shell" and re.fullmatch(r"-\w*c\w*", word):
            text = True
            rest = rest[1:] if word.endswith("o") else rest
        elif kind in {"python", "coverage"} and (module := re.fullmatch(r"-[A-Za-z]*?m([\w.]*)", word)):
            _module([module[1], *rest] if module[1] else rest, found)
            return
        elif word in _TEXT_OPTIONS.get(kind, ()) or (kind == "python" and re.fullmatch(r"-\w*c", word)):
            return
        elif name in _VALUED[kind] or (kind == "shell" and re.fullmatch(r"[-+]\w*o", word)):
            following = value if equals else (rest.pop(0) if rest else "")
            found.paths += [following] if name in _NODE_LOADS or name.endswith("file") else []


def _argument(kind: str, word: str, rest: Sequence[str], *, text: bool, found: Told) -> None:
    if text:
        found.texts.append(word)
    elif kind == "node" and posixpath.basename(word) in {"c8", "nyc"}:
        found.command = (word, *rest)
    else:
        found.paths.append(word)
        if kind in {"python", "coverage"}:
            found.paths.append(posixpath.join(word, "__main__.py"))


def _module(words: Sequence[str], found: Told) -> None:
    if words:
        found.modules.append(words[0])
        found.command = tuple(words)


def _configured(tool: str, words: Sequence[str], found: Told) -> None:
    """Settings and code that an option names, whatever the tool; short options differ from tool to tool."""
    short = _CONFIG_OF.get(tool, frozenset())
    for at, word in enumerate(words[1:], start=1):
        name, equals, value = word.partition("=")
        following = value if equals else (words[at + 1] if at + 1 < len(words) else "")
        if name in _CONFIG or name in short:
            found.paths.append(following)
        elif word[:2] in short and not word.startswith("--"):
            found.paths.append(word[2:])
        elif tool in {"pytest", "py.test"} and word.startswith("-p") and not word.startswith("--"):
            found.modules.append(word[2:] or following)


def _by_folder(tool: str, words: Sequence[str], found: Told) -> None:
    """Programs that are built from a folder of the repository."""
    if tool == "go" and "run" in words[1:2]:
        package = next((word for word in words[2:] if not word.startswith("-")), "")
        found.paths.append(package if package.endswith(".go") else posixpath.join(package, "*"))
    elif tool == "cargo" and "xtask" in words[1:]:
        found.paths.append("xtask/*")
