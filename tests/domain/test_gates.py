"""Which parts of a change decide about its own checks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandstand.domain.detection import gate_files, touched_gates

Files = dict[str, str]


def touched(before: Files, after: Files, *commands: str) -> tuple[str, ...]:
    """The sentences for a change from some files to others."""
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    return touched_gates(changed=changed, before=reader(before), after=reader(after), commands=commands)


def reader(files: Files):  # type: ignore[no-untyped-def]
    """Reads these files."""
    return lambda path: files[path].encode() if path in files else None


@pytest.mark.parametrize(
    "path",
    [
        "bandstand.toml",
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


def test_the_gates_of_a_commit_can_be_listed() -> None:
    """For a person who wants to see what is guarded."""
    files = {
        "README.md": "",
        "bandstand.toml": "",
        "pyproject.toml": "[tool.pytest.ini_options]\n",
        "sub/pyproject.toml": "[project]\n",
        "check.sh": "",
        "tests/conftest.py": "import pytest\n",
        "tests/test_x.py": "",
    }
    assert gate_files(files, reader(files), ["./check.sh"]) == ("bandstand.toml", "check.sh", "pyproject.toml")


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
