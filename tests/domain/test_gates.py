"""Which parts of a change decide about its own checks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.detection import touched_gates

Files = dict[str, str]


def touched(before: Files, after: Files, *commands: str) -> tuple[str, ...]:
    """The sentences for a change from some files to others."""
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    letters = {path: "A" if path not in before else "M" if path in after else "D" for path in changed}
    return touched_gates(
        changed=changed, before=reader(before), after=reader(after), commands=commands, statuses=letters
    )


def reader(files: Files):  # type: ignore[no-untyped-def]
    """Reads these files."""
    return lambda path: files[path].encode() if path in files else None


@pytest.mark.parametrize(
    "path",
    [
        "bandstand.toml",
        ".worktreeinclude",
        ".github/workflows/ci.yml",
        ".gitlab-ci.yml",
        ".forgejo/workflows/test.yaml",
        "Jenkinsfile",
        "CODEOWNERS",
        ".pre-commit-config.yaml",
        ".husky/pre-commit",
        "pytest.ini",
        "tox.ini",
        "conftest.py",
        "sitecustomize.py",
        "src/pytest.py",
        "jest.config.ts",
        "packages/web/vitest.config.mts",
        ".cargo/config.toml",
    ],
)
def test_a_gate_is_told_whatever_is_done_to_it(path: str) -> None:
    """It is new, it is gone, it is another."""
    for before, after, verb in [
        ({}, {path: "a"}, "adds"),
        ({path: "a"}, {}, "removes"),
        ({path: "a"}, {path: "b"}, "changes"),
    ]:
        (sentence,) = touched(before, after, "make test")
        assert sentence.startswith(f"It {verb} {path}, ")
        assert sentence.endswith(".")


@pytest.mark.parametrize(
    "path",
    [
        "src/app.py",
        "tests/test_app.py",
        "docs/bandstand.toml",
        "README.md",
        "package/github/workflows/x.yml",
        "Makefile",
    ],
)
def test_other_files_are_nobodys_business(path: str) -> None:
    """Least of all the tests: those that are gone or skipped are listed elsewhere."""
    assert touched({path: "a"}, {path: "b"}, "pytest -q") == ()


PARTS = [
    ("pyproject.toml", "[project]\nversion='1'\n", "[tool.pytest.ini_options]\naddopts='-k one'\n", "test tools"),
    ("pyproject.toml", "[tool.ruff]\nx=1\n", "[tool.coverage.report]\nfail_under=1\n", "test tools"),
    ("pyproject.toml", "[tool.hatch]\nx=1\n", "[tool.hatch.envs.test.scripts]\nrun='true'\n", "test tools"),
    ("setup.cfg", "[metadata]\nname=x\n", "[tool:pytest]\ntestpaths=none\n", "test tools"),
    ("package.json", '{"version": "1"}', '{"scripts": {"test": "true"}}', "scripts and test settings"),
    ("web/package.json", '{"dependencies": {"a": "1"}}', '{"jest": {"testMatch": []}}', "scripts and test settings"),
    ("Cargo.toml", "[package]\nversion='1'\n", "[[test]]\nname='a'\ntest=false\n", "built and tested"),
    ("Cargo.toml", "[dependencies]\na='1'\n", "[workspace]\nexclude=['a']\n", "built and tested"),
    ("tests/conftest.py", "import os\n", "collect_ignore_glob = ['*']\n", "hooks of pytest"),
    ("tests/conftest.py", "@fixture\ndef x(): ...\n", "def pytest_sessionfinish(session): ...\n", "hooks of pytest"),
]


@pytest.mark.parametrize(("path", "harmless", "harmful", "part"), PARTS)
def test_of_some_files_a_part_is_a_gate(path: str, harmless: str, harmful: str, part: str) -> None:
    """An edit of another part is no matter; neither is one that only moves or comments it."""
    assert touched({}, {path: harmless}, "x") == ()
    assert touched({path: harmless}, {}, "x") == ()
    for before, after in [(harmless, harmful), (harmful, harmless)]:
        (sentence,) = touched({path: before}, {path: after}, "x")
        assert part in sentence
        assert sentence.endswith(f" in {path}.")
    assert touched({path: harmful}, {path: "\n" + harmful}, "x") == ()


@pytest.mark.parametrize("path", sorted({part[0] for part in PARTS}))
def test_what_cannot_be_parsed_counts_as_touched(path: str) -> None:
    """It could be anything to the tool that reads it."""
    assert len(touched({path: "{ ="}, {path: "{ = ="}, "x")) == 1
    assert len(touched({}, {path: "{ ="}, "x")) == 1


RUN = "scripts/run"


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("scripts/check.sh --fast", "scripts/check.sh"),
        ("./check", "check"),
        ("sh -e scripts/check.sh", "scripts/check.sh"),
        ("CI=1 env A=b timeout 60 bash ./scripts/../check.sh", "check.sh"),
        ("pip install . && python tools/run.py --all", "tools/run.py"),
        ("python -m tools.run", "tools/run.py"),
        ("python3.11 -m tools", "tools/__main__.py"),
        ("uv run --frozen python tools/run.py", "tools/run.py"),
        ("cd web && node test/run.mjs", "web/test/run.mjs"),
        ("(cd web; ./run) | tee log", "web/run"),
        ("echo 'unbalanced; ./check", "check"),
    ],
)
def test_a_script_that_a_command_runs_is_a_gate(command: str, path: str) -> None:
    """However it is called. What a command only names is none."""
    (sentence,) = touched({path: "a"}, {path: "b"}, command)
    assert sentence == f"It changes {path}, which a check runs."
    assert touched({"other.py": "a"}, {"other.py": "b"}, command) == ()
    assert touched({path: "a"}, {path: "b"}, f"pytest {path}", "ruff check .", "sh -c true") == ()


def test_make_is_followed() -> None:
    """The Makefile is a gate where make is used, and so are the scripts of the target and what it needs; no others."""
    makefile = (
        "deploy:\n\t./deploy.sh\n\nlint: ; ./lint.sh\n\ntest: lint \\\n  more\n\t@sh unit.sh\n\nmore:\n\t-./more.sh\n"
    )
    names = ["deploy.sh", "lint.sh", "unit.sh", "more.sh"]
    before = {"Makefile": makefile, **dict.fromkeys(names, "a")}
    after = {"Makefile": makefile, **dict.fromkeys(names, "b")}
    told = touched(before, after, "make -s test")
    assert [sentence.split()[2].rstrip(",") for sentence in told] == ["lint.sh", "more.sh", "unit.sh"]
    assert touched({"Makefile": "a:"}, {"Makefile": "b:"}, "make test") == (
        "It changes Makefile, by which checks are run.",
    )
    assert touched({"Makefile": "a:"}, {"Makefile": "b:"}, "pytest") == ()


def test_package_scripts_are_followed() -> None:
    """From one to another, with what runs before and after."""
    scripts = json.dumps(
        {
            "scripts": {
                "test": "npm run unit",
                "pretest": "node pre.js",
                "unit": "node unit.js",
                "build": "node build.js",
            }
        }
    )
    names = ["pre.js", "unit.js", "build.js", ".npmrc"]
    told = touched(
        {"package.json": scripts, **dict.fromkeys(names, "a")},
        {"package.json": scripts, **dict.fromkeys(names, "b")},
        "npm ci && npm test",
    )
    assert [sentence.split()[2].rstrip(",") for sentence in told] == [".npmrc", "pre.js", "unit.js"]


def test_a_detour_does_not_hide_a_script() -> None:
    """A change that takes a script out of the Makefile and edits it touches both; so does one that puts it in."""
    plain, detour = "test:\n\tpytest\n", "test:\n\t./wrap.sh\n"
    for before, after in [(plain, detour), (detour, plain)]:
        told = touched({"Makefile": before, "wrap.sh": "a"}, {"Makefile": after, "wrap.sh": "b"}, "make test")
        assert len(told) == 2


FIXTURE = "import pytest\nimport pytest_asyncio\n\n@pytest_asyncio.fixture\ndef one(): return 1\n"


@pytest.mark.parametrize(
    "line",
    [
        "from tests.h import pytest_collection_modifyitems",
        "from tests.h import hook as pytest_configure",
        "from tests.h import *",
        "import tests.h as pytest_hooks",
        "pytest_runtest_makereport = print",
        "class pytest_x: ...",
        "if True:\n    async def pytest_sessionfinish(): ...",
        "globals()['pytest_ignore_collect'] = lambda: True",
        "setattr(sys.modules[__name__], 'collect_ignore', [])",
        "sys.modules[__name__].pytest_configure = print",
        "collect_ignore.append('x')",
        "pytest_plugins = ['tests.h']",
    ],
)
def test_a_hook_enters_a_conftest_by_no_back_door(line: str) -> None:
    """Defined, imported under whatever name, or set by a string; the fixtures beside it stay free."""
    path = "tests/conftest.py"
    for before, after in [(FIXTURE, f"{line}\n{FIXTURE}"), (f"{line}\n{FIXTURE}", FIXTURE)]:
        assert touched({path: before}, {path: after}, "pytest") == (f"It changes the hooks of pytest in {path}.",)
    assert touched({path: f"{line}\n{FIXTURE}"}, {path: f"{line}\n{FIXTURE}# more\n"}, "pytest") == ()
    assert touched({path: FIXTURE}, {path: FIXTURE.replace("1", "2")}, "pytest") == ()


@pytest.mark.parametrize(
    ("conftest", "line", "path"),
    [
        ("tests/conftest.py", "from tests.h import *", "tests/h.py"),
        ("tests/conftest.py", "from .h import *", "tests/h.py"),
        ("tests/conftest.py", "from h import pytest_configure", "tests/h.py"),
        ("tests/conftest.py", "from . import pytest_configure", "tests/__init__.py"),
        ("tests/conftest.py", "from ..lib import *", "lib/__init__.py"),
        ("conftest.py", "pytest_plugins = ('tests.h',)", "tests/h.py"),
        ("conftest.py", "pytest_plugins: list[str] = []\npytest_plugins += ['app.testing']", "src/app/testing.py"),
    ],
)
def test_a_module_that_a_conftest_takes_hooks_from_is_read_like_one(conftest: str, line: str, path: str) -> None:
    """Fixtures in it are free as they are in the conftest itself; a module that it only imports is nobody's."""
    hook = "def pytest_sessionfinish(session): ...\n"
    same = {conftest: line}
    assert touched({**same, path: FIXTURE}, {**same, path: FIXTURE + hook}, "pytest") == (
        f"It changes the hooks of pytest in {path}.",
    )
    assert touched({**same, path: FIXTURE}, {**same, path: FIXTURE + "# more\n"}, "pytest") == ()
    other = {conftest: "import tests.h\nfrom tests.h import one\n"}
    assert touched({**other, path: FIXTURE}, {**other, path: FIXTURE + hook}, "pytest") == ()


