"""Which files are gates.

Some are as a whole: the policy, continuous integration, hooks, the settings of test runners, the scripts that the
commands run. Of others only a part is: the scripts of package.json, the pytest table of pyproject.toml, the hooks in a
conftest.py. A part that cannot be parsed is the whole file.

The list cannot be complete, for tests run the code that they test. It holds what a person wants to be asked about.
"""

import ast
import configparser
import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bandstand.domain.detection.programs import MAKEFILES, NODE_TOOLS, Programs, Reader, programs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """Files that are gates from the first to the last byte; with `tools`, only if a command runs one of those."""

    paths: re.Pattern[str]
    why: str
    tools: frozenset[str] = frozenset()


def _whole(why: str, *patterns: str, tools: Iterable[str] = ()) -> _Whole:
    return _Whole(paths=re.compile("|".join(patterns)), why=why, tools=frozenset(tools))


_WHOLE = (
    _whole("the policy of this repository", r"bandstand\.toml"),
    _whole(
        "which continuous integration runs",
        r"\.github/(?:workflows|actions)/.*",
        r"\.(?:forgejo|gitea)/workflows/.*",
        r"\.gitlab-ci\.ya?ml|\.gitlab/.*",
        r"\.(?:circleci|buildkite|teamcity|ci)/.*",
        r"\.woodpecker(?:/.*|\.ya?ml)",
        r"\.(?:travis|drone|cirrus)\.ya?ml|\.?appveyor\.ya?ml",
        r"(?:azure|bitbucket)-pipelines\.ya?ml|Jenkinsfile",
    ),
    _whole("which says who has to review", r"(?:\.github/|docs/)?CODEOWNERS"),
    _whole(
        "which holds hooks",
        r"\.pre-commit-(?:config|hooks)\.ya?ml",
        r"\.(?:husky|githooks|lefthook)/.*|\.?lefthook(?:-local)?\.ya?ml",
        r"\.lintstagedrc.*|lint-staged\.config\.\w+",
    ),
    _whole(
        "which says how tests are run",
        r"(?:.*/)?\.?pytest\.(?:ini|toml)|(?:.*/)?tox\.(?:ini|toml)|noxfile\.py|\.coveragerc",
        r"(?:.*/)?(?:jest|vitest|vite|ava|playwright|cypress|karma|wdio)\.(?:conf|config|setup|workspace)\.\w+",
        r"(?:.*/)?\.(?:mocharc|nycrc|c8rc|taprc|jestrc)(?:\.\w+)?",
        r"\.cargo/config(?:\.toml)?|\.config/nextest\.toml",
    ),
    _whole("which pytest runs before any test", r"conftest\.py"),
    _whole("which Python loads before or instead of its test runner", r"(?:src/)?(?:site|user)customize\.py"),
    _whole("which Python loads before or instead of its test runner", r"(?:src/)?_?pytest(?:\.py|/.*)"),
    _whole("which says how package scripts are run", r"\.npmrc|\.yarnrc(?:\.yml)?|\.pnpmfile\.c?js", tools=NODE_TOOLS),
    _whole("which says how package scripts are run", r"\.yarn/(?:releases|plugins)/.*", tools=NODE_TOOLS),
    _whole("by which checks are run", r"(?:GNUm|m|M)akefile|(?:.*/)?[^/]+\.mk", tools=("make", "gmake")),
    _whole("by which checks are run", r"\.?[jJ]ustfile", tools=("just",)),
    _whole("by which checks are run", r"[tT]askfile\.ya?ml", tools=("task",)),
    _whole(
        "by which checks are run",
        r"(?:.*/)?(?:build|settings)\.gradle(?:\.kts)?|gradlew|gradle/wrapper/.*",
        tools=("gradle", "gradlew"),
    ),
    _whole("by which checks are run", r"(?:.*/)?pom\.xml|mvnw|\.mvn/.*", tools=("mvn", "mvnw")),
)

_TESTS = re.compile(
    r"(?:.*/)?(?:test_[^/]*|[^/]*_test|tests?)\.py"
    r"|(?:.*/)?[^/]+_test\.go"
    r"|(?:.*/)?[^/]+\.(?:test|spec)\.[cm]?[jt]sx?"
    r"|(?:.*/)?[^/]+(?:Tests?|IT|Spec)\.(?:java|kt|scala|groovy|cs)"
    r"|(?:.*/)?[^/]+_(?:test|spec)\.rb"
    r"|(?:.*/)?tests/.*\.rs"
)
_NODE_KEYS = ("scripts", "jest", "mocha", "ava", "nyc", "c8", "tap", "vitest", "husky", "lint-staged", "packageManager")
_PYPROJECT_TOOL = re.compile(r"pytest(?:-.*)?|coverage|tox|nox|poe|taskipy|bandstand")
_SETUP_SECTION = re.compile(r"tool:pytest|coverage:.*|tox:.*|aliases")
_CARGO_TABLES = ("lib", "bin", "test", "bench", "example", "profile")


