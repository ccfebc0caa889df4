"""Which tools and which files of the repository some shell commands run.

Commands are followed into what they run: package.json, Makefiles, the files of tox, nox and task runners, shell
scripts. It is a reading, not a shell: what a command computes is not seen, and where it is not clear, more is taken to
run than does.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from bandstand.domain.detection import makefiles, packages, runners
from bandstand.domain.detection.interpreters import told
from bandstand.domain.detection.makefiles import Reader
from bandstand.domain.detection.shell import Simple, functions, simple_commands
from bandstand.domain.detection.wrappers import unwrapped

_MOST_TEXTS = 500
_MOST_COMMANDS = 5_000
_MOST_CHARACTERS = 100_000
_SHEBANG = re.compile(rb"#![^\n]*\b(?:sh|bash|dash|zsh|ksh)\b")
_GLOB = re.compile(r"[*?\[]")
_LOADED = frozenset({"BASH_ENV", "ENV", "LD_PRELOAD", "RUSTC_WRAPPER", "RUSTC", "MAKEFILES", "COVERAGE_PROCESS_START"})
_MODULES = frozenset({"PYTEST_PLUGINS", "PYTHONBREAKPOINT"})
_OPTIONS = {"PYTEST_ADDOPTS": "pytest", "NODE_OPTIONS": "node"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """What commands run: names of tools, and paths that may be files of the repository.

    `search` are the folders where Python looks for modules before all others.
    """

    tools: frozenset[str]
    paths: frozenset[str]
    search: frozenset[str]

    def runs(self, path: str) -> bool:
        """Whether a path, or something below it where it should be a folder, is run."""
        return any(one == path or one.startswith(f"{path}/") for one in self.paths) or any(
            fnmatchcase(path, one) for one in self.paths if _GLOB.search(one)
        )

    def __or__(self, other: "Programs") -> "Programs":
        """What either runs."""
        return Programs(
            tools=self.tools | other.tools, paths=self.paths | other.paths, search=self.search | other.search
        )


def programs(commands: Iterable[str], read: Reader) -> Programs:
    """The programs of some commands, and of those that they run by files of the repository."""
    following = _Following(read=read, waiting=[(("",), command) for command in commands])
    following.follow()
    return following.found()


@dataclass(slots=True, kw_only=True)
class _Following:
    """What was found so far, and the texts that are still to be read, each with the folders where it may run."""

    read: Reader
    waiting: list[tuple[tuple[str, ...], str]]
    seen: set[tuple[tuple[str, ...], str]] = field(default_factory=set)
    count: int = 0
    asked: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    search: set[str] = field(default_factory=set)
    bins: set[str] = field(default_factory=set)

    def follow(self) -> None:
        """Read on until nothing is left, or so much was read that nobody wrote it by hand."""
        while self.waiting and len(self.seen) < _MOST_TEXTS:
            one = self.waiting.pop(0)
            if one in self.seen:
                continue
            self.seen.add(one)
            folders, text = one
            named = functions(text)
            for simple in simple_commands(text[:_MOST_CHARACTERS], folders=folders):
                self._simple(simple, named)

    def found(self) -> Programs:
        """All of it. A module may lie wherever Python looks."""
        paths = set(self.paths)
        for module in self.modules:
            file = module.replace(".", "/")
            for folder in {"", "src", *self.search}:
                paths |= {posixpath.join(folder, file + end) for end in (".py", "/__main__.py", "/__init__.py")}
        paths |= {posixpath.join(folder, tool) for folder in self.bins for tool in self.tools if tool}
        return Programs(
            tools=frozenset(self.tools),
            paths=frozenset(map(posixpath.normpath, paths - {""})) - {"."},
            search=frozenset(self.search),
        )

    def _simple(self, simple: Simple, named: frozenset[str]) -> None:
        inner = unwrapped(simple.words, functions=named)
        self.tools.update(inner.tools)
        self._variables({**simple.variables, **inner.variables}, simple.folders)
        self.waiting += [(simple.folders, text) for text in inner.texts]
        for words in inner.commands:
            self._command(words, simple)
        for tool in (*inner.tools, *(posixpath.basename(words[0]) for words in inner.commands)):
            if tool not in self.asked:
                self.asked.add(tool)
                self.waiting += [(("",), text) for text in runners.texts(tool, self.read)]

    def _command(self, words: Sequence[str], simple: Simple) -> None:
        self.count += 1
        if not words or self.count > _MOST_COMMANDS:
            return
        tool = posixpath.basename(words[0])
        self.tools.add(tool)
        run = told(words, inputs=simple.inputs)
        paths = self._at(run.paths, simple.folders)
        self.paths |= paths
        self.modules.update(run.modules)
        if run.here:
            self.search |= {*simple.folders, *map(posixpath.dirname, paths)}
        self._scripts(self._at(run.scripts, simple.folders), simple.folders, shell=run.scripts[:1] != [words[0]])
        texts = [*run.texts, *packages.commands_given(words)]
        if tool in {"eval", "trap"}:
            texts.append(" ".join(words[1:]) if tool == "eval" else "".join(words[1:2]))
        self.waiting += [(simple.folders, text) for text in texts]
        self._followed(tool, words, simple.folders)
        if run.command:
            self._command(run.command, simple)

    def _followed(self, tool: str, words: Sequence[str], folders: Sequence[str]) -> None:
        """Into Makefiles and packages."""
        for folder in folders:
            if tool in {"make", "gmake"}:
                made = makefiles.made(words, folder=folder, read=self.read)
                self.paths.update(made.paths)
                self.waiting += [((made.folder,), text) for text in made.recipes]
            below, names = packages.scripts_run(words)
            if names:
                where = _joined(folder, below)
                content = self.read(_joined(where, "package.json"))
                self.waiting += [((where,), text) for text in packages.texts(content, names)]

    def _scripts(self, paths: Iterable[str], folders: tuple[str, ...], *, shell: bool) -> None:
        """Into shell scripts. They find their neighbours by their own folder as well."""
        for path in paths:
            content = self.read(path)
            if content is not None and (shell or _SHEBANG.match(content) or path.endswith((".sh", ".bash"))):
                where = tuple(dict.fromkeys((*folders, posixpath.dirname(path))))
                self.waiting.append((where, content.decode(errors="replace")))

    def _variables(self, variables: dict[str, str], folders: Sequence[str]) -> None:
        for name, value in variables.items():
            if name == "PYTHONPATH":
                self.search |= self._at([part or "." for part in value.split(":")], folders)
            elif name == "PATH":
                self.bins |= self._at([part.lstrip("/") for part in value.split(":")[:1] if part], folders)
            elif name in _MODULES:
                self.modules.update(value.split(","))
            elif name in _LOADED:
                self.paths |= self._at([value], folders)
            elif name in _OPTIONS:
                self.waiting.append((tuple(folders), f"{_OPTIONS[name]} {value}"))

    def _at(self, paths: Iterable[str], folders: Iterable[str]) -> set[str]:
        """The paths seen from the top of the repository, for each folder that may be the current one."""
        known = [path for path in paths if path and not path.startswith("/")]
        return {_joined(folder, path) for folder in folders for path in known}


def _joined(folder: str, path: str) -> str:
    joined = posixpath.normpath(posixpath.join(folder, path))
    while joined.startswith("../"):
        joined = joined[3:]
    return "" if joined in {".", ".."} else joined