@pytest.mark.parametrize("path", ["tests/conftest.py", "pyproject.toml", "web/package.json", "go.mod", "setup.cfg"])
def test_what_is_no_plain_file_is_a_gate_whole(path: str) -> None:
    """A link is listed in a commit and cannot be read: nobody sees which settings hold."""
    link = reader({})
    file = reader({path: "{}" if path.endswith("json") else ""})
    for before, after, letter in [(link, link, "A"), (link, link, "M"), (link, link, "D"), (file, link, "T")]:
        for letters in ({path: letter}, None):
            (sentence,) = touched_gates(
                changed=[path], before=before, after=after, commands=["pytest"], statuses=letters
            )
            assert sentence.startswith(f"It changes {path}, which is no plain file")
    (sentence,) = touched_gates(changed=[path], before=link, after=file, commands=["x"], statuses={path: "T"})
    assert path in sentence


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("pluggy.py", "pytest"),
        ("src/iniconfig/__init__.py", "pytest"),
        ("pytest", "pytest"),
        ("usercustomize.py", "pytest"),
        ("sitecustomize.cpython-311-x86_64-linux-gnu.so", "pytest"),
        ("sitecustomize/__init__.py", "pytest"),
        ("packaging/__init__.py", "pytest"),
        ("x.dist-info/entry_points.txt", "pytest"),
        ("src/x.egg-info/entry_points.txt", "pytest"),
        ("node_modules/.bin/jest", "npx jest"),
        (".venv/bin/pytest", ".venv/bin/pytest"),
        ("tests/pyvenv.cfg", "pytest"),
        ("tests/conda-meta/history", "pytest"),
        ("json.py", "PYTHONPATH=. pytest"),
        ("argparse/__init__.py", "python -m pytest"),
        ("src/ast.py", "export PYTHONPATH=src:.\npytest"),
        ("ci/subprocess.py", "python ci/run.py"),
        ("web/tempfile.py", "cd web; python -m unittest"),
        (".github/workflows", "x"),
        (".husky", "x"),
        ("ci", "sh ci/run.sh"),
        ("sub/go.mod", "go test ./..."),
        ("go.work", "go test ./..."),
        ("rust-toolchain.toml", "cargo test"),
        (".env", "pipenv run pytest"),
        (".mise.toml", "pytest"),
        ("ruff.toml", "ruff check ."),
        ("mypy.ini", "uv run mypy"),
        ("web/eslint.config.js", "npx eslint ."),
    ],
)
def test_what_stands_before_or_above_the_tools_is_a_gate(path: str, command: str) -> None:
    """Modules that shadow their own, folders they skip, programs in their place, links in the place of folders."""
    (sentence,) = touched({}, {path: "module x\n"}, command)
    assert path in sentence


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("json.py", "pytest"),
        ("app/json.py", "PYTHONPATH=. pytest"),
        ("src/app/ast.py", "PYTHONPATH=src:. pytest"),
        ("src/app.py", "PYTHONPATH=src:. pytest"),
        ("test/__init__.py", "PYTHONPATH=. pytest"),
        ("packaging/debian/control", "pytest"),
        ("sub/go.mod", "pytest"),
        ("ruff.toml", "pytest"),
        ("docs/node_modules/x.js", "npm test"),
        ("tests/pluggy.py", "pytest"),
        (".github/ISSUE_TEMPLATE.md", "pytest"),
        ("requirements.txt", "pip install -r requirements.txt && pytest"),
        ("poetry.lock", "poetry install && poetry run pytest"),
    ],
)
def test_names_that_only_look_alike_are_free(path: str, command: str) -> None:
    """They lie where no tool looks, or no check runs the tool."""
    assert touched({}, {path: "module x\n"}, command) == ()
    assert touched({path: "module x\n"}, {path: "module x\n\n"}, command) == ()


