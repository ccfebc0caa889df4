"""Commands that only start another one: `env`, `timeout`, `uv run` and their like."""

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bandstand.domain.detection.shell import ASSIGNMENT

_WRAPPERS: Mapping[str, str] = {
    "env": "-u --unset -C --chdir",
    "exec": "-a",
    "command": "",
    "builtin": "",
    "time": "-f -o --format --output",
    "nice": "-n --adjustment",
    "ionice": "-c -n -p",
    "timeout": "-k -s --kill-after --signal",
    "gtimeout": "-k -s --kill-after --signal",
    "stdbuf": "-i -o -e",
    "nohup": "",
    "setsid": "",
    "sudo": "-u -g -h -p -C -D",
    "doas": "-u",
    "flock": "-w -E --wait --timeout",
    "xargs": "-n -P -I -L -d -a -s -E",
    "parallel": "-j -a --jobs",
    "xvfb-run": "-s -n -e -f -w --server-args",
    "dbus-run-session": "--config-file",
    "chronic": "",
    "unbuffer": "",
    "taskset": "",
    "npx": "-p --package",
    "bunx": "",
    "uvx": "--from --with -p --python",
    "pipx": "--spec",
    "dotenv": "-e -f",
    "dotenvx": "-f",
    "cross-env": "",
    "strace": "-e -o -s",
    "catchsegv": "",
}
_POSITIONAL = {"timeout": 1, "gtimeout": 1, "flock": 1, "taskset": 1}
_RUNNERS: Mapping[str, Collection[str]] = {
    "uv": {"run"},
    "poetry": {"run"},
    "pipenv": {"run"},
    "pdm": {"run"},
    "hatch": {"run"},
    "rye": {"run"},
    "pixi": {"run"},
    "conda": {"run"},
    "mamba": {"run"},
    "micromamba": {"run"},
    "pipx": {"run"},
    "dotenv": {"run"},
    "dotenvx": {"run"},
    "bundle": {"exec"},
    "npm": {"exec", "x"},
    "pnpm": {"exec", "dlx"},
    "yarn": {"exec", "dlx"},
    "bun": {"x"},
    "mise": {"exec", "x"},
    "direnv": {"exec"},
    "opam": {"exec"},
    "doppler": {"run"},
}
_RUNNER_VALUED = frozenset(
    {"--with", "--with-editable", "--with-requirements", "--extra", "--group", "--only-group", "--no-group", "--python"}
    | {"-p", "--project", "--directory", "--env-file", "--index-url", "--package", "-n", "--name", "--cwd", "-e"}
    | {"--environment", "-C", "--filter", "-w", "--workspace"}
)
_TEXTS = {"env": {"-S", "--split-string"}, "npx": {"-c", "--call"}, "xvfb-run": set(), "flock": {"-c", "--command"}}
_FIND_RUNS = {"-exec", "-execdir", "-ok", "-okdir"}


@dataclass(slots=True, kw_only=True)
class Unwrapped:
    """The commands that are left, the tools that were on the way, the variables they set, and shell text they run."""

    commands: list[tuple[str, ...]] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


def unwrapped(words: Sequence[str], *, functions: Collection[str] = ()) -> Unwrapped:
    """What `env A=1 timeout 60 uv run x` comes to. A function of the shell may run any of its arguments."""
    found = Unwrapped()
    waiting = [tuple(words)]
    while waiting:
        current = waiting.pop()
        if not current:
            continue
        tool = posixpath.basename(current[0])
        assigned = ASSIGNMENT.fullmatch(current[0])
        if assigned is not None:
            found.variables[assigned[1]] = assigned[2]
            waiting.append(current[1:])
        elif current[0] in functions:
            found.commands += [current[start:] for start in range(len(current))]
        elif tool == "find":
            waiting += _found(current)
        elif (inner := _inner(tool, current, found.texts)) is not None:
            found.tools.append(tool)
            waiting.append(inner)
        else:
            found.commands.append(current)
    return found


def _inner(tool: str, words: tuple[str, ...], texts: list[str]) -> tuple[str, ...] | None:
    """What a wrapper starts; `None` if the command is none."""
    at = next((at for at, word in enumerate(words[1:], start=1) if not word.startswith("-")), 0)
    if at and words[at] in _RUNNERS.get(tool, ()):
        return _without_options(words[at + 1 :], _RUNNER_VALUED, (), texts)
    if tool not in _WRAPPERS:
        return None
    rest = _without_options(words[1:], frozenset(_WRAPPERS[tool].split()), _TEXTS.get(tool, ()), texts)
    return rest[_POSITIONAL.get(tool, 0) :]


def _without_options(
    words: tuple[str, ...], valued: Collection[str], texts_of: Collection[str], texts: list[str]
) -> tuple[str, ...]:
    at = 0
    while at < len(words) and words[at].startswith("-"):
        name, _, value = words[at].partition("=")
        following = words[at + 1] if at + 1 < len(words) else ""
        if name == "--":
            return words[at + 1 :]
        if name in texts_of:
            texts.append(value or following)
        if name in {"-m", "--module"}:
            return ("python", *words[at:])
        at += 2 if not value and (name in valued or name in texts_of) else 1
    return words[at:]


def _found(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for at, word in enumerate(words):
        if word in _FIND_RUNS:
            yield words[at + 1 :]
