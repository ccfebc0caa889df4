"""What tox, nox and the task runners are told by their files to run, as shell text."""

import ast
import configparser
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping

from bandstand.domain.detection.makefiles import UNPARSABLE, Reader

_PYPROJECT = {
    "hatch": ("hatch", "envs"),
    "pdm": ("pdm", "scripts"),
    "rye": ("rye", "scripts"),
    "poe": ("poe", "tasks"),
    "poethepoet": ("poe", "tasks"),
    "task": ("taskipy", "tasks"),
    "pixi": ("pixi",),
}
_LINES = {
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml"),
}
_BRACED = re.compile(r"\{(?:\[[^\]]*\]|[^{}])*\}/?")
_BEFORE = re.compile(r"^[\s@!-]*(?:(?:cmd|sh|run):\s*)?")


def texts(tool: str, read: Reader) -> Iterator[str]:
    """The shell texts that a tool takes from its own file at the top. All environments and tasks count."""
    if tool == "tox":
        yield from _tox_ini(read("tox.ini"))
        yield from _tox_ini(read("setup.cfg"))
        yield from _tox_toml(_toml(read("tox.toml")))
        yield from _tox_toml(_table(_toml(read("pyproject.toml")), "tool", "tox"))
    elif tool == "nox":
        yield from _noxfile(read("noxfile.py"))
    if tool in _PYPROJECT:
        yield from _strings(_table(_toml(read("pyproject.toml")), "tool", *_PYPROJECT[tool]))
    for name in _LINES.get(tool, ()):
        for line in (read(name) or b"").decode(errors="replace").splitlines():
            yield _BEFORE.sub("", line.replace("{{", "").replace("}}", ""))


def _tox_ini(content: bytes | None) -> Iterator[str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string((content or b"").decode(errors="replace"))
    except configparser.Error:
        return
    for section in parser.sections():
        for name, value in parser.items(section):
            if name.startswith("commands"):
                lines = value.replace("\\\n", " ").splitlines()
                yield from (_BRACED.sub("", re.sub(r"^[\s!-]+|^[\w,{}.!-]+:\s", "", line)) for line in lines)


def _tox_toml(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name.startswith("commands") and isinstance(inner, list):
                yield from (_BRACED.sub("", shlex.join(_strings(one))) for one in inner)
            elif name == "legacy_tox_ini" and isinstance(inner, str):
                yield from _tox_ini(inner.encode())
            else:
                yield from _tox_toml(inner)


def _noxfile(content: bytes | None) -> Iterator[str]:
    try:
        nodes = list(ast.walk(ast.parse(content or b"")))
    except UNPARSABLE:
        return
    for node in nodes:
        if isinstance(node, ast.Call):
            words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield shlex.join(words)


def _toml(content: bytes | None) -> Mapping[str, object]:
    try:
        return tomllib.loads((content or b"").decode(errors="replace"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        yield from _strings(list(value.values()))