@pytest.mark.parametrize(
    ("path", "before", "after", "command", "other"),
    [
        ("pyproject.toml", "[tool.ruff]\nline-length=1", "[tool.ruff]\nline-length=2", "make\nruff check .", "pytest"),
        ("pyproject.toml", "[tool.mypy]\nstrict=true", "[tool.mypy]\nstrict=false", "python -m mypy .", "ruff check"),
        ("pyproject.toml", "[tool.importlinter]\na=1", "", "lint-imports", "pytest"),
        ("setup.cfg", "[flake8]\na=1", "[flake8]\na=2", "uv run flake8", "pytest"),
        ("setup.cfg", "[mypy-app.*]\na=1", "[mypy]\na=2", "env A=1 mypy", "pytest"),
        ("package.json", '{"eslintConfig": {}}', '{"eslintConfig": {"root": true}}', "npx eslint .", "npm test"),
        ("go.mod", "module x\n", "module x\nignore ./y\n", "go vet ./...", "pytest"),
    ],
)
def test_settings_of_a_linter_are_a_gate_where_a_check_runs_it(
    path: str, before: str, after: str, command: str, other: str
) -> None:
    """A check that looks for less is weaker; one that does not run has no say."""
    assert len(touched({path: before}, {path: after}, command)) == 1
    assert touched({path: before}, {path: after}, other) == ()


