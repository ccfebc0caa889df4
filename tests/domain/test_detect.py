"""Which test commands a project's files tell of."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.detection import detect, tells

NODE: dict[str, object] = {"scripts": {"test": "vitest run"}, "devDependencies": {"vitest": "3"}}


def proposed(files: Mapping[str, str | dict[str, object]]) -> list[tuple[str, str]]:
    """The commands for a commit of these files, each with the file that told it. Only telling files may be read."""

    def read(path: str) -> bytes | None:
        assert tells(path), f"{path} is read, and nobody was told that it would be"
        content = files.get(path)
        text = json.dumps(content) if isinstance(content, dict) else content
        return None if text is None else text.encode()

    found = detect(files, read)
    return list(zip((command.command for command in found.commands), found.sources, strict=True))


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"pytest.ini": ""}, "pytest.ini"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['-q']\n"}, "pyproject.toml"),
        ({"pyproject.toml": "[tool.pytest]\n"}, "pyproject.toml"),
        ({"pyproject.toml": "[dependency-groups]\ndev = ['ruff', 'pytest>=8']\n"}, "pyproject.toml"),
        ({"pyproject.toml": "[project.optional-dependencies]\ntest = ['pytest']\n"}, "pyproject.toml"),
        ({"pyproject.toml": "[tool.poetry.group.dev.dependencies]\npytest = '^8'\n"}, "pyproject.toml"),
        ({"pyproject.toml": "[tool.uv]\ndev-dependencies = ['pytest']\n"}, "pyproject.toml"),
        ({"setup.cfg": "[metadata]\n[tool:pytest]\n"}, "setup.cfg"),
        ({"requirements-dev.txt": "ruff\npytest==8.0\n"}, "requirements-dev.txt"),
        ({"requirements/test.in": "pytest\n"}, "requirements/test.in"),
        ({"package/core.py": "", "tests/unit/test_core.py": ""}, "tests/unit/test_core.py"),
        ({"core.py": "", "core_test.py": ""}, "core_test.py"),
    ],
)
def test_pytest_is_told_by_its_settings_its_requirement_or_its_tests(files: dict[str, str], source: str) -> None:
    """The commit's own modules come before installed ones."""
    assert proposed(files) == [("PYTHONPATH=. pytest", source)]


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({"src/package/core.py": ""}, "PYTHONPATH=src:. pytest"),
        ({"src/main.c": ""}, "PYTHONPATH=. pytest"),
        ({"uv.lock": ""}, "uv run --frozen pytest"),
        ({"poetry.lock": ""}, "poetry install --no-interaction && poetry run pytest"),
        ({"tox.ini": ""}, "PYTHONPATH=. pytest"),
    ],
)
def test_pytest_is_run_as_the_project_is_made(more: dict[str, str], command: str) -> None:
    """By its lock file where it has one, and by itself where tox would only call it."""
    assert proposed({"pytest.ini": "", **more}) == [(command, "pytest.ini")]


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": "[project]\ndependencies = ['pytest-like']\n"},
        {"pyproject.toml": "[dependency-groups]\ndev = ['pytest-cov']\n"},
        {"pyproject.toml": "this is [not toml"},
        {"src/tests/test_deep.py": "", "app/test_model.py": ""},
        {"setup.cfg": "[metadata]\nname = tool:pytest\n"},
        {"docs/requirements.txt": "pytest\n"},
    ],
)
def test_a_hint_that_is_none_tells_nothing(files: dict[str, str]) -> None:
    """Neither a plugin, nor a file that cannot be parsed, nor tests that are far from the top."""
    assert proposed(files) == []


def test_tox_is_asked_where_only_tox_knows() -> None:
    """Its environments say how the tests are run."""
    assert proposed({"tox.ini": "[tox]\n", "tests/test_core.py": ""}) == [("tox", "tox.ini")]


