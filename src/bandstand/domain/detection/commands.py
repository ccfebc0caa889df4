"""What a project's own test command is, told by its files.

A proposal: a person confirms it before anything runs. One command per ecosystem, in this order:

- **Python**: `pytest` where it is configured, asked for or has tests to find, else `tox`. Directly, for its exit code
  tells "no tests" from "all green", and tox makes environments anew. `PYTHONPATH` goes first, so that the commit is
  tested and not a copy that is installed somewhere. `uv` and `poetry` run it where their lock file says so.
- **JavaScript**: the script `test` of package.json, by the package manager of the lock file. A clean checkout has no
  node_modules, so what is locked is installed first.
- **Go**: `go test ./...`, only with test files, for it is green on none. **Rust**: `cargo test`, which at least builds.
- **make**: the target `test`, only if nothing above was found. It mostly wraps one of them and hides its exit code.

Everything is a pure function of the paths of a commit and of the few small files that `tells` names.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandstand.domain.check import CheckCommand
from bandstand.domain.detection.makefiles import MAKEFILES, Reader

_READ = frozenset(
    {
        *MAKEFILES,
        "package.json",
        "pyproject.toml",
        "setup.cfg",
        "yarn.lock",
    }
)
_REQUIREMENTS = re.compile(r"(?:requirements/)?[\w.-]*requirements[\w.-]*\.(?:txt|in)|requirements/[\w.-]+\.(?:txt|in)")
_PYTHON_TEST = re.compile(r"(?:tests?/(?:.*/)?)?(?:test_[^/]*|[^/]*_test)\.py")
_PYTEST_REQUIREMENT = re.compile(r"^pytest(?![\w-])", re.MULTILINE)
_TEST_TARGET = re.compile(r"^test[ \t]*:(?!=)", re.MULTILINE)
_NPM_DEFAULT = "no test specified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The proposed commands, and the file that told each of them, in the same order."""

    commands: tuple[CheckCommand, ...]
    sources: tuple[str, ...]

    @property
    def source(self) -> str:
        """All the files in words; empty if nothing is known."""
        return " and ".join(self.sources)


_Found = tuple[CheckCommand, str]


def tells(path: str) -> bool:
    """Whether `detect` may want the content of a file; others count by their path alone."""
    return path in _READ or _REQUIREMENTS.fullmatch(path) is not None


def detect(files: Iterable[str], read: Reader) -> Detection:
    """The test commands that a commit's files tell of, at most one per ecosystem; none if nothing is known.

    `read` has to know the files for which `tells` is true. One that cannot be parsed tells nothing.
    """
    names = frozenset(files)
    found = [one for look in (_python, _javascript, _go, _rust) if (one := look(names, read)) is not None]
    if not found and (made := _make(names, read)) is not None:
        found.append(made)
    return Detection(commands=tuple(command for command, _ in found), sources=tuple(source for _, source in found))


def _python(files: frozenset[str], read: Reader) -> _Found | None:
    source = _pytest_source(files, read)
    if source is not None:
        return _found("tests", _pytest_command(files), source)
    if "tox.ini" in files:
        return _found("tests", "tox", "tox.ini")
    return None


def _pytest_source(files: frozenset[str], read: Reader) -> str | None:
    """The file by which a project says that its tests are pytest's."""
    for name in ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"):
        if name in files:
            return name
    if _asks_for_pytest(_toml(read("pyproject.toml"))):
        return "pyproject.toml"
    if re.search(r"^\[tool:pytest\]", _text(read("setup.cfg")), re.MULTILINE):
        return "setup.cfg"
    for path in sorted(files):
        if _REQUIREMENTS.fullmatch(path) and _PYTEST_REQUIREMENT.search(_text(read(path))):
            return path
    if "tox.ini" in files:
        return None
    return next((path for path in sorted(files) if _PYTHON_TEST.fullmatch(path)), None)