def _pyproject(content: bytes) -> object:
    tool = tomllib.loads(content.decode()).get("tool", {})
    settings = {name: value for name, value in tool.items() if _PYPROJECT_TOOL.fullmatch(name)}
    scripts = {name: tool.get(name, {}).get("scripts") for name in ("pdm", "rye")}
    return settings, scripts, tool.get("hatch", {}).get("envs")


def _setup_cfg(content: bytes) -> object:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(content.decode())
    return {name: parser.items(name) for name in parser.sections() if _SETUP_SECTION.fullmatch(name)}


def _package_json(content: bytes) -> object:
    package = json.loads(content.decode())
    return {key: package[key] for key in _NODE_KEYS if key in package}


def _cargo_toml(content: bytes) -> object:
    manifest = tomllib.loads(content.decode())
    workspace = manifest.get("workspace", {})
    members = {key: workspace.get(key) for key in ("members", "default-members", "exclude")}
    return {name: manifest[name] for name in _CARGO_TABLES if name in manifest}, members


def _conftest(content: bytes) -> object:
    """The hooks of pytest and what is never collected; fixtures are the tests' own business."""
    return [ast.dump(node) for node in ast.parse(content).body if any(map(_steers_pytest, ast.walk(node)))]


def _steers_pytest(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.Name(id=name):
            return name.startswith(("pytest_", "collect_ignore"))
        case _:
            return False


_PARTS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "pyproject.toml": (_pyproject, "the settings of the test tools"),
    "setup.cfg": (_setup_cfg, "the settings of the test tools"),
    "package.json": (_package_json, "the scripts and test settings"),
    "Cargo.toml": (_cargo_toml, "what is built and tested"),
    "conftest.py": (_conftest, "the hooks of pytest"),
}
_EMPTY = {"package.json": b"{}"}
_UNPARSABLE = (ValueError, configparser.Error, SyntaxError, RecursionError, AttributeError, TypeError)


def tells(path: str) -> bool:
    """Whether the content of a file is looked at; others count by their path alone."""
    return posixpath.basename(path) in _PARTS or path in MAKEFILES


def gate_files(files: Iterable[str], read: Reader, commands: Sequence[str]) -> tuple[str, ...]:
    """Those of a commit's paths whose edit can change what the commands mean, sorted."""
    ran = programs(commands, read)
    return tuple(sorted(path for path in files if _why(path, ran) or _has_part(path, read)))


def touched_gates(*, changed: Sequence[str], before: Reader, after: Reader, commands: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each gate that a change touches; none if it leaves all as they are.

    `changed` holds every path that differs, both names of a renamed file. The readers have to know the files that
    `tells` names, also those that did not change: what the commands run is read there, in `before` and in `after`, so
    that neither a new detour nor the end of an old one hides a script.
    """
    old, new = programs(commands, before), programs(commands, after)
    ran = Programs(tools=old.tools | new.tools, paths=old.paths | new.paths)
    sentences = []
    for path in sorted(set(changed)):
        if why := _why(path, ran):
            sentences.append(f"It {_verb(before(path), after(path))} {path}, {why}.")
        elif _part(path, before(path)) != _part(path, after(path)):
            sentences.append(f"It changes {_PARTS[posixpath.basename(path)][1]} in {path}.")
    return tuple(sentences)


def removed_tests(removed: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each path that holds tests and is gone, also under another name: what never runs is never red."""
    return tuple(
        f"It removes or moves {path}, which holds tests." for path in sorted(removed) if _TESTS.fullmatch(path)
    )


def _verb(before: bytes | None, after: bytes | None) -> str:
    if before is None and after is not None:
        return "adds"
    return "removes" if before is not None and after is None else "changes"


def _why(path: str, ran: Programs) -> str:
    """Why the whole file is a gate; empty if it is none."""
    if path in ran.paths:
        return "which a check runs"
    for rule in _WHOLE:
        if rule.paths.fullmatch(path) and (not rule.tools or rule.tools & ran.tools):
            return rule.why
    return ""


def _has_part(path: str, read: Reader) -> bool:
    return _part(path, read(path)) != _part(path, b"") if posixpath.basename(path) in _PARTS else False


def _part(path: str, content: bytes | None) -> object:
    """What of a file is a gate, to be compared; nothing of most files."""
    part = _PARTS.get(posixpath.basename(path))
    if part is None:
        return None
    try:
        return part[0](content or _EMPTY.get(posixpath.basename(path), b""))
    except _UNPARSABLE:
        return content