@pytest.mark.parametrize(
    ("lock", "command"),
    [
        ({"package-lock.json": "{}"}, "npm ci && npm test"),
        ({}, "npm install --no-package-lock && npm test"),
        ({"pnpm-lock.yaml": ""}, "pnpm install --frozen-lockfile && pnpm test"),
        ({"yarn.lock": "# yarn lockfile v1\n"}, "yarn install --frozen-lockfile && yarn test"),
        ({"yarn.lock": "__metadata:\n  version: 8\n"}, "yarn install --immutable && yarn test"),
        ({"bun.lock": ""}, "bun install --frozen-lockfile && bun run test"),
    ],
)
def test_the_lock_file_names_the_package_manager(lock: dict[str, str], command: str) -> None:
    """What is locked is installed first, for a clean checkout has nothing."""
    assert proposed({"package.json": NODE, **lock}) == [(command, "package.json")]


def test_a_package_without_dependencies_installs_none() -> None:
    """Its script is all there is to run."""
    assert proposed({"package.json": {"scripts": {"test": "node --test"}}}) == [("npm test", "package.json")]


@pytest.mark.parametrize(
    "package",
    [
        {"scripts": {"test": 'echo "Error: no test specified" && exit 1'}},
        {"scripts": {"build": "tsc"}},
        {"scripts": {"test": " "}},
        {"scripts": ["test"]},
        {},
    ],
)
def test_a_package_without_tests_tells_nothing(package: dict[str, object]) -> None:
    """The script that npm writes into every new package is none."""
    assert proposed({"package.json": package}) == []


def test_go_and_rust_are_tested_by_their_own_tools() -> None:
    """Go only where it has tests, for it is green on none."""
    assert proposed({"go.mod": "", "pkg/a_test.go": ""}) == [("go test ./...", "go.mod")]
    assert proposed({"go.mod": "", "pkg/a.go": ""}) == []
    assert proposed({"Cargo.toml": "", "src/lib.rs": ""}) == [("cargo test", "Cargo.toml")]


def test_there_is_one_command_for_each_ecosystem() -> None:
    """In a fixed order."""
    files: dict[str, str | dict[str, object]] = {
        "Makefile": "test:\n\tpytest\n",
        "package.json": {"scripts": {"test": "node --test"}},
        "pytest.ini": "",
        "tox.ini": "",
        "go.mod": "",
        "a_test.go": "",
    }
    assert [command for command, _ in proposed(files)] == ["PYTHONPATH=. pytest", "npm test", "go test ./..."]


@pytest.mark.parametrize(
    ("makefile", "told"),
    [
        ("all: build\n\ntest: all\n\t./run\n", True),
        ("test:: \n\t./run\n", True),
        ("test :\n\t./run\n", True),
        ("test-unit:\n\t./run\n", False),
        ("test := 1\n", False),
        ("\ttest: no\n", False),
    ],
)
def test_make_is_asked_last(makefile: str, *, told: bool) -> None:
    """For a target `test`, when nothing else is known."""
    assert proposed({"Makefile": makefile}) == ([("make test", "Makefile")] if told else [])
    assert proposed({"Makefile": makefile, "pytest.ini": ""}) == [("PYTHONPATH=. pytest", "pytest.ini")]


def test_make_reads_one_file() -> None:
    """The first in its own order."""
    assert proposed({"GNUmakefile": "all:\n", "Makefile": "test:\n"}) == []


def test_an_empty_commit_tells_nothing() -> None:
    """There is nothing to run, and that is said by an empty answer."""
    assert proposed({}) == []
    assert detect((), lambda _: None).source == ""


def test_the_sources_are_told_in_words() -> None:
    """For display, in the order of the commands."""
    files = {"pytest.ini": b"", "package.json": b'{"scripts": {"test": "x"}}'}
    assert detect(files, files.get).source == "pytest.ini and package.json"


@given(content=st.binary(max_size=200))
def test_any_content_is_survived(content: bytes) -> None:
    """Files are written by anybody."""
    files = ("pyproject.toml", "setup.cfg", "package.json", "Makefile", "requirements.txt", "yarn.lock")
    detect(files, lambda path: content if path in files else None)