def _asks_for_pytest(project: Mapping[str, object]) -> bool:
    tool = _table(project, "tool")
    if any(name == "pytest" or name.startswith("pytest-") for name in tool):
        return True
    wanted: list[object] = [_table(project, "dependency-groups"), _table(project, "project", "optional-dependencies")]
    wanted += [_table(tool, "uv").get("dev-dependencies"), _table(tool, "pdm", "dev-dependencies")]
    if any(_PYTEST_REQUIREMENT.match(text) for text in _strings(wanted)):
        return True
    poetry = _table(tool, "poetry")
    groups = [_table(poetry, "dev-dependencies"), *(_table(poetry, "group", name) for name in _table(poetry, "group"))]
    return any("pytest" in group or "pytest" in _table(group, "dependencies") for group in groups)


def _pytest_command(files: frozenset[str]) -> str:
    if "uv.lock" in files:
        return "uv run --frozen pytest"
    if "poetry.lock" in files:
        return "poetry install --no-interaction && poetry run pytest"
    folders = "src:." if any(path.startswith("src/") and path.endswith(".py") for path in files) else "."
    return f"PYTHONPATH={folders} pytest"


def _javascript(files: frozenset[str], read: Reader) -> _Found | None:
    package = _json(read("package.json"))
    script = _table(package, "scripts").get("test")
    if not isinstance(script, str) or not script.strip() or _NPM_DEFAULT in script:
        return None
    install, run = _package_manager(files, read)
    needs = any(_table(package, kind) for kind in ("dependencies", "devDependencies", "optionalDependencies"))
    return _found("npm-test", f"{install} && {run}" if needs else run, "package.json")


def _package_manager(files: frozenset[str], read: Reader) -> tuple[str, str]:
    """How to install what is locked, and how to run the tests."""
    if "pnpm-lock.yaml" in files:
        return "pnpm install --frozen-lockfile", "pnpm test"
    if "yarn.lock" in files:
        classic = "# yarn lockfile v1" in _text(read("yarn.lock"))[:500]
        return f"yarn install {'--frozen-lockfile' if classic else '--immutable'}", "yarn test"
    if files & {"bun.lock", "bun.lockb"}:
        return "bun install --frozen-lockfile", "bun run test"
    if files & {"package-lock.json", "npm-shrinkwrap.json"}:
        return "npm ci", "npm test"
    return "npm install --no-package-lock", "npm test"


def _go(files: frozenset[str], read: Reader) -> _Found | None:
    if "go.mod" in files and any(path.endswith("_test.go") for path in files):
        return _found("go-test", "go test ./...", "go.mod")
    return None


def _rust(files: frozenset[str], read: Reader) -> _Found | None:
    if "Cargo.toml" in files and any(path.endswith(".rs") for path in files):
        return _found("cargo-test", "cargo test", "Cargo.toml")
    return None


def _make(files: frozenset[str], read: Reader) -> _Found | None:
    for name in MAKEFILES:
        if name in files:
            # make reads the first of them only.
            return _found("make-test", "make test", name) if _TEST_TARGET.search(_text(read(name))) else None
    return None


def _found(name: str, command: str, source: str) -> _Found:
    return CheckCommand(name=name, command=command), source


def _text(content: bytes | None) -> str:
    return "" if content is None else content.decode(errors="replace")


def _toml(content: bytes | None) -> Mapping[str, object]:
    try:
        return tomllib.loads(_text(content))
    except tomllib.TOMLDecodeError:
        return {}


def _json(content: bytes | None) -> Mapping[str, object]:
    try:
        value = json.loads(_text(content))
    except (json.JSONDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _table(value: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """The table that lies at these names; empty if there is none."""
    for name in names:
        inner = value.get(name)
        value = inner if isinstance(inner, dict) else {}
    return value


def _strings(value: object) -> Iterable[str]:
    """All strings in lists and tables, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        yield from _strings(list(value.values()))