def test_what_is_packaged_is_no_setting_of_a_check() -> None:
    """Versions and dependencies change with the code, also where the packager runs the check."""
    for tool in ("uv", "poetry", "pdm"):
        before, after = f"[tool.{tool}]\nversion='1'\n", f"[tool.{tool}]\nversion='2'\n"
        assert touched({"pyproject.toml": before}, {"pyproject.toml": after}, f"{tool} run pytest") == ()
    plugin = "[project.entry-points.pytest11]\nx='y'\n"
    assert len(touched({"pyproject.toml": ""}, {"pyproject.toml": plugin}, "pytest")) == 1


@given(before=st.text(max_size=80), after=st.text(max_size=80), command=st.text(max_size=40))
def test_any_content_is_survived(before: str, after: str, command: str) -> None:
    """Files and commands are written by anybody; what cannot be read never hides a change of the policy."""
    paths = [
        "package.json",
        "pyproject.toml",
        "setup.cfg",
        "Cargo.toml",
        "tests/conftest.py",
        "Makefile",
        "bandstand.toml",
    ]
    told = touched_gates(
        changed=paths,
        before=reader(dict.fromkeys(paths, before)),
        after=reader(dict.fromkeys(paths, after)),
        commands=[command, "make test", "npm test"],
    )
    assert any("bandstand.toml" in sentence for sentence in told)
