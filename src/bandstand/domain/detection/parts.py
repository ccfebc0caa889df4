"""Parts of files that are gates, where the rest is anybody's: settings of test tools, scripts, the hooks of pytest.

A part is a value to compare: two files with equal parts mean the same to the tools that run the checks. It holds the
settings of a linter only where a check runs that linter.
"""

import ast
import configparser
import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping

from bandstand.domain.detection.makefiles import UNPARSABLE, Reader

_NODE_KEYS = ("scripts", "jest", "mocha", "ava", "nyc", "c8", "tap", "vitest", "husky", "lint-staged", "packageManager")
_PYPROJECT_TOOL = re.compile(r"pytest(?:-.*)?|coverage|tox|nox|poe|taskipy|bandstand")
_SETUP_SECTION = re.compile(r"tool:pytest|coverage:.*|tox:.*|aliases")
# They hold what is packaged and installed; it changes with the code, and a person reads it there.
_PACKAGERS = frozenset({"poetry", "uv", "pdm", "hatch", "rye", "pixi", "setuptools", "flit", "npm", "yarn", "pnpm"})
_CARGO_TABLES = ("lib", "bin", "test", "bench", "example", "profile")
_GO_LINES = re.compile(r"^\s*(?:module|ignore)\b.*?(?://|$)", re.MULTILINE)
_HOOK = re.compile(r"(?:pytest_|collect_ignore).*")
_ALWAYS_HOOK = re.compile(r"collect_ignore.*|pytest_plugins")


def _owned(names: Collection[str], tools: Collection[str]) -> set[str]:
    """Those names of settings whose tool a check runs. Each family has the name of its first part."""
    runs = {tool.replace("_", "-") for tool in tools} | ({"importlinter"} if "lint-imports" in tools else set())
    return {name for name in names if re.split(r"[:.]", name)[0].removesuffix("Config") in runs - _PACKAGERS}


def _pyproject(content: bytes, tools: Collection[str]) -> object:
    project = tomllib.loads(content.decode())
    tool = project.get("tool", {})
    owned = _owned(tool, tools)
    settings = {name: value for name, value in tool.items() if _PYPROJECT_TOOL.fullmatch(name) or name in owned}
    scripts = {name: tool.get(name, {}).get("scripts") for name in ("pdm", "rye")}
    plugins = project.get("project", {}).get("entry-points", {}).get("pytest11")
    return settings, scripts, tool.get("hatch", {}).get("envs"), plugins


def _setup_cfg(content: bytes, tools: Collection[str]) -> object:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(content.decode())
    owned = _owned(parser.sections(), tools)
    sections = [name for name in parser.sections() if _SETUP_SECTION.fullmatch(name) or name in owned]
    plugins = parser.get("options.entry_points", "pytest11", fallback=None)
    return {name: parser.items(name) for name in sections}, plugins


def _package_json(content: bytes, tools: Collection[str]) -> object:
    package = json.loads(content.decode())
    return {key: package[key] for key in package if key in _NODE_KEYS or key in _owned(package, tools)}


def _cargo_toml(content: bytes, tools: Collection[str]) -> object:
    manifest = tomllib.loads(content.decode())
    workspace = manifest.get("workspace", {})
    members = {key: workspace.get(key) for key in ("members", "default-members", "exclude")}
    return {name: manifest[name] for name in _CARGO_TABLES if name in manifest}, members


def _go_mod(content: bytes, tools: Collection[str]) -> object:
    """Where a module begins, and what it leaves out: `go test ./...` goes no further."""
    return _GO_LINES.findall(content.decode()) if "go" in tools else None


def _conftest(content: bytes, tools: Collection[str]) -> object:
    """The hooks of pytest and what is never collected; fixtures are the tests' own business."""
    tree = ast.parse(content)
    plain = {name.asname or name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    return [ast.dump(node) for node in tree.body if any(_steers(one, plain) for one in ast.walk(node))]


def _steers(node: ast.AST, plain: Collection[str]) -> bool:
    """Whether a node names a hook or a list of pytest's. `plain` are names of imported modules, which are neither."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return _HOOK.fullmatch(name) is not None
        case ast.Name(id=name):
            return (_ALWAYS_HOOK if name in plain else _HOOK).fullmatch(name) is not None
        case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Constant(value=str(name)):
            return _HOOK.fullmatch(name) is not None and name.isidentifier()
        case ast.ImportFrom(names=names):
            return any(one.name == "*" or _HOOK.fullmatch(one.asname or one.name) for one in names)
        case ast.Import(names=names):
            return any(one.asname is not None and _HOOK.fullmatch(one.asname) for one in names)
        case _:
            return False


_PARTS: Mapping[str, tuple[Callable[[bytes, Collection[str]], object], str]] = {
    "pyproject.toml": (_pyproject, "the settings of the test tools"),
    "setup.cfg": (_setup_cfg, "the settings of the test tools"),
    "package.json": (_package_json, "the scripts and test settings"),
    "Cargo.toml": (_cargo_toml, "what is built and tested"),
    "go.mod": (_go_mod, "which tests Go finds"),
    "conftest.py": (_conftest, "the hooks of pytest"),
}
_EMPTY = {"package.json": b"{}"}
_UNPARSABLE = (*UNPARSABLE, configparser.Error, AttributeError, TypeError)


def has_part(path: str) -> bool:
    """Whether a part of a file with this name is a gate."""
    return posixpath.basename(path) in _PARTS


def subject(path: str) -> str:
    """What the part is, in words. A file that pytest loads for a conftest.py is read like one."""
    return _PARTS.get(posixpath.basename(path), _PARTS["conftest.py"])[1]


def part(path: str, content: bytes | None, tools: Collection[str]) -> object:
    """The part of a file, of nothing if it is not there; the file whole if it cannot be parsed."""
    name = posixpath.basename(path)
    read = _PARTS.get(name, _PARTS["conftest.py"])[0]
    try:
        return read(content or _EMPTY.get(name, b""), tools)
    except _UNPARSABLE:
        return content


def plugins(path: str, read: Reader) -> Iterator[str]:
    """The paths that may hold the modules from which a conftest.py takes hooks."""
    folder = posixpath.dirname(path)
    try:
        tree = ast.parse(read(path) or b"")
    except _UNPARSABLE:
        return
    for node in tree.body:
        for module, level in _modules(node):
            file = module.replace(".", "/")
            above = posixpath.normpath(posixpath.join(folder, *[".."] * (level - 1))) if level else ""
            for base in (above,) if level else {"", "src", folder}:
                place = posixpath.normpath(posixpath.join(base, file))
                yield from (f"{place}.py", posixpath.join(place, "__init__.py"))


def _modules(node: ast.stmt) -> Iterator[tuple[str, int]]:
    """The modules that a statement takes hooks from, each with how many folders up it is looked for."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.ImportFrom) and _steers(inner, ()):
            yield inner.module or "", inner.level
            yield from ((f"{inner.module or ''}.{one.name}".lstrip("."), inner.level) for one in inner.names)
    if any(isinstance(inner, ast.Name) and inner.id == "pytest_plugins" for inner in ast.walk(node)):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                yield inner.value, 0
